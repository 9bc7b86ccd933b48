/** One array task, one component, a scrontab job without its line: on a live controller, only what was named is hit. */
import { writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { describeLive, describeReal, type Live, liveReleases } from './support/live.js';

const LISTENER = `trap 'echo USR1 >> heard.$SLURM_JOB_ID' USR1
srun -n1 bash -c 'trap "echo USR1 >> heard.$SLURM_JOB_ID" USR1; touch up.$SLURM_JOB_ID; while :; do sleep 0.1; done' &
while :; do sleep 0.1; done`;

/** Het jobs are started by the backfill scheduler alone. */
const HET = { SchedulerParameters: 'batch_sched_delay=0,bf_interval=1' };

/** One step of both components, whose tasks write as long as they live. */
const HET_STEP = `#!/bin/bash
#SBATCH -n1 -N1
#SBATCH hetjob
#SBATCH -n1 -N1
srun --kill-on-bad-exit=0 --het-group=0,1 bash -c 'while :; do echo >> tick.$SLURM_JOB_ID.$SLURM_PROCID; sleep 0.1; done' &
while :; do sleep 0.1; done`;

for (const release of liveReleases('22.05', '26.05')) {
  const options = { protocol: release };
  describeLive(
    `only what was named is hit, on ${release}`,
    { release, nodes: 2, parameters: HET },
    (live) => {
      test('one running task of an array that has pending ones', async () => {
        const { alice, cluster, output } = live();
        const id = await cluster.submit(LISTENER, {
          user: 'alice',
          sbatchArgs: ['--array=0-3%2', '-n1', '--overcommit'],
        });
        const [first = 0, second = 0] = await runningTasks(live(), id);
        for (const task of [first, second]) await live().waitForFile(`up.${task}`);
        const told = await alice.call('killJob', [`${id}_1`, 'SIGUSR1'], options);
        expect(told.error).toBeUndefined();
        expect(told.value).toMatchObject({
          outcome: 'accepted',
          target: `${id}_1`,
          rpc: 'REQUEST_CANCEL_JOB_STEP',
        });
        const task = await ownNumber(live(), `${id}_1`);
        await cluster.waitFor(async () => (await output(`heard.${task}`)) === 'USR1\n', 20_000, 'the signal');
        expect(await output(`heard.${task === first ? second : first}`)).toBe('');

        // The same by the number that squeue shows for it, by a list and as a process.
        for (const [verb, ...args] of [
          ['killJob', task, 'SIGUSR1'],
          ['killJobs', [`${id}_1`], 'SIGUSR1'],
          ['kill', task, 'SIGUSR1'],
          ['kill', `${id}_1`, 'SIGUSR1'],
        ] as const) {
          const before = await output(`heard.${task}`);
          const { error, value } = await alice.call(verb, args as unknown as unknown[], options);
          expect(error, verb).toBeUndefined();
          expect(value).toMatchObject({ outcome: 'accepted' });
          await cluster.waitFor(
            async () => (await output(`heard.${task}`)) === `${before}USR1\n`,
            20_000,
            verb,
          );
        }
        expect(await output(`heard.${task === first ? second : first}`)).toBe('');

        const pending = await alice.call('killJob', [`${id}_3`, 'SIGUSR1'], options);
        expect(pending.error).toMatchObject({ number: 2020, errno: 'EAGAIN', outcome: 'not-sent' });
        const { bob } = live();
        const foreign = await bob.call('killJob', [`${id}_1`, 'SIGUSR1'], options);
        expect(foreign.error).toMatchObject({ number: 2002, errno: 'EPERM', outcome: 'refused' });
        await alice.call('killJob', [id], options);
      });

      test("SIGKILL to a het leader's step, and the same step of the other component goes on", async () => {
        const { alice, cluster, output } = live();
        const id = await cluster.submit(HET_STEP, { user: 'alice' });
        const ticks = async (task: number) => (await output(`tick.${id}.${task}`)).length;
        await cluster.waitFor(async () => (await ticks(0)) > 0 && (await ticks(1)) > 0, 60_000, 'both tasks');
        const steps = async () => {
          const { stdout } = await cluster.exec(['squeue', '-h', '-s', '-o', '%i'], { user: 'root' });
          return stdout.trim().split('\n');
        };
        expect(await steps()).toEqual(expect.arrayContaining([`${id}.0`, `${id + 1}.0`]));

        // Before protocol 24.05 the plain number goes to the controller, as scancel's does.
        const step = release < '24.05' ? `${id}+0.0` : `${id}.0`;
        const told = await alice.call('killJobStep', [step], options);
        expect(told.error).toBeUndefined();
        expect(told.value).toMatchObject({
          outcome: 'accepted',
          target: step,
          rpc: 'REQUEST_TERMINATE_TASKS',
        });
        await cluster.waitFor(async () => !(await steps()).includes(`${id}.0`), 20_000, 'the step to end');
        const [dead, alive] = [await ticks(0), await ticks(1)];
        await cluster.waitFor(async () => (await ticks(1)) > alive + 5, 20_000, 'the other to go on');
        expect(await ticks(0)).toBe(dead);
        expect(await steps()).toContain(`${id + 1}.0`);
        await alice.call('killJob', [id], options);
      });
    },
  );
}

/** Debian's 22.05 comes without scrontab. */
const RELEASE = '26.05';
const SCRONTAB = { ScronParameters: 'enable', SchedulerParameters: 'batch_sched_delay=0,bf_interval=1' };

describeReal(`scrontab jobs of ${RELEASE}`, { release: RELEASE, nodes: 2, parameters: SCRONTAB }, (live) => {
  const options = { protocol: RELEASE };

  /** Starts every minute; the user's only job. */
  const setScrontab = async (script: string) => {
    const { cluster } = live();
    const file = `${cluster.workDirectory}/cron.sh`;
    await writeFile(file, `#!/bin/bash\n${script}\n`, { mode: 0o755 });
    const input = `#SCRON -D ${cluster.workDirectory}\n* * * * * ${file}\n`;
    const { code, stderr } = await cluster.exec(['scrontab', '-'], { user: 'alice', input });
    expect(code, stderr).toBe(0);
  };
  const squeue = async (...args: string[]) => {
    const { stdout } = await live().cluster.exec(['squeue', '-h', '-u', 'alice', ...args], { user: 'alice' });
    return stdout.trim();
  };
  const scrontab = async () =>
    (await live().cluster.exec(['scrontab', '-l'], { user: 'alice' })).stdout.trim();

  test('are signalled and killed, and their line stays on; it goes when that is meant', async () => {
    const { alice, cluster, output } = live();
    await setScrontab(LISTENER);
    const line = await scrontab();
    const pending = Number(await squeue('-t', 'PD', '-o', '%A'));
    const early = await alice.call('killJob', [pending], options);
    expect(early.error).toMatchObject({ number: 2098, outcome: 'not-sent' });
    const asked = await alice.call('kill', [pending, 0], options);
    expect(asked.value).toMatchObject({ outcome: 'accepted', unixSignal: 0, count: 1 });
    const all = await alice.call('kill', [-1, 'SIGTERM', { broad: true }], options);
    expect(all.error).toMatchObject({ errno: 'EAGAIN', outcome: 'not-sent' });
    expect(await scrontab()).toBe(line);

    await cluster.waitFor(
      async () => (await squeue('-t', 'R', '-o', '%A')) !== '',
      100_000,
      'the scrontab job',
    );
    const id = Number(await squeue('-t', 'R', '-o', '%A'));
    await live().waitForFile(`up.${id}`);
    const heard = await alice.call('killJob', [id, 'SIGUSR1'], options);
    expect(heard.error).toBeUndefined();
    expect(heard.value).toMatchObject({ outcome: 'accepted', rpc: 'REQUEST_CANCEL_JOB_STEP' });
    await cluster.waitFor(async () => (await output(`heard.${id}`)) === 'USR1\n', 20_000, 'the signal');

    // The run ends, and the next one waits for its minute.
    const killed = await alice.call('killJob', [id], options);
    expect(killed.value).toMatchObject({ outcome: 'accepted', rpc: 'REQUEST_CANCEL_JOB_STEP' });
    await cluster.waitFor(
      async () => (await squeue('-t', 'PD')) !== '',
      30_000,
      'the next run to be pending',
    );
    expect(await scrontab()).toBe(line);

    const meant = await alice.call('killJob', [id, 'SIGKILL', { cron: true }], options);
    expect(meant.value).toMatchObject({ outcome: 'accepted', rpc: 'REQUEST_KILL_JOB' });
    await cluster.waitFor(async () => (await scrontab()).includes('DISABLED'), 20_000, 'the line to be off');
  }, 240_000);
});

async function runningTasks({ cluster }: Live, array: number): Promise<number[]> {
  const list = async () => {
    const { stdout } = await cluster.exec(['squeue', '-h', '-j', `${array}`, '-t', 'R', '-o', '%A'], {
      user: 'root',
    });
    return stdout.split('\n').filter(Boolean).map(Number);
  };
  await cluster.waitFor(async () => (await list()).length === 2, 30_000, 'two tasks to run');
  return list();
}

async function ownNumber({ cluster }: Live, task: string): Promise<number> {
  return Number((await cluster.exec(['squeue', '-h', '-j', task, '-o', '%A'], { user: 'root' })).stdout);
}
