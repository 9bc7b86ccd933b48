/**
 * How fast one client asks each controller: who may send when, and what is sent again.
 *
 * slurmctld 23.02 and newer may limit the requests of each user (`rl_enable`): one too many is answered with 1804 and not looked at. So it is
 * sent again here, for every verb, within the call's time. docs/rate-limits.md tells what a caller sees of it.
 */
import type { CallContext } from '../protocol/authenticator.js';
import { isSlurmError, restate, SlurmServerError, SlurmTimeoutError } from '../protocol/slurm-error.js';
import { showEndpoint } from '../protocol/transport.js';
import { Breaker, BreakerOpen } from './breaker.js';
import { type CallPlace, callFailure } from './call-failure.js';
import { callOf } from './call-trace.js';
import { type Clock, systemClock } from './clock.js';
import { type SlurmwireWaitEvent, waitChannel } from './diagnostics.js';
import type { Request } from './exchange.js';
import { refusalOf } from './job-lookup.js';
import type { Reply } from './reply.js';
import { WaitingLine } from './waiting-line.js';

/** How often one request is sent in all: then its 1804 is the answer, however much time is left. */
const TRIES = 20;

/** How a client stands with one controller. */
export interface Pace {
  /** `host:port` of the controller. */
  readonly peer: string;
  /** Requests under way. */
  readonly underWay: number;
  /** Requests that wait for their turn, or for a breaker. */
  readonly waiting: number;
  /** Requests per second that are let out now, as learned; `null` where the controller has not set a limit (lately). */
  readonly perSecond: number | null;
  /** Answers SLURMCTLD_COMMUNICATIONS_BACKOFF so far: too many requests. */
  readonly backoffs: number;
  /** Answers SLURMCTLD_COMMUNICATIONS_HARD_DROP so far: the queue for this kind of request was full. */
  readonly drops: number;
  /** Messages that are not sent for a while since the controller dropped one, with the milliseconds left. */
  readonly held: readonly { readonly rpc: string; readonly leftMs: number }[];
}

/**
 * One per client, for all its links. A controller keeps a bucket per user; a client has one authenticator and so is one user, and a line
 * per endpoint is one per endpoint and user.
 */
export class Pacer {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #controllers = new Map<string, PacedController>();

  /** @param random as Math.random, for the lengths of pauses. */
  constructor(clock: Clock = systemClock(), random: () => number = Math.random) {
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Sends when it is the request's turn, and again while it is answered with 1804: a certain "not done".
   *
   * @param send one try; each needs a credential of its own.
   * @param isUrgent before all that are not: others wait for a first contact. A PING is urgent anyway.
   * @returns the reply; 1804 itself where the call's time or its tries are used up. 1805 is never sent again.
   * @throws what `send` throws; SlurmTimeoutError, outcome `not-sent`, for what was given up while it waited; SlurmServerError
   * `SLURMWIRE_BREAKER_OPEN`, `not-sent`.
   */
  run(request: Request, context: CallContext, send: () => Promise<Reply>, isUrgent = false): Promise<Reply> {
    const peer = showEndpoint(request.endpoint);
    let controller = this.#controllers.get(peer);
    if (controller === undefined) {
      controller = new PacedController(peer, this.#clock, this.#random);
      this.#controllers.set(peer, controller);
    }
    return controller.run(request, context, send, isUrgent || request.name === 'REQUEST_PING');
  }

  /** How it stands with each controller that was asked for something. */
  paces(): Pace[] {
    return [...this.#controllers.values()].map((controller) => controller.pace());
  }
}

class PacedController {
  readonly #peer: string;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #line: WaitingLine;
  /** By message: the controller's queues that overflow (1805) are one for each kind, so kills are let through while lookups are dropped. */
  readonly #breakers = new Map<string, Breaker>();
  #atBreakers = 0;
  #backoffs = 0;
  #drops = 0;

  constructor(peer: string, clock: Clock, random: () => number) {
    this.#peer = peer;
    this.#clock = clock;
    this.#random = random;
    this.#line = new WaitingLine(clock, random);
  }

  pace(): Pace {
    const now = this.#clock.now();
    const waiting = this.#waiting;
    const held = [...this.#breakers]
      .filter(([, breaker]) => !breaker.isClosed)
      .map(([rpc, { leftMs }]) => ({ rpc, leftMs }));
    return {
      peer: this.#peer,
      underWay: this.#line.underWay,
      waiting,
      perSecond: this.#line.limit?.perSecond(now) ?? null,
      backoffs: this.#backoffs,
      drops: this.#drops,
      held,
    };
  }

  async run(
    request: Request,
    context: CallContext,
    send: () => Promise<Reply>,
    isUrgent: boolean,
  ): Promise<Reply> {
    const ticket = this.#line.ticket(isUrgent);
    let refused: Reply | undefined;
    for (let tried = 1; ; tried++) {
      let isFirst = false;
      try {
        if (waitChannel.hasSubscribers) this.#tellIfItWaits(request, ticket, tried, context);
        isFirst = await this.#enter(request.name, ticket, context);
      } catch (thrown) {
        // What was refused and has no time left for another try was refused.
        if (refused !== undefined && !isAbort(thrown)) return refused;
        throw this.#heldBack(thrown, request);
      }
      const reply = await this.#sendOnce(request.name, isFirst, send);
      if (codeOf(reply) !== BACKOFF) return reply;
      const waitMs = (this.#line.limit?.nextAt ?? 0) - this.#clock.now();
      if (tried === TRIES || context.remainingMs() <= waitMs) return reply;
      refused = reply;
    }
  }

  get #waiting(): number {
    return this.#line.waiting + this.#atBreakers;
  }

  #tellIfItWaits({ name: rpc }: Request, ticket: number, attempt: number, { signal }: CallContext): void {
    const because = this.#reasonToWait(rpc);
    if (because !== 'drop' && this.#line.isFree(ticket)) return;
    const [call, peer] = [callOf(signal), this.#peer];
    waitChannel.publish({ call, peer, rpc, attempt, because, waiting: this.#waiting });
  }

  /** Why one that waits does. */
  #reasonToWait(rpc: string): SlurmwireWaitEvent['because'] {
    if (this.#breakers.get(rpc)?.isHolding === true) return 'drop';
    return this.#line.limit === null ? 'busy' : 'rate';
  }

  /** Past the breaker and to the head of the line. True for the one that goes first after a drop. */
  async #enter(name: string, ticket: number, context: CallContext): Promise<boolean> {
    for (;;) {
      const breaker = this.#breakers.get(name);
      const isFirst = breaker === undefined ? false : await this.#passBreaker(breaker, context);
      try {
        await this.#line.enter(ticket, context.signal);
      } catch (thrown) {
        if (isFirst) breaker?.cameToNothing();
        throw thrown;
      }
      if (isFirst || (this.#breakers.get(name)?.isClosed ?? true)) return isFirst;
      // It was dropped for another one while this one stood in line.
      this.#line.leave();
    }
  }

  async #passBreaker(breaker: Breaker, context: CallContext): Promise<boolean> {
    if (breaker.isClosed) return false;
    this.#atBreakers += 1;
    try {
      return await breaker.enter(context);
    } finally {
      this.#atBreakers -= 1;
    }
  }

  async #sendOnce(name: string, isFirst: boolean, send: () => Promise<Reply>): Promise<Reply> {
    const sentAt = this.#clock.now();
    let code: string | null | undefined;
    try {
      const reply = await send();
      code = codeOf(reply);
      return reply;
    } finally {
      if (code === BACKOFF) this.#backoffs += 1;
      // An exchange that failed tells nothing about limits.
      if (code !== undefined) this.#line.answered(sentAt, code === BACKOFF);
      if (code === HARD_DROP) this.#dropped(name);
      else if (isFirst && (code === undefined || code === BACKOFF)) this.#breakers.get(name)?.cameToNothing();
      else if (isFirst) this.#breakers.get(name)?.passed();
      this.#line.leave();
    }
  }

  #dropped(name: string): void {
    this.#drops += 1;
    let breaker = this.#breakers.get(name);
    if (breaker === undefined) {
      breaker = new Breaker(this.#clock, this.#random);
      this.#breakers.set(name, breaker);
    }
    breaker.dropped();
  }

  #heldBack(thrown: unknown, { name: rpc, release: protocol, repeatable }: Request): unknown {
    const peer = this.#peer;
    if (thrown instanceof BreakerOpen) return breakerOpen(thrown.leftMs, { peer, rpc, protocol });
    const place: CallPlace = { peer, rpc, protocol, repeatable };
    const failure = callFailure(thrown, { phase: 'send', sent: false }, place);
    if (!(failure instanceof SlurmTimeoutError) || !isSlurmError(thrown)) return failure;
    const why = {
      drop: `since ${peer} dropped one before (${HARD_DROP})`,
      rate: `for its turn, as ${peer} limits the rate of this user's requests (${BACKOFF})`,
      busy: `for its turn, with ${this.#line.underWay} others under way`,
    }[this.#reasonToWait(rpc)];
    return restate(failure, `${rpc} to ${peer} was not sent: ${thrown.message}, while it waited ${why}.`, {});
  }
}

const BACKOFF = 'SLURMCTLD_COMMUNICATIONS_BACKOFF';
const HARD_DROP = 'SLURMCTLD_COMMUNICATIONS_HARD_DROP';

/** True for an answer that says: too many requests, nothing was done. */
export function isBackoff(reply: Reply): boolean {
  return codeOf(reply) === BACKOFF;
}

/** True for a request that never got its turn: this says nothing about the controller as it is now. */
export function wasHeldBack(error: unknown): boolean {
  // An exchange is in this phase only once a byte may have left.
  return isSlurmError(error) && error.phase === 'send' && error.outcome === 'not-sent';
}

function codeOf(reply: Reply): string | null {
  return refusalOf(reply)?.code ?? null;
}

function isAbort(thrown: unknown): boolean {
  return !(thrown instanceof BreakerOpen) && !(isSlurmError(thrown) && thrown.code === TIMED_OUT);
}

const TIMED_OUT = 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT';

function breakerOpen(leftMs: number, place: Omit<CallPlace, 'repeatable'>): SlurmServerError {
  const { rpc, peer } = place;
  const left = `${(leftMs / 1000).toFixed(1)} s`;
  return new SlurmServerError(
    `${rpc} was not sent: ${peer} dropped one before (${HARD_DROP}), so it is left alone for ${left}, longer than this call has.`,
    {
      ...place,
      code: 'SLURMWIRE_BREAKER_OPEN',
      errno: 'EAGAIN',
      outcome: 'not-sent',
      phase: 'send',
      retryable: true,
      hint: `Call again in ${left}, or give the call a longer timeoutMs.`,
    },
  );
}
