// node --test cancel.node.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from 'slurmwire';
import { play, readFixture, serveReplay } from 'slurmwire/replay';
import { cancel } from './cancel.mjs';

const fixture = (/** @type {string} */ name) =>
  readFixture(new URL(`../../fixtures/24.11/${name}.msgpack`, import.meta.url).pathname);

test('a running job', async () => {
  const player = play(await fixture('kill-job'));
  const { transport, auth } = player;
  const slurm = await connect({ controllers: ['cluster:6817'], slurmUser: 64030, transport, auth });
  assert.equal(await cancel(slurm, 1), 'job 1 is being cancelled');
  await slurm.close();
  player.finish();
});

test('the answer comes one byte at a time', async () => {
  const player = play(await fixture('kill-job-unknown'), { split: 1 });
  const { transport, auth } = player;
  const slurm = await connect({ controllers: ['cluster:6817'], slurmUser: 64030, transport, auth });
  assert.equal(await cancel(slurm, 4242), 'there is no job 4242');
  await slurm.close();
  player.finish();
});

test('over TCP, for a client in another process, or of another language', async (t) => {
  const recorded = await fixture('kill-job');
  const server = await serveReplay(recorded);
  t.after(() => server.close());
  const { host = '', port = 0 } = server.endpoints.get('slurmctld') ?? {};
  // Any credential will do: the server compares everything else. This one is the recording's own.
  const { auth } = play(recorded);
  const slurm = await connect({ controllers: [`${host}:${port}`], slurmUser: 64030, auth });
  assert.equal(await cancel(slurm, 1), 'job 1 is being cancelled');
  await slurm.close();
  server.finish();
});
