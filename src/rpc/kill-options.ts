import { hasKillFlag, KILL_FLAGS } from '../protocol/kill-flags.js';
import { isAtLeast, type Release } from '../protocol/release.js';
import { SlurmUsageError } from '../protocol/slurm-error.js';
import { badOption, checkBoolean } from './check-options.js';

/** What every call takes. */
export interface CallOptions {
  /** The whole budget of the call in milliseconds, 1 to 2^31 - 1. Default: that of the client, else see the verb. */
  readonly timeoutMs?: number | undefined;
  /** Ends the call early. What is known about the request then stands in the error's `outcome`. */
  readonly signal?: AbortSignal | undefined;
}

/** What every kill takes. */
export interface KillCallOptions extends CallOptions {
  /**
   * Resolve with an {@link AlreadyEnded} in place of rejecting when the job has finished already or is not known (any more).
   * Default false.
   */
  readonly idempotent?: boolean | undefined;
}

/** Options of `killJob`. At most one of `batch`, `full` and `stepsOnly` makes sense. */
export interface KillJobOptions extends KillCallOptions {
  /** Signal the batch shell only (`scancel --batch`). With SIGKILL the job goes on until the shell has ended. */
  readonly batch?: boolean | undefined;
  /** Signal the batch shell and the processes of its group (`scancel --full`). Nothing happens where there is no batch script. */
  readonly full?: boolean | undefined;
  /** Signal the steps but not the batch shell. With SIGKILL the job goes on. Other signals do so anyway. */
  readonly stepsOnly?: boolean | undefined;
  /** Do not stage out burst buffers (`scancel --hurry`). */
  readonly hurry?: boolean | undefined;
  /**
   * Yes, a scrontab job is meant as such (`scancel --cron`): any signal to one as a whole switches the line of its user's scrontab off. Without
   * this the processes of its run are signalled step by step, which leaves the line on; clusters with `ScronParameters=explicit_scancel`
   * refuse from 23.02 on. Where scrontab is enabled and not guarded, finding out costs one lookup per call.
   */
  readonly cron?: boolean | undefined;
  /**
   * Yes, all components of a heterogeneous job are meant. Without this a component is refused that cannot be signalled alone: the leader
   * as `1234+0` (its plain number is the whole job), and with `SchedulerParameters=whole_hetjob` any of them.
   */
  readonly wholeHetJob?: boolean | undefined;
  /** The job ends as FAILED in place of CANCELLED. 25.05 and newer. */
  readonly failJob?: boolean | undefined;
  /** Federation: the sibling cluster whose copy of a pending job is removed (`scancel --sibling`). */
  readonly sibling?: string | undefined;
}

/** The names of {@link CallOptions}, {@link KillCallOptions} and {@link KillJobOptions}. */
export const CALL_OPTIONS = ['timeoutMs', 'signal'] as const satisfies (keyof CallOptions)[];
export const KILL_CALL_OPTIONS = [...CALL_OPTIONS, 'idempotent'] as const satisfies (keyof KillCallOptions)[];
const TARGETS = ['batch', 'full', 'stepsOnly'] as const;
const FLAGS = [...TARGETS, 'hurry', 'cron', 'wholeHetJob', 'failJob'] as const;
export const KILL_JOB_OPTIONS = [
  ...KILL_CALL_OPTIONS,
  ...FLAGS,
  'sibling',
] as const satisfies (keyof KillJobOptions)[];

/**
 * What can be said of the options before the release is known.
 *
 * @throws SlurmUsageError `SLURMWIRE_BAD_OPTION` for options that contradict each other or are of another type.
 */
export function checkKillOptions(options: KillJobOptions): void {
  for (const name of [...FLAGS, 'idempotent'] as const) checkBoolean(name, options[name]);
  const targets = TARGETS.filter((name) => options[name] === true);
  if (targets.length > 1)
    throw badOption(targets.join(', '), true, 'contradict each other: only one of them can be meant');
  const { sibling } = options;
  if (sibling !== undefined && (typeof sibling !== 'string' || sibling === ''))
    throw badOption('sibling', sibling, 'is not the name of a cluster');
}

/**
 * The KILL_* bits for a release.
 *
 * @throws SlurmUsageError as {@link checkKillOptions}, and `SLURMWIRE_NOT_IN_RELEASE` for an option that the release cannot carry.
 */
export function killFlags(options: KillJobOptions, release: Release): number {
  checkKillOptions(options);
  if (options.failJob === true && !hasKillFlag(release, 'KILL_FAIL_JOB')) {
    throw new SlurmUsageError(`failJob cannot be asked for in protocol ${release}.`, {
      code: 'SLURMWIRE_NOT_IN_RELEASE',
      field: 'failJob',
      value: true,
      hint: 'Slurm has it from 25.05 on.',
    });
  }
  return (
    (options.batch === true ? KILL_FLAGS.KILL_JOB_BATCH.bit : 0) |
    (options.stepsOnly === true ? KILL_FLAGS.KILL_STEPS_ONLY.bit : 0) |
    (options.full === true ? KILL_FLAGS.KILL_FULL_JOB.bit : 0) |
    (options.hurry === true ? KILL_FLAGS.KILL_HURRY.bit : 0) |
    (options.failJob === true ? KILL_FLAGS.KILL_FAIL_JOB.bit : 0) |
    cronFlag(options.cron === true, release)
  );
}

/** As scancel has it: 23.02 and 23.11 say "no scrontab jobs" unless told otherwise, 24.05 and newer say when they are meant. */
function cronFlag(cron: boolean, release: Release): number {
  if (isAtLeast(release, '24.05')) return cron ? KILL_FLAGS.KILL_CRON.bit : 0;
  return !cron && hasKillFlag(release, 'KILL_NO_CRON') ? KILL_FLAGS.KILL_NO_CRON.bit : 0;
}
