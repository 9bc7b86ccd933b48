/** From what a SACK socket did to an error a person can act on. No token is ever in one. */
import { SlurmAuthError, type SlurmErrorDetails } from '../protocol/slurm-error.js';
import type { SackTrouble } from './sack-exchange.js';

/** A socket that was tried, and what became of it. */
export interface SackTry {
  readonly path: string;
  readonly trouble: SackTrouble;
}

/** Why no socket could be connected: one entry for each kind, the one to tell of first. */
const CONNECT_REASONS = [
  { reason: 'no-permission', errnos: ['EACCES', 'EPERM'] },
  { reason: 'busy', errnos: ['EAGAIN', 'EWOULDBLOCK'] },
  { reason: 'not-running', errnos: ['ECONNREFUSED', 'ECONNRESET'] },
  { reason: 'no-socket', errnos: ['ENOENT', 'ENOTDIR'] },
] as const;

type ConnectReason = (typeof CONNECT_REASONS)[number]['reason'];

const WORDS: Readonly<
  Record<
    ConnectReason,
    { readonly errno: string; readonly retryable: boolean; readonly summary: string; readonly hint: string }
  >
> = {
  'no-permission': {
    errno: 'EACCES',
    retryable: false,
    summary: 'This user may not use the SACK socket',
    hint: 'Its directory must be searchable (mode 0755) and the socket writable (mode 0777) for every user.',
  },
  busy: {
    errno: 'EAGAIN',
    retryable: true,
    summary: 'The daemon behind the SACK socket is too busy to take the request',
    hint: 'Try again later, or send fewer requests at a time.',
  },
  'not-running': {
    errno: 'ECONNREFUSED',
    retryable: true,
    summary: 'The SACK socket is there, but nobody listens on it',
    hint: 'sackd (or the slurmd or slurmctld of this host) has died or is restarting.',
  },
  'no-socket': {
    errno: 'ENOENT',
    retryable: false,
    summary: 'There is no SACK socket',
    hint: 'Is sackd (or a slurmd or slurmctld) running on this host, without AuthInfo=disable_sack? If its socket is elsewhere, say so in SLURM_SACK_SOCKET or with the option `socket`.',
  },
};

/** What may pass by itself: a daemon that is full or restarts. */
export function mayPass({ trouble }: SackTry): boolean {
  if (trouble.kind !== 'connect') return false;
  const reason = reasonOf(trouble.errno);
  return reason === 'busy' || reason === 'not-running';
}

/**
 * The error for an exchange that brought nothing.
 *
 * @param tries at least one, in order; the last one decides where it is not one of connecting.
 */
export function sackError(
  tries: readonly SackTry[],
  {
    what,
    elapsedMs,
    rounds,
  }: { readonly what: 'create' | 'verify'; readonly elapsedMs: number; readonly rounds: number },
): SlurmAuthError {
  const last = tries.at(-1) as SackTry;
  const { path, trouble } = last;
  switch (trouble.kind) {
    case 'connect':
      return unconnected(tries, elapsedMs, rounds);
    case 'silent':
      return failed(`${path} took the request and did not answer within ${trouble.timeoutMs} ms.`, {
        code: 'SLURMWIRE_AUTH_NO_SACK',
        errno: 'ETIMEDOUT',
        retryable: true,
        peer: path,
        reason: 'hung',
        hint: 'The daemon behind it (sackd, slurmd or slurmctld) is stopped or overloaded: look at its state and its log, and restart it.',
      });
    case 'nonsense':
      return failed(`What listens on ${path} answered with something else than a SACK daemon would.`, {
        code: 'SLURMWIRE_AUTH_NO_SACK',
        errno: 'EPROTO',
        peer: path,
        reason: 'bad-answer',
        hint: 'Is it the socket of sackd, slurmd or slurmctld?',
        cause: trouble.cause,
      });
    case 'closed':
      return what === 'create'
        ? failed(`${path} closed the connection without a credential${cut(trouble.received)}.`, {
            code: 'SLURMWIRE_AUTH_NO_TOKEN',
            errno: 'EACCES',
            peer: path,
            reason: 'refused',
            hint: 'The log of the daemon behind it (sackd, slurmd or slurmctld) has the reason; it may also have ended just then.',
            cause: trouble.cause,
          })
        : failed(`${path} closed the connection without an answer${cut(trouble.received)}.`, {
            code: 'ESLURM_AUTH_CRED_INVALID',
            number: 6000,
            errno: 'EACCES',
            peer: path,
            reason: 'refused',
            hint: 'Since 25.11 that is how a credential is refused: another slurm.key, clocks apart, or made for another uid. The log of the daemon has the reason.',
            cause: trouble.cause,
          });
  }
}

function unconnected(tries: readonly SackTry[], elapsedMs: number, rounds: number): SlurmAuthError {
  const connects = tries.flatMap(({ path, trouble }) =>
    trouble.kind === 'connect' ? [{ path, ...trouble, reason: reasonOf(trouble.errno) }] : [],
  );
  const rank = (reason: ConnectReason | undefined) =>
    CONNECT_REASONS.findIndex((one) => one.reason === reason);
  const [worst] = [...connects].sort((a, b) => rank(a.reason) - rank(b.reason));
  const shown = connects.map(({ path, errno }) => `${path}: ${errno}`).join(', ');
  const tried = rounds === 1 ? '' : `, after ${rounds} rounds in ${(elapsedMs / 1000).toFixed(1)} s`;
  const reason = worst?.reason;
  const words =
    reason === undefined
      ? {
          errno: worst?.errno ?? 'EIO',
          retryable: false,
          summary: 'The SACK socket cannot be used',
          hint: undefined,
        }
      : WORDS[reason];
  return failed(`${words.summary} (${shown})${tried}.`, {
    code: 'SLURMWIRE_AUTH_NO_SACK',
    errno: words.errno,
    retryable: words.retryable,
    peer: worst?.path,
    reason: reason ?? 'unusable',
    hint: words.hint,
    cause: worst?.cause,
  });
}

function reasonOf(errno: string): ConnectReason | undefined {
  return CONNECT_REASONS.find(({ errnos }) => (errnos as readonly string[]).includes(errno))?.reason;
}

function cut(received: number): string {
  return received === 0 ? '' : ` (after ${received} bytes of one)`;
}

function failed(
  summary: string,
  details: Omit<SlurmErrorDetails, 'outcome' | 'phase'> & { readonly reason: string },
): SlurmAuthError {
  return new SlurmAuthError(summary, { ...details, outcome: 'not-sent', phase: 'authenticate' });
}
