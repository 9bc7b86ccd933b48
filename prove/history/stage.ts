/** A cluster as the runs use it, whichever it is: jobs are put there, troubled, and looked at. */
import type { Authenticator, Release } from '../../src/index.js';
import type { Plan, PlannedJob } from './plan.js';

/** What there is of a unit: a job, an array task or a het component. */
export interface UnitState {
  /** `12`, `12_3`, `12+1`. */
  readonly unit: string;
  /** Of its own record; `null` while it has none. */
  readonly jobId: number | null;
  /** As Slurm writes it: `RUNNING`; of a task without a record of its own `PENDING`. `null`: not there. */
  readonly state: string | null;
  readonly restarts: number;
  /** Its steps and where their processes are: `{ '0': ['n1'], batch: ['n1'] }`. */
  readonly steps: Readonly<Record<string, readonly string[]>>;
  /** Signals that its processes got: `0@n1 SIGUSR1`, as often as they did. */
  readonly signals: readonly string[];
  /** Texts that reached its output. `null` where that cannot be seen. */
  readonly notes: number | null;
}

/** A request that a daemon took in and did not refuse. */
export interface Executed {
  readonly to: string;
  readonly name: string;
  readonly answer: string;
}

export interface DaemonPlace {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

export interface Stage {
  readonly release: Release;
  readonly slurmConf: string;
  readonly mungeSocket: string;
  /** Where sockets of proxies may be. */
  readonly directory: string;
  readonly daemons: readonly DaemonPlace[];
  /** True where it can be had only through the munged of the cluster. */
  readonly isReal: boolean;
  /** Another way to authenticate, for those that are not the user of this process. */
  authOf(user: PlannedJob['user']): Authenticator | null;
  /** Puts the jobs there. @returns the number of each: of an array its own, of a het job the leader's. */
  prepare(plan: Plan): Promise<number[]>;
  /** All units of the jobs that were prepared. */
  look(): Promise<UnitState[]>;
  /** What daemons have carried out since `prepare`; `null` where they do not tell. */
  executed(): readonly Executed[] | null;
  trouble(daemon: string, what: 'kill' | 'stop' | 'pause' | 'upgrade' | 'fail-over'): Promise<void>;
  undo(daemon: string): Promise<void>;
  /** All daemons run again, and what was asked of them is done. */
  settle(): Promise<void>;
  close(): Promise<void>;
}
