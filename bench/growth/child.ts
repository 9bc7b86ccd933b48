/** A program in a process of its own that does what it is asked, one thing after the other. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What a program can be asked for, by name. Arguments and results are what JSON can carry. */
export type Actions = Record<string, (argument: never) => unknown>;

type Argument<A extends Actions, Name extends keyof A> = Parameters<A[Name]>[0];
type Result<A extends Actions, Name extends keyof A> = Awaited<ReturnType<A[Name]>>;

/** The parent's side. */
export class Child<A extends Actions> implements AsyncDisposable {
  readonly #process: ChildProcess;
  #died: Promise<never>;

  /** @param file of the program, beside this one. */
  constructor(file: string) {
    const path = fileURLToPath(new URL(file, import.meta.url));
    this.#process = fork(path, { execArgv: ['--expose-gc'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#died = once(this.#process, 'exit').then(([code]) => {
      throw new Error(`${file} ended with ${code}`);
    });
    this.#died.catch(() => {});
  }

  async ask<Name extends keyof A & string>(
    name: Name,
    argument: Argument<A, Name>,
  ): Promise<Result<A, Name>> {
    const answer = once(this.#process, 'message');
    this.#process.send({ name, argument });
    const [{ result, error }] = await Promise.race([answer, this.#died]);
    if (error !== undefined) throw new Error(`${name}: ${error}`);
    return result;
  }

  /** Asks it to end, and waits until it has. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.connected) this.#process.disconnect();
    await this.#died.catch(() => {});
  }
}

/** The program's side. @param end what is to be done before it ends. */
export function serve(actions: Actions, end: () => Promise<void>): void {
  process.on('message', async ({ name, argument }: { name: string; argument: never }) => {
    try {
      process.send?.({ result: await actions[name]?.(argument) });
    } catch (error) {
      process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
  process.on('disconnect', () => void end());
}
