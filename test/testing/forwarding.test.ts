/** Embedded slurmds that pass messages on: whatever fails on the way, each node is told of once and hears a signal once. */
import { describe, expect, it, test } from 'vitest';
import { connect, type FanOut, type NodeResult, type SlurmError } from '../../src/index.js';
import { RELEASE_NAMES, type Release } from '../../src/protocol/index.js';
import { type EmbeddedCluster, startCluster } from '../../src/testing/index.js';
import { accepts } from '../../src/testing/manners.js';
import { harmOf } from '../../src/testing/slurmd/forward.js';
import { noStrayTrouble } from '../rpc/support/leaks.js';

noStrayTrouble();

async function jobOnAll(cluster: EmbeddedCluster, nodes: number): Promise<number> {
  const options = {
    user: 'alice',
    script: null,
    nodes,
    steps: [{ name: 'sleep' }],
    ignores: ['SIGUSR2'],
  } as const;
  const { jobId } = cluster.submit(options);
  await cluster.waitForJob(jobId, 'RUNNING');
  return jobId;
}

async function signal(cluster: EmbeddedCluster, jobId: number, treeWidth: number, timeoutMs = 30_000) {
  await using slurm = await connect(cluster.options('alice'));
  const before = cluster.signals.length;
  const told = await slurm
    .signalJobStep({ jobId, stepId: 0 }, 'SIGUSR2', { fanOut: 'tree', treeWidth, timeoutMs })
    .catch((error: SlurmError) => error);
  const heard = new Map<string, number>();
  for (const { node } of cluster.signals.slice(before)) heard.set(node, (heard.get(node) ?? 0) + 1);
  return { results: (told as FanOut).nodes as readonly NodeResult[], heard };
}

/** All with SLURMWIRE_LIVE=all: each takes half a minute. */
const WIDTHS = process.env.SLURMWIRE_LIVE === 'all' ? [1, 2, 4, 16] : [4];

describe.each(WIDTHS)('a tree of width %i', (treeWidth) => {
  // A chain of 512 is for patient people.
  test.each(treeWidth === 1 ? [64] : [64, 512])('%i nodes: one answer and one signal each', async (count) => {
    await using cluster = await startCluster({ nodes: count });
    const jobId = await jobOnAll(cluster, count);
    const { results, heard } = await signal(cluster, jobId, treeWidth);
    expect(results.map(({ node }) => node)).toEqual([...cluster.daemons.slice(1)].map(({ name }) => name));
    expect(new Set(results.map(({ outcome }) => outcome))).toEqual(new Set(['accepted']));
    expect([...heard.values()].every((times) => times === 1)).toBe(true);
    expect(heard.size).toBe(count);
    // The client itself contacts no more than the width.
    const direct = results.filter(({ via }) => via === null).length;
    expect(direct).toBeLessThanOrEqual(treeWidth);
  });

  it('each node in turn is down: it is not-sent, everybody else hears the signal once', async () => {
    const count = 24;
    await using cluster = await startCluster({ nodes: count });
    const jobId = await jobOnAll(cluster, count);
    for (const { name } of cluster.daemons.slice(1)) {
      await cluster.daemon(name).kill();
      const { results, heard } = await signal(cluster, jobId, treeWidth);
      expect(results.filter(({ outcome }) => outcome !== 'accepted')).toMatchObject([
        { node: name, outcome: 'not-sent' },
      ]);
      expect(heard.size).toBe(count - 1);
      expect(Math.max(...heard.values())).toBe(1);
      await cluster.daemon(name).start();
    }
  });

  it('each node in turn is of an older release that does not take the message', async () => {
    const count = 8;
    await using cluster = await startCluster({ nodes: count, release: '26.05' });
    for (const { name } of cluster.daemons.slice(1)) {
      await cluster.daemon(name).stop();
      await cluster.daemon(name).start({ release: '24.11' });
      const jobId = await jobOnAll(cluster, count);
      const { results, heard } = await signal(cluster, jobId, treeWidth);
      expect([name, results.map(({ outcome }) => outcome)]).toEqual([name, Array(count).fill('accepted')]);
      expect([name, heard.size, Math.max(...heard.values())]).toEqual([name, count, 1]);
      await cluster.daemon(name).stop();
      await cluster.daemon(name).start({ release: '26.05' });
    }
  });

  it('a paused node is unknown, or hears it in the end; nobody is refused or lost without a word', async () => {
    const count = 12;
    await using cluster = await startCluster({ nodes: count, parameters: { MessageTimeout: '1' } });
    const jobId = await jobOnAll(cluster, count);
    for (const name of ['n1', 'n6', 'n12']) {
      cluster.daemon(name).pause();
      const { results, heard } = await signal(cluster, jobId, treeWidth, 60_000);
      for (const { node, outcome } of results) {
        if (outcome === 'accepted')
          expect([node, heard.get(node)]).toEqual([node, expect.toSatisfy((n) => n >= 1)]);
        else expect([node, outcome]).toEqual([node, 'unknown']);
      }
      expect(results.find(({ node }) => node === name)?.outcome).toBe('unknown');
      cluster.daemon(name).resume();
    }
  });
});

describe.each(RELEASE_NAMES)('%s', (release: Release) => {
  it('with the oldest slurmds it takes', async () => {
    const nodeRelease = RELEASE_NAMES.find((one) => accepts(release, one)) as Release;
    await using cluster = await startCluster({ release, nodeRelease, nodes: 40 });
    const jobId = await jobOnAll(cluster, 40);
    const { results, heard } = await signal(cluster, jobId, 3);
    expect(new Set(results.map(({ outcome }) => outcome))).toEqual(new Set(['accepted']));
    expect([heard.size, Math.max(...heard.values())]).toEqual([40, 1]);
  });
});

describe('what would harm a real slurmd', () => {
  const sound = { cnt: 2, nodelist: 'n[1-2]', timeout: 1_000, treeWidth: 2, netCred: null, treeDepth: 1 };
  test.each<[string, Partial<typeof sound>, boolean]>([
    ['nothing to forward', { cnt: 0, nodelist: '' }, false],
    ['a sound block', {}, false],
    ['a count too small', { cnt: 1 }, true],
    ['a count too large', { cnt: 3 }, true],
    ['a node twice', { nodelist: 'n1,n1' }, true],
    ['a node twice, counted once', { nodelist: 'n1,n2,n1', cnt: 2 }, true],
    ['a list that cannot be read', { nodelist: 'n[1-' }, true],
    ['no list', { nodelist: '' }, true],
  ])('%s', (_name, change, isHarm) => {
    for (const own of RELEASE_NAMES)
      expect(harmOf({ ...sound, ...change }, own, own) !== null, own).toBe(isHarm);
  });

  it('a depth of 0 is one where the field is there and the daemon divides by it', () => {
    const harmed = RELEASE_NAMES.filter((own) => harmOf({ ...sound, treeDepth: 0 }, own, own) !== null);
    expect(harmed).toEqual(['26.05', '26.11']);
    expect(harmOf({ ...sound, treeDepth: 0 }, '26.05', '24.05')).toBeNull();
  });
});
