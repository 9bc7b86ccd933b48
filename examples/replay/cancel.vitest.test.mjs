// npx vitest run cancel.vitest
import { connect } from 'slurmwire';
import { play, readFixture } from 'slurmwire/replay';
import { expect, test } from 'vitest';
import { cancel } from './cancel.mjs';

/** A client whose cluster is a recording. @param {string} file */
async function playing(file) {
  const player = play(await readFixture(new URL(file, import.meta.url).pathname));
  const { transport, auth } = player;
  // Host and port are free: nothing is connected to. slurmUser is whom the recorded replies are from.
  const slurm = await connect({ controllers: ['cluster:6817'], slurmUser: 64030, transport, auth });
  return { slurm, player };
}

test.each(['20.11', '22.05', '24.11', '26.05'])('a running job, Slurm %s', async (release) => {
  const { slurm, player } = await playing(`../../fixtures/${release}/kill-job.msgpack`);
  const job = release === '20.11' ? 2 : 1; // the number it had when it was recorded
  expect(await cancel(slurm, job)).toBe(`job ${job} is being cancelled`);
  await slurm.close();
  player.finish(); // nothing was left out
});

test('a job that does not exist', async () => {
  const { slurm, player } = await playing('../../fixtures/24.11/kill-job-unknown.msgpack');
  expect(await cancel(slurm, 4242)).toBe('there is no job 4242');
  await slurm.close();
  player.finish();
});

test('another job than the recorded one: the test fails and shows the field', async () => {
  const { slurm, player } = await playing('../../fixtures/24.11/kill-job.msgpack');
  await cancel(slurm, 7);
  await slurm.close();
  expect(() => player.finish()).toThrow(/in field body\/sjobId/);
});
