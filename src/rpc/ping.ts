import type { CallContext } from '../protocol/authenticator.js';
import { errorMeaning, signedReturnCode } from '../protocol/error-meaning.js';
import type { Release } from '../protocol/release.js';
import { serverError } from '../protocol/server-error.js';
import { isSlurmError, type SlurmError } from '../protocol/slurm-error.js';
import { type Endpoint, showEndpoint } from '../protocol/transport.js';
import type { ControllerLink } from './controller-link.js';

/** How one controller answered a ping. */
export interface ControllerPing {
  /** `host:port`. */
  readonly peer: string;
  /** Its place in the configuration: the first is the primary. Who is in charge may be another one. */
  readonly role: 'primary' | 'backup';
  /** True when it answered with success. */
  readonly up: boolean;
  /** Release whose protocol was spoken, where there was an answer in it. */
  readonly protocol: Release | null;
  /** Its release in its own words, `'24.11.5'`, where the client finds versions itself (`protocol: 'auto'`) and it told; else `null`. */
  readonly version: string | null;
  /** Milliseconds of the exchange, credential and connection included; `null` when it is not up. */
  readonly latencyMs: number | null;
  /** Whether a credential proved who answered. */
  readonly authenticated: boolean;
  /** Why it is not up. */
  readonly error: SlurmError | null;
}

/** All controllers side by side; one that is down is an entry, not a rejection. */
export function ping(link: ControllerLink, context: CallContext): Promise<ControllerPing[]> {
  return Promise.all(
    link.setup.controllers.map((endpoint, index) => pingOne(link, endpoint, index, context)),
  );
}

async function pingOne(
  link: ControllerLink,
  endpoint: Endpoint,
  index: number,
  context: CallContext,
): Promise<ControllerPing> {
  const peer = showEndpoint(endpoint);
  const role = index === 0 ? 'primary' : 'backup';
  const down = (error: SlurmError): ControllerPing => {
    return {
      peer,
      role,
      up: false,
      protocol: null,
      version: null,
      latencyMs: null,
      authenticated: false,
      error,
    };
  };
  try {
    const { reply, version } = await link.ping(endpoint, context);
    const { protocol, authenticated, elapsedMs } = reply;
    const number = reply.name === 'RESPONSE_SLURM_RC' ? signedReturnCode(reply.record.returnCode) : -1;
    if (number === 0)
      return { peer, role, up: true, protocol, version, latencyMs: elapsedMs, authenticated, error: null };
    const { text } = errorMeaning(number, protocol);
    const details = { outcome: 'refused', peer, rpc: 'REQUEST_PING', phase: 'wait' } as const;
    return {
      ...down(serverError(`${peer} answered a ping: ${text}`, number, protocol, details)),
      protocol,
      version,
    };
  } catch (error) {
    if (isSlurmError(error)) return down(error);
    throw error;
  }
}
