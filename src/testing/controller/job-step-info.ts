/**
 * REQUEST_JOB_STEP_INFO.
 *
 * Source: `_pack_ctld_job_steps`, `pack_job_step_info_response_msg` of 20.11.9, 21.08.8, 24.11.5.
 */
import { isJobRunning } from '../../protocol/messages/job-state.js';
import { isAtLeast } from '../../protocol/release.js';
import { NO_VAL } from '../../protocol/sentinels.js';
import { SLURM_MAX_NORMAL_STEP_ID } from '../../protocol/step-id.js';
import type { Job, Step } from '../model/job.js';
import { answer, type ControllerCall, type ControllerHandler, rc, since } from './handler.js';
import { NO_CHANGE, nothingSince } from './no-change.js';
import { batchHostOf, hasStepManager } from './records/job-facts.js';
import { contextOf } from './records/record-context.js';
import { stepRecordOf } from './records/step-record.js';
import { INVALID_JOB_ID } from './targets.js';
import { maySeeJob } from './visibility.js';

type StepCall = ControllerCall<'REQUEST_JOB_STEP_INFO'>;

export const jobStepInfo: ControllerHandler<'REQUEST_JOB_STEP_INFO'> = (call) => {
  const { world, record, release } = call;
  if (nothingSince(record.lastUpdate, world.lastUpdate)) return rc(NO_CHANGE);
  const jobs = jobsAsked(call);
  // A controller without any job takes any number for a good one.
  if (jobs.length === 0 && world.jobs.size > 0) return rc(INVALID_JOB_ID);
  const seen = jobs.filter((job) => maySeeJob(call, job));
  const context = contextOf(call, record.showFlags);
  const jobSteps = seen.flatMap((job) =>
    stepsAsked(call, job).map((step) => stepRecordOf(job, step, context)),
  );
  // Not of all jobs, so that nobody asks all nodes.
  // A suspended job's is not named (observed: 24.11, 26.05).
  const isNamed = (job: Job) => isManaged(call, job) && isJobRunning(job.state);
  const managed = record.stepId.jobId === NO_VAL ? [] : seen.filter(isNamed);
  const stepmgrJobs = managed.map((job) => ({ jobId: job.jobId, stepmgr: batchHostOf(job) }));
  return answer('RESPONSE_JOB_STEP_INFO', {
    lastUpdate: BigInt(context.now),
    jobSteps,
    ...(isAtLeast(release, '24.05') && stepmgrJobs.length > 0 ? { stepmgrJobs } : {}),
  });
};

/** The record of this number, and the tasks of the array of this number. */
function jobsAsked({ world, record }: StepCall): Job[] {
  const { jobId } = record.stepId;
  if (jobId === NO_VAL) return [...world.jobs.values()];
  const job = world.jobs.get(jobId);
  const tasks = world.jobs.ofArray(jobId).filter((task) => task !== job);
  return job === undefined ? tasks : [job, ...tasks];
}

function stepsAsked(call: StepCall, job: Job): Step[] {
  const known = (step: Step) => !isManaged(call, job) || step.stepId > SLURM_MAX_NORMAL_STEP_ID;
  const steps = [...job.steps.values()].filter(known);
  const { stepId, stepHetComp } = call.record.stepId;
  if (stepId === NO_VAL) return steps;
  const meant = steps.filter((step) => step.stepId === stepId);
  if (!since(call, '21.08')) return meant;
  // Of the components of a heterogeneous step the first, if none is named.
  return meant.filter((step) => stepHetComp === NO_VAL || step.stepHetComp === stepHetComp).slice(0, 1);
}

function isManaged(call: StepCall, job: Job): boolean {
  return since(call, '24.05') && hasStepManager(job);
}
