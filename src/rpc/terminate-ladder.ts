/** The ladder of `terminate`: signals in order, and how long each may take. */
import { UNIX_SIGNALS, type UnixSignal, unixSignalName, unixSignalNumber } from '../protocol/unix-signal.js';
import { badOption, checkOptions } from './check-options.js';

/**
 * Whose processes a signal other than SIGKILL goes to.
 *
 * - `steps`: all steps, not the batch script's.
 * - `batch`: the batch shell alone. A shell that waits for a foreground command runs its trap afterwards.
 * - `full`: the batch shell and the processes of its group. An `srun` among them takes SIGTERM as an order to SIGKILL its tasks (observed:
 *   22.05, 26.05), so for a job that has steps this is not gentle.
 */
export type SignalledPart = 'steps' | 'batch' | 'full';

/** One signal, and how long the job may take over it. */
export interface Rung {
  /** Name or number, Linux numbering. */
  readonly signal: UnixSignal;
  /** Milliseconds until the next rung, 0 to a day. Default 30 000. Not for the last rung: `confirmMs` follows it. */
  readonly graceMs?: number | undefined;
  /**
   * For a job and a signal other than SIGKILL, which always means the whole job. Default: everything, each process once as far as that
   * can be done: the steps and the batch shell of a job that has steps, else the batch shell's group.
   */
  readonly to?: readonly SignalledPart[] | undefined;
}

/** A rung as it stands in a plan. */
export interface PlannedRung {
  /** By its usual name. */
  readonly signal: string;
  /** 0 for the last one. */
  readonly graceMs: number;
  /** `null`: everything. */
  readonly to: readonly SignalledPart[] | null;
}

const MAX_RUNGS = 8;
/** A day. Eight of them are a timer that Node can take. */
const MAX_WAIT_MS = 86_400_000;
const DEFAULT_GRACE_MS = 30_000;
export const SIGNALLED_PARTS: readonly SignalledPart[] = ['steps', 'batch', 'full'];
export const DEFAULT_LADDER: readonly Rung[] = [{ signal: 'SIGTERM' }, { signal: 'SIGKILL' }];

/** @throws SlurmUsageError that names field and value. */
export function checkLadder(ladder: readonly Rung[], isStep: boolean, field = 'ladder'): PlannedRung[] {
  if (!Array.isArray(ladder) || ladder.length < 1 || ladder.length > MAX_RUNGS)
    throw badOption(field, ladder, `is not a list of 1 to ${MAX_RUNGS} rungs`);
  return ladder.map((rung: Rung, index) => {
    const name = `${field}[${index}]`;
    if (typeof rung !== 'object' || rung === null) throw badOption(name, rung, 'is not an object');
    checkOptions('terminate', rung, ['signal', 'graceMs', 'to']);
    const signal = unixSignalNumber(rung.signal, `${name}.signal`);
    const isLast = index === ladder.length - 1;
    const isKill = signal === UNIX_SIGNALS.SIGKILL;
    if (isKill && !isLast)
      throw badOption(`${name}.signal`, rung.signal, 'ends the job, so nothing can follow it');
    if (isLast && rung.graceMs !== undefined)
      throw badOption(`${name}.graceMs`, rung.graceMs, 'has no rung to wait for; confirmMs follows the last');
    const graceMs = isLast ? 0 : (rung.graceMs ?? DEFAULT_GRACE_MS);
    checkWait(`${name}.graceMs`, graceMs, 0);
    if (rung.to !== undefined && (isKill || isStep)) {
      throw badOption(`${name}.to`, rung.to, isStep ? 'is for jobs, not steps' : 'is not for SIGKILL');
    }
    return { signal: unixSignalName(signal), graceMs, to: checkParts(`${name}.to`, rung.to ?? null) };
  });
}

function checkParts(field: string, to: readonly SignalledPart[] | null): readonly SignalledPart[] | null {
  if (to === null) return null;
  const isKnown = (part: unknown) => SIGNALLED_PARTS.includes(part as SignalledPart);
  if (!Array.isArray(to) || to.length === 0 || !to.every(isKnown))
    throw badOption(field, to, `is not a list of some of ${SIGNALLED_PARTS.join(', ')}`);
  if (to.includes('batch') && to.includes('full'))
    throw badOption(field, 'batch, full', 'signals the batch shell twice');
  return SIGNALLED_PARTS.filter((part) => to.includes(part));
}

export function checkWait(field: string, ms: unknown, least: number): void {
  if (typeof ms === 'number' && Number.isInteger(ms) && ms >= least && ms <= MAX_WAIT_MS) return;
  throw badOption(field, ms, `is not a whole number of milliseconds from ${least} to ${MAX_WAIT_MS}`);
}
