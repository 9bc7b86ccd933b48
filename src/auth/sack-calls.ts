/** The two calls of a SACK daemon, tried again where it could not be connected. */
import type { CallContext } from '../protocol/authenticator.js';
import { pause } from './pause.js';
import { type SackCall, SackFailure, sackExchange } from './sack-exchange.js';
import { mayPass, type SackTry, sackError } from './sack-failure.js';
import { decodeCreated, decodeVerified, encodeSackRequest } from './sack-messages.js';

type Asked<Rpc> = Extract<Parameters<typeof encodeSackRequest>[0], { readonly rpc: Rpc }>;

/** @param paths of sockets, in the order in which they are tried. */
export function createToken(
  paths: readonly string[],
  asked: Asked<'create'>,
  context: CallContext,
): Promise<string> {
  return persist(paths, 'create', { request: encodeSackRequest(asked), decode: decodeCreated }, context);
}

/** @returns 0 where the token is good. */
export function verifyToken(
  paths: readonly string[],
  asked: Asked<'verify'>,
  context: CallContext,
): Promise<number> {
  return persist(paths, 'verify', { request: encodeSackRequest(asked), decode: decodeVerified }, context);
}

/** A daemon answers in milliseconds; one that is silent for so long is stopped or lost. */
const ANSWER_MS = 10_000;
/** As for munged: so many rounds over the sockets, so far apart, and none that begins later than this after the first. */
const MAX_ROUNDS = 20;
const PAUSE_MS = 100;
const RETRY_WINDOW_MS = 5_000;

/** Only a connection that was not made is tried again: a daemon that took a request and failed would fail again, or is lost. */
async function persist<Answer>(
  paths: readonly string[],
  what: 'create' | 'verify',
  call: Pick<SackCall<Answer>, 'request' | 'decode'>,
  context: CallContext,
): Promise<Answer> {
  const { signal } = context;
  const began = performance.now();
  for (let rounds = 1; ; rounds++) {
    const tries: SackTry[] = [];
    for (const path of paths) {
      try {
        return await sackExchange({ ...call, path, timeoutMs: ANSWER_MS }, signal);
      } catch (error) {
        if (!(error instanceof SackFailure)) throw error;
        tries.push({ path, trouble: error.trouble });
        if (error.trouble.kind !== 'connect') break;
      }
    }
    const elapsedMs = performance.now() - began;
    const hopeless =
      rounds === MAX_ROUNDS || elapsedMs > RETRY_WINDOW_MS || context.remainingMs() <= PAUSE_MS;
    if (hopeless || !tries.some(mayPass)) throw sackError(tries, { what, elapsedMs, rounds });
    await pause(signal, PAUSE_MS);
  }
}
