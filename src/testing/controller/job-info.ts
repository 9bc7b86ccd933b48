/**
 * REQUEST_JOB_INFO, REQUEST_JOB_INFO_SINGLE, REQUEST_JOB_USER_INFO.
 *
 * Source: `_slurm_rpc_dump_jobs`, `pack_spec_jobs`, `pack_one_job` of 20.11.9, 24.11.5 and 26.05.3.
 */
import { isAtLeast } from '../../protocol/release.js';
import type { Job } from '../model/job.js';
import { componentsOf, findJob } from './find-jobs.js';
import { answer, type ControllerCall, type ControllerHandler, rc, since } from './handler.js';
import { NO_CHANGE, nothingSince } from './no-change.js';
import { jobRecordOf } from './records/job-record.js';
import { contextOf } from './records/record-context.js';
import { INVALID_JOB_ID } from './targets.js';
import { maySeeJob } from './visibility.js';

export const jobInfo: ControllerHandler<'REQUEST_JOB_INFO'> = (call) => {
  const { world, record } = call;
  if (nothingSince(record.lastUpdate, world.lastUpdate)) return rc(NO_CHANGE);
  // By their numbers alone: neither tasks of an array nor components come with them.
  const named = record.jobIds?.flatMap((id) => world.jobs.get(id) ?? []);
  return jobsAnswer(call, visible(call, named ?? world.jobs.values()));
};

export const jobUserInfo: ControllerHandler<'REQUEST_JOB_USER_INFO'> = (call) => {
  const own = [...call.world.jobs.values()].filter(({ user }) => user.uid === call.record.userId);
  return jobsAnswer(call, visible(call, own));
};

export const jobInfoSingle: ControllerHandler<'REQUEST_JOB_INFO_SINGLE'> = (call) => {
  const jobs = recordsOf(call);
  return jobs.length === 0 ? rc(INVALID_JOB_ID) : jobsAnswer(call, jobs);
};

function recordsOf(call: ControllerCall<'REQUEST_JOB_INFO_SINGLE'>): Job[] {
  const { world, record } = call;
  const { sluid } = record.stepId;
  const job = findJob(call, record.stepId);
  const components = job === null ? null : componentsOf(call, job);
  // Whether the components are shown is decided by the leader.
  if (job !== null && components !== null) return maySeeJob(call, job) ? components : [];
  const found = job === null ? [] : [job];
  if (sluid === 0n || !since(call, '25.11')) {
    // Those split off last come first.
    const tasks = [...world.jobs.ofArray(record.stepId.jobId)].reverse();
    found.push(...tasks.filter((task) => task !== job));
  }
  return visible(call, found);
}

function visible(call: ControllerCall, jobs: Iterable<Job>): Job[] {
  const seen: Job[] = [];
  for (const job of jobs) if (maySeeJob(call, job)) seen.push(job);
  return seen;
}

function jobsAnswer(
  call: ControllerCall<'REQUEST_JOB_INFO' | 'REQUEST_JOB_INFO_SINGLE' | 'REQUEST_JOB_USER_INFO'>,
  jobs: readonly Job[],
) {
  const context = contextOf(call, call.record.showFlags);
  const now = BigInt(context.now);
  return answer('RESPONSE_JOB_INFO', {
    lastUpdate: now,
    ...(isAtLeast(call.release, '21.08') ? { lastBackfill: now } : {}),
    jobs: jobs.map((job) => jobRecordOf(job, context)),
  });
}
