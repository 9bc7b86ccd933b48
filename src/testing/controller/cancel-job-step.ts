/** REQUEST_CANCEL_JOB_STEP: one record, or a step. */
import { KILL_FLAGS } from '../../protocol/kill-flags.js';
import { isJobFinished, isJobRunning } from '../../protocol/messages/job-state.js';
import { NO_VAL } from '../../protocol/sentinels.js';
import { UNIX_SIGNALS } from '../../protocol/unix-signal.js';
import type { Job } from '../model/job.js';
import { type ControllerHandler, rc, since } from './handler.js';
import { hasStepManager } from './records/job-facts.js';
import { maySignalStep } from './rights.js';
import { type Caller, NOT_NOW, signalJob } from './signal-job.js';
import { ACCESS_DENIED, ALREADY_DONE, INVALID_JOB_ID } from './targets.js';

const USER_ID_MISSING = 2010;

export const cancelJobStep: ControllerHandler<'REQUEST_CANCEL_JOB_STEP'> = (call) => {
  const { stepId, signal, flags } = call.record;
  const job = call.world.jobs.get(stepId.jobId);
  if (job === undefined) return rc(INVALID_JOB_ID);
  if (stepId.stepId === NO_VAL) return rc(signalJob(call, job, signal, flags));
  // SIGKILL to a step of a leader is for that step of every component.
  if (job.het?.offset === 0 && signal === UNIX_SIGNALS.SIGKILL) {
    const codes = call.life.components(job).map((one) => signalStep(call, one, stepId.stepId, signal, flags));
    return rc(codes.reduce((all, one) => (one === 0 ? all : one), 0));
  }
  return rc(signalStep(call, job, stepId.stepId, signal, flags));
};

function signalStep(caller: Caller, job: Job, stepId: number, unixSignal: number, flags: number): number {
  if (!maySignalStep(caller, job)) return since(caller, '25.05') ? ACCESS_DENIED : USER_ID_MISSING;
  if (isJobFinished(job.state)) return ALREADY_DONE;
  if (!isJobRunning(job.state)) return NOT_NOW;
  const isAll = (flags & KILL_FLAGS.KILL_FULL_JOB.bit) !== 0;
  const steps = [...job.steps.values()].filter((step) => isAll || step.stepId === stepId);
  // Which steps there are its step manager knows, and nobody asks it.
  if (steps.length === 0) return since(caller, '24.05') && hasStepManager(job) ? 0 : INVALID_JOB_ID;
  for (const step of steps) {
    const selector = {
      stepId: step.stepId,
      stepHetComp: step.stepHetComp,
      flags: flags & KILL_FLAGS.KILL_JOB_BATCH.bit,
    };
    caller.life.signalNodes(job, selector, unixSignal, step.nodes);
  }
  return 0;
}
