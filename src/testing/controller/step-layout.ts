/**
 * REQUEST_STEP_LAYOUT.
 *
 * Source: `_slurm_rpc_step_layout`, `stepmgr_get_step_layouts` of 20.11.9, 24.11.5 and 26.05.3.
 */
import { compressHostlist } from '../../config/index.js';
import { headerVersionOf } from '../../protocol/release.js';
import { NO_VAL } from '../../protocol/sentinels.js';
import { SLURM_MAX_NORMAL_STEP_ID } from '../../protocol/step-id.js';
import type { Step } from '../model/job.js';
import { allocatedJob } from './find-jobs.js';
import { answer, type ControllerCall, type ControllerHandler, rc, since } from './handler.js';
import { batchHostOf, hasStepManager } from './records/job-facts.js';
import { distributionOf, taskCount } from './records/step-record.js';
import { INVALID_JOB_ID } from './targets.js';

type LayoutCall = ControllerCall<'REQUEST_STEP_LAYOUT'>;

export const stepLayout: ControllerHandler<'REQUEST_STEP_LAYOUT'> = (call) => {
  const job = allocatedJob(call, call.record.stepId);
  if (typeof job === 'number') return rc(job);
  if (hasStepManager(job) && since(call, '24.05'))
    return answer('RESPONSE_SLURM_REROUTE_MSG', { workingClusterRec: null, stepmgr: batchHostOf(job) });
  return layoutAnswer([...job.steps.values()], call);
};

/** The layout of the step asked for, if it is among these: from a controller, or from a step manager. */
export function layoutAnswer(steps: readonly Step[], call: Pick<LayoutCall, 'record' | 'own'>) {
  const { stepId, stepHetComp } = call.record.stepId;
  const step = steps.find(
    (one) =>
      stepId === NO_VAL ||
      (one.stepId === stepId && (stepHetComp === NO_VAL || one.stepHetComp === stepHetComp)),
  );
  if (step === undefined) return rc(INVALID_JOB_ID);
  return answer('RESPONSE_STEP_LAYOUT', { slurmStepLayout: layoutOf(step, call) });
}

function layoutOf(step: Step, call: Pick<LayoutCall, 'own'>) {
  return {
    nodeList: compressHostlist(step.nodes),
    startProtocolVer: startVersionOf(step, call),
    taskCnt: taskCount(step),
    taskDist: distributionOf(step),
    tids: step.nodes.map((name) => [...(step.tasks.get(name) ?? [])]),
  };
}

/** Older controllers do not say it of the batch step (observed: 20.11, 22.05). */
function startVersionOf({ stepId, startedIn }: Step, call: Pick<LayoutCall, 'own'>): number {
  return stepId > SLURM_MAX_NORMAL_STEP_ID && !since(call, '23.02') ? 0 : headerVersionOf(startedIn);
}
