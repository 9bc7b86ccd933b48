/** What several records say of a job, worked out of the model. */
import { isJobFinished, isJobPending, JOB_STATE_FLAGS } from '../../../protocol/messages/job-state.js';
import { headerVersionOf, type Release } from '../../../protocol/release.js';
import type { Job } from '../../model/job.js';
import { STEPMGR_ENABLED } from '../../model/life.js';
import { cpuShare } from '../../model/resources.js';
import type { World } from '../../model/world.js';

/** Nodes that the controller shows for a job: of one that completes, those that are not done yet. */
export function nodesShown(job: Job, world: World): readonly string[] {
  if ((job.state & JOB_STATE_FLAGS.JOB_COMPLETING) === 0) return job.nodes;
  const left = new Set([...job.steps.values()].flatMap((step) => [...step.left.keys()]));
  const shown = job.nodes.filter((name) => left.has(name) || !world.isReachable(name));
  // All are told to end it, also those where nothing is left.
  return shown.length > 0 ? shown : job.nodes;
}

/** CPUs of a job on each of its nodes. */
export function cpusOn(job: Job, nodes: readonly string[], world: World): number[] {
  return nodes.map((name) => cpuShare(job.spec, world.nodes.get(name) ?? { cpus: 0 }));
}

/** It has or had nodes in this run. */
export function hasStarted(job: Job): boolean {
  return !isJobPending(job.state) && job.nodes.length > 0;
}

/** Whether the controller takes it for one with a batch script: components of a heterogeneous job go with their leader. */
export function isBatchJob(job: Job, world: World): boolean {
  const leader = job.het === null ? job : (world.jobs.get(job.het.jobId) ?? job);
  return leader.spec.script !== null;
}

/** First node of the job. */
export function batchHostOf(job: Job): string | null {
  return job.nodes[0] ?? null;
}

/** Protocol version as in a header; before the start that of the controller which took the job. */
export function startVersionOf(job: Job, own: Release): number {
  return headerVersionOf(job.startedIn ?? own);
}

/** Seconds that a job has run, without those in which it was suspended. */
export function runSeconds(
  { preSusTime, suspendTime, startTime, state, endTime }: Job,
  isSuspended: boolean,
  now: number,
): number {
  if (isSuspended) return preSusTime;
  const until = isJobFinished(state) ? endTime : now;
  return suspendTime > startTime ? preSusTime + until - suspendTime : until - startTime;
}

/** Whether the slurmd of its batch host manages its steps. */
export function hasStepManager({ bitflags }: Job): boolean {
  return (bitflags & STEPMGR_ENABLED) !== 0n;
}
