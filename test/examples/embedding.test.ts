/** The examples of docs/embedding.md against the embedded cluster. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect } from 'slurmwire';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { cancelButton, statusOf } from '../../examples/embedding/cancel-button.mjs';
import { cancelTask, fileStore } from '../../examples/embedding/cancel-hook.mjs';
import { massCancel } from '../../examples/embedding/mass-cancel.mjs';
import { preempt } from '../../examples/embedding/preempt.mjs';
import { type ClusterOptions, type EmbeddedCluster, startCluster } from '../../src/testing/index.js';

const clusters: EmbeddedCluster[] = [];
async function up(options: ClusterOptions = {}): Promise<EmbeddedCluster> {
  const cluster = await startCluster({ parameters: { KillWait: '1' }, ...options });
  clusters.push(cluster);
  return cluster;
}
afterEach(async () => {
  await Promise.all(clusters.splice(0).map((cluster) => cluster.down()));
});

const kills = (cluster: EmbeddedCluster) =>
  cluster.requests.filter(({ name }) => name === 'REQUEST_KILL_JOB');

describe('cancel-hook.mjs', () => {
  const ladder = [{ signal: 'SIGTERM', graceMs: 300 }, { signal: 'SIGKILL' }] as const;
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'slurmwire-hook-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  async function running(cluster: EmbeddedCluster, options: object = {}) {
    const { jobId } = cluster.submit({ user: 'alice', ...options });
    await cluster.waitForJob(jobId, 'RUNNING');
    return { id: 'align/sample 7', jobId: `${jobId}` };
  }

  it('ends the job, says so again, and leaves no state', async () => {
    const cluster = await up();
    const slurm = await connect(cluster.options('alice'));
    const task = await running(cluster);
    const store = fileStore(directory);
    expect(await cancelTask(slurm, task, { store, ladder })).toEqual({ status: 'gone', reason: 'FAILED' });
    expect(await cancelTask(slurm, task, { store, ladder })).toEqual({
      status: 'gone',
      reason: 'ESLURM_ALREADY_DONE',
    });
    expect(await cancelTask(slurm, { ...task, jobId: '4242' }, { store })).toMatchObject({ status: 'gone' });
    expect(await readdir(directory)).toEqual([]);
  });

  it('interrupted, it goes on where it was: nothing is sent twice', async () => {
    const cluster = await up();
    const task = await running(cluster, { ignores: ['SIGTERM'] });
    const store = fileStore(directory);
    const stop = new AbortController();
    const stopping = {
      ...store,
      save: async (...state: Parameters<typeof store.save>) => {
        await store.save(...state);
        if (state[1].sent[0]?.outcome === 'accepted') stop.abort();
      },
    };
    const first = await connect(cluster.options('alice'));
    const options = { store: stopping, ladder, signal: stop.signal };
    expect(await cancelTask(first, task, options)).toMatchObject({ status: 'again' });
    expect(kills(cluster)).toHaveLength(1);

    // As another process would.
    const second = await connect(cluster.options('alice'));
    expect(await cancelTask(second, task, { store: fileStore(directory) })).toMatchObject({ status: 'gone' });
    expect(cluster.job(Number(task.jobId))?.state).toBe('CANCELLED');
    expect(kills(cluster)).toHaveLength(2);
    expect(await readdir(directory)).toEqual([]);
  });

  it("somebody else's job, and no controller", async () => {
    const cluster = await up();
    const task = await running(cluster);
    const store = fileStore(directory);
    const bob = await connect(cluster.options('bob'));
    expect(await cancelTask(bob, task, { store, ladder })).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('may not'),
    });
    const alice = await connect(cluster.options('alice'));
    await cluster.daemon('slurmctld').stop();
    expect(await cancelTask(alice, task, { store, ladder })).toMatchObject({ status: 'again' });
    await cluster.daemon('slurmctld').start();
    expect(await cancelTask(alice, task, { store, ladder })).toMatchObject({ status: 'gone' });
  });

  it('a node that does not clean up', async () => {
    const cluster = await up({ nodes: 1 });
    const task = await running(cluster, { ignores: ['SIGTERM'] });
    const store = fileStore(directory);
    const slurm = await connect(cluster.options('alice'));
    const termination = slurm.terminate(task.jobId, { ladder, confirmMs: 300 });
    for await (const event of termination) {
      if (event.type !== 'escalating') continue;
      await store.save(task.id, event.resume);
      break;
    }
    await cluster.daemon('n1').kill();
    await termination.catch(() => {});
    expect(await cancelTask(slurm, task, { store })).toMatchObject({ status: 'stuck' });
  });
});

describe('cancel-button.mjs', () => {
  async function portal(cluster: EmbeddedCluster, actsForAll: boolean) {
    const users = new Map(cluster.users.map((user) => [user.name, user]));
    const handler = cancelButton({
      userOf: async ({ headers }) => users.get(`${headers['x-user']}`) ?? null,
      clientOf: async ({ name }) =>
        connect({ ...cluster.options(actsForAll ? 'root' : name), timeoutMs: 3_000 }),
      actsForAll,
    });
    const server = createServer(handler).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const ask = async (user: string, path: string, method = 'DELETE') => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method,
        headers: { 'x-user': user },
      });
      return {
        status: response.status,
        retry: response.headers.get('retry-after'),
        ...((await response.json()) as { message: string }),
      };
    };
    return { ask, close: () => server.close() };
  }

  it("with the user's own authority: the cluster decides", async () => {
    const cluster = await up();
    const { ask, close } = await portal(cluster, false);
    const [{ jobId }, other] = [cluster.submit({ user: 'alice' }), cluster.submit({ user: 'alice' })];
    const path = `/jobs/${jobId}`;
    expect(await ask('nobody', path)).toMatchObject({ status: 401 });
    expect(await ask('alice', path, 'POST')).toMatchObject({ status: 405 });
    expect(await ask('alice', '/jobs/1;2')).toMatchObject({ status: 404, message: 'no such page' });
    expect(await ask('bob', path)).toMatchObject({
      status: 403,
      outcome: 'refused',
      code: 'ESLURM_ACCESS_DENIED',
    });
    expect(await ask('alice', path)).toMatchObject({ status: 202, outcome: 'accepted' });
    await cluster.waitForJob(jobId, ({ isGone }) => isGone);
    expect(await ask('alice', path)).toMatchObject({ status: 410 });
    expect(await ask('alice', '/jobs/4242')).toMatchObject({ status: 404, code: 'ESLURM_INVALID_JOB_ID' });
    const fault = cluster.fault({ request: 'REQUEST_KILL_JOB' }, { drop: 'before' });
    expect(await ask('alice', `/jobs/${other.jobId}`)).toMatchObject({ status: 504, outcome: 'unknown' });
    fault.remove();
    await cluster.daemon('slurmctld').stop();
    const down = await ask('alice', `/jobs/${other.jobId}`);
    expect(down).toMatchObject({ status: 503, outcome: 'not-sent', retry: '5' });
    expect(down.message).not.toMatch(/127\.0\.0\.1/);
    close();
  });

  it('with an authority of its own: the portal decides', async () => {
    const cluster = await up();
    const { ask, close } = await portal(cluster, true);
    const { jobId } = cluster.submit({ user: 'bob', array: '0-3' });
    await cluster.waitForJob(jobId, 'RUNNING');
    expect(await ask('alice', `/jobs/${jobId}`)).toMatchObject({ status: 404 });
    expect(await ask('alice', '/jobs/4242')).toMatchObject({ status: 404 });
    expect(kills(cluster)).toEqual([]);
    expect(await ask('bob', `/jobs/${jobId}_1`)).toMatchObject({ status: 202 });
    expect(await ask('bob', `/jobs/${jobId}`)).toMatchObject({ status: 202 });
    close();
  });

  it.each([
    [{ outcome: 'unknown', errno: 'EPERM', code: 'X', name: 'SlurmServerError' }, 504],
    [{ outcome: 'partial', errno: 'EPERM', code: 'X', name: 'SlurmServerError' }, 207],
    [{ outcome: 'refused', errno: 'EAGAIN', code: 'X', name: 'SlurmServerError' }, 429],
    [{ outcome: 'refused', errno: 'EINVAL', code: 'X', name: 'SlurmServerError' }, 409],
    [{ outcome: 'not-sent', errno: 'EINVAL', code: 'X', name: 'SlurmUsageError' }, 400],
    [{ outcome: 'not-sent', errno: 'EACCES', code: 'X', name: 'SlurmAuthError' }, 503],
  ])('%j is %i', (error, status) => {
    expect(statusOf(error as Parameters<typeof statusOf>[0])).toBe(status);
  });
});

describe('preempt.mjs', () => {
  const times = { noticeMs: 300, graceMs: 300 };

  it.each([
    [[], 'saved'],
    [['SIGUSR1'], 'terminated'],
    [['SIGUSR1', 'SIGTERM'], 'killed'],
  ] as const)('a job that ignores %j is %s', async (ignores, ended) => {
    const cluster = await up();
    const { jobId } = cluster.submit({ user: 'alice', nodes: 2, ignores, steps: [{}] });
    await cluster.waitForJob(jobId, 'RUNNING');
    const slurm = await connect(cluster.options('root'));
    expect(await preempt(slurm, jobId, times)).toBe(ended);
    const notice = cluster.signals.filter(({ signal }) => signal === 'SIGUSR1');
    expect(new Set(notice.map(({ target }) => target))).toEqual(new Set([`${jobId}.0`, `${jobId}.batch`]));
    expect(cluster.job(jobId)?.isGone).toBe(true);
  });

  it('real processes save what they have', async () => {
    const cluster = await up({ jobs: 'processes' });
    const script = `#!/bin/sh
trap 'echo shell saved; saved=yes' USR1
srun -N2 sh -c 'trap "echo task saved; exit 0" USR1; echo ready; while :; do sleep 0.05; done' 2>/dev/null &
until wait; do :; done
# The step may have ended before the shell was told.
while [ -z "$saved" ]; do sleep 0.05; done
`;
    const { jobId } = cluster.submit({ user: 'alice', nodes: 2, script });
    await cluster.waitForOutput(jobId, (output) => output.split('ready').length > 2);
    const slurm = await connect(cluster.options('root'));
    const types: string[] = [];
    const onEvent = ({ type }: { type: string }) => types.push(type);
    const why = 'This node is needed for something urgent.';
    expect(await preempt(slurm, jobId, { noticeMs: 10_000, why, onEvent })).toBe('saved');
    const output = await cluster.output(jobId);
    expect(output.split('\n').sort().join('\n')).toMatch(
      /ready\nready\nshell saved\n.*urgent\.\ntask saved\ntask saved/,
    );
    expect(types.at(-1)).toBe('gone');
  });
});

describe('mass-cancel.mjs', () => {
  async function* counting(ids: readonly number[], read: { count: number }) {
    for (const id of ids) {
      read.count += 1;
      yield `${id}`;
    }
  }

  it.each([
    ['26.05', 400, 4],
    ['22.05', 60, 60],
  ] as const)('on %s: progress, and no id read before its time', async (release, count, atLeast) => {
    const cluster = await up({ release });
    const jobs = Array.from({ length: count }, () => cluster.submit({ user: 'alice', hold: true }).jobId);
    const foreign = cluster.submit({ user: 'bob', hold: true }).jobId;
    const slurm = await connect(cluster.options('alice'));
    const refused: string[] = [];
    const read = { count: 0 };
    const ids = counting([...jobs, foreign, 9999], read);
    const seen: number[] = [];
    let last = {};
    for await (const progress of massCancel(slurm, ids, {
      batch: count / 4,
      onRefused: (id) => refused.push(id),
    })) {
      seen.push(progress.done);
      expect(read.count).toBeLessThanOrEqual(seen.length * (count / 4));
      last = progress;
    }
    expect(seen).toEqual([1, 2, 3, 4].map((n) => (n * count) / 4).concat(count + 1));
    expect(last).toMatchObject({ refused: 1, left: 0, trouble: '' });
    expect(refused).toEqual([`${foreign}`]);
    expect(jobs.every((id) => cluster.job(id)?.state === 'CANCELLED')).toBe(true);
    const asked = cluster.requests.filter(({ name }) => /KILL_JOB/.test(name ?? '')).length;
    expect(asked).toBeGreaterThanOrEqual(atLeast);
  });

  test('the cluster goes away: what is left to do is told, and can be done later', async () => {
    const cluster = await up({ release: '26.05' });
    const jobs = Array.from({ length: 30 }, () => cluster.submit({ user: 'alice', hold: true }).jobId);
    const slurm = await connect(cluster.options('alice'));
    cluster.fault({ request: 'REQUEST_KILL_JOBS', after: 1, times: 1 }, { die: 'before' });
    const left: string[] = [];
    let last = { done: 0, left: 0, trouble: '' };
    for await (const progress of massCancel(slurm, jobs.map(String), {
      batch: 10,
      onLeft: (id) => left.push(id),
    }))
      last = progress;
    expect(last).toMatchObject({ done: 10, left: 20 });
    expect(last.trouble).not.toBe('');
    expect(left).toEqual(jobs.slice(10).map(String));
    await cluster.daemon('slurmctld').start();
    for await (const progress of massCancel(slurm, left)) last = progress;
    expect(last).toMatchObject({ done: 20, left: 0, trouble: '' });
  });

  test('as a program', async () => {
    const cluster = await up({ release: '24.11' });
    const jobs = Array.from({ length: 5 }, () => cluster.submit({ hold: true }).jobId);
    const { code, stdout, stderr } = await program(
      cluster,
      'embedding/mass-cancel.mjs',
      [],
      `${jobs.join('\n')}\n`,
    );
    expect([code, stdout, stderr]).toEqual([0, '', '5 done, 0 refused, 0 left \n']);
  });
});

describe('kill.mjs', () => {
  it('signals and kills, and tells what is known', async () => {
    const cluster = await up();
    const { jobId } = cluster.submit({ steps: [{}], ignores: ['SIGUSR1'] });
    await cluster.waitForJob(jobId, 'RUNNING');
    const signalled = await program(cluster, 'kill.mjs', [`${jobId}.0`, 'USR1']);
    expect(signalled.stdout).toMatch(/^USR1 for \d+\.0: accepted by 127\.0\.0\.1:\d+ in /);
    expect((await program(cluster, 'kill.mjs', [`${jobId}`])).code).toBe(0);
    await cluster.waitForJob(jobId, ({ isGone }) => isGone);
    const late = await program(cluster, 'kill.mjs', [`${jobId}`]);
    expect([late.code, late.stderr]).toEqual([
      1,
      expect.stringMatching(/ESLURM_ALREADY_DONE.*\noutcome: refused\n$/),
    ]);
  });
});

/** An example as a program of its own, which finds the cluster as any program does. */
async function program(cluster: EmbeddedCluster, name: string, args: readonly string[], input = '') {
  const path = fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));
  const env = { PATH: process.env.PATH, SLURM_CONF: cluster.slurmConf };
  const child = spawn(process.execPath, [path, ...args], { env });
  child.stdin.end(input);
  const [out, err] = [child.stdout, child.stderr].map((stream) => stream.setEncoding('utf8').toArray());
  const [code] = (await once(child, 'close')) as [number];
  return { code, stdout: (await out)?.join('') ?? '', stderr: (await err)?.join('') ?? '' };
}
