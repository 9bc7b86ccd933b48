import type { SlurmConfig } from '../src/index.js';

/** The cluster that fixtures/RELEASE were recorded from, as far as a client needs to know it, with names of no machine for addresses. */
export const RECORDED_CLUSTER: SlurmConfig = {
  file: null,
  clusterName: 'lab',
  controllers: [{ name: 'lab', host: 'recorded', port: 6817 }],
  slurmUser: { name: 'slurm', uid: 64030 },
  slurmdUser: { name: 'root', uid: 0 },
  authType: 'auth/munge',
  authInfo: { socket: null, ttlSeconds: null },
  nodes: ['n1', 'n2'].map((name) => ({ name, hostname: name, address: name, port: 6818, state: null })),
  messageTimeoutMs: 10_000,
  tcpTimeoutMs: 2_000,
  scronParameters: '',
  schedulerParameters: '',
};
