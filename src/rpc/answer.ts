/** What the controller's verbs share: reading the one number of an answer. */
import { signedReturnCode } from '../protocol/error-meaning.js';
import type { MessageName } from '../protocol/messages/index.js';
import type { Release } from '../protocol/release.js';
import { SlurmProtocolError, SlurmUsageError } from '../protocol/slurm-error.js';
import type { Reply } from './reply.js';
import { rerouted } from './reroute.js';

/** What a request that was answered says of itself. */
export interface Answered {
  /** The job or step as it was named: `1234_[1-10]`, `1234.0`. */
  readonly target: string;
  readonly rpc: MessageName;
  /** `host:port` of the controller that answered. */
  readonly peer: string;
  /** `host:port` of the controllers that sent the request on to the next cluster of their federation, in order; left out where none did. */
  readonly reroutedBy?: readonly string[];
  /** Release whose protocol was spoken. */
  readonly protocol: Release;
  /** Whether a credential proved who answered: see `ReplyOf.authenticated`. */
  readonly authenticated: boolean;
  /** Milliseconds of the exchange. */
  readonly elapsedMs: number;
}

/** The hint of an outcome that stays `unknown` although there was an answer. */
export const UNCERTAIN =
  'That does not prove that nothing was done (one number may stand for many jobs, such as those of an array): look at the target before you send it again.';

/** Which request it is that was answered. */
export interface Asked {
  readonly rpc: MessageName;
  readonly repeatable: boolean;
}

/**
 * The number that was answered.
 *
 * @throws SlurmServerError `SLURMWIRE_REROUTED`; SlurmProtocolError for an answer that carries no number.
 */
export function verdict(
  reply: Reply,
  { rpc, repeatable }: Asked,
): { number: number; message: string | null } {
  const { peer, protocol } = reply;
  switch (reply.name) {
    case 'RESPONSE_SLURM_RC':
      return { number: signedReturnCode(reply.record.returnCode), message: null };
    case 'RESPONSE_SLURM_RC_MSG':
      return { number: signedReturnCode(reply.record.returnCode), message: reply.record.errMsg };
    case 'RESPONSE_SLURM_REROUTE_MSG':
      throw rerouted(reply, rpc);
    default:
      throw new SlurmProtocolError(`the reply to ${rpc} is a ${reply.name}`, {
        code: 'SLURM_UNEXPECTED_MSG_ERROR',
        errno: 'EPROTO',
        outcome: 'unknown',
        peer,
        rpc,
        protocol,
        phase: 'decode',
        retryable: repeatable,
      });
  }
}

export function sluidTooOld(text: string, release: Release): SlurmUsageError {
  return new SlurmUsageError(`job ${text} is a sluid, which protocol ${release} does not know.`, {
    code: 'SLURMWIRE_NOT_IN_RELEASE',
    field: 'job',
    value: text,
    hint: 'Controllers take sluids from 26.05 on: give the job number.',
  });
}
