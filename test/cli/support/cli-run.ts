/** The command in this process, with streams that a test reads and writes. */
import { PassThrough, Writable } from 'node:stream';
import type { CliIo, TextOutput } from '../../../src/cli/io.js';
import { run } from '../../../src/cli/run.js';

export interface CliRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliRunOptions {
  /** What stands on stdin. */
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly invokedAs?: string;
  /** stdout and stderr are terminals of so many columns. */
  readonly terminal?: number;
  readonly connect?: CliIo['connect'];
  readonly clock?: CliIo['clock'];
  /** Told what is written to stderr, as it comes. */
  readonly onStderr?: (text: string) => void;
  readonly onStdout?: (text: string) => void;
  /** In place of `input`. */
  readonly stdin?: CliIo['stdin'];
}

export async function runCli(argv: readonly string[], options: CliRunOptions = {}): Promise<CliRun> {
  const { io, stdout, stderr } = recordingIo(options);
  const code = await run(argv, io);
  return { code, stdout: stdout(), stderr: stderr() };
}

/** An outside world that remembers what was written. */
export function recordingIo(options: CliRunOptions = {}) {
  const stdout = collector(options.terminal, options.onStdout);
  const stderr = collector(options.terminal, options.onStderr);
  const typed = new PassThrough();
  typed.end(options.input ?? '');
  const io: CliIo = {
    stdin: options.stdin ?? typed,
    stdout: stdout.stream,
    stderr: stderr.stream,
    env: options.env ?? {},
    cwd: process.cwd(),
    signal: options.signal ?? new AbortController().signal,
    invokedAs: options.invokedAs ?? 'slurmwire',
    connect: options.connect,
    clock: options.clock,
  };
  return { io, stdout: stdout.text, stderr: stderr.text };
}

function collector(
  terminal: number | undefined,
  told?: (text: string) => void,
): { stream: TextOutput; text: () => string } {
  let text = '';
  const stream = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      text += chunk;
      told?.(String(chunk));
      done();
    },
  });
  const shown = terminal === undefined ? stream : Object.assign(stream, { isTTY: true, columns: terminal });
  return { stream: shown, text: () => text };
}
