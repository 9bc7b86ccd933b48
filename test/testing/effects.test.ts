import { describe, expect, it } from 'vitest';
import { connect, type SlurmClient } from '../../src/index.js';
import { NO_VAL, RELEASE_NAMES, type Release } from '../../src/protocol/index.js';
import { killJob } from '../../src/testing/controller/kill-job.js';
import { type ClusterOptions, type EmbeddedCluster, startCluster } from '../../src/testing/index.js';

/** Runs on a fresh cluster, with a client of alice's and one of bob's. */
async function on(
  release: Release,
  work: (cluster: EmbeddedCluster, as: Record<'alice' | 'bob' | 'root', SlurmClient>) => Promise<void>,
  options: ClusterOptions = {},
) {
  await using cluster = await startCluster({ release, nodes: 4, parameters: { KillWait: '1' }, ...options });
  const clients = await Promise.all(
    ['alice', 'bob', 'root'].map((user) => connect({ ...cluster.options(user), protocol: release })),
  );
  const [alice, bob, root] = clients as [SlurmClient, SlurmClient, SlurmClient];
  try {
    await work(cluster, { alice, bob, root });
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}

const none = { jobId: NO_VAL, stepId: NO_VAL, stepHetComp: NO_VAL };

/** The bare number, without what the library makes of it. */
async function kill(client: SlurmClient, sjobId: string, signal = 9, flags = 0): Promise<number> {
  const reply = await client.request('REQUEST_KILL_JOB', { stepId: none, sjobId, signal, flags });
  return (reply.record as { returnCode: number }).returnCode;
}

async function step(client: SlurmClient, jobId: number, stepId: number, signal = 9): Promise<number> {
  const target = { jobId, stepId, stepHetComp: NO_VAL };
  const reply = await client.request('REQUEST_CANCEL_JOB_STEP', { stepId: target, sjobId: null, signal });
  return (reply.record as { returnCode: number }).returnCode;
}

describe.each(RELEASE_NAMES)('%s: KILL_JOB', (release: Release) => {
  it('by state and right', () =>
    on(release, async (cluster, { alice, bob, root }) => {
      const held = cluster.submit({ user: 'alice', hold: true });
      const running = cluster.submit({ user: 'alice', steps: [{ nodes: 1 }] });
      await cluster.waitForJob(running.jobId, 'RUNNING');
      expect(await kill(bob, `${held.jobId}`)).toBe(2002);
      expect(await kill(alice, `${held.jobId}`, 10)).toBe(2020);
      expect(await kill(alice, `${held.jobId}`)).toBe(0);
      expect(await kill(alice, `${held.jobId}`)).toBe(2021);
      expect(await kill(alice, '999')).toBe(2017);
      expect(await kill(alice, 'x')).toBe(2017);
      expect(await kill(root, `${running.jobId}`, 10)).toBe(0);
      await cluster.waitForJob(running.jobId, ({ steps }) => steps.length === 1);
      expect(cluster.signals.map(({ stepId, unixSignal, whom }) => [stepId, unixSignal, whom])).toEqual([
        [0, 10, 'tasks'],
      ]);
      expect(await kill(alice, `${running.jobId}`)).toBe(0);
      await cluster.waitForJob(running.jobId, ({ isGone, state }) => isGone && state === 'CANCELLED');
    }));

  it('of arrays and components', () =>
    on(release, async (cluster, { alice }) => {
      const { jobId } = cluster.submit({ user: 'alice', array: '0-5%2' });
      await cluster.waitForJob(
        jobId,
        () => cluster.jobs().filter(({ state }) => state === 'RUNNING').length === 2,
      );
      expect(await kill(alice, `${jobId}_2`)).toBe(0);
      expect(cluster.job(jobId)?.array?.waiting).toEqual([3, 4, 5]);
      expect(await kill(alice, `${jobId}_[0,3]`, 10)).toBe(2020);
      expect(await kill(alice, `${jobId}_9`)).toBe(2017);
      expect(await kill(alice, `${jobId + 1}`, 10)).toBe(release < '23.02' ? 2017 : 0);
      expect(await step(alice, jobId + 1, NO_VAL, 10)).toBe(0);
      expect(await kill(alice, `${jobId}`)).toBe(0);
      expect(await kill(alice, `${jobId}_*`)).toBe(2021);
      const het = cluster.submit({ user: 'alice', components: [{}, {}] });
      await cluster.waitForJob(het.jobId, 'RUNNING');
      expect(await kill(alice, `${het.jobId}+1`)).toBe(0);
      await cluster.waitForJob(het.jobId + 1, 'CANCELLED');
      expect(cluster.job(het.jobId)?.state).toBe('RUNNING');
      expect(await kill(alice, `${het.jobId}+7`)).toBe(release < '22.05' ? 2021 : 2017);
      expect(await kill(alice, `${het.jobId}`, 10)).toBe(2021);
      expect(await kill(alice, `${het.jobId}`)).toBe(2021);
      await cluster.waitForJob(het.jobId + 2, 'CANCELLED');
    }));

  it('steps', () =>
    on(release, async (cluster, { alice, bob }) => {
      const { jobId } = cluster.submit({ user: 'alice', steps: [{ nodes: 1 }, {}] });
      await cluster.waitForJob(jobId, 'RUNNING');
      expect(await step(bob, jobId, 0)).toBe(release < '25.05' ? 2010 : 2002);
      expect(await step(alice, jobId, 7)).toBe(2017);
      expect(await step(alice, jobId, 0)).toBe(0);
      await cluster.waitForJob(jobId, ({ steps }) => !steps.includes(0) && steps.includes(1));
    }));

  it('suspends, requeues, notifies', () =>
    on(release, async (cluster, { alice, root }) => {
      const { jobId } = cluster.submit({ user: 'alice' });
      await cluster.waitForJob(jobId, 'RUNNING');
      await root.suspend(jobId);
      expect(cluster.job(jobId)?.state).toBe('SUSPENDED');
      expect(await kill(alice, `${jobId}`, 10)).toBe(2020);
      await root.resume(jobId);
      await alice.notify(jobId, 'hear');
      await alice.requeue(jobId, { hold: true });
      await cluster.waitForJob(jobId, ({ state, flags }) => state === 'PENDING' && flags.length === 0);
      expect(cluster.job(jobId)?.restarts).toBe(1);
    }));
});

describe('KILL_JOBS', () => {
  it.each(['23.11', '24.11', '26.05'] as const)('%s: by a filter, job by job', (release) =>
    on(release, async (cluster, { root }) => {
      cluster.submit({ user: 'bob', name: 'x', hold: true });
      cluster.submit({ user: 'bob', name: 'y', hold: true });
      const { record } = await root.request('REQUEST_KILL_JOBS', { jobName: 'x', signal: 9, flags: 0x800 });
      expect(record).toMatchObject({ jobResponses: [{ errorCode: 0, realJobId: 1 }] });
      expect([1, 2].map((id) => cluster.job(id)?.state)).toEqual(['CANCELLED', 'PENDING']);
    }),
  );
});

describe('what would have harmed a real daemon', () => {
  it('is told apart from an answer', () => {
    const record = { sjobId: null, signal: 9, flags: 0 };
    expect(killJob({ record } as never)).toEqual({ harm: expect.stringContaining('id text') });
  });
});

describe('the rate limiter', () => {
  it('answers 1804 when the bucket is empty, but not to root', () =>
    on(
      '24.11',
      async (cluster, { alice, root }) => {
        const jobs = Array.from({ length: 20 }, () => cluster.submit({ user: 'alice', hold: true }));
        await Promise.all(jobs.map(({ jobId }) => alice.killJob(jobId)));
        expect(cluster.requests.some(({ answer }) => answer === 'RC 1804')).toBe(true);
        await Promise.all(Array.from({ length: 20 }, () => root.ping()));
        expect(cluster.requests.filter(({ answer, uid }) => answer === 'RC 1804' && uid === 0)).toEqual([]);
      },
      { rateLimit: { bucketSize: 10, refillRate: 20 } },
    ));
});
