/** A slurmwire client in a process of its own, so that what it costs is its own too. See `client-main.ts`. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ConnectOptions } from '../../src/index.js';

export interface ClientSetup {
  readonly uid: number;
  readonly gid: number;
  /** Of `connect()`, as far as JSON carries them. */
  readonly options: ConnectOptions;
}

export interface ClientCall {
  readonly method: string;
  readonly args: readonly unknown[];
  /** Through a new client, which knows nothing of the cluster; connecting counts. */
  readonly isFresh: boolean;
}

export interface ClientSaid {
  readonly ms: number;
  /** User and kernel time of the process, in milliseconds. */
  readonly cpuMs: number;
  /** The result; lists as a count of each outcome. */
  readonly result: Readonly<Record<string, unknown>>;
  readonly error: string | null;
}

export class ClientProcess {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** @param execArgv options of node, such as `--cpu-prof`. */
  static async start(setup: ClientSetup, execArgv: readonly string[] = []): Promise<ClientProcess> {
    const script = fileURLToPath(new URL('./client-main.js', import.meta.url));
    const child = fork(script, [JSON.stringify(setup)], { execArgv: ['--expose-gc', ...execArgv], cwd: '/' });
    await next(child);
    return new ClientProcess(child);
  }

  /** Calls a method of the client; one at a time. */
  async call(method: string, args: readonly unknown[], isFresh = false): Promise<ClientSaid> {
    const said = next(this.#child);
    this.#child.send({ method, args, isFresh } satisfies ClientCall);
    return (await said) as ClientSaid;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.disconnect();
    await ended;
  }
}

async function next(child: ChildProcess): Promise<unknown> {
  const given = new AbortController();
  const how = { signal: given.signal };
  try {
    const ended = once(child, 'exit', how).then(([code]) => {
      throw new Error(`the client's process ended with ${code}`);
    });
    const [message] = await Promise.race([once(child, 'message', how), ended]);
    return message;
  } finally {
    given.abort();
  }
}
