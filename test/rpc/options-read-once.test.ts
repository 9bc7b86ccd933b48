/** What a call is made with is what it does, whatever becomes of the caller's objects while it waits. */
import { describe, expect, it } from 'vitest';
import { decodeBody } from '../../src/protocol/index.js';
import { FakeController } from './support/fan-out-controller.js';
import { answering, rc } from './support/replies.js';
import { ScriptedPeer } from './support/scripted-peer.js';
import { clientOf } from './support/setup.js';

const KILL = 'REQUEST_KILL_JOB';
const sentKills = (peer: ScriptedPeer) =>
  peer.connections.flatMap(({ request }) =>
    request?.name === KILL ? [decodeBody(KILL, '22.05', request.frame.body)] : [],
  );

describe('options', () => {
  it.each([
    ['a version that is given', { release: '22.05' }],
    ['a version that is found', { release: '22.05', findsVersion: true }],
  ] as const)('used again for the next call, %s', async (_, given) => {
    await using controller = await FakeController.start('22.05');
    const { peer } = controller;
    const slurm = clientOf([peer.endpoint], given);
    const options: Record<string, boolean> = { batch: true };
    const first = slurm.killJob(7, 'SIGUSR1', options);
    options.batch = false;
    options.full = true;
    const second = slurm.killJob(8, 'SIGUSR1', options);
    delete options.full;
    await Promise.all([first, second]);
    const flags = new Map(sentKills(peer).map(({ sjobId, flags: bits }) => [sjobId, bits]));
    expect(flags).toEqual(
      new Map([
        ['7', 0x0001],
        ['8', 0x0008],
      ]),
    );
  });

  it('with getters: each is asked once', async () => {
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(0) }));
    const asked: string[] = [];
    const options = {};
    for (const name of ['batch', 'cron', 'hurry', 'idempotent', 'wholeHetJob'])
      Object.defineProperty(options, name, {
        enumerable: true,
        get: () => {
          asked.push(name);
          return asked.filter((one) => one === name).length === 1;
        },
      });
    await clientOf([peer.endpoint]).killJob(7, 'SIGUSR1', options);
    expect([...asked].sort()).toEqual(['batch', 'cron', 'hurry', 'idempotent', 'wholeHetJob']);
    expect(sentKills(peer)).toMatchObject([{ flags: 0x0021 }]);
  });

  it('of a class, behind its own', async () => {
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(0) }));
    class Options {
      get batch() {
        return true;
      }
    }
    await clientOf([peer.endpoint]).killJob(7, 'SIGUSR1', new Options());
    expect(sentKills(peer)).toMatchObject([{ flags: 0x0001 }]);
  });
});

describe('the jobs of killJobs', () => {
  it('a list that is emptied for the next ones', async () => {
    await using controller = await FakeController.start('22.05');
    controller.jobs = [7, 8, 9].map((jobId) => ({ jobId, userId: 1000 }));
    const ids = [7, 8];
    const work = clientOf([controller.peer.endpoint], { findsVersion: true }).killJobs(ids, 'SIGUSR1');
    ids.splice(0, 2, 9);
    expect((await work).jobs.map(({ target }) => target)).toEqual(['7', '8']);
  });

  it('a filter that is gone at the second look is a filter still', async () => {
    await using controller = await FakeController.start('22.05');
    controller.jobs = [
      { jobId: 7, userId: 1000, name: 'mine' },
      { jobId: 8, userId: 1000, name: 'other' },
    ];
    let asked = 0;
    const filter = {
      user: 1000,
      get name() {
        return ++asked === 1 ? 'mine' : undefined;
      },
    };
    const slurm = clientOf([controller.peer.endpoint]);
    const { jobs } = await slurm.killJobs(filter as { user: number; name: string }, 'SIGUSR1');
    expect(jobs.map(({ target }) => target)).toEqual(['7']);
  });
});
