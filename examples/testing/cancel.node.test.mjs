// node --test cancel.node.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from 'slurmwire';
import { startCluster } from 'slurmwire/testing';
import { cancel } from '../replay/cancel.mjs'; // the code under test

// Whoever embeds slurmwire meets all of these.
for (const release of /** @type {const} */ (['20.11', '22.05', '24.11', '26.05'])) {
  test(`Slurm ${release}`, async (t) => {
    const cluster = await startCluster({ release });
    t.after(() => cluster.down());

    await t.test('a running job', async () => {
      const { jobId } = cluster.submit({ user: 'alice' });
      await cluster.waitForJob(jobId, 'RUNNING');
      const slurm = await connect(cluster.options('alice'));
      assert.equal(await cancel(slurm, jobId), `job ${jobId} is being cancelled`);
      await cluster.waitForJob(jobId, 'CANCELLED');
    });

    await t.test('no such job', async () => {
      const slurm = await connect(cluster.options('alice'));
      assert.equal(await cancel(slurm, 4242), 'there is no job 4242');
    });
  });
}
