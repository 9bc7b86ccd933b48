/** kill() on live controllers: whom it reaches, and that signal 0 reaches nobody. */
import { expect, test } from 'vitest';
import type { Killed } from '../../src/index.js';
import { describeLive, liveReleases } from './support/live.js';

/** Shell and step write down every signal they get but SIGTERM, which ends them, and where they run. */
const LISTENER = `#!/bin/bash
listen() { for s in HUP INT QUIT USR1 USR2 PIPE ALRM CONT URG WINCH; do trap "echo $1 $s >> heard.$SLURM_JOB_ID" $s; done; }
echo "$SLURM_JOB_ID $SLURM_CLUSTER_NAME" > own.$SLURM_JOB_ID
listen batch
export -f listen
srun -n1 bash -c 'listen step; touch up.$SLURM_JOB_ID; while :; do sleep 0.1; done' &
while :; do sleep 0.1; done`;

// Het jobs are started by the backfill scheduler alone, which looks every 30 s unless told otherwise.
const parameters = { SchedulerParameters: 'batch_sched_delay=0,bf_interval=1' };

for (const release of liveReleases('22.05', '26.05')) {
  describeLive(`kill() on ${release}`, { release, nodes: 2, parameters }, (live) => {
    const tell = (who: 'alice' | 'bob', ...args: unknown[]) =>
      live()[who].call('kill', args, { protocol: release });
    const kill = async (...args: unknown[]): Promise<Killed> => {
      const { value, error } = await tell('alice', ...args);
      expect(error, error?.message).toBeUndefined();
      return value;
    };
    const brief = ({ targets }: Killed) =>
      targets.map(({ target, outcome, errno }) => [target, outcome, errno].join(' ')).sort();
    const submit = (user: 'alice' | 'bob', ...sbatchArgs: string[]) =>
      live().cluster.submit(LISTENER, { user, sbatchArgs: ['-n1', '--overcommit', ...sbatchArgs] });
    const listening = async (jobId: number) => {
      await live().waitForFile(`up.${jobId}`);
      return jobId;
    };
    const heard = async (jobId: number, expected: string) => {
      const { cluster, output } = live();
      const all = async () => (await output(`heard.${jobId}`)).trim().split('\n').join(', ');
      const isThere = async () => (await all()).length >= expected.length;
      await cluster.waitFor(isThere, 20_000, `${expected} in job ${jobId}`);
      expect(await all()).toBe(expected);
    };
    /** Later calls come from within this job, as it sees itself. */
    const runIn = async (jobId: number) => {
      const [number = '', cluster = ''] = (await live().output(`own.${jobId}`)).trim().split(' ');
      live().alice.environment = { SLURM_JOB_ID: number, SLURM_CLUSTER_NAME: cluster };
      return { number, cluster };
    };
    const numbersOf = async (array: number, state: string): Promise<number[]> => {
      const argv = ['squeue', '-h', '-j', `${array}`, '-t', state, '-o', '%A'];
      const { stdout } = await live().cluster.exec(argv, { user: 'root' });
      return stdout.split('\n').filter(Boolean).map(Number);
    };

    test('signal 0 tells who is there and whose it is, and nobody hears it', async () => {
      const { cluster } = live();
      const held = await submit('alice', '--hold');
      const id = await listening(await submit('alice'));
      for (const target of [id, `${id}.0`, `${id}.batch`, -id, held, `${id}`])
        expect(await kill(target, 0)).toMatchObject({ outcome: 'accepted', unixSignal: 0, count: 1 });
      expect(await kill(-1, 0, { broad: true })).toMatchObject({ count: 2 });
      for (const target of [4_242_424, `${id}.7`, `${held}.batch`, `${id}_1`, -4_242_424])
        expect((await tell('alice', target, 0)).error).toMatchObject({ errno: 'ESRCH', outcome: 'not-sent' });
      for (const target of [id, `${id}.0`, -id, held]) {
        const { error } = await tell('bob', target, 0);
        expect(error).toMatchObject({ errno: 'EPERM', outcome: 'refused' });
      }
      expect((await tell('bob', -1, 0, { broad: true })).error).toMatchObject({ errno: 'ESRCH' });

      // Each its own, in order: whatever came before them was heard before them.
      expect(await kill(id, 'SIGUSR1')).toMatchObject({ outcome: 'accepted', count: 1 });
      await heard(id, 'step USR1');
      await kill(`${id}.0`, 'SIGHUP');
      await heard(id, 'step USR1, step HUP');
      await kill(id, 'SIGUSR2', { batch: true });
      await heard(id, 'step USR1, step HUP, batch USR2');
      expect((await tell('alice', held, 'SIGUSR1')).error).toMatchObject({ errno: 'EAGAIN' });
      expect((await tell('bob', id, 'SIGKILL')).error).toMatchObject({ errno: 'EPERM', outcome: 'refused' });
      expect(await cluster.jobState(id)).toBe('RUNNING');

      for (const job of [id, held]) {
        expect(await kill(job, 'SIGKILL')).toMatchObject({ outcome: 'accepted' });
        await cluster.waitForJob(job, ['CANCELLED']);
        for (const signal of [0, 'SIGTERM']) {
          const { error } = await tell('alice', job, signal);
          expect(error).toMatchObject({ errno: 'ESRCH', code: 'ESLURM_ALREADY_DONE' });
          const foreign = await tell('bob', job, signal);
          expect(foreign.error).toMatchObject({ errno: 'EPERM', outcome: 'refused' });
        }
      }
    });

    test('an array is a group, its tasks are jobs, and a task finds itself', async () => {
      const { alice, cluster, waitForFile } = live();
      const array = await submit('alice', '--array=0-3%2');
      await cluster.waitFor(
        async () => (await numbersOf(array, 'R')).length === 2,
        30_000,
        'two tasks to run',
      );
      const [first = 0, second = 0] = (await numbersOf(array, 'R')).sort((a, b) => a - b);
      for (const task of [first, second]) await waitForFile(`up.${task}`);

      for (const signal of [0, 'SIGKILL'])
        expect((await tell('alice', array, signal)).error).toMatchObject({ code: 'SLURMWIRE_NOT_ONE_JOB' });
      expect(brief(await kill(-array, 0))).toEqual(
        ['0', '1', '[2-3]'].map((task) => `${array}_${task} accepted `),
      );
      const some = await kill(-array, 'SIGUSR1');
      expect(some).toMatchObject({ outcome: 'partial', count: 2 });
      const tasks = ['0 accepted ', '1 accepted ', '[2-3] refused EAGAIN'].map((one) => `${array}_${one}`);
      expect(brief(some)).toEqual(tasks);
      for (const task of [first, second]) await heard(task, 'step USR1');

      await kill(first, 'SIGUSR2');
      await heard(first, 'step USR1, step USR2');
      await runIn(second);
      await kill(0, 'SIGUSR2', { batch: true });
      await heard(second, 'step USR1, batch USR2');
      await heard(first, 'step USR1, step USR2');
      alice.environment = {};

      expect(await kill(`${array}_[2-3]`, 'SIGKILL')).toMatchObject({ outcome: 'accepted' });
      const rest = await kill(-array, 'SIGKILL');
      expect(rest.count).toBe(2);
      for (const task of [first, second]) await cluster.waitForJob(task, ['CANCELLED']);
      expect((await tell('alice', -array, 0)).error).toMatchObject({ errno: 'ESRCH' });
      expect((await tell('alice', -array, 'SIGTERM')).error).toMatchObject({ errno: 'ESRCH' });
    });

    test('a heterogeneous job is a group', async () => {
      const { cluster, output, waitForFile } = live();
      const script = `${LISTENER.replace('srun', 'srun --het-group=1 bash -c \'echo "$SLURM_JOB_ID" > part.$SLURM_HET_SIZE\'\nsrun')}`;
      const id = await cluster.submit(script, { user: 'alice', sbatchArgs: ['-n1', ':', '-n1'] });
      await waitForFile(`up.${id}`);
      for (const signal of [0, 'SIGKILL'])
        expect((await tell('alice', id, signal)).error).toMatchObject({ code: 'SLURMWIRE_NOT_ONE_JOB' });
      expect(brief(await kill(-id, 0))).toEqual([`${id} accepted `]);
      expect(brief(await kill(`${id}+1`, 0))).toEqual([`${id}+1 accepted `]);
      // A component, too, goes by the leader's number.
      expect(await output('part.2')).toBe(`${id}\n`);
      await runIn(id);
      // Whoever is in a het job is in all of it.
      expect((await tell('alice', -1, 'SIGKILL', { broad: true })).error).toMatchObject({ errno: 'ESRCH' });
      await kill(0, 'SIGUSR1');
      await heard(id, 'step USR1');
      live().alice.environment = {};
      expect(await kill(-id, 'SIGKILL')).toMatchObject({ outcome: 'accepted', count: 1 });
      for (const job of [id, id + 1]) await cluster.waitForJob(job, ['CANCELLED']);
    });

    test("-1 is all of alice's but the job she is in, and none of bob's", async () => {
      const { alice, cluster } = live();
      const [own, other, bobs] = [await submit('alice'), await submit('alice'), await submit('bob')];
      for (const job of [own, other, bobs]) await listening(job);
      const held = await submit('alice', '--hold', '--array=1-2');
      const { number, cluster: name } = await runIn(own);
      expect([number, name]).toEqual([`${own}`, 'lab']);
      expect((await tell('alice', -1, 'SIGKILL')).error).toMatchObject({ field: 'broad', errno: 'EINVAL' });
      const killed = await kill(-1, 'SIGKILL', { broad: true });
      expect(killed).toMatchObject({ outcome: 'accepted', count: 2 });
      expect(brief(killed)).toEqual([`${other} accepted `, `${held}_[1-2] accepted `].sort());
      for (const job of [other, held]) await cluster.waitForJob(job, ['CANCELLED']);
      for (const job of [own, bobs]) expect(await cluster.jobState(job)).toBe('RUNNING');

      alice.environment = { SLURM_JOB_ID: number, SLURM_CLUSTER_NAME: 'elsewhere' };
      expect((await tell('alice', 0, 'SIGKILL')).error).toMatchObject({ code: 'SLURMWIRE_NOT_IN_A_JOB' });
      expect(await cluster.jobState(own)).toBe('RUNNING');
      await runIn(own);
      expect(await kill(0, 'SIGKILL')).toMatchObject({ outcome: 'accepted', target: '0', count: 1 });
      await cluster.waitForJob(own, ['CANCELLED']);
      expect((await tell('alice', 0, 0)).error).toMatchObject({ errno: 'ESRCH' });
      alice.environment = {};
      expect((await tell('alice', 0, 0)).error).toMatchObject({ errno: 'ESRCH', outcome: 'not-sent' });
      expect((await tell('bob', -bobs, 'SIGKILL')).value).toMatchObject({ outcome: 'accepted' });
    });
  });
}
