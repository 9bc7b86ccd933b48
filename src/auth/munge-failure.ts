/**
 * From a MUNGE error number to an error a person can act on: looks at the socket's path, measures the clocks.
 *
 * Nothing here ever sees a credential, and MUNGE's own text is searched for one before it is shown.
 */
import { access, constants, stat } from 'node:fs/promises';
import { SlurmAuthError } from '../protocol/slurm-error.js';
import { EMUNGE, emungeEntry, SOCKET_REASONS, type SocketReason } from './emunge.js';
import type { MungeTrouble } from './munge-way.js';

/** What is known about a call that failed. */
export interface MungeFailure extends MungeTrouble {
  /** How often it was tried, and for how long. */
  readonly tries: number;
  readonly elapsedMs: number;
}

/** The error for a failed call. Looks at the file system when munged could not be reached. */
export async function mungeError(failure: MungeFailure): Promise<SlurmAuthError> {
  const entry = emungeEntry(failure.error);
  const base = {
    code: entry.code,
    number: entry.number,
    errno: entry.errno,
    retryable: entry.retryable,
    outcome: 'not-sent',
    phase: 'authenticate',
    peer: failure.socket,
    cause: failure.text === null ? undefined : new Error(withoutCredential(failure.text)),
  } as const;

  if (failure.error === EMUNGE.SOCKET) {
    const reason = await socketReason(failure);
    const { errno, retryable, summary, hint } = SOCKET_REASONS[reason];
    return new SlurmAuthError(`${summary} (${failure.socket})${said(failure)}${tried(failure)}.`, {
      ...base,
      errno,
      retryable,
      reason,
      hint,
    });
  }
  const skew = clockSkew(failure);
  return new SlurmAuthError(`${entry.summary}${said(failure)}${tried(failure)}.`, {
    ...base,
    clockSkewSeconds: skew,
    hint: hintFor(failure, skew) ?? entry.hint,
  });
}

/** Which of the kinds of `EMUNGE_SOCKET` it is: first by the path itself, then by how the call ended. */
async function socketReason(failure: MungeFailure): Promise<SocketReason> {
  const { socketErrno, speaker, text } = failure;
  const errno = socketErrno ?? (speaker === 'libmunge' ? errnoIn(text ?? '') : null);
  try {
    if (!(await stat(failure.socket)).isSocket()) return 'no-socket';
    await access(failure.socket, constants.W_OK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EACCES' || code === 'EPERM') return 'no-permission';
    // Gone between the call and the look is a munged that restarts.
    if (errno !== 'ECONNREFUSED') return 'no-socket';
  }
  return (errno !== null && REASON_OF_ERRNO.get(errno)) || 'busy';
}

const REASON_OF_ERRNO: ReadonlyMap<string, SocketReason> = new Map([
  ['EACCES', 'no-permission'],
  ['EPERM', 'no-permission'],
  ['ECONNREFUSED', 'not-running'],
  // The socket appeared since: again a munged that restarts.
  ['ENOENT', 'not-running'],
  ['ETIMEDOUT', 'hung'],
  ['EPROTO', 'not-munged'],
  // EAGAIN when munged's backlog is full, ECONNRESET when an exchange was cut short: busy.
]);

/** The words libmunge uses for what cannot be seen from outside (measured with munge 0.5.15). */
function errnoIn(words: string): string | null {
  if (/permission denied/i.test(words)) return 'EACCES';
  if (/refused/i.test(words)) return 'ECONNREFUSED';
  if (/no such file/i.test(words)) return 'ENOENT';
  if (/timed.out/i.test(words)) return 'ETIMEDOUT';
  return null;
}

/** Seconds the decoding clock is ahead of the encoding one: only for the two errors that clocks cause. */
function clockSkew({ error, times }: MungeFailure): number | undefined {
  if (error !== EMUNGE.CRED_EXPIRED && error !== EMUNGE.CRED_REWOUND) return undefined;
  return times === null ? undefined : times.decoded - times.encoded;
}

/** The hints that need the measured values; undefined where the table's is as good. */
function hintFor({ error, times, tries }: MungeFailure, skew: number | undefined): string | undefined {
  if (error === EMUNGE.CRED_EXPIRED && skew !== undefined && times !== null) {
    return (
      `Either this host's clock is about ${skew} s ahead of the encoding host's (check NTP on both), or the credential ` +
      `was delivered ${skew} s after it was made, later than its lifetime of ${times.ttl} s allows.`
    );
  }
  if (error === EMUNGE.CRED_REWOUND && skew !== undefined) {
    return `The encoding host's clock is at least ${-skew} s ahead of this host's: check NTP on both.`;
  }
  if (error === EMUNGE.CRED_REPLAYED && tries > 1) {
    return 'munged broke off an earlier try of this call and may have counted it: the credential itself can be good. Ask for a new one.';
  }
  return undefined;
}

function said({ text, speaker }: MungeFailure): string {
  if (text === null) return '';
  return `; ${speaker === null ? '' : `${speaker}: `}${withoutCredential(text)}`;
}

function tried({ tries, elapsedMs }: MungeFailure): string {
  return tries === 1 ? '' : `, after ${tries} tries in ${(elapsedMs / 1000).toFixed(1)} s`;
}

/** MUNGE does not put credentials into its texts (measured); should a later one do, they go no further. */
function withoutCredential(text: string): string {
  return text.replaceAll(/MUNGE:[^\s"]*/g, 'MUNGE:…');
}
