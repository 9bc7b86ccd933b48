import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runCli } from './support/cli-run.js';
import { FakeCluster } from './support/cluster.js';

let fake: FakeCluster;
beforeEach(async () => {
  fake = await FakeCluster.start();
});
afterEach(() => fake.stop());

const signal = (...argv: string[]) => runCli(['signal', ...fake.options, ...argv]);

describe('through the controller', () => {
  test('is accepted', async () => {
    const { code, stdout, stderr } = await signal('--via-controller', '-s', 'USR1', '7', '8');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toBe(
      '7: slurmctld has accepted SIGUSR1, and signals the nodes\n8: slurmctld has accepted SIGUSR1, and signals the nodes\n',
    );
    expect(fake.controller.signals.sort()).toEqual(['SIGUSR1 7', 'SIGUSR1 8']);
  });

  test('--full, --cron and --whole-het-job mean it', async () => {
    for (const option of ['--full', '--cron', '--whole-het-job'])
      expect((await signal(option, '7')).code).toBe(0);
    expect(fake.controller.signals).toEqual(['SIGTERM 7', 'SIGTERM 7', 'SIGTERM 7']);
  });

  test('one has ended', async () => {
    fake.controller.ended.add(8);
    const { code, stdout, stderr } = await signal('--via-controller', '7', '8');
    expect([code, stdout]).toEqual([5, '7: slurmctld has accepted SIGTERM, and signals the nodes\n']);
    expect(stderr).toContain('slurmwire signal: 8: ');
    const idempotent = await signal('--via-controller', '--idempotent', '7', '8', '--json');
    expect(idempotent.code).toBe(0);
    expect(JSON.parse(idempotent.stdout)).toMatchObject({
      signal: 'SIGTERM',
      targets: [{ result: { outcome: 'accepted' } }, { result: { code: 'ESLURM_ALREADY_DONE' } }],
    });
  });
});

test('to the nodes: a job without steps has nobody to signal', async () => {
  const { code, stderr } = await signal('7');
  expect(code).toBeGreaterThan(0);
  expect(stderr).toContain('outcome:  not-sent');
  expect(fake.controller.signals).toEqual([]);
});

test.each([
  [[], 'target'],
  [['x'], 'target'],
  [['7', '-s', '0'], '--signal'],
  [['7', '-s', 'NOSUCH'], '--signal'],
  [['7.0', '--batch'], '--batch'],
  [['7.0', '--full'], '--full'],
  [['7', '--direct', '--tree'], '--tree'],
  [['7', '--via-controller', '--direct'], '--direct'],
  [['7', '--full', '--batch'], '--batch'],
  [['7', '--tree-width', 'wide'], '--tree-width'],
])('%j is refused before anything is sent', async (argv, named) => {
  const { code, stderr, stdout } = await signal(...argv);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain(named);
  expect(fake.controller.asked).toEqual([]);
});
