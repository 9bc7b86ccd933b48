import { afterEach, expect, test } from 'vitest';
import { connect } from '../../src/index.js';
import { type EmbeddedCluster, startCluster } from '../../src/testing/index.js';

let cluster: EmbeddedCluster | undefined;
afterEach(() => cluster?.down());

test.each([
  ['all', undefined, 30],
  ['the last ten or fewer', 10, 10],
  ['nothing', 0, 0],
] as const)('%s of 30 signals and of the requests for them are kept', async (_what, logLimit, most) => {
  cluster = await startCluster({ nodes: 1, logLimit });
  const { jobId } = cluster.submit({ steps: [{}], ignores: ['SIGUSR1'] });
  await cluster.waitForJob(jobId, 'RUNNING');
  const slurm = await connect(cluster.options());
  for (let i = 0; i < 30; i++) await slurm.signalJobStep(`${jobId}.0`, 'SIGUSR1');
  await slurm.close();

  expect(cluster.signals.length).toBeLessThanOrEqual(most);
  expect(cluster.signals.length).toBeGreaterThanOrEqual(most * 0.9);
  expect(cluster.signals.every(({ signal }) => signal === 'SIGUSR1')).toBe(true);
  if (logLimit === undefined) expect(cluster.requests.length).toBeGreaterThan(30);
  else expect(cluster.requests.length).toBeLessThanOrEqual(most);
  if (most > 0)
    expect(cluster.requests.at(-1)).toMatchObject({ name: 'REQUEST_SIGNAL_TASKS', answer: 'RC 0' });
});

test.each([-1, 1.5, Number.NaN, '5'])('a limit of %j is refused', async (logLimit) => {
  await expect(startCluster({ logLimit: logLimit as number })).rejects.toMatchObject({
    code: 'SLURMWIRE_BAD_OPTION',
    field: 'logLimit',
  });
});
