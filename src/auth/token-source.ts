/** Where the token of auth/jwt comes from: the caller's text, a file that is read again for each message, or the caller's function. */
import { constants, type FileHandle, open } from 'node:fs/promises';
import type { CallContext } from '../protocol/authenticator.js';
import { untilAborted } from '../protocol/on-abort.js';
import { SlurmAuthError } from '../protocol/slurm-error.js';
import { MAX_TOKEN_LENGTH } from './jwt-text.js';
import { SharedAsk } from './shared-ask.js';

/** A token and what is known of it. */
export interface Token {
  readonly text: string;
  /** Seconds since 1970 from which on daemons refuse it. */
  readonly expiresAt: number;
  /** The user it says it was made for; `null` where it names none in a claim that every Slurm reads. */
  readonly user: string | null;
}

/** Hands out the token to use now. It may have expired. */
export type TokenSource = (context: CallContext) => Promise<Token>;

/** @param from where it came from, for errors. @throws SlurmAuthError reason `malformed`. */
export type ReadToken = (text: string, from: string) => Token;

export function fixedToken(token: Token): TokenSource {
  return async () => token;
}

/** Room for `SLURM_JWT=` and white space around the token. */
const MAX_FILE_BYTES = MAX_TOKEN_LENGTH + 1024;

/**
 * The file is read for each message: it is small, and so a new token is never missed, however it was put there. What `scontrol token` prints
 * (`SLURM_JWT=…`) may stand in it as it is.
 */
export function tokenFile(path: string, read: ReadToken): TokenSource {
  return async ({ signal }) => {
    const text = await untilAborted(signal, readBounded(path));
    return read(text.trim().replace(/^SLURM_JWT=/, ''), `the token file ${path}`);
  };
}

async function readBounded(path: string): Promise<string> {
  let bytes: Buffer;
  try {
    // O_NONBLOCK: opening a pipe nobody writes to would otherwise hold a thread of the pool for ever.
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      if (!(await handle.stat()).isFile()) throw unreadable(path, 'EINVAL', 'is not a regular file');
      bytes = await readAtMost(handle, MAX_FILE_BYTES + 1);
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (cause instanceof SlurmAuthError) throw cause;
    const errno = (cause as NodeJS.ErrnoException).code ?? 'EIO';
    throw unreadable(path, errno, errno === 'ENOENT' ? 'is not there' : `cannot be read (${errno})`, cause);
  }
  if (bytes.length > MAX_FILE_BYTES)
    throw unreadable(path, 'EFBIG', `is larger than ${MAX_FILE_BYTES} bytes`);
  return bytes.toString('utf8');
}

/** The size that `stat` tells is not believed: a file may grow, and those of /proc say 0. */
async function readAtMost(handle: FileHandle, limit: number): Promise<Buffer> {
  const buffer = Buffer.alloc(limit);
  let length = 0;
  while (length < limit) {
    const { bytesRead } = await handle.read(buffer, length, limit - length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

function unreadable(path: string, errno: string, trouble: string, cause?: unknown): SlurmAuthError {
  const denied = errno === 'EACCES' || errno === 'EPERM';
  return noToken(`The token file ${path} ${trouble}.`, {
    errno,
    reason: errno === 'ENOENT' ? 'no-file' : denied ? 'no-permission' : 'unreadable',
    hint: denied ? 'It should belong to the user of this process, with mode 0600.' : undefined,
    cause,
  });
}

/** Asks for a token. */
export type ProvideToken = (call: { readonly signal: AbortSignal }) => string | Promise<string>;

/** A token is asked for anew so long before it expires, but only in the last tenth of its life. */
export const RENEW_MS = 30_000;

/**
 * Asks the caller's function once for all calls that wait, and keeps its token until shortly before it expires. The function's signal fires when
 * nobody waits any more.
 */
export function providedToken(provide: ProvideToken, read: ReadToken, now: () => number): TokenSource {
  let kept: { readonly token: Token; readonly untilMs: number } | undefined;
  let asking: SharedAsk<Token> | undefined;
  const ask = async (signal: AbortSignal) => {
    let text: unknown;
    try {
      text = await provide({ signal });
    } catch (cause) {
      // Its words are in the cause only: they may quote what it read.
      throw noToken('The function that provides tokens failed.', {
        errno: 'EIO',
        reason: 'callback',
        hint: 'See the cause.',
        cause,
      });
    }
    if (typeof text !== 'string') {
      throw noToken(`The function that provides tokens returned no text (${typeof text}).`, {
        errno: 'EINVAL',
        reason: 'callback',
      });
    }
    const token = read(text, 'what the function that provides tokens returned');
    const leftMs = token.expiresAt * 1000 - now();
    // One that comes when nobody waits any more may be older than what was got since.
    if (!signal.aborted) {
      kept = { token, untilMs: token.expiresAt * 1000 - Math.min(RENEW_MS, leftMs / 10) };
    }
    return token;
  };
  return async ({ signal }) => {
    if (kept !== undefined && now() < kept.untilMs) return kept.token;
    if (asking === undefined || asking.isOver) asking = new SharedAsk(ask);
    return asking.wait(signal);
  };
}

function noToken(
  summary: string,
  more: {
    readonly errno: string;
    readonly reason: string;
    readonly hint?: string | undefined;
    readonly cause?: unknown;
  },
): SlurmAuthError {
  return new SlurmAuthError(summary, {
    code: 'SLURMWIRE_AUTH_NO_TOKEN',
    outcome: 'not-sent',
    phase: 'authenticate',
    ...more,
  });
}
