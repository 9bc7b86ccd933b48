/**
 * Gives what went wrong on the way of a call its place in it: class, code, phase, outcome.
 */
import type { Release } from '../protocol/release.js';
import {
  isSlurmError,
  type Outcome,
  type Phase,
  restate,
  SlurmAuthError,
  SlurmConnectionError,
  type SlurmError,
  SlurmProtocolError,
  SlurmTimeoutError,
  showValue,
} from '../protocol/slurm-error.js';

/** How far a call has come. The exchange moves it on; a failure is judged by it. */
export interface Progress {
  phase: Phase;
  /** True from the moment the first byte may have left: from then on a failure is `unknown`. */
  sent: boolean;
}

/** Which call it was. */
export interface CallPlace {
  readonly peer: string;
  readonly rpc: string;
  readonly protocol: Release;
  /** True for reads and for kills that may be repeated without harm: what is `unknown` may then be tried again. */
  readonly repeatable: boolean;
  /** Upstream's name of the way to authenticate, for suspicions. Default auth/munge. */
  readonly method?: string;
}

/** The error to reject with, for anything thrown inside an exchange. */
export function callFailure(thrown: unknown, progress: Progress, place: CallPlace): SlurmError {
  const outcome: Outcome = progress.sent ? 'unknown' : 'not-sent';
  if (!isSlurmError(thrown)) return fromSystem(thrown, outcome, progress, place);
  if (thrown instanceof SlurmTimeoutError) return atDeadline(thrown, outcome, progress, place);
  // What the exchange made itself is placed already. An authenticator may talk to a peer of its own: that is not this call's.
  return thrown.rpc === place.rpc && thrown.peer === place.peer
    ? thrown
    : placed(thrown, outcome, progress, place);
}

function placed(
  error: SlurmError,
  outcome: Outcome,
  { phase }: Progress,
  { repeatable, ...place }: CallPlace,
): SlurmError {
  const retryable = outcome === 'unknown' ? repeatable : error.retryable;
  const restated = restate(error, error.summary, {
    ...place,
    outcome,
    phase: error.phase ?? phase,
    retryable,
  });
  if (restated.outcome === outcome) return restated;
  // A usage or configuration error always says `not-sent`, which from here on would be a lie.
  return new SlurmAuthError(
    `${place.rpc} to ${place.peer}: the reply could not be checked: ${error.message}`,
    {
      ...place,
      code: error.code,
      errno: error.errno,
      outcome,
      phase,
      retryable,
      cause: error,
    },
  );
}

function atDeadline(
  { message, code, errno, cause }: SlurmTimeoutError,
  outcome: Outcome,
  { phase }: Progress,
  { repeatable, ...place }: CallPlace,
): SlurmTimeoutError {
  const doing =
    phase === 'authenticate' && outcome === 'unknown' ? "checking the reply's credential" : DOING[phase];
  const hint =
    outcome === 'unknown' ? 'The request was sent: look at the job before you send it again.' : undefined;
  return new SlurmTimeoutError(`${place.rpc} to ${place.peer}: ${message}, while ${doing}.`, {
    ...place,
    code,
    errno,
    outcome,
    phase,
    hint,
    cause,
    retryable: code !== 'SLURMWIRE_ABORTED' && (outcome === 'not-sent' || repeatable),
  });
}

const DOING: Readonly<Record<Phase, string>> = {
  config: 'reading the configuration',
  connect: 'connecting',
  authenticate: 'getting a credential',
  send: 'sending',
  wait: 'waiting for the reply',
  decode: 'reading the reply',
};

const CODES: Partial<Record<Phase, string>> = {
  connect: 'SLURM_COMMUNICATIONS_CONNECTION_ERROR',
  send: 'SLURM_COMMUNICATIONS_SEND_ERROR',
};

function fromSystem(
  thrown: unknown,
  outcome: Outcome,
  { phase }: Progress,
  { repeatable, ...place }: CallPlace,
): SlurmError {
  const { code: errno, message } = systemError(thrown);
  if (errno === undefined) {
    // Not a system error: a defect of this library or of a transport that was passed in. Never swallowed.
    return new SlurmProtocolError(`${place.rpc} to ${place.peer} failed while ${DOING[phase]}: ${message}`, {
      ...place,
      code: 'SLURMWIRE_INTERNAL',
      errno: 'EIO',
      outcome,
      phase,
      cause: thrown,
    });
  }
  return new SlurmConnectionError(`${place.rpc} to ${place.peer}: ${message}.`, {
    ...place,
    code: CODES[phase] ?? 'SLURM_COMMUNICATIONS_RECEIVE_ERROR',
    // The resolver's own names are no errnos; the cause keeps them.
    errno: errno.startsWith('EAI_') || errno === 'ENOTFOUND' ? 'EHOSTUNREACH' : errno,
    outcome,
    phase,
    hint: HINTS[errno],
    cause: thrown,
    retryable: outcome === 'not-sent' || repeatable,
  });
}

const HINTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Nobody listens there: is slurmctld running, and are host and port those of slurm.conf?',
  EAI_AGAIN: 'The name service did not answer: try again, or give an address.',
  ENETUNREACH: 'There is no route to the network of the host.',
  EMFILE: 'This process has too many files open.',
  ENOTFOUND: 'The host name does not resolve: see SlurmctldHost or the controllers option.',
  ETIMEDOUT: 'The host did not answer in time: it may be down, or a firewall drops the packets.',
  EHOSTUNREACH: 'There is no route to the host.',
};

function systemError(thrown: unknown): { code: string | undefined; message: string } {
  if (!(thrown instanceof Error)) return { code: undefined, message: showValue(thrown) };
  // Several addresses of one name were tried: the first failure stands for all, the rest is in the cause.
  const first: unknown = thrown instanceof AggregateError ? thrown.errors[0] : undefined;
  const { code, message } = (first instanceof Error ? first : thrown) as NodeJS.ErrnoException;
  return { code: typeof code === 'string' && /^E(?!RR_)[A-Z0-9_]+$/.test(code) ? code : undefined, message };
}
