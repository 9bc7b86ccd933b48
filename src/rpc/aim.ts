/**
 * How a job is addressed so that a KILL_JOB hits it and nothing else: by its id text where that means just what was asked for, by the
 * number of its record for one task of an array, by its steps for a scrontab job, and not at all where Slurm has no way.
 *
 * Source: slurmctld's handling of KILL_JOB in 20.11 to 26.05. Observed (22.05, 24.11, 26.05): 2020 for one array task whose array has
 * pending tasks, although the task got the signal.
 */
import type { CallContext } from '../protocol/authenticator.js';
import type { ParsedJobId } from '../protocol/job-id.js';
import type { JobRecord } from '../protocol/messages/job-record.js';
import { isJobPending } from '../protocol/messages/job-state.js';
import { isAtLeast, type Release } from '../protocol/release.js';
import { NO_VAL } from '../protocol/sentinels.js';
import { SlurmUsageError } from '../protocol/slurm-error.js';
import { UNIX_SIGNALS } from '../protocol/unix-signal.js';
import type { ClusterFacts } from './cluster-facts.js';
import type { ControllerLink } from './controller-link.js';
import { lookAtJob } from './job-lookup.js';
import type { KillJobOptions } from './kill-options.js';

export type Aim =
  | { readonly at: 'text' }
  | {
      /**
       * - `record`: CANCEL_JOB_STEP without a step, which means this very record.
       * - `steps-of-cron-job`: a scrontab job, whose line any signal to the job as a whole would switch off.
       * - `pending-task`: a task of an array that has no record of its own yet and cannot take this signal.
       */
      readonly at: 'record' | 'steps-of-cron-job' | 'pending-task';
      readonly job: JobRecord;
      /** The controller that told about it. */
      readonly peer: string;
    };

/** True for a target and a signal that are worth a look at the job first. */
export function needsLook(
  { kind }: ParsedJobId,
  signal: number,
  options: KillJobOptions,
  cluster: ClusterFacts,
  release: Release,
): boolean {
  if (kind === 'job' || kind === 'whole-array' || kind === 'sluid') {
    return mayBeCronJob(options, cluster, release) || mayMeanComponent(options, cluster);
  }
  if (kind === 'het-component') return mayMeanComponent(options, cluster);
  return kind === 'array-task' && signal !== UNIX_SIGNALS.SIGKILL && options.sibling === undefined;
}

/**
 * Chooses the way to a job. Where there is nothing to choose, nobody is asked.
 *
 * @throws SlurmUsageError `SLURMWIRE_WHOLE_HET_JOB` for a component that cannot be signalled without the others; SlurmError of a lookup,
 * always with outcome `not-sent`.
 */
export async function aimAt(
  link: ControllerLink,
  given: ParsedJobId,
  signal: number,
  options: KillJobOptions,
  context: CallContext,
): Promise<Aim> {
  const { release } = link.setup;
  const job = takenFor(given);
  const isLeader = job.kind === 'het-component' && job.text.endsWith('+0');
  if (isLeader && options.wholeHetJob !== true) throw meansWholeHetJob(job, job.jobId);
  // Both answers given: whatever the cluster is like, the caller means it.
  const cluster =
    options.cron === true && options.wholeHetJob === true ? UNASKED : await link.clusterFacts(context);
  if (!needsLook(job, signal, options, cluster, release)) return { at: 'text' };

  const { records, reply } = await lookAtJob(link, job, context);
  const { peer } = reply;
  if (mayMeanComponent(options, cluster)) {
    // The number of a leader, or of a job that has no components, means what it says.
    const own = job.kind === 'job' ? records.filter(({ jobId }) => jobId === job.jobId) : records;
    const component = own.find(isComponent);
    if (component !== undefined) throw meansWholeHetJob(job, component.hetJobId);
  }
  const [one, ...others] = records;
  if (one === undefined || others.length > 0) return { at: 'text' };
  if (mayBeCronJob(options, cluster, release) && one.cronspec !== null)
    return { at: 'steps-of-cron-job', job: one, peer };
  if (job.kind !== 'array-task') return { at: 'text' };
  // The record of several pending tasks may be another one's by the time the request is there.
  return { at: isShared(one) ? 'pending-task' : 'record', job: one, peer };
}

/** A controller takes `N_*` for `N`, array or not. */
export function takenFor(job: ParsedJobId): ParsedJobId {
  return job.kind === 'whole-array' ? { ...job, kind: 'job' } : job;
}

/** True for the record of tasks that have not been split off. */
export function isShared({ arrayTaskId, jobState }: JobRecord): boolean {
  return arrayTaskId === NO_VAL && isJobPending(jobState);
}

const UNASKED: ClusterFacts = { scrontab: 'none', wholeHetJob: false };

/** A component of a heterogeneous job that is not its leader. */
export function isComponent({ jobId, hetJobId }: JobRecord): boolean {
  return hetJobId !== 0 && hetJobId !== jobId;
}

/** True where the job may be a scrontab job that neither the caller nor the controller has in mind. */
function mayBeCronJob({ cron }: KillJobOptions, { scrontab }: ClusterFacts, release: Release): boolean {
  if (cron === true || scrontab === 'none') return false;
  // From 23.02 on the request says that none is meant, and a guarded controller refuses.
  return scrontab === 'open' || !isAtLeast(release, '23.02');
}

function mayMeanComponent(options: KillJobOptions, cluster: ClusterFacts): boolean {
  return cluster.wholeHetJob && options.wholeHetJob !== true;
}

function meansWholeHetJob({ text }: ParsedJobId, leader: number): SlurmUsageError {
  return new SlurmUsageError(
    `${text} cannot be signalled without the other components of het job ${leader}.`,
    {
      code: 'SLURMWIRE_WHOLE_HET_JOB',
      field: 'job',
      value: text,
      hint: `For all of them give the leader's number ${leader}, or the option wholeHetJob.`,
    },
  );
}
