// A job of real processes: does what you send reach what your users wrote?
//   node --test processes.node.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from 'slurmwire';
import { startCluster } from 'slurmwire/testing';

const SCRIPT = `#!/bin/sh
trap 'echo "$SLURMD_NODENAME: checkpoint written"; exit 0' USR1
echo started as job $SLURM_JOB_ID of $SLURM_JOB_USER on $SLURM_JOB_NODELIST
while :; do sleep 0.1; done
`;

test('SIGUSR1 makes the job write its checkpoint', async (t) => {
  const cluster = await startCluster({ nodes: 2, jobs: 'processes' });
  t.after(() => cluster.down());
  const { jobId } = cluster.submit({ user: 'alice', nodes: 2, script: SCRIPT });
  await cluster.waitForOutput(jobId, (output) => output.includes('started'));

  const [shell] = cluster.processes(jobId);
  const slurm = await connect(cluster.options('alice'));
  await slurm.killJob(jobId, 'SIGUSR1', { batch: true });

  const { state } = await cluster.waitForJob(jobId, ({ isGone }) => isGone);
  assert.equal(state, 'COMPLETED');
  assert.match(
    await cluster.output(jobId),
    /^started as job \d+ of alice on n\[1-2\]\nn1: checkpoint written\n/,
  );
  assert.deepEqual(cluster.signals[0]?.pids, [shell?.pid]);
});
