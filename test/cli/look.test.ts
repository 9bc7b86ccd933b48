/** `probe`, `ping` and `explain`: they look and change nothing. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SlurmTimeoutError } from '../../src/protocol/slurm-error.js';
import { runCli } from './support/cli-run.js';
import { FakeCluster } from './support/cluster.js';

let fake: FakeCluster;
beforeEach(async () => {
  fake = await FakeCluster.start();
});
afterEach(async () => {
  expect(fake.controller.signals).toEqual([]);
  await fake.stop();
});

const cli = (command: string, argv: readonly string[] = []) => runCli([command, ...fake.options, ...argv]);

describe('probe', () => {
  test('a job that runs, one that has ended, and a step that is not there', async () => {
    fake.controller.ended.add(8);
    const { code, stdout, stderr } = await cli('probe', ['7', '8', '9.0']);
    expect([code, stderr]).toEqual([5, '']);
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(/^7: RUNNING on n1; uid 1000/),
      expect.stringMatching(/^8: CANCELLED on n1; uid 1000/),
      '9.0: does not exist',
      '',
    ]);
  });

  test('--json', async () => {
    const { code, stdout } = await cli('probe', ['7', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      targets: [{ target: '7', result: { exists: true, state: 'RUNNING' } }],
    });
  });

  test('none is there; nobody answers; no job at all', async () => {
    expect((await cli('probe', ['9.0'])).code).toBe(1);
    expect((await cli('probe', ['x'])).code).toBe(2);
    expect((await cli('probe')).code).toBe(2);
    await fake.controller.die();
    const { code, stdout, stderr } = await cli('probe', ['7', '8', '--json']);
    expect(code).toBe(3);
    expect(JSON.parse(stdout).targets.map((one: { error: { errno: string } }) => one.error.errno)).toEqual([
      'ECONNREFUSED',
      'ECONNREFUSED',
    ]);
    expect(stderr).toContain('slurmwire probe: 7: ');
  });
});

test('probe: of what could not be asked it is not said that it is not there', async () => {
  const error = new SlurmTimeoutError('No answer.', {
    code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT',
    errno: 'ETIMEDOUT',
    outcome: 'not-sent',
  });
  const probe = async (target: string) => {
    if (target === '2') throw error;
    return { target, exists: false, mayBeHidden: false, jobs: [], steps: null };
  };
  const connect = (async () => ({ probe, close: async () => {} })) as never;
  expect((await runCli(['probe', '1'], { connect })).code).toBe(1);
  expect((await runCli(['probe', '1', '2'], { connect })).code).toBe(3);
});

describe('ping', () => {
  test('without a credential nobody was asked, and nobody is said to be down', async () => {
    const { code, stdout } = await cli('ping', ['--munge-socket', '/nonexistent']);
    expect(code).toBe(3);
    expect(stdout).toMatch(/^127\.0\.0\.1:\d+ \(primary\) was not asked: /);
    expect(stdout).not.toContain('DOWN');
    // Said once.
    expect(stdout.match(/systemctl start munge/g)).toHaveLength(1);
  });

  test('up', async () => {
    const { code, stdout } = await cli('ping');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^127\.0\.0\.1:\d+ \(primary\) is UP: Slurm 24\.11\.5, protocol 24\.11, [\d.]+ ms\n$/,
    );
    expect(JSON.parse((await cli('ping', ['--json'])).stdout)).toMatchObject({
      controllers: [{ up: true, error: null }],
    });
  });

  test('one of two; none', async () => {
    const both = await cli('ping', ['--controller', '127.0.0.1:1']);
    expect(both.code).toBe(5);
    expect(both.stdout).toMatch(/127\.0\.0\.1:1 \(backup\) is DOWN: .*ECONNREFUSED/);
    await fake.controller.die();
    expect((await cli('ping')).code).toBe(1);
  });
});

describe('explain', () => {
  test('which requests, which processes', async () => {
    const { code, stdout, stderr } = await cli('explain', ['cancel', '7']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(
      /^killJob 7\n {2}would send \(protocol 24\.11\):\n {4}REQUEST_KILL_JOB to slurmctld 127\.0\.0\.1:\d+\n {2}would do:\n {4}7 \(RUNNING\) ends: /,
    );
  });

  test.each(['cancel', 'killJob', 'kill', 'suspend', 'resume', 'requeue'])('%s --json', async (verb) => {
    const { code, stdout } = await cli('explain', [verb, '7', '--json']);
    expect(code).toBe(0);
    const [one] = JSON.parse(stdout).explanations;
    expect(one.target).toBe('7');
    expect(one.requests).toHaveLength(1);
  });

  test('the options of the verb reach it, and no others are taken', async () => {
    const { stdout } = await cli('explain', ['cancel', '7', '-s', 'USR1', '--batch', '--json']);
    const [{ requests }] = JSON.parse(stdout).explanations;
    expect(requests[0].record).toMatchObject({ signal: 10, flags: expect.any(Number) });
    expect((await cli('explain', ['notify', '7', '--message', 'hello', '--json'])).code).toBe(0);
    const wrong = await cli('explain', ['suspend', '7', '--batch']);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('is no option of suspend')]);
    expect((await cli('explain', ['reboot', '7'])).code).toBe(2);
    expect((await cli('explain', ['cancel', '7', '-s', 'NOSUCH'])).code).toBe(2);
  });
});
