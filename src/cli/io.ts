/** The outside world of a command: what `main.ts` takes from the process, and a test makes up. */

import type { Clock } from '../rpc/clock.js';
import type { connect } from '../rpc/index.js';

/** A stream that text is written to, as `process.stdout` is. */
export type TextOutput = NodeJS.WritableStream & {
  readonly isTTY?: boolean | undefined;
  /** Width of the terminal, where it is one. */
  readonly columns?: number | undefined;
};

/** A stream that is read, as `process.stdin` is. */
export type TextInput = NodeJS.ReadableStream & { readonly isTTY?: boolean | undefined };

/** What a command sees of the world. */
export interface CliIo {
  readonly stdin: TextInput;
  readonly stdout: TextOutput;
  readonly stderr: TextOutput;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Aborted, with a {@link Stopped}, when the user wants to stop. Every call and every wait takes it. */
  readonly signal: AbortSignal;
  /** What the program was called as: the base name of its path, `slurmwire` or `scancel`. */
  readonly invokedAs: string;
  /** Makes the client. Default: the library's own. For tests. */
  readonly connect?: typeof connect | undefined;
  /** Default: the system's. For tests. */
  readonly clock?: Clock | undefined;
}

/** {@link CliIo} with the way to say how it ended. Handed to each command by `run()`. */
export interface CommandIo extends CliIo {
  /** The exit code, where a command does not end in success and does not throw. See `EXIT` in failure.ts. */
  setExitCode(code: number): void;
}

/** Columns to lay text out in: the terminal's, else 80. */
export function widthOf(stream: TextOutput): number {
  return stream.columns !== undefined && stream.columns > 0 ? stream.columns : 80;
}

/** Why {@link CliIo.signal} is aborted. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
  /** The signal that this process got; SIGPIPE where nobody reads its output any more. */
  readonly by: 'SIGHUP' | 'SIGINT' | 'SIGTERM' | 'SIGPIPE';

  constructor(by: Stopped['by']) {
    super(`stopped by ${by}`);
    this.by = by;
  }
}
