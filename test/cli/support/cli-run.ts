/** The command in this process, with streams that a test reads and writes. */
import { PassThrough } from 'node:stream';
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
  /** Told what is written to stderr, as it comes. */
  readonly onStderr?: (text: string) => void;
}

export async function runCli(argv: readonly string[], options: CliRunOptions = {}): Promise<CliRun> {
  const stdout = collector(options.terminal);
  const stderr = collector(options.terminal);
  stderr.stream.on('data', (chunk: string) => options.onStderr?.(chunk));
  const stdin = new PassThrough();
  stdin.end(options.input ?? '');
  const io: CliIo = {
    stdin,
    stdout: stdout.stream,
    stderr: stderr.stream,
    env: options.env ?? {},
    cwd: process.cwd(),
    signal: options.signal ?? new AbortController().signal,
    invokedAs: options.invokedAs ?? 'slurmwire',
  };
  const code = await run(argv, io);
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

function collector(terminal: number | undefined): { stream: TextOutput; text: () => string } {
  const stream = new PassThrough();
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const shown = terminal === undefined ? stream : Object.assign(stream, { isTTY: true, columns: terminal });
  return { stream: shown, text: () => text + (stream.read() ?? '') };
}
