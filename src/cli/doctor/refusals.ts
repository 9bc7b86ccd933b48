/** What would be refused to this caller on this cluster, by whom, and what goes instead: from what is known, nothing is tried. */

import { isAtLeast, type Release } from '../../protocol/release.js';
import type { ClusterFacts } from '../../rpc/cluster-facts.js';
import { type Finding, finding } from './finding.js';

export interface RefusalFacts {
  /** Who asks: `root` and `SlurmUser` may do everything. `null`: not known. */
  readonly rank: 'root' | 'SlurmUser' | 'user' | null;
  /** Whether slurmds take the credentials. */
  readonly reachesNodes: boolean;
  readonly method: string;
  /** The protocol that is spoken with the controller in charge. */
  readonly protocol: Release;
  /** PrivateData hides jobs of others. */
  readonly hidesJobs: boolean;
  /** Requests of a user are counted (`rl_enable` in SlurmctldParameters). */
  readonly limitsRate: boolean;
  readonly cluster: ClusterFacts;
}

export function refusals(facts: RefusalFacts): Finding[] {
  const { rank, reachesNodes, method, protocol, hidesJobs, limitsRate, cluster } = facts;
  const isPrivileged = rank === 'root' || rank === 'SlurmUser';
  const found: Finding[] = [];
  const add = (name: string, summary: string, by: 'slurmctld' | 'slurmwire', advice?: string) =>
    found.push(finding('refused', 'note', summary, { subject: name, advice, details: { by } }));
  if (!isPrivileged) {
    add(
      'jobs of others',
      "Signals to other users' jobs are refused by slurmctld, unless you are an operator or a coordinator of their account, which cannot be told from here.",
      'slurmctld',
    );
    if (hidesJobs) {
      add(
        'hidden jobs',
        'PrivateData hides jobs: to you somebody else\'s job does not exist, also in "probe".',
        'slurmctld',
      );
    }
    if (limitsRate) {
      add(
        'many requests',
        'Requests of each user are limited; they are paced and sent again within the time of the call.',
        'slurmctld',
      );
    }
  }
  if (!reachesNodes) {
    add(
      'calls to the nodes',
      `slurmds do not take ${method}: "signal" straight to the nodes (--direct, --tree) is refused before anything is sent.`,
      'slurmwire',
      'Go through the controller: "cancel --signal", or authenticate with the cluster\'s AuthType.',
    );
  }
  if (cluster.scrontab !== 'none') {
    const isGuarded = cluster.scrontab === 'guarded';
    add(
      'scrontab jobs',
      isGuarded
        ? 'slurmctld (explicit_scancel) refuses signals to scrontab jobs unless they say that such a job is meant.'
        : '"terminate" refuses scrontab jobs unless they are meant, and other signals go to the processes of their run alone: a signal to the whole job would switch its line off.',
      isGuarded ? 'slurmctld' : 'slurmwire',
      'Say --cron where that is meant.',
    );
  }
  if (cluster.wholeHetJob) {
    add(
      'single het components',
      'SchedulerParameters makes a signal to one component of a heterogeneous job one to all of them, so a single component is refused.',
      'slurmwire',
      'Name the whole job, or the steps of the component.',
    );
  }
  if (!isAtLeast(protocol, '23.11')) {
    const summary = `Protocol ${protocol} has no request for many jobs (KILL_JOBS, 23.11): each job is asked for by itself.`;
    found.push(finding('mass-kill', 'note', summary));
  }
  return found;
}
