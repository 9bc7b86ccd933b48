/** What a signal does to one job record, by its state: the rules that KILL_JOB, KILL_JOBS and CANCEL_JOB_STEP share. */
import { KILL_FLAGS } from '../../protocol/kill-flags.js';
import {
  isJobFinished,
  isJobPending,
  isJobSuspended,
  JOB_STATE_FLAGS,
  JOB_STATES,
} from '../../protocol/messages/job-state.js';
import { NO_VAL } from '../../protocol/sentinels.js';
import { SLURM_MAX_NORMAL_STEP_ID } from '../../protocol/step-id.js';
import { UNIX_SIGNALS } from '../../protocol/unix-signal.js';
import type { Job } from '../model/job.js';
import { type ControllerCall, since } from './handler.js';
import { maySignal } from './rights.js';
import { ACCESS_DENIED, ALREADY_DONE } from './targets.js';

export const NOT_NOW = 2020;
const NO_SCRIPT = 2009;
const CANNOT_CANCEL_CRON_JOB = 2098;

export type Caller = Pick<ControllerCall, 'uid' | 'world' | 'own' | 'life' | 'release'>;

/** Signals one record. @returns 0 or why not. */
export function signalJob(caller: Caller, job: Job, unixSignal: number, flags: number): number {
  if (!maySignal(caller, job)) return ACCESS_DENIED;
  const cron = signalCron(caller, job, flags);
  if (cron !== 0) return cron;
  const { life } = caller;
  const isKill = unixSignal === UNIX_SIGNALS.SIGKILL;
  const has = (name: keyof typeof KILL_FLAGS) => (flags & KILL_FLAGS[name].bit) !== 0;
  const cancelled =
    has('KILL_FAIL_JOB') && since(caller, '25.05') ? JOB_STATES.JOB_FAILED : JOB_STATES.JOB_CANCELLED;
  if (isJobFinished(job.state)) return ALREADY_DONE;
  if (isJobPending(job.state)) {
    if (!isKill) return NOT_NOW;
    life.cancelPending(job, cancelled);
    return 0;
  }
  if ((job.state & JOB_STATE_FLAGS.JOB_COMPLETING) !== 0) return ALREADY_DONE;
  if (isJobSuspended(job.state) && !isKill) return NOT_NOW;
  if (isKill && !has('KILL_JOB_BATCH') && !has('KILL_STEPS_ONLY')) {
    if (isJobSuspended(job.state)) life.resume(job);
    life.end(job, cancelled);
    return 0;
  }
  if (has('KILL_JOB_BATCH') && job.spec.script === null) return NO_SCRIPT;
  const asked = flags & WHOM;
  life.signalNodes(
    job,
    {
      stepId: SLURM_MAX_NORMAL_STEP_ID,
      stepHetComp: NO_VAL,
      flags: asked === 0 ? KILL_FLAGS.KILL_STEPS_ONLY.bit : asked,
    },
    unixSignal,
    has('KILL_JOB_BATCH') ? job.nodes.slice(0, 1) : job.nodes,
  );
  return 0;
}

const WHOM = KILL_FLAGS.KILL_JOB_BATCH.bit | KILL_FLAGS.KILL_FULL_JOB.bit | KILL_FLAGS.KILL_STEPS_ONLY.bit;

/** Any signal to a scrontab job as a whole switches its line off, unless the cluster wants that said in so many words. */
function signalCron(caller: Caller, job: Job, flags: number): number {
  const { cron } = job.spec;
  if (cron === null) return 0;
  const { world } = caller;
  const isExplicit = /(^|,)explicit_scancel(,|$)/.test(world.settings.parameters.ScronParameters ?? '');
  if (isExplicit && since(caller, '23.02') && !isCronMeant(caller, flags)) return CANNOT_CANCEL_CRON_JOB;
  world.cronOff.set(job.user.uid, [...(world.cronOff.get(job.user.uid) ?? []), cron]);
  return 0;
}

function isCronMeant(caller: Caller, flags: number): boolean {
  // 24.05 turned the flag round; older clients' requests are read the old way by it and the next two.
  const isOld = !since({ own: caller.release }, '24.05') && !since(caller, '25.11');
  if (!since(caller, '24.05') || isOld) return (flags & KILL_FLAGS.KILL_NO_CRON.bit) === 0;
  return (flags & KILL_FLAGS.KILL_CRON.bit) !== 0;
}
