/** What of a target is still there, as a look shows it, and how each part is named to be signalled. */
import type { Probe, ProbedJob, ProbedStep } from './probe.js';
import type { Survivor } from './terminate-result.js';

/** A part that is not gone. */
export interface Part {
  /**
   * `pending` takes nothing but SIGKILL. `ending` is finished but completing: it takes no signal, and is waited for. `running` is all
   * else, suspended jobs too, which refuse all but SIGKILL.
   */
  readonly stage: 'pending' | 'running' | 'ending';
  readonly job: ProbedJob;
  /** `null`: the job itself is meant. */
  readonly step: ProbedStep | null;
  readonly shown: Survivor;
}

/** The parts of a job or step that are not gone. */
export function partsOf({ jobs, steps, target }: Probe): Part[] {
  if (steps === undefined) return jobs.filter((job) => !isGone(job)).map(jobPart);
  const parts = steps.flatMap((step): Part[] => {
    const job = jobs.find(({ jobId }) => jobId === step.jobId);
    if (job === undefined) return [];
    return [{ stage: isOver(job) ? 'ending' : 'running', job, step, shown: survivor(step) }];
  });
  if (parts.length > 0 || !target.endsWith('.batch')) return parts;
  // The batch step has no record of its own; while its job completes, its processes may be there.
  return jobs
    .filter((job) => isCompleting(job) && job.batch)
    .map((job) => ({ ...jobPart(job), stage: 'ending' }));
}

/** Names one run of one job. */
export function runKey({ jobId, restarts }: ProbedJob): string {
  return `${jobId}/${restarts}`;
}

/** Job records that one KILL_JOB reaches. */
export interface Unit {
  /** The id that goes on the wire. */
  readonly name: string;
  readonly jobIds: readonly number[];
  /** True for a task of an array, whose record is addressed by its own number. */
  readonly isTask: boolean;
  /** Whether one of them has a batch script. */
  readonly batch: boolean;
}

/** One unit for each job record; a het leader's number stands for its components. An array task is named as one. */
export function unitsOf(parts: readonly Part[]): Unit[] {
  const jobs = parts.map(({ job }) => job);
  const leaders = new Set(jobs.filter((job) => job.hetJobId === job.jobId).map(({ jobId }) => jobId));
  const isCovered = (job: ProbedJob) =>
    job.hetJobId !== null && job.hetJobId !== job.jobId && leaders.has(job.hetJobId);
  return jobs
    .filter((job) => !isCovered(job))
    .map((job) => {
      const reached = leaders.has(job.jobId) ? jobs.filter((one) => one.hetJobId === job.jobId) : [job];
      return {
        name: job.arrayJobId === null ? String(job.jobId) : job.target,
        jobIds: reached.map(({ jobId }) => jobId),
        isTask: job.arrayJobId !== null,
        batch: reached.some(({ batch }) => batch),
      };
    });
}

/** False for an array's pending tasks where the controller does not tell which they are: the number is that of the whole array. */
export function hasOwnName({ job }: Part): boolean {
  return job.arrayJobId === null || job.arrayTasks.length > 0;
}

/** What is left of the run before, of a job that was requeued: it completes while the new one is pending. */
export function oldRunOf(part: Part): Part[] {
  return isCompleting(part.job) ? [{ ...part, stage: 'ending' }] : [];
}

function jobPart(job: ProbedJob): Part {
  const stage = isOver(job) ? 'ending' : job.state === 'PENDING' ? 'pending' : 'running';
  return { stage, job, step: null, shown: survivor(job) };
}

function survivor({ target, jobId, state, flags, nodes }: Survivor): Survivor {
  return { target, jobId, state, flags, nodes };
}

/** True when it has ended, completing or not. */
export function isOver({ state }: ProbedJob): boolean {
  return state !== 'PENDING' && state !== 'RUNNING' && state !== 'SUSPENDED';
}

function isGone(job: ProbedJob): boolean {
  return isOver(job) && !isCompleting(job);
}

function isCompleting({ flags }: ProbedJob): boolean {
  return flags.includes('COMPLETING');
}
