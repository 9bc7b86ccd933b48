// npx vitest run cancel.vitest
import { connect } from 'slurmwire';
import { startCluster } from 'slurmwire/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cancel } from '../replay/cancel.mjs'; // the code under test

/** @type {import('slurmwire/testing').EmbeddedCluster} */
let cluster;
beforeAll(async () => {
  cluster = await startCluster({ release: '24.11', nodes: 4 });
});
afterAll(() => cluster.down());

test('a running job', async () => {
  const { jobId } = cluster.submit({ user: 'alice', nodes: 2 });
  await cluster.waitForJob(jobId, 'RUNNING');
  const slurm = await connect(cluster.options('alice'));
  expect(await cancel(slurm, jobId)).toBe(`job ${jobId} is being cancelled`);
  await cluster.waitForJob(jobId, ({ isGone }) => isGone);
  expect(cluster.signals.filter((seen) => seen.jobId === jobId)).toContainEqual(
    expect.objectContaining({ signal: 'SIGTERM', target: `${jobId}.batch`, node: 'n1' }),
  );
});

test("somebody else's job", async () => {
  const { jobId } = cluster.submit({ user: 'alice' });
  const slurm = await connect(cluster.options('bob'));
  expect(await cancel(slurm, jobId)).toBe(`job ${jobId}: ESLURM_ACCESS_DENIED, refused`);
});

test('the answer is lost', async () => {
  const { jobId } = cluster.submit({ user: 'alice' });
  const slurm = await connect(cluster.options('alice'));
  const fault = cluster.fault({ request: 'REQUEST_KILL_JOB' }, { drop: 'after' });
  expect(await cancel(slurm, jobId)).toMatch(/unknown$/);
  expect(fault.met).toBe(1);
  expect(cluster.job(jobId)?.state).toBe('CANCELLED'); // it happened all the same
  fault.remove();
});
