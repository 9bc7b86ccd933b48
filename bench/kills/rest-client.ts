/**
 * Kills through slurmrestd, by an HTTP client that does no more than it must: connections that stay, requests as text, of an answer the status
 * and the length. Arguments: socket, path of the API, uid, gid. Started by `stage.ts`.
 */
import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { type Killed, type KillRun, killAll } from './kill-run.js';

const [path = '', api = '', uid = '', gid = ''] = process.argv.slice(2);
process.setgroups?.([Number(gid)]);
process.setgid?.(Number(gid));
process.setuid?.(Number(uid));

const idle: Line[] = [];

/** One connection, one request at a time. */
class Line {
  readonly #socket: Socket;
  #held = '';
  #answered: ((status: number) => void) | null = null;
  #broken: ((error: Error) => void) | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => this.#arrived(text));
    socket.on('error', (error) => this.#broken?.(error));
    socket.on('close', () => this.#broken?.(new Error('closed')));
  }

  static async open(): Promise<Line> {
    const socket = createConnection({ path });
    await once(socket, 'connect');
    return new Line(socket);
  }

  /** Resolves to the status. */
  remove(target: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#answered = resolve;
      this.#broken = reject;
      this.#socket.write(`DELETE ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n`);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #arrived(text: string): void {
    this.#held += text;
    const end = this.#held.indexOf('\r\n\r\n');
    if (end === -1) return;
    const head = this.#held.slice(0, end);
    const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
    if (this.#held.length < end + 4 + length) return;
    this.#held = this.#held.slice(end + 4 + length);
    this.#answered?.(Number(head.slice(9, 12)));
  }
}

async function kill(id: number, signal: number): Promise<void> {
  const line = idle.pop() ?? (await Line.open());
  const status = await line.remove(`${api}/job/${id}?signal=${signal}`);
  idle.push(line);
  if (status !== 200) throw new Error(`slurmrestd answered ${status}`);
}

process.on('message', (run: KillRun) => {
  killAll(run, (id) => kill(id, run.signal)).then(
    (killed: Killed) => process.send?.(killed),
    (error: unknown) => {
      process.nextTick(() => {
        throw error;
      });
    },
  );
});
process.on('disconnect', () => {
  for (const line of idle) line.close();
});
process.send?.('ready');
