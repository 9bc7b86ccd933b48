/** Reads what a command is given by name, or by `-` on stdin. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { SlurmUsageError } from '../protocol/slurm-error.js';
import type { CliIo } from './io.js';

/** Largest input, in bytes: all of it is held in memory. */
export const MAX_INPUT_BYTES = 128 * 1024 * 1024;

/**
 * The bytes of a file, or of stdin for `-`.
 *
 * @throws SlurmUsageError `SLURMWIRE_BAD_FILE` when it cannot be read or is above {@link MAX_INPUT_BYTES}. Rejects with
 * `io.signal.reason` when the signal fires.
 */
export async function readInputFile(name: string, io: CliIo, field = 'FILE'): Promise<Uint8Array> {
  try {
    return name === '-' ? await readStdin(io, field) : await readFile(resolve(io.cwd, name), field, io);
  } catch (cause) {
    io.signal.throwIfAborted();
    const code = (cause as NodeJS.ErrnoException).code;
    if (cause instanceof SlurmUsageError || code === undefined) throw cause;
    throw badFile(name, `cannot be read: ${code}`, field, { errno: code, cause });
  }
}

async function readStdin({ stdin, signal }: CliIo, field: string): Promise<Uint8Array> {
  signal.throwIfAborted();
  const chunks: Uint8Array[] = [];
  let length = 0;
  const stop = () =>
    (stdin as NodeJS.ReadableStream & { destroy?(error: Error): void }).destroy?.(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const chunk of stdin) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      length += bytes.length;
      if (length > MAX_INPUT_BYTES) throw tooLarge('stdin', field);
      chunks.push(bytes);
    }
  } finally {
    signal.removeEventListener('abort', stop);
  }
  return Buffer.concat(chunks);
}

async function readFile(path: string, field: string, { signal }: CliIo): Promise<Uint8Array> {
  signal.throwIfAborted();
  // O_NONBLOCK: opening a FIFO must not wait for a writer; like all that is no file it is refused below.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = await file.stat();
    if (!stat.isFile())
      throw badFile(path, 'is not a regular file', field, { hint: 'Give - to read from stdin.' });
    if (stat.size > MAX_INPUT_BYTES) throw tooLarge(path, field);
    return await file.readFile({ signal });
  } finally {
    await file.close();
  }
}

function tooLarge(name: string, field: string): SlurmUsageError {
  return badFile(name, `is larger than ${MAX_INPUT_BYTES / 1024 / 1024} MiB`, field, {
    errno: 'EFBIG',
    hint: 'Cut a capture down first, for example: tcpdump -r large.pcap -w small.pcap port 6817',
  });
}

function badFile(
  name: string,
  trouble: string,
  field: string,
  details: { errno?: string; hint?: string; cause?: unknown },
): SlurmUsageError {
  return new SlurmUsageError(`${name} ${trouble}.`, {
    code: 'SLURMWIRE_BAD_FILE',
    field,
    value: name,
    ...details,
  });
}
