/**
 * REQUEST_JOB_STEP_INFO and REQUEST_STEP_LAYOUT to the slurmd of a job's batch host, where the job has a step manager (24.05 and newer).
 *
 * Source: `_relay_stepd_msg` of 24.11.5; answers observed on 24.11 and 26.05 (`docs/daemons.md`), the releases between as 24.11.
 */

import { NO_VAL, SLURM_MAX_NORMAL_STEP_ID } from '../../protocol/index.js';
import { isJobFinished, isJobPending } from '../../protocol/messages/job-state.js';
import { isAtLeast } from '../../protocol/release.js';
import { batchHostOf, hasStepManager } from '../controller/records/job-facts.js';
import { contextOf } from '../controller/records/record-context.js';
import { stepRecordOf } from '../controller/records/step-record.js';
import { layoutAnswer } from '../controller/step-layout.js';
import { isPrivate } from '../controller/visibility.js';
import type { Job, Step } from '../model/job.js';
import { returnCode, type WireAnswer } from '../wire-server.js';
import type { SlurmdCall, SlurmdHandler } from './node-daemon.js';

/** EINVAL: a message that the slurmd knows but does not serve. ESLURM_INVALID_JOB_ID, ESLURM_USER_ID_MISSING, SLURM_ERROR. */
const [NOT_SERVED, INVALID_JOB_ID, USER_ID_MISSING, FAILED] = [22, 2017, 2010, -1];

export const managedStepInfo: SlurmdHandler<'REQUEST_JOB_STEP_INFO'> = (call) => {
  const { stepId } = call.record.stepId;
  return asked(call, call.record.stepId.jobId, (job, steps) => {
    // Up to some release after 24.11 of all steps, whichever was asked for.
    const isOne = stepId !== NO_VAL && isAtLeast(call.own, '26.05');
    const context = contextOf(call, call.record.showFlags);
    const told = isOne ? steps.filter((step) => step.stepId === stepId) : steps;
    const jobSteps = told.map((step) => stepRecordOf(job, step, context));
    return { name: 'RESPONSE_JOB_STEP_INFO', record: { lastUpdate: BigInt(context.now), jobSteps } };
  });
};

export const managedStepLayout: SlurmdHandler<'REQUEST_STEP_LAYOUT'> = (call) =>
  asked(call, call.record.stepId.jobId, (_job, steps) => layoutAnswer(steps, call));

function asked(
  { world, node, own, uid }: Pick<SlurmdCall, 'world' | 'node' | 'own' | 'uid'>,
  jobId: number,
  tell: (job: Job, steps: readonly Step[]) => WireAnswer,
): WireAnswer {
  if (!isAtLeast(own, '24.05')) return returnCode(NOT_SERVED);
  const job = world.jobs.get(jobId);
  if (job === undefined || !isHere(job, node.name)) return returnCode(INVALID_JOB_ID);
  const isOwn = job.user.uid === uid || world.users.isSuper(uid);
  if (!isOwn && isPrivate(world.settings.privateData, 'jobs')) return returnCode(USER_ID_MISSING);
  if (!hasStepManager(job) || batchHostOf(job) !== node.name)
    return returnCode(isAtLeast(own, '26.05') ? FAILED : USER_ID_MISSING);
  return tell(
    job,
    [...job.steps.values()].filter(({ stepId }) => stepId <= SLURM_MAX_NORMAL_STEP_ID),
  );
}

/** While the job has the node there is an extern step of it. */
function isHere({ state, nodes }: Job, node: string): boolean {
  return !isJobPending(state) && !isJobFinished(state) && nodes.includes(node);
}
