import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What a call came to: a value, or the JSON of a SlurmError. */
export interface Told {
  // biome-ignore lint/suspicious/noExplicitAny: JSON from another process, asserted on by the tests
  readonly value?: any;
  // biome-ignore lint/suspicious/noExplicitAny: the same
  readonly error?: any;
  /** The longest time the event loop of the actor stood still during the call. */
  readonly longestPauseMs: number;
  /** TCP connections that were begun during the call, by clients with the option `countConnections`. */
  readonly connections: number;
}

/** A user's process that runs the built library: see actor.mjs. */
export class Actor {
  readonly #child: ChildProcess;
  #next = 0;
  readonly #waiting = new Map<number, (told: Told) => void>();
  #client = 0;
  readonly #defaults: Record<string, unknown>;
  /** What stands in the actor's environment during the calls from here on: its SLURM_JOB_ID and SLURM_CLUSTER_NAME, in no job by default. */
  environment: Readonly<Record<string, string>> = {};

  private constructor(child: ChildProcess, defaults: Record<string, unknown>) {
    this.#child = child;
    this.#defaults = defaults;
    child.on('message', (message: { id: number } & Told) => {
      this.#waiting.get(message.id)?.(message);
      this.#waiting.delete(message.id);
    });
  }

  /** @param defaults options of connect() for every call. */
  static async start(user: { uid: number; gid: number }, defaults: Record<string, unknown>): Promise<Actor> {
    const script = fileURLToPath(new URL('./actor.mjs', import.meta.url));
    const child = fork(script, [JSON.stringify({ uid: user.uid, gid: user.gid })], {
      execArgv: [],
      cwd: '/',
    });
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`the actor ended with ${code}`);
    });
    await Promise.race([once(child, 'message'), ended]);
    ended.catch(() => {});
    return new Actor(child, defaults);
  }

  /** Calls a method of a client; the client is kept and reused until {@link forget}. */
  call(method: string, args: unknown[] = [], options: Record<string, unknown> = {}): Promise<Told> {
    const id = this.#next++;
    const told = new Promise<Told>((resolve) => this.#waiting.set(id, resolve));
    const { environment } = this;
    const all = { ...this.#defaults, ...options };
    this.#child.send({ id, client: this.#client, method, args, options: all, environment });
    return told;
  }

  /** From here on calls go through new clients, which know nothing of the endpoints. */
  forget(): void {
    this.#client++;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.disconnect();
    await ended;
  }
}
