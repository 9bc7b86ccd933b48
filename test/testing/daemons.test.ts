/** Daemons of an embedded cluster that are stopped, killed, paused and replaced, and clusters that are taken down at a bad moment. */

import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { connect, type SlurmError } from '../../src/index.js';
import { RELEASE_NAMES, type Release } from '../../src/protocol/index.js';
import { type EmbeddedCluster, startCluster } from '../../src/testing/index.js';
import { accepts } from '../../src/testing/manners.js';
import { leavesNothing, noStrayTrouble } from '../rpc/support/leaks.js';
import { tell } from '../support/raw-frame.js';

noStrayTrouble();

function submitRunning(cluster: EmbeddedCluster, nodes = 1) {
  const { jobId } = cluster.submit({
    user: 'alice',
    script: '#!/bin/sh\nsleep 1000\n',
    nodes,
    ignores: [10, 12],
  });
  return cluster.waitForJob(jobId, 'RUNNING');
}

const outcomeOf = (call: Promise<{ outcome: string; peer?: string }>) =>
  call.then(
    ({ outcome, peer }) => ({ outcome, peer, code: null }),
    ({ outcome, code, peer }: SlurmError) => ({ outcome, peer, code }),
  );

describe('a client that stays up', () => {
  test.each([
    [['22.05', '24.11', '26.05', '24.11']],
    [['20.11', '23.02', '25.05', '26.11']],
  ] as Release[][][])('through %s', async (releases) => {
    const [first, ...later] = releases as [Release, ...Release[]];
    await using cluster = await startCluster({ release: first, nodes: 1 });
    await using slurm = await connect(cluster.options('alice'));
    const kill = async (release: Release) => {
      const { jobId } = await submitRunning(cluster);
      const { protocol } = await slurm.killJob(jobId, 'SIGUSR2', { batch: true });
      // The one it has, as long as that is taken.
      expect([protocol, accepts(release, protocol)]).toEqual([protocol, true]);
      expect(await slurm.killJob(jobId)).toMatchObject({ outcome: 'accepted' });
      await cluster.waitForJob(jobId, 'CANCELLED');
      const heard = cluster.signals.filter((one) => one.jobId === jobId && one.unixSignal === 12);
      expect(heard).toHaveLength(1);
    };
    await kill(first);
    for (const release of later) {
      for (const name of ['slurmctld', 'n1']) {
        await cluster.daemon(name).stop();
        await cluster.daemon(name).start({ release });
      }
      expect(cluster.release).toBe(release);
      // Slurm tells when it was started by the second: who is to know that it was before the request has to wait for the next but one.
      await new Promise((resolve) => setTimeout(resolve, 2_000 - (Date.now() % 1_000)));
      await kill(release);
    }
  });

  it('a daemon that is up cannot be started as another release, nor as none', async () => {
    await using cluster = await startCluster({ nodes: 1, release: '24.11' });
    const daemon = cluster.daemon('slurmctld');
    await daemon.start({ release: '24.11' });
    await daemon.start();
    const refused = { code: 'SLURMWIRE_BAD_OPTION', field: 'release' };
    await expect(daemon.start({ release: '26.05' })).rejects.toMatchObject(refused);
    await expect(daemon.start({ release: '26' as never })).rejects.toMatchObject(refused);
    expect(daemon).toMatchObject({ isUp: true, release: '24.11' });
  });
});

describe('a slurmd that is down, or stopped', () => {
  test.each(['stop', 'kill', 'pause'] as const)('%s: the job is completing until it is back', async (how) => {
    await using cluster = await startCluster({ nodes: 2, parameters: { KillWait: '1' } });
    await using slurm = await connect(cluster.options('alice'));
    const { jobId } = await submitRunning(cluster, 2);
    const n2 = cluster.daemon('n2');
    await n2[how]();
    expect((await slurm.killJob(jobId)).outcome).toBe('accepted');
    expect(cluster.job(jobId)).toMatchObject({
      state: 'CANCELLED',
      flags: ['JOB_COMPLETING'],
      isGone: false,
    });
    // Not given to others either.
    const other = cluster.submit({ user: 'bob', script: '#!/bin/sh\n', nodes: 2 });
    if (how === 'pause') n2.resume();
    else await n2.start();
    await cluster.waitForJob(jobId, ({ isGone }) => isGone);
    await cluster.waitForJob(other.jobId, ({ state }) => state !== 'PENDING');
  });

  it('a job that waits for a node starts when its slurmd is back', async () => {
    await using cluster = await startCluster({ nodes: 1 });
    await cluster.daemon('n1').stop();
    const { jobId } = cluster.submit({ user: 'alice', script: '#!/bin/sh\n' });
    await new Promise(setImmediate);
    expect(cluster.job(jobId)?.state).toBe('PENDING');
    await cluster.daemon('n1').start();
    await cluster.waitForJob(jobId, ({ state }) => state !== 'PENDING', 2_000);
  });
});

describe('a slurmctld that is stopped (SIGSTOP)', () => {
  it('reads nothing until it goes on, and does then what its caller has given up', async () => {
    await using cluster = await startCluster({ nodes: 1 });
    await using slurm = await connect(cluster.options('alice'));
    const { jobId } = await submitRunning(cluster);
    await slurm.ping();
    cluster.daemon('slurmctld').pause();
    expect(cluster.inCharge).toBeNull();
    const before = cluster.requests.length;
    expect(await outcomeOf(slurm.killJob(jobId, 'SIGKILL', { timeoutMs: 200 }))).toMatchObject({
      outcome: 'unknown',
    });
    expect(cluster.requests).toHaveLength(before);
    expect(cluster.job(jobId)?.state).toBe('RUNNING');
    cluster.daemon('slurmctld').resume();
    await cluster.waitForJob(jobId, 'CANCELLED');
    expect(cluster.inCharge).toBe('slurmctld');
  });

  it('a daemon that is down cannot be paused', async () => {
    await using cluster = await startCluster({ nodes: 1 });
    const daemon = cluster.daemon('slurmctld');
    await daemon.stop();
    daemon.pause();
    await daemon.start();
    await using slurm = await connect(cluster.options('alice'));
    expect(await slurm.ping()).toMatchObject([{ up: true }]);
    expect(cluster.inCharge).toBe('slurmctld');
  });
});

describe('the primary dies with kills in flight', () => {
  const PENDING = 60;
  const RUNNING = 40;
  test.each(RELEASE_NAMES)('%s', async (release) => {
    await using cluster = await startCluster({
      release,
      nodes: 4,
      backups: 1,
      parameters: { SlurmctldTimeout: '1' },
    });
    await using slurm = await connect({ ...cluster.options('alice'), timeoutMs: 20_000 });
    const [primary] = await slurm.ping();
    const pending = Array.from(
      { length: PENDING },
      () => cluster.submit({ user: 'alice', script: '#!/bin/sh\n', hold: true }).jobId,
    );
    const running = await Promise.all(
      Array.from({ length: RUNNING }, async () => (await submitRunning(cluster)).jobId),
    );
    // Some are being answered, some executed, some not read yet.
    const slow = cluster.fault(
      { to: 'slurmctld', request: 'REQUEST_KILL_JOB', after: 10, times: 4 },
      { answerDelayMs: 60_000 },
    );
    const unread = cluster.fault(
      { to: 'slurmctld', request: 'REQUEST_KILL_JOB', after: 4, times: 4 },
      { delayMs: 60_000 },
    );
    const signals = running.map((id) => ({
      id,
      told: outcomeOf(slurm.killJob(id, 'SIGUSR2', { batch: true })),
    }));
    const ends = pending.map((id) => ({ id, told: outcomeOf(slurm.killJob(id)) }));
    await expect.poll(() => slow.met + unread.met, { interval: 5 }).toBe(8);
    await cluster.daemon('slurmctld').kill();
    const counts = new Map<string, number>();
    for (const { id, told } of signals) {
      const { outcome } = await told;
      const heard = cluster.signals.filter(
        ({ jobId, unixSignal }) => jobId === id && unixSignal === 12,
      ).length;
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
      if (outcome === 'accepted') expect([id, heard]).toEqual([id, 1]);
      else if (outcome === 'unknown') expect([0, 1]).toContain(heard);
      else expect([id, outcome, heard]).toEqual([id, 'not-sent', 0]);
    }
    for (const { id, told } of ends) {
      const { outcome, peer } = await told;
      if (peer !== primary?.peer) counts.set('backup', (counts.get('backup') ?? 0) + 1);
      expect([id, outcome, cluster.job(id)?.state]).toEqual([id, 'accepted', 'CANCELLED']);
    }
    expect(counts.get('unknown') ?? 0).toBeGreaterThan(0);
    expect(counts.get('backup') ?? 0).toBeGreaterThan(0);
    expect(cluster.inCharge).toBe('slurmctld2');
  });

  it('takeOver() and handing back', async () => {
    await using cluster = await startCluster({
      release: '22.05',
      nodes: 1,
      backups: 2,
      parameters: { SlurmctldTimeout: '60' },
    });
    await using slurm = await connect(cluster.options('alice'));
    expect(cluster.inCharge).toBe('slurmctld');
    await cluster.daemon('slurmctld').kill();
    expect(cluster.inCharge).toBeNull();
    cluster.takeOver('slurmctld3');
    expect(cluster.inCharge).toBe('slurmctld3');
    const { jobId } = await submitRunning(cluster);
    expect((await slurm.killJob(jobId)).outcome).toBe('accepted');
    // 22.05 hands back to a primary at once.
    await cluster.daemon('slurmctld').start();
    await expect.poll(() => cluster.inCharge).toBe('slurmctld');
    expect(() => cluster.takeOver('slurmctld4')).toThrow(RangeError);
    expect(() => cluster.daemon('n9')).toThrow(RangeError);
  });
});

describe('a cluster that is taken down', () => {
  it('with requests in flight, twice, and while daemons start and stop', async () => {
    await leavesNothing(async () => {
      const cluster = await startCluster({ nodes: 3, backups: 1 });
      const slurm = await connect({ ...cluster.options('alice'), timeoutMs: 500 });
      await slurm.ping();
      const { jobId } = await submitRunning(cluster);
      cluster.fault({ request: 'REQUEST_KILL_JOB', times: 1 }, { hang: 'before' });
      cluster.fault({ request: 'REQUEST_KILL_JOB', times: 1 }, { delayMs: 60_000 });
      const calls = Array.from({ length: 20 }, () =>
        outcomeOf(slurm.killJob(jobId, 'SIGUSR1', { batch: true })),
      );
      const waits = cluster.waitForJob(jobId, 'TIMEOUT').catch((error: Error) => error.message);
      const late = cluster.daemon('n1');
      await late.stop();
      const during = [late.start(), late.stop(), late.start(), cluster.daemon('n2').kill()];
      cluster.daemon('slurmctld2').pause();
      const endpoints = cluster.daemons.map(({ endpoint }) => endpoint);
      await Promise.all([cluster.down(), cluster.down(), ...during]);
      await cluster.down();
      expect(await waits).toContain('down');
      for (const { outcome } of await Promise.all(calls))
        expect(outcome).toMatch(/accepted|unknown|not-sent|refused/);
      for (const endpoint of endpoints) expect((await tell(endpoint, { chunks: [] })).end).toBe('reset');
      expect(existsSync(cluster.directory)).toBe(false);
      await expect(cluster.waitForJob(jobId, 'TIMEOUT')).rejects.toThrow('down');
      await slurm.close();
    });
  });

  it('starts and stops of one daemon follow one another', async () => {
    await using cluster = await startCluster({ nodes: 1 });
    const daemon = cluster.daemon('slurmctld');
    await Promise.all([
      daemon.stop(),
      daemon.start(),
      daemon.stop(),
      daemon.kill(),
      daemon.start(),
      daemon.start(),
    ]);
    expect(daemon.isUp).toBe(true);
    await using slurm = await connect(cluster.options('alice'));
    expect(await slurm.ping()).toMatchObject([{ up: true }]);
    await Promise.all([daemon.start(), daemon.stop()]);
    expect((await tell(daemon.endpoint, { chunks: [] })).end).toBe('reset');
  });
});

describe('a start that fails leaves nothing behind', () => {
  const temporary = async () =>
    (await readdir(tmpdir())).filter((name) => name.startsWith('slurmwire-')).sort();

  it('a directory too long for a socket', async () => {
    const before = await temporary();
    await leavesNothing(async () => {
      const directory = join(tmpdir(), 'x'.repeat(100));
      await expect(startCluster({ directory })).rejects.toMatchObject({
        code: 'SLURMWIRE_BAD_OPTION',
        field: 'directory',
      });
      expect(existsSync(directory)).toBe(false);
    });
    expect(await temporary()).toEqual(before);
  });

  it('a directory that is a file, or cannot be made', async () => {
    const parent = await mkdtemp(join(tmpdir(), 'swt-'));
    try {
      const file = join(parent, 'file');
      await writeFile(file, '');
      await leavesNothing(async () => {
        for (const directory of [file, join(file, 'below')])
          await expect(startCluster({ directory })).rejects.toThrow(/EEXIST|ENOTDIR/);
      });
      expect(await readdir(parent)).toEqual(['file']);
    } finally {
      await rm(parent, { recursive: true });
    }
  });

  it('munged cannot have its socket; what was there stays, with its mode', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'swt-'));
    try {
      const { mode } = await stat(directory);
      await mkdir(join(directory, 'munge.socket'));
      await writeFile(join(directory, 'mine'), 'mine');
      await leavesNothing(async () => {
        await expect(startCluster({ directory })).rejects.toMatchObject({ code: 'SLURMWIRE_BAD_OPTION' });
      });
      expect((await readdir(directory)).sort()).toEqual(['mine', 'munge.socket']);
      expect((await stat(directory)).mode).toBe(mode);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('a slurm.conf of somebody else is not written over; one of an embedded cluster is', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'swt-'));
    try {
      await using first = await startCluster({ directory });
      // Two clusters in one directory: the socket is taken.
      await expect(startCluster({ directory })).rejects.toMatchObject({ code: 'SLURMWIRE_BAD_OPTION' });
      await using slurm = await connect(first.options('alice'));
      expect(await slurm.ping()).toMatchObject([{ up: true }]);
      await first.down();
      await using second = await startCluster({ directory });
      await second.down();
      await writeFile(join(directory, 'slurm.conf'), 'ClusterName=production\n');
      await expect(startCluster({ directory })).rejects.toMatchObject({
        code: 'SLURMWIRE_BAD_OPTION',
        field: 'directory',
      });
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('the port of a standby controller is taken: another one is tried', async () => {
    const blockers = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const server = createServer();
        await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.2' }, resolve));
        return server;
      }),
    );
    try {
      await using cluster = await startCluster({ nodes: 1, backups: 2 });
      const ports = cluster.daemons.slice(0, 3).map(({ endpoint }) => endpoint.port);
      expect(new Set(ports).size).toBe(1);
    } finally {
      for (const server of blockers) server.close();
    }
  });
});
