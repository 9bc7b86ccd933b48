/**
 * Which of several controllers is in charge: asked one after the other, and all of them again while a take-over is to be expected.
 *
 * One is passed over where it cannot have acted, and for what may be repeated also where that is not known; then the doubt stays, whatever a later
 * one says.
 */
import type { CallContext } from '../protocol/authenticator.js';
import { isSlurmError, restate, type SlurmError } from '../protocol/slurm-error.js';
import { type Endpoint, showEndpoint } from '../protocol/transport.js';
import { callOf } from './call-trace.js';
import type { Clock } from './clock.js';
import { passedOverChannel, type SlurmwirePassedOverEvent } from './diagnostics.js';

/** Between two rounds through all controllers while none is in charge, in milliseconds: libslurm's second, and some jitter. */
const ROUND_MS = 1_000;

/** Asks one controller. */
export type Visit<T> = (endpoint: Endpoint) => Promise<{ value: T; isStandby: boolean }>;

/** What the one in charge answered; or the last one, where none is. */
export interface Found<T> {
  readonly value: T;
  /** Why others were passed over. */
  readonly passedOver: string[];
  /** What became of the request at one of them, where that is not known. */
  readonly doubt: SlurmError | null;
}

export interface Search<T> {
  /** In the order in which they are asked; anew for each round. */
  readonly controllers: () => readonly Endpoint[];
  /** Told who is in charge. */
  readonly found: (endpoint: Endpoint) => void;
  /** How long to go on while none is in charge, in milliseconds. */
  readonly patienceMs: (sawStandby: boolean) => number;
  readonly clock: Clock;
  /** True for reads and kills that do no harm when they are repeated. */
  readonly repeatable: boolean;
  readonly context: CallContext;
  readonly visit: Visit<T>;
}

type Last<T> = { readonly value: T } | { readonly error: unknown };

/** @throws what the last controller came to, or the doubt; at once what others would come to as well. */
export async function findInCharge<T>(search: Search<T>): Promise<Found<T>> {
  const { clock, context, repeatable } = search;
  const startedAt = clock.now();
  const passedOver = new Set<string>();
  let doubt: SlurmError | null = null;
  let sawStandby = false;
  for (;;) {
    let last: Last<T> | null = null;
    const controllers = search.controllers();
    for (const endpoint of controllers) {
      try {
        const { value, isStandby } = await search.visit(endpoint);
        if (!isStandby) {
          search.found(endpoint);
          return { value, passedOver: [...passedOver], doubt };
        }
        sawStandby = true;
        last = { value };
        passedOver.add(`${showEndpoint(endpoint)} is on standby`);
        tell(endpoint, 'standby', null, context);
      } catch (error) {
        const isDoubtful = isSlurmError(error) && error.outcome === 'unknown' && repeatable;
        if (context.signal.aborted || !isSlurmError(error) || !(isUnreached(error) || isDoubtful)) {
          throw withPassedOver(doubt ?? error, [...passedOver]);
        }
        if (isDoubtful) doubt = error;
        last = { error };
        passedOver.add(error.summary);
        tell(endpoint, isDoubtful ? 'unknown' : 'unreached', error, context);
      }
    }
    const pauseMs = ROUND_MS * (0.75 + Math.random() / 2);
    const isLate =
      clock.now() - startedAt + pauseMs > search.patienceMs(sawStandby) || context.remainingMs() <= pauseMs;
    if (controllers.length === 1 || isLate) return giveUp(last, [...passedOver], doubt);
    try {
      await clock.sleep(pauseMs, context.signal);
    } catch {
      return giveUp(last, [...passedOver], doubt);
    }
  }
}

function tell(
  endpoint: Endpoint,
  why: SlurmwirePassedOverEvent['why'],
  error: SlurmError | null,
  { signal }: CallContext,
): void {
  if (!passedOverChannel.hasSubscribers) return;
  passedOverChannel.publish({ call: callOf(signal), peer: showEndpoint(endpoint), why, error });
}

/** The controllers, beginning with the one that was in charge last; the order of the configuration for the others. */
export function inOrder(controllers: readonly Endpoint[], inCharge: string | null): readonly Endpoint[] {
  if (controllers.length === 1) return controllers;
  const first = controllers.filter((one) => showEndpoint(one) === inCharge);
  return [...first, ...controllers.filter((one) => !first.includes(one))];
}

/** The answer of the last controller, whatever it is: that none is in charge, or why it could not be asked. */
function giveUp<T>(last: Last<T> | null, passedOver: string[], doubt: SlurmError | null): Found<T> {
  if (last === null) throw new TypeError('a link without controllers');
  const before = passedOver.slice(0, -1);
  if ('value' in last) return { value: last.value, passedOver: before, doubt };
  // That the last one could not be reached does not undo what an earlier one may have done.
  throw withPassedOver(doubt ?? last.error, doubt === null ? before : passedOver);
}

/** The trouble with the last controller, and why those before it were passed over. */
function withPassedOver(error: unknown, passedOver: readonly string[]): unknown {
  if (!isSlurmError(error) || passedOver.length === 0) return error;
  return restate(error, `${error.summary} ${showPassedOver(passedOver)}`, {});
}

/** A sentence about the controllers tried before the one that an error is about. */
export function showPassedOver(passedOver: readonly string[]): string {
  return passedOver.length === 0 ? '' : `Passed over before: ${passedOver.join('; ')}.`;
}

/** Nothing of the request has left: the network was in the way, or the peer was silent or stopped during the first contact. */
function isUnreached({ outcome, phase, name, code }: SlurmError): boolean {
  if (outcome !== 'not-sent') return false;
  if (phase === 'wait' && CUT_OFF.has(code)) return true;
  return phase === 'connect' || (name === 'SlurmTimeoutError' && (phase === 'wait' || phase === 'send'));
}

/** Said of a first contact only where a refused credential and the version have been ruled out. */
const CUT_OFF: ReadonlySet<string> = new Set([
  'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT',
  'SLURM_COMMUNICATIONS_RECEIVE_ERROR',
]);
