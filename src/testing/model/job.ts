/** One job record of an embedded cluster, and its steps. Plain data that `life.ts` changes; who answers questions about it only reads. */
import type { Release } from '../../protocol/release.js';
import type { ClusterUser } from './user.js';

/** A place in an array. The tasks that have no record of their own yet are in that of the `meta` record. */
export interface ArrayPlace {
  /** The number all records of the array share. */
  readonly jobId: number;
  /** `null`: the meta record. The last of its tasks that has no record of its own takes the meta record over, and its number. */
  taskId: number | null;
  /** Meta record: the tasks without a record of their own, ascending. */
  waiting: Set<number>;
  /** `%N`: how many may run at a time; 0 for no limit. */
  readonly limit: number;
}

/** A component of a heterogeneous job. */
export interface HetPlace {
  /** The leader's number. */
  readonly jobId: number;
  readonly offset: number;
  /** Numbers of all components, the leader's first. */
  readonly jobIds: readonly number[];
}

export interface Job {
  /** Of this record. */
  readonly jobId: number;
  readonly sluid: bigint;
  readonly array: ArrayPlace | null;
  readonly het: HetPlace | null;
  readonly user: ClusterUser;
  readonly spec: JobSpec;
  /** A base state with flags, as in a job record (`JOB_STATES`, `JOB_STATE_FLAGS`). */
  state: number;
  /** Number of the reason, and free text for it. */
  reason: number;
  reasonText: string | null;
  /** 0: held. */
  priority: number;
  /** Option bits of the record. */
  bitflags: bigint;
  /** Nodes it has or had, in order; empty while pending. */
  nodes: readonly string[];
  readonly steps: Map<number, Step>;
  /** Wait statuses. */
  exitCode: number;
  derivedEc: number;
  /** Seconds since 1970; 0 where it has not come to that. */
  readonly submitTime: number;
  /** Before which it does not start; 0 for none. */
  beginTime: number;
  eligibleTime: number;
  startTime: number;
  endTime: number;
  suspendTime: number;
  preSusTime: number;
  restartCnt: number;
  comment: string | null;
  adminComment: string | null;
  /** Release of the controller that started it. */
  startedIn: Release | null;
  /** Number its next step gets. */
  nextStepId: number;
  /** What becomes of it when its processes are gone: it ends, or it goes back into the queue (held, with 0x800; shown as a special exit, with 0x1000). */
  requeueFlags: number | null;
}

/** What a job is asked to be: the arguments of a submission, all settled. */
export interface JobSpec {
  readonly name: string;
  /** `null`: a job without a batch script, as salloc makes. */
  readonly script: string | null;
  readonly arguments: readonly string[];
  readonly workDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly partition: string;
  readonly account: string | null;
  readonly qos: string | null;
  readonly wckey: string | null;
  readonly reservation: string | null;
  readonly licenses: string | null;
  readonly comment: string | null;
  readonly nodes: number;
  readonly tasks: number;
  readonly cpusPerTask: number;
  /** Nodes it must have. */
  readonly nodeList: readonly string[];
  readonly exclude: readonly string[];
  readonly hold: boolean;
  /** Seconds since 1970 before which it does not start; 0 for none. */
  readonly beginTime: number;
  /** As sbatch takes it, for display; a job with one waits until it is released. */
  readonly dependency: string | null;
  /** Minutes; `null`: no limit. */
  readonly timeLimit: number | null;
  readonly requeue: boolean;
  /** Its steps are managed by the slurmd of its first node. */
  readonly stepManager: boolean;
  /** Of scrontab: the line; `null` for all other jobs. */
  readonly cron: string | null;
  readonly mailUser: string | null;
  readonly standardOutput: string | null;
  readonly standardError: string | null;
  /** `jobs: 'records'`: steps it has from its start on. */
  readonly steps: readonly {
    readonly nodes?: number | undefined;
    readonly tasks?: number | undefined;
    readonly name?: string | undefined;
  }[];
  /** `jobs: 'records'`: signals its processes do not end by, though their default is to end. SIGKILL ends them all the same. */
  readonly ignores: ReadonlySet<number>;
  /** `jobs: 'records'`: milliseconds until it ends by itself with status 0; `null`: never. */
  readonly runsForMs: number | null;
}

/** A step: its number may be one of the special ones of `step-id.ts`. */
export interface Step {
  readonly jobId: number;
  readonly stepId: number;
  /** NO_VAL for all but the steps of a heterogeneous step. */
  readonly stepHetComp: number;
  readonly name: string;
  readonly nodes: readonly string[];
  /** Task numbers by node. */
  readonly tasks: ReadonlyMap<string, readonly number[]>;
  /** Protocol its slurmstepds were started in. */
  readonly startedIn: Release;
  /** Seconds since 1970. */
  readonly startTime: number;
  /** Its processes have been stopped by a suspension of the job. */
  isSuspended: boolean;
  /** It has been said in its output that it is going to end. */
  isEndAnnounced: boolean;
  /** `jobs: 'processes'`: what its tasks run; `null` for the batch script. */
  readonly program: StepProgram | null;
  /** Tasks that are still there, by node; a node without any is not in it. */
  readonly left: Map<string, number>;
  /** Highest wait status of a task. */
  exitCode: number;
}

/** What the tasks of a step run. */
export interface StepProgram {
  readonly argv: readonly string[];
  readonly workDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Told what a task writes, and how the step ended. */
  readonly output: (stream: 'stdout' | 'stderr', chunk: Uint8Array) => void;
  readonly ended: (exitCode: number) => void;
}
