/** An embedded cluster in a process of its own. */
import {
  type ClusterOptions,
  type EmbeddedCluster,
  type FaultHandle,
  startCluster,
} from '../../src/testing/index.js';
import { serve } from './child.js';

export interface ClusterPlace {
  readonly slurmConf: string;
  readonly mungeSocket: string;
  readonly controller: { readonly host: string; readonly port: number };
}

export interface JobOrder {
  readonly count: number;
  readonly name?: string;
  /** Pending. Default: running, with one step on all nodes. */
  readonly hold?: boolean;
  readonly nodes?: number;
}

/** Thousands of calls at once may make one wait longer than slurm.conf's defaults have it, which is not what is measured. */
const PATIENT = { TCPTimeout: '60', MessageTimeout: '300' };

let cluster: EmbeddedCluster | null = null;
let silence: FaultHandle | null = null;

function running(): EmbeddedCluster {
  if (cluster === null) throw new Error('the cluster was not started');
  return cluster;
}

const actions = {
  async start(options: ClusterOptions): Promise<ClusterPlace> {
    await cluster?.down();
    cluster = await startCluster({ ...options, parameters: PATIENT });
    const { host, port } = cluster.daemon('slurmctld').endpoint;
    return { slurmConf: cluster.slurmConf, mungeSocket: cluster.munged.socket, controller: { host, port } };
  },

  /** @returns their numbers. */
  submit({ count, name = 'growth', hold = false, nodes = 1 }: JobOrder): number[] {
    const options = { name, hold, nodes, ignores: ['SIGUSR1'], steps: hold ? [] : [{ nodes }] } as const;
    return Array.from({ length: count }, () => running().submit(options).jobId);
  },

  async forget(_: null): Promise<void> {
    await running().forgetJobs();
    running().requests.length = 0;
  },

  /** Kills are read and never answered from now on. */
  fallSilent(_: null): void {
    silence = running().fault({ request: 'REQUEST_KILL_JOB' }, { hang: 'before' });
  },

  /** How many kills wait for an answer. */
  unanswered(_: null): number {
    return silence?.met ?? 0;
  },

  /** How many requests there were, and forgets them. */
  requests(_: null): number {
    return running().requests.splice(0).length;
  },
};

export type ClusterActions = typeof actions;

serve(actions, async () => cluster?.down());
