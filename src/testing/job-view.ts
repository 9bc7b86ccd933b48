/** What a caller of an embedded cluster sees of a job. */
import { isJobFinished, jobStateFlags, jobStateName } from '../protocol/messages/job-state.js';
import type { Job } from './model/job.js';

/** A job of the embedded cluster, as it is now. */
export interface JobView {
  readonly jobId: number;
  /** `PENDING`, `RUNNING`, `CANCELLED` … as Slurm's tools write it. */
  readonly state: string;
  /** `JOB_COMPLETING` and so on. */
  readonly flags: readonly string[];
  /** It has ended, and nothing of it is left on a node. */
  readonly isGone: boolean;
  readonly user: string;
  readonly name: string;
  readonly nodes: readonly string[];
  /** Numbers of the steps that are there now; see `SPECIAL_STEP_IDS`. */
  readonly steps: readonly number[];
  /** `null` for a job that is no array's; `taskId` is `null` for the tasks that have no record of their own yet. */
  readonly array: {
    readonly jobId: number;
    readonly taskId: number | null;
    readonly waiting: readonly number[];
  } | null;
  readonly het: { readonly jobId: number; readonly offset: number } | null;
  /** Wait status of the batch script. */
  readonly exitCode: number;
  readonly restarts: number;
}

/** A process of a job, in an embedded cluster with `jobs: 'processes'`. */
export interface ProcessView {
  readonly jobId: number;
  /** The step as Slurm writes it: `12.0`, `12.batch`. */
  readonly target: string;
  /** Name of the step: `batch`, or what its `srun` was told. */
  readonly name: string;
  /** The node it is said to be on: in truth all are children of this process. */
  readonly node: string;
  readonly task: number;
  readonly pid: number;
}

export function viewOf(job: Job): JobView {
  const { array, het } = job;
  const flags = jobStateFlags(job.state);
  return {
    jobId: job.jobId,
    state: jobStateName(job.state),
    flags,
    isGone: isJobFinished(job.state) && !flags.includes('JOB_COMPLETING'),
    user: job.user.name,
    name: job.spec.name,
    nodes: job.nodes,
    steps: [...job.steps.keys()],
    array: array === null ? null : { jobId: array.jobId, taskId: array.taskId, waiting: [...array.waiting] },
    het: het === null ? null : { jobId: het.jobId, offset: het.offset },
    exitCode: job.exitCode,
    restarts: job.restartCnt,
  };
}
