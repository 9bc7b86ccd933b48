/** slurmwire's own recorded conversations play back without Slurm, munge or network, byte for byte. */
import { describe, expect, test } from 'vitest';
import type { SlurmClient } from '../../src/index.js';
import type { Fixture, PlayOptions } from '../../src/replay/index.js';
import { playing, recorded } from './support.js';

const splits: PlayOptions['split'][] = ['recorded', 'whole', 1, 7];

type Call = (slurm: SlurmClient, job: number) => Promise<unknown>;
const killJob: Call = (slurm, job) => slurm.killJob(job);
/** The job of `slurmwire killJob(8)`. */
const jobOf = ({ provenance }: Fixture) => Number(/\d+/.exec(provenance.client)?.[0]);

describe.each(splits)('bytes of the daemon cut as %s', (split) => {
  async function playBack(name: string, call: Call): Promise<unknown> {
    const fixture = await recorded(name);
    const { slurm, player } = await playing(fixture, { split });
    const told = await call(slurm, jobOf(fixture)).catch((error: unknown) => error);
    await slurm.close();
    player.finish();
    return told;
  }

  test('a running job is killed', async () => {
    expect(await playBack('kill-job', killJob)).toMatchObject({
      outcome: 'accepted',
      rpc: 'REQUEST_KILL_JOB',
      peer: 'recorded:6817',
      protocol: '22.05',
      authenticated: true,
    });
  });

  test('a finished job, certain because it is one record', async () => {
    const told = await playBack('kill-job-done', killJob);
    expect(told).toMatchObject({
      name: 'SlurmServerError',
      code: 'ESLURM_ALREADY_DONE',
      number: 2021,
      outcome: 'refused',
    });
  });

  test('an unknown job', async () => {
    const told = await playBack('kill-job-unknown', killJob);
    expect(told).toMatchObject({ code: 'ESLURM_INVALID_JOB_ID', number: 2017, outcome: 'refused' });
  });

  test("somebody else's job", async () => {
    const told = await playBack('kill-job-denied', killJob);
    expect(told).toMatchObject({ code: 'ESLURM_ACCESS_DENIED', number: 2002, outcome: 'refused' });
  });

  test('a ping', async () => {
    expect(await playBack('ping', (slurm) => slurm.ping())).toMatchObject([
      { up: true, authenticated: true },
    ]);
  });
});

test.each([
  ['another job', (slurm: SlurmClient, job: number) => slurm.killJob(job + 1), 'body/sjobId'],
  ['another signal', (slurm: SlurmClient, job: number) => slurm.killJob(job, 'SIGTERM'), 'body/signal'],
  [
    'another flag',
    (slurm: SlurmClient, job: number) => slurm.killJob(job, 'SIGKILL', { hurry: true }),
    'body/flags',
  ],
  ['another message', (slurm: SlurmClient, job: number) => slurm.killJobStep(`${job}.0`), 'field length'],
])('%s is not what was recorded: the first differing byte is named', async (_, call, field) => {
  const fixture = await recorded('kill-job');
  const { slurm } = await playing(fixture);
  const error = await call(slurm, jobOf(fixture)).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'SLURMWIRE_REPLAY_MISMATCH' });
  expect(String(error)).toContain(field);
});

test('a conversation that stops early is noticed', async () => {
  const { slurm, player } = await playing(await recorded('kill-job'));
  await slurm.ping();
  expect(() => player.finish()).toThrow(/./);
});
