/**
 * killJobs on real slurmctlds: by REQUEST_KILL_JOBS where the release has it, else by lookup, with the same answers.
 *
 * The clusters have no accounting storage: an unprivileged KILL_JOBS without its own user filter could hang them. That they go on
 * answering is part of what is tested here.
 */
import { expect, test } from 'vitest';
import type { KilledJob, KilledJobs } from '../../src/rpc/index.js';
import { Actor } from './support/actor.js';
import { describeLive, type Live } from './support/live.js';

for (const release of ['20.11', '22.05', '24.11', '26.05'] as const) {
  const rpc = release < '23.11' ? 'REQUEST_KILL_JOB' : 'REQUEST_KILL_JOBS';

  // Het jobs are started by the backfill scheduler alone, which looks every 30 s unless told otherwise.
  const parameters = { SchedulerParameters: 'batch_sched_delay=0,bf_interval=1' };

  describeLive(`killJobs on a live ${release}`, { release, parameters }, (live) => {
    const kill = async (who: 'alice' | 'bob', ...args: unknown[]): Promise<KilledJobs> => {
      const { value, error } = await live()[who].call('killJobs', args, { protocol: release });
      expect(error).toBeUndefined();
      return value;
    };
    const held = (user: 'alice' | 'bob', ...sbatchArgs: string[]) =>
      live().cluster.submit('sleep 1000', { user, sbatchArgs: ['--hold', ...sbatchArgs] });
    const stillAnswers = async ({ cluster, alice }: Live) => {
      expect((await alice.call('ping', [], { protocol: release })).value).toMatchObject([{ up: true }]);
      expect((await cluster.exec(['squeue', '-h'], { user: 'bob' })).code).toBe(0);
    };
    const brief = ({ jobs }: KilledJobs) => Object.fromEntries(jobs.map((job) => [job.target, short(job)]));
    const short = ({ outcome, number }: KilledJob) => `${outcome} ${number}`;

    test('three jobs by ids, running and pending', async () => {
      const { cluster, run } = live();
      const ids = [await run('sleep 1000'), await held('alice'), await run('sleep 1000')];
      const killed = await kill('alice', ids);
      expect(killed).toMatchObject({
        outcome: 'accepted',
        rpc,
        unixSignal: 9,
        userId: null,
        protocol: release,
      });
      expect(killed.peer).toBe(`127.0.0.1:${cluster.controller.port}`);
      expect(killed.jobs).toHaveLength(3);
      for (const id of ids) {
        const entry = killed.jobs.find(({ jobId }) => jobId === id);
        const like = { target: `${id}`, outcome: 'accepted', number: 0, code: null, message: null };
        expect(entry).toMatchObject(like);
        await cluster.waitForJob(id, ['CANCELLED']);
      }
    });

    test("by name: the caller's own only, and nothing where nothing matches", async () => {
      const { cluster } = live();
      const mine = [await held('alice', '--job-name=sim'), await held('alice', '--job-name=sim')];
      const other = await held('alice', '--job-name=other');
      const bobs = await held('bob', '--job-name=sim');
      const killed = await kill('alice', { name: 'sim' });
      expect(killed).toMatchObject({ outcome: 'accepted', rpc, userId: cluster.users.alice.uid });
      expect(new Set(killed.jobs.map(({ jobId }) => jobId))).toEqual(new Set(mine));
      for (const id of mine) expect(await cluster.jobState(id)).toBe('CANCELLED');
      for (const id of [other, bobs]) expect(await cluster.jobState(id)).toBe('PENDING');
      const again = await kill('alice', { name: 'sim' });
      expect(again).toMatchObject({ outcome: 'nothing-matched', jobs: [] });
      expect(again.message).toContain('nothing was signalled');
      await kill('alice', [other]);
      await kill('bob', [bobs]);
      await stillAnswers(live());
    });

    test("SlurmUser's filter means anybody's jobs", async () => {
      const { cluster } = live();
      const theirs = [await held('alice', '--job-name=anyone'), await held('bob', '--job-name=anyone')];
      const slurm = await Actor.start(cluster.users.slurm, { conf: cluster.slurmConf });
      try {
        const { value } = await slurm.call('killJobs', [{ name: 'anyone' }], { protocol: release });
        // First contact; the lookup and one for each job, or one for both.
        const rpcs = release < '23.11' ? 4 : 2;
        expect(value).toMatchObject({ outcome: 'accepted', rpc, userId: null, rpcs });
        expect(new Set(value.jobs.map(({ jobId }: KilledJob) => jobId))).toEqual(new Set(theirs));
      } finally {
        await slurm.stop();
      }
      for (const id of theirs) expect(await cluster.jobState(id)).toBe('CANCELLED');
      await stillAnswers(live());
    });

    test('a component named beside its leader gets the signal once', async () => {
      const { cluster, output, waitForFile } = live();
      const program =
        "trap 'echo $SLURM_PROCID >> twice.out' USR1; touch twice.$SLURM_PROCID; while :; do sleep 0.1; done";
      const script = `srun --het-group=0,1 sh -c "${program.replaceAll('$', '\\$')}"`;
      const id = await cluster.submit(script, { user: 'alice', sbatchArgs: ['-n1', ':', '-n1'] });
      for (const name of ['twice.0', 'twice.1']) await waitForFile(name);
      const killed = await kill('alice', [id, `${id}+1`], 'SIGUSR1');
      expect(brief(killed)).toEqual({ [id]: 'accepted 0', [`${id}+1`]: 'accepted 0' });
      const heard = async () => (await output('twice.out')).trim().split('\n').sort();
      await cluster.waitFor(async () => (await heard()).length >= 2, 20_000, 'the signals');
      // A second one would have been sent before this one, which arrives after it.
      await kill('alice', [id], 'SIGUSR1');
      await cluster.waitFor(async () => (await heard()).length >= 4, 20_000, 'the next signals');
      expect(await heard()).toEqual(['0', '0', '1', '1']);
      await kill('alice', [id]);
    });

    test('tasks of an array, and the rest of it', async () => {
      const { cluster } = live();
      const id = await held('alice', '--array=0-9');
      const killed = await kill('alice', [`${id}_3`, `${id}_[1-2]`, `${id}_[2,77]`]);
      expect(brief(killed)).toEqual({
        [`${id}_[1-3]`]: 'accepted 0',
        [release < '23.11' ? `${id}_77` : `${id}_[77]`]: 'refused 2017',
      });
      expect(killed.outcome).toBe('partial');
      const left = async () =>
        (await cluster.exec(['squeue', '-h', '-r', '-j', `${id}`, '-o', '%K'], { user: 'root' })).stdout;
      expect((await left()).trim().split('\n').sort()).toEqual(['0', '4', '5', '6', '7', '8', '9']);
      expect((await kill('alice', [`${id}_*`])).outcome).toMatch(/accepted|partial/);
      expect(await left()).toBe('');
    });

    test("an unknown id, a finished job, one of bob's and an own one: each has its true answer, and bob's lives", async () => {
      const { cluster, run } = live();
      const done = await run('sleep 0.1');
      await cluster.waitForJob(done, ['COMPLETED']);
      const mine = await held('alice');
      const bobs = await cluster.submit('sleep 1000', { user: 'bob' });
      const bobsArray = await held('bob', '--array=0-2');
      await cluster.waitForJob(bobs, ['RUNNING']);
      const killed = await kill('alice', [4_242_424, done, bobs, mine, `${bobsArray}_1`]);
      expect(brief(killed)).toEqual({
        4242424: 'refused 2017',
        [done]: 'refused 2021',
        [bobs]: 'refused 2002',
        [mine]: 'accepted 0',
        [`${bobsArray}_1`]: 'refused 2002',
      });
      expect(killed.outcome).toBe('partial');
      expect(await cluster.jobState(bobs)).toBe('RUNNING');
      expect(await cluster.jobState(bobsArray)).toBe('PENDING');
      expect(await cluster.jobState(mine)).toBe('CANCELLED');
      // Bob's jobs by a filter: asked for one by one, and refused.
      const byUid = await kill('alice', { user: cluster.users.bob.uid, state: 'RUNNING' });
      expect(brief(byUid)).toEqual({ [bobs]: 'refused 2002' });
      expect(byUid).toMatchObject({ outcome: 'refused', rpc: 'REQUEST_KILL_JOB' });
      await stillAnswers(live());
      expect(await cluster.jobState(bobs)).toBe('RUNNING');
      expect((await kill('bob', [bobs, bobsArray])).outcome).toBe('accepted');
    });

    test('only those of a state, and only those that fit the filter beside their ids', async () => {
      const { cluster, run } = live();
      const running = await run('sleep 1000');
      const pending = await held('alice', '--job-name=waits');
      expect(
        brief(await kill('alice', { ids: [running, pending], name: 'waits', state: 'RUNNING' })),
      ).toEqual({
        [running]: 'refused 2172',
        [pending]: 'refused 2172',
      });
      expect(brief(await kill('alice', { state: 'PENDING' }))).toEqual({ [pending]: 'accepted 0' });
      expect(await cluster.jobState(running)).toBe('RUNNING');
      expect(brief(await kill('alice', { state: 'RUNNING' }))).toEqual({ [running]: 'accepted 0' });
    });

    test('a het component by itself, and a leader whose 2021 proves nothing: unknown', async () => {
      const { cluster, alice, output, waitForFile } = live();
      const script = 'trap "echo got USR1 >> out.het" USR1\ntouch ready.het\nwhile :; do sleep 0.1; done';
      const id = await cluster.submit(script, { user: 'alice', sbatchArgs: ['-n1', ':', '-n1'] });
      await cluster.waitForJob(id, ['RUNNING']);
      await waitForFile('ready.het');
      expect(brief(await kill('alice', [`${id}+1`]))).toEqual({ [`${id}+1`]: 'accepted 0' });
      const state = async () =>
        (await cluster.exec(['squeue', '-h', '-t', 'all', '-j', `${id}`, '-o', '%i %T'], { user: 'root' }))
          .stdout;
      await cluster.waitFor(async () => (await state()).includes(`${id}+1 CANCELLED`), 20_000, 'it to end');
      expect(await state()).toContain(`${id}+0 RUNNING`);
      const killed = await kill('alice', [id], 'SIGUSR1', { batch: true });
      expect(killed.jobs.find(({ target }) => target === `${id}`)).toMatchObject({
        outcome: 'unknown',
        code: 'ESLURM_ALREADY_DONE',
      });
      await cluster.waitFor(async () => (await output('out.het')) !== '', 20_000, 'the signal');
      await alice.call('killJob', [id], { protocol: release });
    });

    test('N+K of a job that has no components: the job numbered N + K lives', async () => {
      const { cluster } = live();
      const first = await held('alice');
      const next = await held('alice');
      expect(next).toBe(first + 1);
      const { jobs } = await kill('alice', [`${first}+1`]);
      expect(jobs).toHaveLength(1);
      expect(jobs[0]).toMatchObject({ target: `${first}+1` });
      expect(jobs[0]?.outcome).not.toBe('accepted');
      for (const id of [first, next]) expect(await cluster.jobState(id)).toBe('PENDING');
      await kill('alice', [first, next]);
    });
  });
}
