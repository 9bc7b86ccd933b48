/**
 * `terminate`: signal, grace, escalate, confirm gone.
 *
 * Looks decide, answers do not: what is pending, running, ending or gone is read from the job's records before each signal and all the
 * while in between, so that nothing is sent to what is gone.
 */
import type { CallContext } from '../protocol/authenticator.js';
import { errorMeaning } from '../protocol/error-meaning.js';
import { errorNumber } from '../protocol/error-number.js';
import { NO_VAL } from '../protocol/sentinels.js';
import {
  isSlurmError,
  type Outcome,
  restate,
  type SlurmError,
  type SlurmErrorDetails,
  SlurmServerError,
  SlurmUsageError,
} from '../protocol/slurm-error.js';
import { SLURM_MAX_NORMAL_STEP_ID, SPECIAL_STEP_IDS } from '../protocol/step-id.js';
import { unixSignalNumber } from '../protocol/unix-signal.js';
import { badOption } from './check-options.js';
import { type Clock, systemClock } from './clock.js';
import type { ControllerLink } from './controller-link.js';
import { Deadline } from './deadline.js';
import { KILL_EXCHANGES, killJob, killJobStep, killRecord } from './kill.js';
import { Limiter } from './limiter.js';
import { plannedAnew } from './planned-anew.js';
import { PROBE_EXCHANGES, type Probe, probeParsed } from './probe.js';
import { FAN_OUT_EXCHANGES } from './signal.js';
import { stepRecords } from './step-lookup.js';
import type { ParsedTarget } from './target.js';
import type { PlannedRung, SignalledPart } from './terminate-ladder.js';
import { graceLeftMs, type TerminatePlan } from './terminate-options.js';
import {
  hasOwnName,
  isOver,
  oldRunOf,
  type Part,
  partsOf,
  runKey,
  type Unit,
  unitsOf,
} from './terminate-parts.js';
import {
  SlurmTerminationError,
  type Survivor,
  type Terminated,
  type TerminateEvent,
  type TerminateEventBase,
} from './terminate-result.js';
import type { SentSignal, TerminateState } from './terminate-state.js';

/** The look again after this, then half as long again each time. */
const FIRST_LOOK_MS = 250;
const LONGEST_LOOK_MS = 5_000;
/** How often one signal is tried in all, where that is safe. */
const TRIES = 8;
const FIRST_RETRY_MS = 500;
/** Jobs of an array that are signalled at a time. */
const CONCURRENCY = 8;

/** What a call has beside its plan. */
export interface TerminateCall {
  readonly idempotent: boolean;
  readonly report: (event: TerminateEvent) => void;
  readonly clock?: Clock;
}

export function terminate(
  link: ControllerLink,
  plan: TerminatePlan,
  call: TerminateCall,
  context: CallContext,
): Promise<Terminated> {
  return new Run(link, plan, call, context).run();
}

/** An event without what every event has. */
type Happening = TerminateEvent extends infer E
  ? E extends TerminateEvent
    ? Omit<E, keyof TerminateEventBase>
    : never
  : never;

/** Which signal it is. */
type SignalKey = Pick<SentSignal, 'rung' | 'target' | 'part'>;

class Run {
  readonly #link: ControllerLink;
  readonly #target: ParsedTarget;
  readonly #call: TerminateCall;
  readonly #context: CallContext;
  readonly #clock: Clock;
  readonly #startedAt = performance.now();
  #state: TerminateState;
  /** The last look that was answered, and what it showed. */
  #seen: Probe | undefined;
  #parts: readonly Part[] = [];
  readonly #requeued = new Set<number>();
  /** Runs of jobs that were ended by a SIGKILL of their own, before or after that of the ladder. */
  readonly #swept = new Set<string>();
  /** Requeued runs that are to be ended. */
  readonly #fresh = new Set<string>();
  /** True when the SIGKILL of the ladder may not have reached all. */
  #isDoubtful = false;

  constructor(
    link: ControllerLink,
    { target, state }: TerminatePlan,
    call: TerminateCall,
    context: CallContext,
  ) {
    this.#link = link;
    this.#target = target;
    this.#state = state;
    this.#call = call;
    this.#context = context;
    this.#clock = call.clock ?? systemClock();
  }

  async run(): Promise<Terminated> {
    const needed = graceLeftMs(this.#state, this.#clock.now());
    const budget = Math.round(this.#context.remainingMs());
    if (budget <= needed) {
      const hint = "The option is the whole budget of the call, and so is the client's own timeoutMs.";
      throw badOption('timeoutMs', budget, `leaves no room for the ladder, which waits ${needed} ms`, hint);
    }
    const hadBegun = this.#hasBegun();
    try {
      await this.#look();
      const nothing = this.#parts.length === 0 && !hadBegun && this.#requeued.size === 0;
      if (nothing) return this.#nothingThere();
      this.#refuseCron();
      await this.#climb();
      // What nobody took may have ended by itself since the last look.
      if (this.#parts.length > 0 && !this.#isTaken()) await this.#insist();
      if (this.#parts.length > 0 && this.#state.confirm) await this.#confirm();
    } catch (error) {
      throw this.#failed(error);
    }
    if (this.#parts.length === 0) this.#report({ type: 'gone' });
    else this.#checkAccepted();
    return this.#terminated(null);
  }

  /** Rung after rung, until all signals are through, all is gone, or nothing is left that takes a signal. */
  async #climb(): Promise<void> {
    const { ladder } = this.#state;
    while (this.#state.rung < ladder.length && this.#parts.length > 0) {
      if (this.#isOnlyEnding()) return this.#advance(ladder.length);
      const index = this.#state.rung;
      const isLast = index === ladder.length - 1;
      if (this.#state.since === null) {
        if (index === this.#killRung()) await this.#killAll();
        else await this.#signal(index);
        if (isLast) return this.#advance(ladder.length);
        const times = this.#state.sent
          .filter((one) => one.rung === index && isTaken(one))
          .map(({ at }) => at);
        // Nothing took it: there is nothing to wait for.
        if (times.length > 0) this.#state = { ...this.#state, since: Math.max(...times) };
      }
      const { since } = this.#state;
      if (since === null) await this.#insist();
      // A state from a host whose clock is ahead must not make the grace longer.
      else await this.#wait('waiting', Math.min(since, this.#clock.now()) + this.#rungAt(index).graceMs);
      if (this.#parts.length === 0 || this.#isOnlyEnding()) continue;
      this.#report({ type: 'escalating', alive: this.#survivors() });
      this.#advance(index + 1);
    }
  }

  #advance(rung: number): void {
    const since = rung === this.#state.ladder.length ? this.#clock.now() : null;
    this.#state = { ...this.#state, rung, since };
  }

  async #confirm(): Promise<void> {
    const nothingTaken = !this.#state.sent.some(isTaken);
    if (nothingTaken && !this.#parts.some(({ stage }) => stage === 'ending')) throw this.#survived();
    await this.#wait('confirming', this.#clock.now() + this.#state.confirmMs);
    if (this.#parts.length > 0) throw this.#survived();
  }

  /** Without confirmation: every signal of the last rung has to be accepted. */
  #checkAccepted(): void {
    const last = this.#state.ladder.length - 1;
    const failed = this.#state.sent.find(({ rung, outcome }) => rung === last && outcome !== 'accepted');
    const isAsked = this.#state.sent.some(({ rung }) => rung === last);
    if ((isAsked && failed === undefined) || this.#isOnlyEnding()) return;
    throw this.#survived(failed?.code ?? undefined);
  }

  /** Whether the last signals were taken, as far as that is waited for. */
  #isTaken(): boolean {
    const { sent, ladder, confirm } = this.#state;
    if (confirm) return sent.some(isTaken);
    return sent.every(({ rung, outcome }) => rung < ladder.length - 1 || outcome === 'accepted');
  }

  // Looking.

  /** @throws SlurmError, outcome `not-sent`. */
  async #look(): Promise<void> {
    const probe = await this.#within(PROBE_EXCHANGES, (context) =>
      probeParsed(this.#link, this.#target, context),
    );
    this.#seen = probe;
    const runs = new Map(this.#state.runs.map(({ jobId, restarts }) => [jobId, restarts]));
    const anew = probe.jobs.filter(({ jobId, restarts }) => restarts > (runs.get(jobId) ?? restarts));
    const isLeft = this.#target.step !== null || this.#state.requeued === 'leave';
    for (const { jobId, restarts } of probe.jobs) {
      if (!runs.has(jobId) || !isLeft) runs.set(jobId, Math.max(restarts, runs.get(jobId) ?? 0));
    }
    if (runs.size !== this.#state.runs.length || anew.length > 0) {
      const entries = [...runs].map(([jobId, restarts]) => ({ jobId, restarts }));
      this.#state = { ...this.#state, runs: entries };
    }
    const all = partsOf(probe);
    const isAnew = ({ job }: Part) => anew.includes(job);
    // A step of the new run is another step, whatever its number. Of the run before, processes may be left.
    this.#parts = isLeft ? all.flatMap((part) => (isAnew(part) ? oldRunOf(part) : [part])) : all;
    const news = anew.filter(({ jobId }) => !isLeft || !this.#requeued.has(jobId));
    if (news.length === 0) return;
    for (const job of news) {
      this.#requeued.add(job.jobId);
      if (!isLeft) this.#fresh.add(runKey(job));
    }
    this.#report({ type: 'requeued', alive: all.filter(isAnew).map(({ shown }) => shown) });
  }

  /** Looks again and again until a time, or until all is gone, or (in a grace) until nothing is left to escalate to. */
  async #wait(type: 'waiting' | 'confirming', until: number): Promise<void> {
    let pauseMs = FIRST_LOOK_MS;
    let trouble: SlurmError | null = null;
    for (;;) {
      const left = until - this.#clock.now();
      if (left <= 0) break;
      await this.#sleep(Math.min(pauseMs, left));
      pauseMs = Math.min(pauseMs * 1.5, LONGEST_LOOK_MS);
      trouble = await this.#tryToLook();
      this.#report({ type, until, alive: this.#survivors(), trouble: trouble?.code ?? null });
      if (trouble !== null) continue;
      if (this.#parts.length === 0 || (type === 'waiting' && this.#isOnlyEnding())) return;
      await this.#sweep();
    }
    if (trouble === null) return;
    if (type === 'confirming') throw trouble;
    await this.#insist();
  }

  /** A look that has to be answered before anything else is sent. Patient as long as a confirmation would be. */
  async #insist(): Promise<void> {
    const until = this.#clock.now() + this.#state.confirmMs;
    for (let pauseMs = FIRST_LOOK_MS; ; pauseMs = Math.min(pauseMs * 1.5, LONGEST_LOOK_MS)) {
      const trouble = await this.#tryToLook();
      if (trouble === null) return;
      if (this.#clock.now() >= until) throw trouble;
      await this.#sleep(pauseMs);
    }
  }

  /** A controller that is silent, restarts or hands over is asked again later. */
  async #tryToLook(): Promise<SlurmError | null> {
    try {
      await this.#look();
      return null;
    } catch (error) {
      // What a replay does not have will not come.
      const isFinal =
        error instanceof SlurmUsageError || (error as SlurmError).code === 'SLURMWIRE_REPLAY_MISMATCH';
      if (this.#context.signal.aborted || !isSlurmError(error) || isFinal) throw error;
      return error;
    }
  }

  // Signalling.

  /** A rung that is not SIGKILL. What is pending goes first: it could start in the place of what runs. */
  async #signal(index: number): Promise<void> {
    await this.#sweep();
    const running = this.#parts.filter(({ stage }) => stage === 'running');
    if (this.#target.step !== null) return this.#each(running, (part) => this.#signalStep(index, part));
    return this.#each(unitsOf(running), (unit) => this.#signalUnit(index, unit));
  }

  async #signalUnit(rung: number, unit: Unit): Promise<void> {
    const { signal, to } = this.#rungAt(rung);
    for (const part of to ?? (await this.#everything(rung, unit))) {
      // Without a batch script `batch` is refused, and `full` accepted although it does nothing.
      if (part !== 'steps' && !unit.batch) continue;
      const { cron } = this.#state;
      const options = { cron, idempotent: true, batch: part === 'batch', full: part === 'full' };
      await this.#send({ rung, target: unit.name, part }, KILL_EXCHANGES, async (context) => {
        if (!unit.isTask) return killJob(this.#link, unit.name, signal, options, context);
        // The look has told its record: another one for each task would be the whole array each time.
        const record = { jobId: unit.jobIds[0] as number, target: unit.name };
        const link = await this.#link.settle(context);
        return killRecord(link, record, unixSignalNumber(signal), options, context);
      });
    }
  }

  /**
   * Each process once, as far as that can be done: an `srun` that gets SIGTERM with its shell's group kills its tasks by SIGKILL
   * (observed: 22.05, 26.05), so the group is signalled only where there are no steps.
   */
  async #everything(rung: number, { name, jobIds, batch }: Unit): Promise<readonly SignalledPart[]> {
    if (!batch) return ['steps'];
    // Taken up again: what was begun is brought to its end.
    if (this.#entry({ rung, target: name, part: 'full' }) !== undefined) return ['full'];
    if (this.#entry({ rung, target: name, part: 'steps' }) !== undefined) return ['steps', 'batch'];
    for (const jobId of jobIds) if (await this.#hasSteps(jobId)) return ['steps', 'batch'];
    return ['full'];
  }

  async #hasSteps(jobId: number): Promise<boolean> {
    const { SLURM_INTERACTIVE_STEP } = SPECIAL_STEP_IDS;
    try {
      const records = await this.#within(2, (context) => stepRecords(this.#link, jobId, NO_VAL, context));
      const numbers = records.map(({ stepId: { stepId } }) => stepId);
      return numbers.some((one) => one <= SLURM_MAX_NORMAL_STEP_ID || one === SLURM_INTERACTIVE_STEP);
    } catch (error) {
      // Where it cannot be told (a step manager that is down, say), no srun is to be harmed.
      if (this.#context.signal.aborted || !isSlurmError(error)) throw error;
      return true;
    }
  }

  async #signalStep(rung: number, { step }: Part): Promise<void> {
    if (step === null) return;
    const { signal } = this.#rungAt(rung);
    const isKill = rung === this.#killRung();
    const { stepId = 0 } = this.#target.step ?? {};
    const { stepHetComp } = step;
    const named = stepHetComp === null ? step.target : { jobId: step.jobId, stepId, stepHetComp };
    const key = { rung, target: step.target, part: 'step' } as const;
    // SIGKILL to a het leader's step goes to the nodes.
    await this.#send(key, isKill ? FAN_OUT_EXCHANGES : KILL_EXCHANGES, (context) =>
      killJobStep(this.#link, named, signal, { idempotent: true }, context),
    );
  }

  /** SIGKILL for what takes it: of the whole target by its own name, of some of its parts by theirs. */
  async #kill(due: readonly Part[], isWhole: boolean): Promise<void> {
    const rung = this.#killRung();
    if (this.#target.step !== null) return this.#each(due, (part) => this.#signalStep(rung, part));
    const names = isWhole ? [this.#target.text] : unitsOf(due).map(({ name }) => name);
    await this.#each(names, async (target) => {
      const options = { cron: this.#state.cron, idempotent: true };
      const { outcome } = await this.#send({ rung, target, part: 'job' }, KILL_EXCHANGES, (context) =>
        killJob(this.#link, target, 'SIGKILL', options, context),
      );
      if (outcome !== 'accepted') this.#isDoubtful = true;
    });
  }

  /** The rung SIGKILL: whatever is there and is not ending. */
  async #killAll(): Promise<void> {
    this.#fresh.clear();
    await this.#kill(this.#alive(), !this.#leavesSome());
  }

  /**
   * What no rung is for: pending jobs, which take nothing but SIGKILL and get it at once; and, once all signals are through, runs that
   * began anew and parts that the SIGKILL may have missed. Each once.
   */
  async #sweep(): Promise<void> {
    if (this.#killRung() === -1 || this.#target.step !== null) return;
    const isThrough = this.#state.rung === this.#state.ladder.length;
    const isDue = ({ stage, job }: Part) =>
      stage === 'pending' ||
      (isThrough && stage === 'running' && (this.#isDoubtful || this.#fresh.has(runKey(job))));
    const all = this.#parts.filter((part) => isDue(part) && !this.#swept.has(runKey(part.job)));
    const isWhole = !isThrough && !this.#leavesSome() && all.length === this.#parts.length;
    const due = isWhole ? all : all.filter(hasOwnName);
    if (due.length === 0) return;
    for (const { job } of due) this.#swept.add(runKey(job));
    await this.#kill(due, isWhole);
  }

  /**
   * Sends one signal and keeps the books about it, before and after. What cannot have been acted on is sent again some times, and
   * SIGKILL too when it is unknown what became of it (of whole jobs and steps: a second one finds them ending). Nothing else is.
   *
   * @throws SlurmError of the signal where going on makes no sense: the caller may not do it, or it could not be sent.
   */
  async #send(
    key: SignalKey,
    exchanges: number,
    call: (context: CallContext) => Promise<{ readonly outcome: Outcome; readonly code?: string }>,
  ): Promise<SentSignal> {
    const isKill = key.rung === this.#killRung();
    const before = this.#entry(key);
    if (!isKill && before !== undefined && before.outcome !== 'not-sent') return before;
    const { signal } = this.#rungAt(key.rung);
    let isUnknown = before?.outcome === 'unknown';
    for (let tried = 1; ; tried++) {
      const sent: SentSignal = { ...key, signal, at: this.#clock.now(), outcome: 'unknown', code: null };
      this.#note(sent, 'signalling');
      const told = await this.#within(exchanges, (context) => plannedAnew(() => call(context))).catch(caught);
      // A later refusal does not undo what an earlier one may have done.
      const outcome = isUnknown && told.outcome !== 'accepted' ? 'unknown' : told.outcome;
      const done: SentSignal = { ...sent, outcome, code: told.code ?? null };
      this.#note(done, 'signalled');
      const error = told instanceof Error ? told : null;
      if (error === null) return done;
      if (this.#context.signal.aborted) throw error;
      // Also where only a look said so and nothing was sent.
      if (error.number !== undefined && MEANS_NOT_NOW.has(error.code)) return done;
      const isLost = told.outcome === 'unknown' && error.number === undefined;
      const mayRepeat = error.retryable && (told.outcome === 'not-sent' || (isKill && isLost));
      if (mayRepeat && tried < TRIES) {
        isUnknown ||= told.outcome === 'unknown';
        await this.#sleep(Math.min(FIRST_RETRY_MS * 2 ** (tried - 1), LONGEST_LOOK_MS));
        continue;
      }
      if (told.outcome === 'not-sent' || told.outcome === 'refused') throw error;
      return done;
    }
  }

  /** Some at a time. All are waited for, also when one of them fails. */
  async #each<T>(list: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
    const limiter = new Limiter(CONCURRENCY);
    const done = await Promise.allSettled(list.map((one) => limiter.run(() => work(one))));
    for (const one of done) if (one.status === 'rejected') throw one.reason;
  }

  /** One exchange or a few must not use up the time of all. */
  async #within<T>(exchanges: number, work: (context: CallContext) => Promise<T>): Promise<T> {
    const { signal } = this.#context;
    const { messageTimeoutMs, takeoverMs = 0 } = this.#link.setup;
    const limitMs = exchanges * messageTimeoutMs + takeoverMs;
    const deadline = new Deadline(Math.max(1, Math.min(limitMs, this.#context.remainingMs())), signal);
    try {
      return await work(deadline);
    } finally {
      deadline.dispose();
    }
  }

  #sleep(ms: number): Promise<void> {
    return this.#clock.sleep(ms, this.#context.signal);
  }

  // Books.

  #note(sent: SentSignal, type: 'signalling' | 'signalled'): void {
    const others = this.#state.sent.filter((one) => !isSame(one, sent));
    this.#state = { ...this.#state, sent: [...others, sent] };
    this.#report({ type, signal: sent });
  }

  #entry(key: SignalKey): SentSignal | undefined {
    return this.#state.sent.find((one) => isSame(one, key));
  }

  #report(happening: Happening): void {
    const { rung, target } = this.#state;
    this.#call.report({ ...happening, target, at: this.#clock.now(), rung, resume: this.#state });
  }

  #rungAt(index: number): PlannedRung {
    return this.#state.ladder[index] as PlannedRung;
  }

  /** Index of SIGKILL, which is the last one where there is one; else -1. */
  #killRung(): number {
    return this.#state.ladder.findIndex(({ signal }) => signal === 'SIGKILL');
  }

  /** The parts that take a signal. */
  #alive(): readonly Part[] {
    return this.#parts.filter(({ stage }) => stage !== 'ending');
  }

  #survivors(): readonly Survivor[] {
    return this.#parts.map(({ shown }) => shown);
  }

  #isOnlyEnding(): boolean {
    return this.#parts.length > 0 && this.#alive().length === 0;
  }

  #leavesSome(): boolean {
    return this.#state.requeued === 'leave' && this.#requeued.size > 0;
  }

  /** True once a signal may have been acted on, or there was nothing left but to wait. */
  #hasBegun(): boolean {
    return this.#state.sent.some(isTaken) || this.#state.rung === this.#state.ladder.length;
  }

  // Endings.

  #terminated(code: string | null): Terminated {
    const { sent } = this.#state;
    const { jobs, peer, protocol } = this.#seen as Probe;
    return {
      outcome: sent.some(({ outcome }) => outcome === 'accepted') ? 'accepted' : joint(sent),
      target: this.#state.target,
      sent,
      delivered: null,
      dead: this.#parts.length === 0 ? true : null,
      code,
      requeued: [...this.#requeued],
      jobs,
      peer,
      protocol,
      elapsedMs: performance.now() - this.#startedAt,
    };
  }

  /** Told by this library from what the controller knows: nothing was sent. */
  #nothingThere(): Terminated {
    const { jobs } = this.#seen as Probe;
    const code = jobs.length > 0 && jobs.every(isOver) ? 'ESLURM_ALREADY_DONE' : 'ESLURM_INVALID_JOB_ID';
    if (this.#call.idempotent) return this.#terminated(code);
    throw this.#notSent(code, 'ESRCH');
  }

  /** Any signal by way of the job would switch the user's scrontab line off. */
  #refuseCron(): void {
    if (this.#target.step !== null || this.#state.cron) return;
    if (this.#parts.some(({ job }) => job.cron === true))
      throw this.#notSent('ESLURM_CANNOT_CANCEL_CRON_JOB', 'EPERM');
  }

  #notSent(code: string, errno: string): SlurmServerError {
    const { peer, protocol } = this.#seen as Probe;
    const number = errorNumber(code) as number;
    const { text } = errorMeaning(number, protocol);
    const summary = `Nothing was sent for ${this.#target.text}: ${text}`;
    return new SlurmServerError(summary, {
      code,
      number,
      errno,
      outcome: 'not-sent',
      peer,
      protocol,
      phase: 'wait',
    });
  }

  /** The ladder is through, or nobody takes its signals. */
  #survived(code?: string): SlurmTerminationError {
    const refused = this.#state.sent.some(isTaken) ? undefined : this.#state.sent.at(-1)?.code;
    const said = code ?? refused ?? 'SLURMWIRE_SURVIVORS';
    const number = errorNumber(said) ?? undefined;
    const errno = number === undefined ? 'EBUSY' : errorMeaning(number, this.#link.setup.release).errno;
    const hint = this.#killRung() === -1 ? 'The ladder has no SIGKILL.' : undefined;
    return this.#ended('it is still there', { code: said, number, errno, hint });
  }

  #ended(
    what: string,
    details: Pick<SlurmErrorDetails, 'code' | 'number' | 'errno' | 'hint' | 'cause'>,
  ): SlurmTerminationError {
    const { sent, target } = this.#state;
    const survivors = this.#survivors();
    const shown = survivors
      .slice(0, 5)
      .map((one) => [one.target, one.state, ...one.flags, one.nodes ?? ''].join(' ').trim());
    const more = survivors.length > 5 ? ` and ${survivors.length - 5} more` : '';
    const summary = `${target} was not seen gone: ${what}. Sent: ${showSent(sent)}. Last seen: ${shown.join(', ')}${more}.`;
    const outcome = joint(sent, this.#state.rung === this.#state.ladder.length);
    const { peer, protocol } = this.#seen as Probe;
    return new SlurmTerminationError(summary, {
      ...details,
      outcome,
      peer,
      protocol,
      survivors,
      resume: this.#state,
    });
  }

  /** Whatever ended it early: with what is known by then. */
  #failed(error: unknown): unknown {
    const { signal } = this.#context;
    const cause: unknown = signal.aborted ? signal.reason : error;
    if (error instanceof SlurmTerminationError || !isSlurmError(cause)) return error;
    if (this.#seen === undefined || !this.#hasBegun()) {
      if (!signal.aborted) return error;
      return restate(cause, `${this.#target.text}: nothing was signalled: ${cause.summary}.`, {
        outcome: 'not-sent',
      });
    }
    const { code, number, errno } = cause;
    return this.#ended(cause.summary.replace(/\.$/, ''), { code, number, errno, cause });
  }
}

/** Refusals that a later look or the next rung deals with. */
const MEANS_NOT_NOW: ReadonlySet<string> = new Set([
  'ESLURM_TRANSITION_STATE_NO_UPDATE',
  'ESLURM_JOB_PENDING',
  'ESLURM_JOB_SCRIPT_MISSING',
  'ESLURM_ALREADY_DONE',
  'ESLURM_INVALID_JOB_ID',
  'ESLURM_NOT_WHOLE_HET_JOB',
]);

function caught(error: unknown): SlurmError {
  if (!isSlurmError(error)) throw error;
  return error;
}

function isSame(one: SignalKey, other: SignalKey): boolean {
  return one.rung === other.rung && one.target === other.target && one.part === other.part;
}

/** True when it may have been delivered. */
function isTaken({ outcome }: SentSignal): boolean {
  return outcome === 'accepted' || outcome === 'unknown' || outcome === 'partial';
}

/** What is known of all signals together. */
function joint(sent: readonly SentSignal[], isThrough = true): Outcome {
  const kinds = new Set(sent.map(({ outcome }) => outcome));
  if (kinds.has('partial') || (kinds.has('accepted') && kinds.size > 1)) return 'partial';
  if (kinds.has('accepted')) return isThrough ? 'accepted' : 'partial';
  if (kinds.has('unknown')) return 'unknown';
  return kinds.has('refused') ? 'refused' : 'not-sent';
}

/** `SIGTERM accepted, SIGKILL unknown`, with a count where there are many. */
function showSent(sent: readonly SentSignal[]): string {
  const counts = new Map<string, number>();
  for (const { signal, outcome } of sent) {
    const what = `${signal} ${outcome}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  if (counts.size === 0) return 'nothing';
  return [...counts].map(([what, count]) => (count === 1 ? what : `${what} (${count} times)`)).join(', ');
}
