import { constants, type FileHandle, open } from 'node:fs/promises';
import { untilAborted } from '../protocol/on-abort.js';
import { SlurmConfigError } from '../protocol/slurm-error.js';
import { ConfigErrorCode } from './config-error-code.js';

/** Bytes this library reads of one file. A slurm.conf with a line for each of 20,000 nodes has about 4 MB. */
export const MAX_FILE_BYTES = 16 * 1024 * 1024;

export interface ReadTextFileOptions {
  /** What the file is, as the subject of the error: `slurm.conf`, `the included file`. Default `the file`. */
  readonly what?: string | undefined;
  /** The line that named the file: errors then point there instead of at the file itself. */
  readonly namedAt?: { readonly file: string; readonly line: number } | undefined;
  /** What to do when the file does not exist, as a sentence. */
  readonly missingHint?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A text file as a string. Bytes that are not UTF-8 become U+FFFD: they are found in comments of old files.
 *
 * @throws SlurmConfigError `SLURMWIRE_CONFIG_NOT_FOUND`; `SLURMWIRE_CONFIG_UNREADABLE` when the system says no, or when
 * it is not a regular file (a pipe or a device might never end) or not text; `SLURMWIRE_CONFIG_TOO_LARGE` above
 * {@link MAX_FILE_BYTES}. Rejects with `signal.reason` when the signal fires.
 */
export async function readTextFile(path: string, options: ReadTextFileOptions = {}): Promise<string> {
  options.signal?.throwIfAborted();
  return await untilAborted(options.signal, read(path, options));
}

async function read(path: string, options: ReadTextFileOptions): Promise<string> {
  let bytes: Buffer;
  try {
    // O_NONBLOCK: opening a pipe nobody writes to would otherwise hold a thread of the pool for ever.
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) throw notRegular(path, stat.isDirectory(), options);
      bytes = await readBounded(handle, options.signal);
    } finally {
      await handle.close();
    }
  } catch (cause) {
    throw cause instanceof SlurmConfigError || options.signal?.aborted
      ? cause
      : systemError(path, options, cause);
  }
  if (bytes.length > MAX_FILE_BYTES) {
    throw failure(
      path,
      options,
      'EFBIG',
      ConfigErrorCode.TOO_LARGE,
      `is larger than ${MAX_FILE_BYTES} bytes`,
      {
        hint: 'Is this the right file?',
      },
    );
  }
  if (bytes.includes(0)) {
    throw failure(
      path,
      options,
      'EINVAL',
      ConfigErrorCode.UNREADABLE,
      'contains a NUL byte: it is not text',
      {
        hint: 'Is this the right file?',
      },
    );
  }
  return bytes.toString('utf8');
}

/** At most one byte more than allowed: the size that `stat` tells is not to be trusted (0 in /proc, growing files). */
async function readBounded(handle: FileHandle, signal: AbortSignal | undefined): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let total = 0;
  while (total <= MAX_FILE_BYTES) {
    signal?.throwIfAborted();
    const wanted = Math.min(256 * 1024, MAX_FILE_BYTES + 1 - total);
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(wanted), 0, wanted);
    if (bytesRead === 0) break;
    chunks.push(buffer.subarray(0, bytesRead));
    total += bytesRead;
  }
  return Buffer.concat(chunks);
}

function notRegular(path: string, isDirectory: boolean, options: ReadTextFileOptions): SlurmConfigError {
  return failure(
    path,
    options,
    isDirectory ? 'EISDIR' : 'EINVAL',
    ConfigErrorCode.UNREADABLE,
    isDirectory ? 'is a directory' : 'is not a regular file',
    { hint: 'Name the file itself.' },
  );
}

function systemError(path: string, options: ReadTextFileOptions, cause: unknown): SlurmConfigError {
  const errno = (cause as NodeJS.ErrnoException).code ?? 'EIO';
  if (errno === 'ENOENT' || errno === 'ENOTDIR') {
    const hint = options.missingHint;
    return failure(path, options, errno, ConfigErrorCode.NOT_FOUND, 'does not exist', { hint, cause });
  }
  const denied = errno === 'EACCES' || errno === 'EPERM';
  return failure(path, options, errno, ConfigErrorCode.UNREADABLE, `cannot be read (${errno})`, {
    hint: denied ? 'Let the user of this process read it.' : undefined,
    cause,
  });
}

function failure(
  path: string,
  options: ReadTextFileOptions,
  errno: string,
  code: ConfigErrorCode,
  trouble: string,
  more: { readonly hint?: string | undefined; readonly cause?: unknown },
): SlurmConfigError {
  const { namedAt, what = 'the file' } = options;
  // With `namedAt` the prefix of the message is the naming line, so the path has to be said.
  const summary = namedAt === undefined ? `${what} ${trouble}.` : `${what} ${path} ${trouble}.`;
  return new SlurmConfigError(summary, {
    code,
    errno,
    file: namedAt?.file ?? path,
    line: namedAt?.line,
    ...more,
  });
}
