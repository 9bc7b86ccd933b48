/** All there is in one embedded cluster: what its daemons share. */
import type { JOB_STATES } from '../../protocol/messages/job-state.js';
import type { Release } from '../../protocol/release.js';
import type { Endpoint } from '../../protocol/transport.js';
import type { ClusterSettings } from '../settings.js';
import { JobTable } from './job-table.js';
import { Users } from './user.js';

/** The base state of a job. */
export type BaseState = (typeof JOB_STATES)[keyof typeof JOB_STATES];

export interface ClusterNode {
  readonly name: string;
  readonly cpus: number;
  /** Megabytes. */
  readonly memory: number;
  readonly features: string | null;
  /** Port of its slurmd on 127.0.0.1, once that listens. */
  port: number;
  /** Whether slurmctld takes jobs to it. */
  isDrained: boolean;
}

/** A signal that reached somebody. */
export interface SignalSeen {
  readonly jobId: number;
  /** A step's number; see `step-id.ts` for the special ones. */
  readonly stepId: number;
  /** The step as Slurm writes it: `12.0`, `12.batch`. */
  readonly target: string;
  readonly node: string;
  readonly unixSignal: number;
  /** Its name: `SIGTERM`. */
  readonly signal: string;
  /** To the tasks of a step, to the batch shell alone, or to its process group. */
  readonly whom: 'tasks' | 'shell' | 'group';
  /** `jobs: 'processes'`: what was signalled, each the leader of its process group; empty for records. */
  readonly pids: readonly number[];
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** What a cluster's daemons are found by. */
export interface ClusterPlace {
  readonly directory: string;
  /** Path and text of slurm.conf. */
  readonly slurmConf: string;
  readonly slurmConfText: string;
  /** The primary first. */
  readonly controllers: readonly Endpoint[];
}

export class World {
  readonly settings: ClusterSettings;
  readonly users: Users;
  readonly nodes: ReadonlyMap<string, ClusterNode>;
  /** Position of each node in the node table, which bit strings count. */
  readonly nodeIndex: ReadonlyMap<string, number>;
  readonly jobs = new JobTable();
  /** Where it all is; `null` until everything listens. */
  place: ClusterPlace | null = null;
  readonly signals: SignalSeen[] = [];
  /** Scrontab lines that were switched off, by user. */
  readonly cronOff = new Map<number, string[]>();
  /** The release the controllers are of now. */
  release: Release;
  /** When the controller in charge was started, in seconds since 1970. */
  bootTime = nowSeconds();
  /** Counts up with everything that changes a job: clients ask "anything since?". */
  lastUpdate = nowSeconds();
  nextJobId: number;
  /** Whether the slurmd of a node answers. */
  isReachable: (node: string) => boolean = () => true;
  /** The release of a node's slurmd as it is now. */
  releaseOfNode: (node: string) => Release = () => this.settings.nodeRelease;
  readonly #listeners = new Set<() => void>();

  constructor(settings: ClusterSettings) {
    this.settings = settings;
    this.release = settings.release;
    this.nextJobId = this.firstJobId;
    this.users = new Users(settings.users, settings.slurmUser);
    this.nodes = new Map(settings.nodes.map((node) => [node.name, { ...node, port: 0, isDrained: false }]));
    this.nodeIndex = new Map(settings.nodes.map(({ name }, index) => [name, index]));
  }

  /** ClusterName. */
  get clusterName(): string {
    return this.settings.parameters.ClusterName ?? 'embedded';
  }

  /** FirstJobId. */
  get firstJobId(): number {
    return Number(this.settings.parameters.FirstJobId ?? 1);
  }

  /** KillWait: from SIGTERM to SIGKILL. */
  get killWaitMs(): number {
    return Number(this.settings.parameters.KillWait ?? 30) * 1000;
  }

  /** To be called after a change that somebody may wait for. */
  changed(): void {
    this.lastUpdate = nowSeconds();
    this.tell();
  }

  /** To be called after what somebody may wait for that is no change of a job: a signal. */
  tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  /** @returns takes it back. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** Seconds since 1970, as records have it. */
export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
