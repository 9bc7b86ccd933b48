import type { CallContext } from '../protocol/authenticator.js';
import { onAbort, tellOfAbort } from '../protocol/on-abort.js';
import { SlurmTimeoutError } from '../protocol/slurm-error.js';
import { belongsTo, callOf } from './call-trace.js';
import { badOption, checkSignal } from './check-options.js';

/** Longest time a timer of Node can take, in milliseconds (about 24.8 days). */
const MAX_TIMEOUT_MS = 0x7fffffff;

/** Reasons that deadlines gave their signals. A caller's own signal may have any reason, also an error of this library. */
const REASONS = new WeakSet<object>();

/**
 * The one time limit of a call, which reaches everything the call does. Fires its signal when the time is up or when the
 * caller's own signal fires. Must be disposed of, or its timer lives on.
 */
export class Deadline implements CallContext {
  readonly timeoutMs: number;
  readonly #endsAt: number;
  readonly #controller = new AbortController();
  readonly #tellOfAbort = tellOfAbort(this.#controller.signal);
  readonly #timer: NodeJS.Timeout;
  #forgetCaller = () => {};

  /**
   * @param timeoutMs milliseconds from now, 1 to 2^31 - 1.
   * @param caller the caller's own signal.
   * @throws SlurmUsageError `SLURMWIRE_BAD_OPTION`
   */
  constructor(timeoutMs: number, caller?: AbortSignal) {
    checkTimeout(timeoutMs);
    checkSignal(caller);
    this.timeoutMs = timeoutMs;
    this.#endsAt = performance.now() + timeoutMs;
    this.#timer = setTimeout(() => this.#end(timedOut(timeoutMs)), timeoutMs);
    if (caller !== undefined) this.#follow(caller);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  remainingMs(): number {
    return Math.max(0, this.#endsAt - performance.now());
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#forgetCaller();
  }

  #follow(caller: AbortSignal): void {
    belongsTo(this.signal, callOf(caller));
    // Within another time limit of ours: how that ended is how this ends.
    const abort = () => this.#end(isOurs(caller.reason) ? caller.reason : abortedByCaller(caller.reason));
    if (caller.aborted) abort();
    else this.#forgetCaller = onAbort(caller, abort);
  }

  #end(reason: SlurmTimeoutError): void {
    REASONS.add(reason);
    this.#controller.abort(reason);
    this.#tellOfAbort();
  }
}

function isOurs(reason: unknown): reason is SlurmTimeoutError {
  return typeof reason === 'object' && reason !== null && REASONS.has(reason);
}

function timedOut(timeoutMs: number): SlurmTimeoutError {
  return new SlurmTimeoutError(`no answer within ${timeoutMs} ms`, {
    code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT',
    errno: 'ETIMEDOUT',
    outcome: 'not-sent',
    retryable: true,
  });
}

function abortedByCaller(cause: unknown): SlurmTimeoutError {
  return new SlurmTimeoutError('the caller aborted the call', {
    code: 'SLURMWIRE_ABORTED',
    errno: 'ECANCELED',
    outcome: 'not-sent',
    cause,
  });
}

function checkTimeout(timeoutMs: number): void {
  if (Number.isFinite(timeoutMs) && timeoutMs >= 1 && timeoutMs <= MAX_TIMEOUT_MS) return;
  throw badOption('timeoutMs', timeoutMs, `is not a number of milliseconds from 1 to ${MAX_TIMEOUT_MS}`);
}
