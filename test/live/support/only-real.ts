/**
 * What of the live suite is for real clusters alone, and why. Everything else in `test/live` runs on the embedded cluster too, as each of
 * the four releases: all with `npm run test:embedded`, all but the long ones with `npm test`.
 */
import type { UpOptions } from '../../../lab/cluster.js';

/** Files of `test/live`. */
export const ONLY_REAL: Readonly<Record<string, string>> = {
  'client-programs.test.ts': 'is about the lab: the mount namespaces that the programs run in',
  'configless.test.ts':
    'the daemons of the embedded cluster have no configuration of their own to hand out or to fetch',
  'embedded-lookups.test.ts': 'is about the embedded cluster in the first place',
  'embedded-munged.test.ts':
    'puts the embedded munged before real daemons; the embedded cluster has no other',
  'ipv6.test.ts': 'the embedded daemons listen on 127.0.0.0/8 alone',
  'jwt.test.ts': 'the embedded cluster takes no tokens',
  'lab-options.test.ts': 'is about the options of the lab',
  'libslurm.test.ts': 'starts an embedded stage of its own beside the real one',
  'real-clients.test.ts': 'starts an embedded stage of its own beside the real one',
  'slurm-auth.test.ts': 'the embedded cluster has no auth/slurm and no sackd',
  'tables.test.ts':
    'fills the cluster by scontrol update and create, which the embedded slurmctld does not serve',
  'tls.test.ts': 'the embedded daemons speak plain TCP',
  'wire-manners.test.ts': 'starts embedded daemons of its own beside the real ones',
};

/** Files that run by `npm run test:long` and in CI, not by `npm test`: they take long, and most are about what slurmwire is tested with. */
export const LONG: readonly string[] = [
  'cli.test.ts', // the command on real clusters; `npm test` has it on embedded ones (test/cli)
  'kill-jobs-many.test.ts', // a thousand jobs
  'lab-options.test.ts', // the lab
  'real-clients.test.ts', // the embedded cluster, by Slurm's own programs
  'wire-manners.test.ts', // the embedded cluster, beside real daemons
];

/** Files that run on the embedded cluster by `npm run test:embedded` only: they take their time, most of it by waiting. */
export const LONG_ON_EMBEDDED: readonly string[] = [
  'contract.test.ts',
  'targets.test.ts',
  'explain.test.ts',
  'job-control.test.ts',
  'kill-jobs.test.ts',
  'record-replay.test.ts',
  'step-manager.test.ts',
  'tree.test.ts',
  'examples.test.ts',
  'failures.test.ts',
  'terminate.test.ts',
  'cancel.test.ts',
  'cli.test.ts',
  'failover.test.ts',
  'kill-jobs-many.test.ts',
  'munge-socket.test.ts',
  'rate-limit.test.ts',
  'versions.test.ts',
];

/** Parts of files that run on both, by the beginning of their names. */
export const ONLY_REAL_TESTS: Readonly<Record<string, string>> = {
  'scrontab jobs': 'the embedded cluster has jobs of scrontab, and no scrontab (REQUEST_CRONTAB)',
};

/** Options of a cluster, for files where only some tests ask for one. */
export const ONLY_REAL_OPTIONS: Readonly<Partial<Record<keyof UpOptions, string>>> = {
  authSlurm: 'the embedded cluster has no auth/slurm',
  configless: 'the embedded slurmds fetch no configuration',
  dynamicNodes: 'the embedded cluster has no nodes that slurm.conf does not name',
  ipv6: 'the embedded daemons listen on 127.0.0.0/8 alone',
  jwt: 'the embedded cluster takes no tokens',
  tls: 'the embedded daemons speak plain TCP',
};
