// What goes wrong on real clusters, on order.
//   node --test trouble.node.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from 'slurmwire';
import { startCluster } from 'slurmwire/testing';

/** A cluster for one test. @param {import('slurmwire/testing').ClusterOptions} options @param {import('node:test').TestContext} t */
async function up(options, t) {
  const cluster = await startCluster(options);
  t.after(() => cluster.down());
  const slurm = await connect({ ...cluster.options('alice'), timeoutMs: 5_000 });
  return { cluster, slurm };
}

test('slurmctld hangs: the call ends in its own time, and says what is not known', async (t) => {
  const { cluster, slurm } = await up({}, t);
  const { jobId } = cluster.submit({ user: 'alice' });
  cluster.fault({ request: 'REQUEST_KILL_JOB' }, { hang: 'before' });
  await assert.rejects(slurm.killJob(jobId, 'SIGKILL', { timeoutMs: 300 }), {
    code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT',
    outcome: 'unknown',
  });
});

test('an answer that is cut off', async (t) => {
  const { cluster, slurm } = await up({ release: '22.05' }, t);
  const { jobId } = cluster.submit({ user: 'alice' });
  cluster.fault({ request: 'REQUEST_KILL_JOB' }, { cutAt: 11 });
  await assert.rejects(slurm.killJob(jobId), { outcome: 'unknown' });
});

test('slurmctld dies and comes back, as another release', async (t) => {
  const { cluster, slurm } = await up({ release: '22.05' }, t);
  const { jobId } = cluster.submit({ user: 'alice' });
  await slurm.ping();
  await cluster.daemon('slurmctld').kill();
  await assert.rejects(slurm.killJob(jobId), { outcome: 'not-sent' });
  await cluster.daemon('slurmctld').start({ release: '24.11' });
  const { protocol } = await slurm.killJob(jobId);
  assert.equal(protocol, '24.11'); // the same client, without a restart
});

test('the backup takes over', async (t) => {
  const { cluster, slurm } = await up({ backups: 1 }, t);
  const { jobId } = cluster.submit({ user: 'alice' });
  await cluster.daemon('slurmctld').stop();
  cluster.takeOver('slurmctld2'); // at once, without SlurmctldTimeout
  const { peer } = await slurm.killJob(jobId);
  const { host, port } = cluster.daemon('slurmctld2').endpoint;
  assert.equal(peer, `${host}:${port}`);
});

test('a node is down, its slurmd an older one', async (t) => {
  const { cluster, slurm } = await up({ release: '26.05', nodeRelease: '24.11', nodes: 3 }, t);
  const { jobId } = cluster.submit({ user: 'alice', nodes: 3, steps: [{}] });
  await cluster.waitForJob(jobId, 'RUNNING');
  await cluster.daemon('n2').stop();
  await assert.rejects(slurm.signalJob(jobId, 'SIGUSR1'), (/** @type {any} */ error) => {
    assert.equal(error.outcome, 'partial');
    const outcomes = error.nodes.map((/** @type {{ outcome: string }} */ { outcome }) => outcome);
    assert.deepEqual(outcomes, ['accepted', 'not-sent', 'accepted']);
    return true;
  });
  assert.deepEqual(new Set(cluster.signals.map(({ node }) => node)), new Set(['n1', 'n3']));
});

test('too many requests: they are paced, and none is lost', async (t) => {
  const rateLimit = { bucketSize: 5, refillRate: 50 };
  const { cluster, slurm } = await up({ release: '24.11', rateLimit }, t);
  const jobs = Array.from({ length: 12 }, () => cluster.submit({ user: 'alice', hold: true }));
  await Promise.all(jobs.map(({ jobId }) => slurm.killJob(jobId)));
  assert.ok(jobs.every(({ jobId }) => cluster.job(jobId)?.state === 'CANCELLED'));
});

test('what a real daemon would not survive is never sent', async (t) => {
  const { cluster, slurm } = await up({}, t);
  cluster.submit({ user: 'alice', array: '0-9' });
  await slurm.killJobs({ partition: 'main' });
  const harm = cluster.requests.filter(({ answer }) => answer.startsWith('would have harmed'));
  assert.deepEqual(harm, []);
});
