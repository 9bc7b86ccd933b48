/** Every command as a process of its own, from another directory, against an embedded cluster whose jobs are real processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Release } from '../../src/protocol/index.js';
import { findLiveSecrets } from '../../src/replay/index.js';
import { type EmbeddedCluster, startCluster } from '../../src/testing/index.js';
import { until } from '../rpc/support/until.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const SCRIPT = `#!/bin/sh
trap : USR1
srun -n2 sh -c 'trap "echo usr1" USR1; echo ready; while :; do sleep 0.1; done' &
echo ready
until wait; do :; done
`;

const directory = mkdtempSync(join(tmpdir(), 'slurmwire-e2e-'));
const scancel = join(directory, 'scancel');
symlinkSync(MAIN, scancel);
const children = new Set<ChildProcess>();
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
});
afterAll(() => rmSync(directory, { recursive: true }));

/** As for live tests: the others with SLURMWIRE_LIVE=all. */
const ON: Release[] =
  process.env.SLURMWIRE_LIVE === 'all' ? ['20.11', '22.05', '24.11', '26.05'] : ['20.11', '26.05'];

describe.each(ON)('on a cluster of %s', (release) => {
  let cluster: EmbeddedCluster;
  beforeAll(async () => {
    cluster = await startCluster({ release, nodes: 2, jobs: 'processes', parameters: { KillWait: '1' } });
  });
  afterAll(() => cluster.down());

  function start(argv: readonly string[], { file = MAIN } = {}) {
    const child = spawn(process.execPath, [file, ...argv], {
      cwd: directory,
      env: { PATH: process.env.PATH, SLURM_CONF: cluster.slurmConf },
    });
    children.add(child);
    child.stdin.on('error', () => {}); // gone before it read
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (more) => {
      stdout += more;
    });
    child.stderr.setEncoding('utf8').on('data', (more) => {
      stderr += more;
    });
    const ended = once(child, 'close').then(([code]) => {
      children.delete(child);
      return { code, stdout, stderr };
    });
    return { child, ended, notes: () => stderr };
  }
  const run = (argv: readonly string[], options: { file?: string; input?: string } = {}) => {
    const { child, ended } = start(argv, options);
    child.stdin.end(options.input ?? '');
    return ended;
  };

  /** A job that runs, whose two tasks can be signalled. */
  async function running(): Promise<number> {
    const { jobId } = cluster.submit({ user: 'alice', script: SCRIPT, nodes: 1, cpusPerTask: 1 });
    await cluster.waitForOutput(jobId, (output) => output.match(/ready/g)?.length === 3);
    return jobId;
  }
  const isCancelled = (jobId: number) =>
    cluster.waitForJob(jobId, ({ state, isGone }) => state === 'CANCELLED' && isGone);

  test('scancel, by a link of that name: what was named ends, and nothing else', async () => {
    const [job, other] = [await running(), await running()];
    expect(await run([String(job)], { file: scancel })).toEqual({ code: 0, stdout: '', stderr: '' });
    await isCancelled(job);
    expect(cluster.processes(job)).toEqual([]);
    expect(cluster.job(other)?.state).toBe('RUNNING');
    const answer = await run(['-i', '--state=running', '-u', 'root', '-u', '2001'], {
      file: scancel,
      input: 'n\n',
    });
    expect(answer).toMatchObject({ code: 0, stdout: expect.stringContaining(`job_id=${other} `) });
    expect(cluster.job(other)?.state).toBe('RUNNING');
    expect(await run(['cancel', '--json', '-u', '2001'])).toMatchObject({ code: 0, stderr: '' });
    await isCancelled(other);
  });

  test('signal, probe, explain: the processes got it, and only by what is not a question', async () => {
    const job = await running();
    const before = cluster.signals.length;
    const probe = await run(['probe', '--json', `${job}`, `${job}.0`, '999999']);
    expect(probe).toMatchObject({ code: 5, stderr: '' });
    const found = JSON.parse(probe.stdout).targets.map(
      (one: { result: { exists: boolean } }) => one.result.exists,
    );
    expect(found).toEqual([true, true, false]);
    const explained = await run(['explain', 'signal', `${job}.0`, '-s', 'USR1']);
    expect(explained).toMatchObject({ code: 0, stdout: expect.stringContaining('gets the signal') });
    expect(cluster.signals).toHaveLength(before);
    const signalled = await run(['signal', '-s', 'USR1', `${job}.0`]);
    expect(signalled).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('was taken by 1 of 1 nodes'),
    });
    await cluster.waitForOutput(job, (output) => output.match(/usr1/g)?.length === 2);
    expect((await run(['signal', `${job}.7`, '--json'])).code).not.toBe(0);
    await run(['cancel', `${job}`]);
    await isCancelled(job);
  });

  test('terminate: gone when it says so; stopped, it says how to go on, and another process does', async () => {
    const job = await running();
    expect(await run(['terminate', '--ladder', 'TERM:50ms,KILL', `${job}`])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(new RegExp(`^${job}: gone after`)),
    });
    expect(cluster.job(job)).toMatchObject({ isGone: true });
    const other = await running();
    const { child, ended, notes } = start(['terminate', '--ladder', 'USR1:1h,KILL', `${other}`]);
    // All parts have the signal, and its time runs.
    await until(() => notes().includes(' s to end: '), 'the wait');
    child.kill('SIGHUP');
    const { code, stderr } = await ended;
    expect(code).toBe(129);
    const [, ...again] = (/to go on: (.*)/.exec(stderr)?.[1] ?? '').split(' ');
    // The cluster is named: the next shell may have another SLURM_CONF.
    expect(again).toEqual(['terminate', '--conf', cluster.slurmConf, '--resume', expect.any(String)]);
    const file = again[4] as string;
    const saved = JSON.parse(readFileSync(file, 'utf8'));
    for (const state of saved.terminations) if (state.since !== null) state.since -= 3_600_000;
    rmSync(file);
    writeFileSync(file, JSON.stringify(saved));
    expect(await run(again)).toMatchObject({ code: 0 });
    await isCancelled(other);
    rmSync(file);
  });

  test('ping, doctor', async () => {
    expect(await run(['ping', '--json'])).toMatchObject({ code: 0, stderr: '' });
    const { stdout } = await run(['doctor', '--json']);
    const controllers = JSON.parse(stdout).findings.filter(
      ({ check }: { check: string }) => check === 'controller',
    );
    expect(controllers).toMatchObject([{ verdict: 'ok' }]);
  });

  test('record a cancel, look at it, play it to another one: no credential is in it', async () => {
    const { jobId } = cluster.submit({ user: 'alice', hold: true });
    const fixture = `${release}.msgpack`;
    const recorded = await run(['record', '-o', fixture, '--', process.execPath, MAIN, 'cancel', `${jobId}`]);
    expect(recorded).toMatchObject({ code: 0, stdout: '' });
    await isCancelled(jobId);
    expect(await run(['replay', fixture, '--check'])).toMatchObject({ code: 0 });
    const decoded = await run(['decode', '--no-hex', '--filter', 'REQUEST_KILL_JOB', fixture]);
    expect(decoded).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`> REQUEST_KILL_JOB, ${release}`),
    });
    expect(findLiveSecrets(readFileSync(join(directory, fixture)))).toEqual([]);
    expect(statSync(join(directory, fixture)).mode & 0o777).toBe(0o600);
  });

  test('a controller that takes connections and says nothing: over in the time that was given', async () => {
    const job = cluster.submit({ user: 'alice', hold: true }).jobId;
    const daemon = cluster.daemon('slurmctld');
    await daemon.pause();
    try {
      for (const command of [
        ['cancel'],
        ['cancel', '-s', 'USR1'],
        ['signal'],
        ['probe'],
        ['explain', 'cancel'],
      ]) {
        const { code, stderr } = await run([...command, '--timeout', '500ms', `${job}`]);
        expect([code === 0, stderr], command.join(' ')).toEqual([false, expect.stringContaining('not-sent')]);
      }
    } finally {
      await daemon.resume();
    }
    expect(cluster.job(job)?.state).toBe('PENDING');
    await run(['cancel', `${job}`]);
    await isCancelled(job);
  });
});
