/** What `terminate` takes, and the plan made of it. */
import type { JobId, StepTarget } from '../protocol/job-id.js';
import { badOption, checkBoolean } from './check-options.js';
import { CALL_OPTIONS, type CallOptions } from './kill-options.js';
import { type ParsedTarget, parseTarget } from './target.js';
import { checkLadder, checkWait, DEFAULT_LADDER, type Rung } from './terminate-ladder.js';
import { checkState, type TerminateState } from './terminate-state.js';

/** Options of `terminate`. */
export interface TerminateOptions extends CallOptions {
  /** The signals in order, 1 to 8. Default: SIGTERM, 30 s, SIGKILL. SIGKILL can be the last one only. */
  readonly ladder?: readonly Rung[] | undefined;
  /** Wait until the controller says that the job or step is gone. Default true; false: until the last signal is accepted. */
  readonly confirm?: boolean | undefined;
  /**
   * How long that may take after the last rung, in milliseconds, 1 to a day. Default 120 000: a slurmd that is told to end a job sends
   * SIGTERM, waits KillWait (30 s by default), sends SIGKILL, and gives up on processes after UnkillableStepTimeout (60 s by default).
   */
  readonly confirmMs?: number | undefined;
  /** Resolve in place of rejecting where the job or step is gone already. Default false. */
  readonly idempotent?: boolean | undefined;
  /**
   * A job that was requeued meanwhile is pending, or runs anew. `end` (default): it is still the job that shall be gone; pending it is
   * cancelled at once, running it gets what is left of the ladder, and an event tells before anything is sent. `leave`: the run that was
   * meant is gone, and the new one is left alone.
   */
  readonly requeued?: 'end' | 'leave' | undefined;
  /** Yes, a scrontab job is meant. Any signal to one switches the user's scrontab line off, so without this it is refused. */
  readonly cron?: boolean | undefined;
  /**
   * Goes on where another process left off: the `resume` of an event or an error of that termination. It has ladder, times and choices
   * in it, so only `timeoutMs`, `signal` and `idempotent` may be given beside it.
   */
  readonly resume?: TerminateState | undefined;
}

const PLAN_OPTIONS = ['ladder', 'confirm', 'confirmMs', 'requeued', 'cron'] as const;

export const TERMINATE_OPTIONS = [
  ...CALL_OPTIONS,
  ...PLAN_OPTIONS,
  'idempotent',
  'resume',
] as const satisfies (keyof TerminateOptions)[];

const DEFAULT_CONFIRM_MS = 120_000;

/** What is to be done with which target, and how far it has come. */
export interface TerminatePlan {
  readonly target: ParsedTarget;
  readonly state: TerminateState;
}

/**
 * The plan of a call, new or taken up again.
 *
 * @throws SlurmUsageError that names field and value.
 */
export function terminatePlan(target: JobId | StepTarget, options: TerminateOptions): TerminatePlan {
  checkBoolean('idempotent', options.idempotent);
  if (options.resume !== undefined) return resumed(target, options, options.resume);
  const parsed = parseTarget(target);
  for (const name of ['confirm', 'cron'] as const) checkBoolean(name, options[name]);
  const { ladder = DEFAULT_LADDER, confirm = true, confirmMs = DEFAULT_CONFIRM_MS } = options;
  const { requeued = 'end', cron = false } = options;
  if (requeued !== 'end' && requeued !== 'leave')
    throw badOption('requeued', requeued, 'is neither end nor leave');
  checkWait('confirmMs', confirmMs, 1);
  const state: TerminateState = {
    version: 1,
    target: parsed.text,
    stepHetComp: parsed.step?.stepHetComp ?? null,
    ladder: checkLadder(ladder, parsed.step !== null),
    confirm,
    confirmMs,
    requeued,
    cron,
    rung: 0,
    since: null,
    sent: [],
    runs: [],
  };
  return { target: parsed, state };
}

/** How many milliseconds the graces that are left take. */
export function graceLeftMs({ ladder, rung, since }: TerminateState, now: number): number {
  const graces = ladder.slice(rung).reduce((sum, { graceMs }) => sum + graceMs, 0);
  const over = since === null ? 0 : Math.min(Math.max(now - since, 0), ladder[rung]?.graceMs ?? 0);
  return graces - over;
}

/** How many milliseconds a plan waits between its signals and after them. */
export function plannedWaitMs(state: TerminateState): number {
  // Since no time is given, a grace that is partly over counts whole.
  return graceLeftMs({ ...state, since: null }, 0) + (state.confirm ? state.confirmMs : 0);
}

/** Exchanges that a plan may take beside its waiting: contact and look, and for each rung looks, steps, three signals with a look each. */
export function plannedExchanges({ ladder }: TerminateState): number {
  return 2 + 9 * ladder.length;
}

function resumed(
  target: JobId | StepTarget,
  options: TerminateOptions,
  given: TerminateState,
): TerminatePlan {
  const beside = PLAN_OPTIONS.find((name) => options[name] !== undefined);
  if (beside !== undefined)
    throw badOption(beside, options[beside], 'cannot be given beside resume, which has it in it');
  const state = checkState(given);
  const asked = parseTarget(target);
  const stepHetComp = asked.step?.stepHetComp ?? null;
  if (asked.text !== state.target || stepHetComp !== state.stepHetComp) {
    throw badOption('resume.target', state.target, `is another target than ${asked.text}`);
  }
  return { target: asked, state };
}
