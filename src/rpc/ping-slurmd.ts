/** A PING for one slurmd: harmless, and any answer to it proves that it is there, takes the version and takes the credential. */
import type { CallContext } from '../protocol/authenticator.js';
import { encodeBody } from '../protocol/body.js';
import type { Release } from '../protocol/release.js';
import type { Endpoint } from '../protocol/transport.js';
import { type ExchangeSetup, exchange } from './exchange.js';
import { refuseUnsafe } from './guard.js';
import type { Reply } from './reply.js';

/** One slurmd. */
export interface SlurmdPlace {
  readonly endpoint: Endpoint;
  readonly node: string;
}

/**
 * Users other than root and SlurmUser are answered with a refusal (2010), which is an answer.
 *
 * @param restrictUid the only uid that may decode the credential, or `null` for anybody.
 * @throws SlurmError of the exchange.
 */
export function pingSlurmd(
  setup: ExchangeSetup,
  { endpoint, node }: SlurmdPlace,
  release: Release,
  restrictUid: number | null,
  context: CallContext,
): Promise<Reply> {
  const name = 'REQUEST_PING';
  const body = encodeBody(name, release, {});
  refuseUnsafe(name, release, body, 0);
  return exchange(
    setup,
    { name, release, body, flags: 0, restrictUid, repeatable: true, endpoint, node },
    context,
  );
}
