import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EmbeddedCluster, startCluster } from '../../src/testing/index.js';

let cluster: EmbeddedCluster;
beforeEach(async () => {
  cluster = await startCluster({ nodes: 4, parameters: { KillWait: '1' } });
});
afterEach(() => cluster.down());

describe('a job', () => {
  it('starts on the nodes it asks for, and others wait until there is room', async () => {
    const first = cluster.submit({ user: 'alice', nodes: 4, tasks: 64 });
    const second = cluster.submit({ user: 'bob', nodes: 2, runsForMs: 5 });
    expect(await cluster.waitForJob(first.jobId, 'RUNNING')).toMatchObject({
      nodes: ['n1', 'n2', 'n3', 'n4'],
    });
    expect(cluster.job(second.jobId)).toMatchObject({ state: 'PENDING', nodes: [] });
    const third = cluster.submit({ hold: true });
    cluster.releaseJob(third.jobId);
    expect(cluster.job(third.jobId)).toMatchObject({ state: 'PENDING' });
  });

  it('of which the script ends by itself is complete', async () => {
    const { jobId } = cluster.submit({ runsForMs: 5 });
    expect(await cluster.waitForJob(jobId, ({ isGone }) => isGone)).toMatchObject({
      state: 'COMPLETED',
      steps: [],
    });
  });

  it('with an array gives each task a record when it starts, and the last the number of the array', async () => {
    const { jobId } = cluster.submit({ array: '0-3%1', runsForMs: 5 });
    await cluster.waitForJob(jobId, ({ isGone }) => isGone);
    expect(cluster.jobs().map(({ jobId: id, array, state }) => [id, array?.taskId, state])).toEqual([
      [jobId, 3, 'COMPLETED'],
      [jobId + 1, 0, 'COMPLETED'],
      [jobId + 2, 1, 'COMPLETED'],
      [jobId + 3, 2, 'COMPLETED'],
    ]);
  });

  it('of several components starts as a whole', async () => {
    const { jobId } = cluster.submit({ nodes: 1, components: [{ nodes: 2 }, { nodes: 1 }] });
    await cluster.waitForJob(jobId, 'RUNNING');
    expect(cluster.jobs().map(({ het, state, nodes }) => [het?.offset, state, nodes.length])).toEqual([
      [0, 'RUNNING', 1],
      [1, 'RUNNING', 2],
      [2, 'RUNNING', 1],
    ]);
  });
});

it('what cannot be is refused by name', () => {
  expect(() => cluster.submit({ nodes: 5 })).toThrow(/nodes is more than the cluster's 4/);
  expect(() => cluster.submit({ array: '3-1' })).toThrow(/array is no list/);
  expect(() => cluster.submit({ user: 'mallory' })).toThrow(/user is none of/);
  expect(() => cluster.submit({ holdd: true } as never)).toThrow(/holdd is no option of submit/);
});
