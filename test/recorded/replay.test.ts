/** slurmwire's own recorded conversations play back without Slurm, munge or network, byte for byte. */
import { describe, expect, test } from 'vitest';
import type { SlurmClient } from '../../src/index.js';
import type { PlayOptions } from '../../src/replay/index.js';
import { playing, recorded } from './support.js';

const splits: PlayOptions['split'][] = ['recorded', 'whole', 1, 7];

describe.each(splits)('bytes of the daemon cut as %s', (split) => {
  async function playBack(name: string, call: (slurm: SlurmClient) => Promise<unknown>): Promise<unknown> {
    const { slurm, player } = await playing(await recorded(name), { split });
    const told = await call(slurm).catch((error: unknown) => error);
    await slurm.close();
    player.finish();
    return told;
  }

  test('a running job is killed', async () => {
    expect(await playBack('kill-job', (slurm) => slurm.killJob(8))).toMatchObject({
      outcome: 'accepted',
      target: '8',
      rpc: 'REQUEST_KILL_JOB',
      peer: 'recorded:6817',
      protocol: '22.05',
      authenticated: true,
    });
  });

  test('a finished job, certain because it is one record', async () => {
    const told = await playBack('kill-job-done', (slurm) => slurm.killJob(8));
    expect(told).toMatchObject({
      name: 'SlurmServerError',
      code: 'ESLURM_ALREADY_DONE',
      number: 2021,
      outcome: 'refused',
    });
  });

  test('an unknown job', async () => {
    const told = await playBack('kill-job-unknown', (slurm) => slurm.killJob(4242));
    expect(told).toMatchObject({ code: 'ESLURM_INVALID_JOB_ID', number: 2017, outcome: 'refused' });
  });

  test("somebody else's job", async () => {
    const told = await playBack('kill-job-denied', (slurm) => slurm.killJob(9));
    expect(told).toMatchObject({ code: 'ESLURM_ACCESS_DENIED', number: 2002, outcome: 'refused' });
  });

  test('a ping', async () => {
    expect(await playBack('ping', (slurm) => slurm.ping())).toMatchObject([
      { up: true, authenticated: true },
    ]);
  });
});

test.each([
  ['another job', (slurm: SlurmClient) => slurm.killJob(7), 'body/sjobId'],
  ['another signal', (slurm: SlurmClient) => slurm.killJob(8, 'SIGTERM'), 'body/signal'],
  ['another flag', (slurm: SlurmClient) => slurm.killJob(8, 'SIGKILL', { hurry: true }), 'body/flags'],
  ['another message', (slurm: SlurmClient) => slurm.killJobStep('8.0'), 'field length'],
])('%s is not what was recorded: the first differing byte is named', async (_, call, field) => {
  const { slurm } = await playing(await recorded('kill-job'));
  const error = await call(slurm).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'SLURMWIRE_REPLAY_MISMATCH' });
  expect(String(error)).toContain(field);
});

test('a conversation that stops early is noticed', async () => {
  const { slurm, player } = await playing(await recorded('kill-job'));
  await slurm.ping();
  expect(() => player.finish()).toThrow(/./);
});
