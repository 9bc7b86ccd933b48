import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandCall {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly input?: string;
  readonly invokedAs: string;
}

/** A user's process that runs the built command: see command-actor.mjs. */
export class CommandActor {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (ran: Ran) => void>();
  #next = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', ({ id, ...ran }: { id: number } & Ran) => {
      this.#waiting.get(id)?.(ran);
      this.#waiting.delete(id);
    });
  }

  static async start({ uid, gid }: { uid: number; gid: number }): Promise<CommandActor> {
    const script = fileURLToPath(new URL('./command-actor.mjs', import.meta.url));
    const child = fork(script, [JSON.stringify({ uid, gid })], { execArgv: [], cwd: '/' });
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`the command's process ended with ${code}`);
    });
    await Promise.race([once(child, 'message'), ended]);
    ended.catch(() => {});
    return new CommandActor(child);
  }

  run(argv: readonly string[], call: CommandCall): Promise<Ran> {
    const id = this.#next++;
    const ran = new Promise<Ran>((resolve) => this.#waiting.set(id, resolve));
    this.#child.send({ id, argv, input: '', ...call });
    return ran;
  }

  async stop(): Promise<void> {
    if (!this.#child.connected) return;
    const gone = once(this.#child, 'exit');
    this.#child.disconnect();
    await gone;
  }
}
