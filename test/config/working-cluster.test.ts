import { expect, it } from 'vitest';
import { checkWorkingCluster } from '../../src/config/working-cluster.js';
import { configError } from './caught.js';

it.each([undefined, '', ',', 'tux', 'TUX', ' tux ,', 'tux,tux'])(
  'SLURM_CLUSTERS=%j: the one we are on',
  (text) => {
    checkWorkingCluster('tux', { SLURM_CLUSTERS: text });
  },
);

it.each([
  ['other', 'another cluster'],
  ['tux,other', 'several clusters'],
  ['all', 'another cluster'],
])('SLURM_CLUSTERS=%j: refused, with the way out', async (text, words) => {
  const error = await configError((async () => checkWorkingCluster('tux', { SLURM_CLUSTERS: text }))());
  expect(error).toMatchObject({ code: 'SLURMWIRE_CONFIG_OTHER_CLUSTER', outcome: 'not-sent' });
  expect(error.message).toContain(words);
  expect(error.message).toContain('this is the cluster tux');
  expect(error.hint).toContain('controllers:');
});

it('a configuration without a name is no cluster that was named', async () => {
  const error = await configError((async () => checkWorkingCluster(null, { SLURM_CLUSTERS: 'tux' }))());
  expect(error.message).toContain('no ClusterName');
});
