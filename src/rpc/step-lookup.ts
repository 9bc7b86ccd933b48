/** The steps of a job, whoever manages them: reads without side effect. */
import type { CallContext } from '../protocol/authenticator.js';
import type { JobRecord } from '../protocol/messages/job-record.js';
import type { JobStepRecord } from '../protocol/messages/job-step-info.js';
import { SHOW_FLAGS } from '../protocol/messages/show-flags.js';
import { NO_VAL } from '../protocol/sentinels.js';
import { SLURM_MAX_NORMAL_STEP_ID, SPECIAL_STEP_IDS } from '../protocol/step-id.js';
import type { ControllerCall, ControllerLink } from './controller-link.js';
import { jobNumbered, lookUp, lookupFailed, refusalOf } from './job-lookup.js';
import type { Reply } from './reply.js';
import { askStepManager, mayHaveStepManagers, sentOn, stepManagerOf } from './step-manager.js';

/**
 * The steps of one job record; of all its step numbers when `stepId` is NO_VAL. Several records for a het step.
 *
 * Where a node manages the job's steps, that one is asked too. The controller names it in its answer, but neither in protocols before 24.05
 * nor while the job is suspended (observed: 24.11, 26.05): there the job's own record tells.
 *
 * @param job its number, or its record where that is at hand.
 * @throws SlurmError, always with outcome `not-sent`.
 */
export async function stepRecords(
  link: ControllerLink,
  job: number | JobRecord,
  stepId: number,
  context: CallContext,
): Promise<JobStepRecord[]> {
  const jobId = typeof job === 'number' ? job : job.jobId;
  const record = { stepId: { jobId, stepId, stepHetComp: NO_VAL }, showFlags: SHOW_FLAGS.SHOW_ALL };
  const call = { name: 'REQUEST_JOB_STEP_INFO', record, repeatable: true } as const;
  const isMeant = ({ stepId: found }: JobStepRecord) =>
    found.jobId === jobId && (stepId === NO_VAL || found.stepId === stepId);

  const reply = await lookUp(link, call, context);
  const own = recordsIn(reply, jobId).filter(isMeant);
  if (own.length > 0 && stepId !== NO_VAL) return own;
  const manager = await managerOf(link, job, reply, own, context);
  return manager === null
    ? own
    : [...own, ...(await managedSteps(link, call, manager, context)).filter(isMeant)];
}

type StepCall = ControllerCall<'REQUEST_JOB_STEP_INFO'> & {
  readonly record: { readonly stepId: { readonly jobId: number } };
};

/** The step manager's answer. One of 24.11 tells of all steps, whichever was asked for (observed). */
async function managedSteps(
  link: ControllerLink,
  call: StepCall,
  node: string,
  context: CallContext,
): Promise<readonly JobStepRecord[]> {
  const reply = await askStepManager(link, call, node, context);
  if (reply.name === 'RESPONSE_SLURM_REROUTE_MSG') throw sentOn(reply, call.name, reply.record.stepmgr);
  return recordsIn(reply, call.record.stepId.jobId);
}

function recordsIn(reply: Reply, jobId: number): readonly JobStepRecord[] {
  if (reply.name === 'RESPONSE_JOB_STEP_INFO') return reply.record.jobSteps;
  // From a slurmd: it has nothing of this job (any more).
  if (refusalOf(reply)?.code === 'ESLURM_INVALID_JOB_ID') return [];
  throw lookupFailed(reply, 'REQUEST_JOB_STEP_INFO', String(jobId));
}

async function managerOf(
  link: ControllerLink,
  job: number | JobRecord,
  reply: Reply,
  own: readonly JobStepRecord[],
  context: CallContext,
): Promise<string | null> {
  const { release } = link.setup;
  if (reply.name !== 'RESPONSE_JOB_STEP_INFO' || !mayHaveStepManagers(release)) return null;
  const jobId = typeof job === 'number' ? job : job.jobId;
  // Asked for by the number of an array, each of its tasks is named.
  const named = reply.record.stepmgrJobs?.find((one) => one.jobId === jobId);
  if (named !== undefined && named.stepmgr !== null) return named.stepmgr;
  // It has such steps of no job that it does not manage itself.
  if (own.some(isOrdinary)) return null;
  if (typeof job !== 'number') return stepManagerOf(job, release);
  const record = await jobNumbered(link, job, context);
  return record === undefined ? null : stepManagerOf(record, release);
}

function isOrdinary({ stepId: { stepId } }: JobStepRecord): boolean {
  return stepId <= SLURM_MAX_NORMAL_STEP_ID || stepId === SPECIAL_STEP_IDS.SLURM_INTERACTIVE_STEP;
}
