/** How far a termination has come, as plain JSON: what another process needs to go on with it. */
import type { Outcome } from '../protocol/slurm-error.js';
import { badOption, checkOptions } from './check-options.js';
import {
  checkLadder,
  checkWait,
  type PlannedRung,
  type Rung,
  SIGNALLED_PARTS,
  type SignalledPart,
} from './terminate-ladder.js';

/**
 * The state of a termination. Plain JSON: save it and give it to `terminate(target, { resume })`. Nothing that was accepted is sent again
 * then; a signal other than SIGKILL is not sent again either when it is unknown what became of it.
 */
export interface TerminateState {
  readonly version: 1;
  /** The job or step as Slurm writes it. */
  readonly target: string;
  /** Of a step that was named with its component. */
  readonly stepHetComp: number | null;
  readonly ladder: readonly PlannedRung[];
  readonly confirm: boolean;
  readonly confirmMs: number;
  readonly requeued: 'end' | 'leave';
  readonly cron: boolean;
  /** Index of the rung in work; the length of the ladder when all signals are through. */
  readonly rung: number;
  /**
   * When the wait of this rung began, in milliseconds since 1970: the time of its last signal. `null`: its signals are not all through.
   */
  readonly since: number | null;
  /** The signals, each with what is known of it. */
  readonly sent: readonly SentSignal[];
  /** Which run of each job record is meant. */
  readonly runs: readonly { readonly jobId: number; readonly restarts: number }[];
}

/** One signal to one job, part of it, or step. */
export interface SentSignal {
  /** Index in the ladder. What is pending gets the SIGKILL at its end at once. */
  readonly rung: number;
  /** What it was for, as Slurm writes it. */
  readonly target: string;
  /** `job`: the whole job, by SIGKILL. */
  readonly part: 'job' | 'step' | SignalledPart;
  readonly signal: string;
  /** Milliseconds since 1970, of the last try. */
  readonly at: number;
  /** `unknown` also while the answer is awaited. */
  readonly outcome: Outcome;
  /** Name of the error, `null` when it was accepted or the answer is awaited. */
  readonly code: string | null;
}

const FIELDS = Object.keys({
  version: 0,
  target: 0,
  stepHetComp: 0,
  ladder: 0,
  confirm: 0,
  confirmMs: 0,
  requeued: 0,
  cron: 0,
  rung: 0,
  since: 0,
  sent: 0,
  runs: 0,
} satisfies Record<keyof TerminateState, 0>);

const OUTCOMES: readonly unknown[] = ['not-sent', 'refused', 'accepted', 'unknown', 'partial'];

/**
 * Looks at a state as at any input: it may come from a file, and says what is to be signalled.
 *
 * @throws SlurmUsageError `SLURMWIRE_BAD_OPTION` that names the field.
 */
export function checkState(given: TerminateState): TerminateState {
  if (typeof given !== 'object' || given === null) throw badOption('resume', given, 'is not an object');
  checkOptions('terminate', given, FIELDS);
  const { version, target, stepHetComp, confirm, confirmMs, requeued, cron, rung, since, sent, runs } = given;
  const check = (field: keyof TerminateState, isGood: boolean, why: string) => {
    if (!isGood) throw badOption(`resume.${field}`, given[field], why);
  };
  check('version', version === 1, 'is another version than 1, the one that is known here');
  check('target', typeof target === 'string', 'is no text');
  check('stepHetComp', stepHetComp === null || isCount(stepHetComp), 'is neither null nor a whole number');
  check('confirm', typeof confirm === 'boolean', 'is neither true nor false');
  check('cron', typeof cron === 'boolean', 'is neither true nor false');
  checkWait('resume.confirmMs', confirmMs, 1);
  check('requeued', requeued === 'end' || requeued === 'leave', 'is neither end nor leave');
  const ladder = checkPlanned(given.ladder, target.includes('.'));
  check('rung', isCount(rung) && rung <= ladder.length, 'is no rung of the ladder');
  check('since', since === null || isCount(since), 'is neither null nor a time in milliseconds');
  check(
    'sent',
    Array.isArray(sent) && sent.every((one) => isSentSignal(one, ladder)),
    'has an entry that is no signal',
  );
  check('runs', Array.isArray(runs) && runs.every(isRun), 'has an entry that is no job with its restarts');
  return structuredClone({ ...given, ladder });
}

function checkPlanned(given: readonly PlannedRung[], isStep: boolean): PlannedRung[] {
  const field = 'resume.ladder';
  if (!Array.isArray(given)) throw badOption(field, given, 'is not a list');
  const rungs = given.map((rung: PlannedRung | null, index): Rung => {
    if (typeof rung !== 'object' || rung === null) throw badOption(`${field}[${index}]`, rung, 'is no rung');
    const { graceMs, to, ...rest } = rung;
    const isLast = index === given.length - 1;
    return { ...rest, ...(isLast ? {} : { graceMs }), ...(to === null ? {} : { to }) };
  });
  return checkLadder(rungs, isStep, field);
}

function isSentSignal(one: unknown, ladder: readonly PlannedRung[]): boolean {
  const { rung, target, part, signal, at, outcome, code } = (one ?? {}) as Partial<SentSignal>;
  return (
    isCount(rung) &&
    ladder[rung]?.signal === signal &&
    typeof target === 'string' &&
    ['job', 'step', ...SIGNALLED_PARTS].includes(part as string) &&
    isCount(at) &&
    OUTCOMES.includes(outcome) &&
    (code === null || typeof code === 'string')
  );
}

function isRun(one: unknown): boolean {
  const { jobId, restarts } = (one ?? {}) as { jobId?: unknown; restarts?: unknown };
  return isCount(jobId) && isCount(restarts);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
