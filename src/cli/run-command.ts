/** Starts another program on this one's terminal, and waits for it. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { SlurmUsageError } from '../protocol/slurm-error.js';
import { type CliIo, Stopped } from './io.js';

/**
 * Runs a command with further variables in its environment, on this program's own streams. When this program is to stop, so is the
 * command: it is told, and waited for.
 *
 * @returns its exit code; 128 and the signal's number where a signal ended it.
 * @throws SlurmUsageError `SLURMWIRE_CANNOT_START`.
 */
export async function runCommand(
  [file = '', ...args]: readonly string[],
  env: Readonly<Record<string, string>>,
  io: CliIo,
): Promise<number> {
  const own = (stream: unknown, of: unknown) => (stream === of ? 'inherit' : 'pipe');
  const child = spawn(file, args, {
    cwd: io.cwd,
    env: { ...io.env, ...env },
    stdio: [own(io.stdin, process.stdin), own(io.stdout, process.stdout), own(io.stderr, process.stderr)],
  });
  child.stdout?.pipe(io.stdout, { end: false });
  child.stderr?.pipe(io.stderr, { end: false });
  if (child.stdin !== null) io.stdin.pipe(child.stdin.on('error', () => {}));
  const stop = () => {
    const { reason } = io.signal;
    const signal = reason instanceof Stopped ? reason.by : 'SIGTERM';
    // A terminal sends SIGINT to both.
    if (signal !== 'SIGINT' || io.stdin.isTTY !== true) child.kill(signal);
  };
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', (cause: NodeJS.ErrnoException) => {
        const summary = `${file} could not be started: ${cause.code}.`;
        const details = {
          code: 'SLURMWIRE_CANNOT_START',
          errno: cause.code ?? 'EIO',
          field: 'COMMAND',
          value: file,
          cause,
        };
        reject(new SlurmUsageError(summary, details));
      });
      child.once('close', (code, signal) => {
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
      });
      if (io.signal.aborted) stop();
      else io.signal.addEventListener('abort', stop, { once: true });
    });
  } finally {
    io.signal.removeEventListener('abort', stop);
    if (child.stdin !== null) io.stdin.unpipe(child.stdin);
  }
}

/** Waits until this program is to stop, or something else happens first. */
export async function untilStopped(
  { signal }: CliIo,
  other: Promise<unknown> = new Promise(() => {}),
): Promise<void> {
  if (signal.aborted) return;
  let stop: (() => void) | undefined;
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
    signal.addEventListener('abort', stop, { once: true });
  });
  await Promise.race([stopped, other]);
  if (stop !== undefined) signal.removeEventListener('abort', stop);
}
