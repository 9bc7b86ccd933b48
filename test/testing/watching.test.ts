/** What a test can see of an embedded cluster, and wait for. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect } from '../../src/rpc/index.js';
import { type EmbeddedCluster, startCluster } from '../../src/testing/index.js';

let cluster: EmbeddedCluster;
afterEach(() => cluster.down());

describe('with records', () => {
  beforeEach(async () => {
    cluster = await startCluster({ nodes: 2, parameters: { FirstJobId: '700' } });
  });

  it('signals have names, and can be waited for', async () => {
    const { jobId } = cluster.submit({ user: 'alice', nodes: 2, steps: [{}], ignores: ['SIGUSR1'] });
    expect(jobId).toBe(700);
    await cluster.waitForJob(jobId, 'RUNNING');
    const slurm = await connect(cluster.options('alice'));
    const [seen] = await Promise.all([
      cluster.waitFor(() => cluster.signals.find(({ node }) => node === 'n2')),
      slurm.killJob(jobId, 'SIGUSR1'),
    ]);
    expect(seen).toMatchObject({
      target: '700.0',
      signal: 'SIGUSR1',
      unixSignal: 10,
      whom: 'tasks',
      pids: [],
    });
    expect(cluster.processes(jobId)).toEqual([]);
  });

  it('a wait ends when its time is up, when what it looks with throws, and when the cluster is taken down', async () => {
    await expect(cluster.waitFor(() => false, 10)).rejects.toThrow(/time is up/);
    const { jobId } = cluster.submit({ hold: true });
    let looks = 0;
    const broken = cluster.waitFor(() => {
      looks += 1;
      if (looks > 1) throw new Error('a bug of the test');
      return null;
    });
    cluster.releaseJob(jobId);
    await expect(broken).rejects.toThrow('a bug of the test');
    const waits = [
      cluster.waitFor(() => null),
      cluster.waitForJob(jobId, 'FAILED'),
      cluster.waitForOutput(jobId, () => false),
    ];
    const ended = Promise.all(waits.map((wait) => expect(wait).rejects.toThrow('the cluster is taken down')));
    await cluster.down();
    await ended;
    await expect(cluster.waitFor(() => null)).rejects.toThrow('the cluster is taken down');
  });
});

describe('with processes', () => {
  beforeEach(async () => {
    cluster = await startCluster({ nodes: 2, jobs: 'processes', parameters: { KillWait: '1' } });
  });

  it('knows its processes, whom a signal reached, and what they wrote', async () => {
    const script = `#!/bin/sh
trap 'echo shell' USR2
srun -J worker -N2 sh -c 'trap "echo task" USR2; echo ready; while :; do sleep 0.05; done' 2>/dev/null &
until wait; do :; done
`;
    const { jobId } = cluster.submit({ user: 'alice', nodes: 2, script });
    await cluster.waitForOutput(jobId, (output) => output.split('ready').length > 2);
    const processes = cluster.processes(jobId);
    expect(processes.map(({ target, name, node, task }) => [target, name, node, task])).toEqual([
      [`${jobId}.batch`, 'batch', 'n1', 0],
      [`${jobId}.0`, 'worker', 'n1', 0],
      [`${jobId}.0`, 'worker', 'n2', 1],
    ]);
    for (const { pid } of processes) expect(process.kill(pid, 0)).toBe(true);
    const slurm = await connect(cluster.options('alice'));
    await slurm.killJob(jobId, 'SIGUSR2');
    await slurm.killJob(jobId, 'SIGUSR2', { batch: true });
    await slurm.notify(jobId, 'to whom it may concern');
    const output = await cluster.waitForOutput(
      jobId,
      (text) => text.split('task').length > 2 && /shell.*concern|concern.*shell/s.test(text),
    );
    expect(output).toMatch(/^ready\nready\n/);
    const pids = cluster.signals.map(({ target, pids: [pid] }) => [target, pid]);
    expect(pids).toEqual([
      [`${jobId}.0`, processes[1]?.pid],
      [`${jobId}.0`, processes[2]?.pid],
      [`${jobId}.batch`, processes[0]?.pid],
    ]);
    await slurm.killJob(jobId);
    await cluster.waitForJob(jobId, ({ isGone }) => isGone);
    expect(cluster.processes(jobId)).toEqual([]);
  });

  it('a job without output yet, and a job that is none', async () => {
    const { jobId } = cluster.submit({ hold: true });
    expect(await cluster.output(jobId)).toBe('');
    await expect(cluster.waitForOutput(jobId, (text) => text !== '', 20)).rejects.toThrow(/has written ""/);
    await expect(cluster.output(99)).rejects.toMatchObject({ code: 'SLURMWIRE_BAD_OPTION' });
    expect(() => cluster.processes(99)).toThrow(/no job of the cluster/);
  });
});
