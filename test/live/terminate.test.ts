/** terminate and probe on real slurmctld and slurmds: proved by what the processes wrote down, and by what is left of them. */
import { expect, test } from 'vitest';
import { describeLive, liveReleases } from './support/live.js';

/** A batch script: what its shell does first, what its other processes do before they write their number down, how they are started. */
const batch = (shell: string, other: string, start: string) => `#!/bin/bash
${shell}
printf '%s\\n' '${other}' 'echo $$ >> up.$SLURM_JOB_ID' 'while :; do sleep 0.1; done' > other.$SLURM_JOB_ID
${start}
`;
const tidy = (who: string, meanwhile: string) =>
  `trap "echo ${who} TERM >> out.$SLURM_JOB_ID; ${meanwhile}; echo ${who} clean >> out.$SLURM_JOB_ID; exit 0" TERM`;
const SRUN = 'srun -n2 -N2 bash other.$SLURM_JOB_ID &';

/** Its step and its shell take their time over SIGTERM, and say when they are done. */
const TIDY_STEPS = batch(tidy('shell', 'wait'), tidy('step', 'sleep 0.5'), `${SRUN}\nwait`);
/** The same without srun, and with a shell that knows nothing of signals. */
const TIDY_CHILD = batch('', tidy('child', 'sleep 0.5'), 'bash other.$SLURM_JOB_ID');
/** Shell and step hear no SIGTERM. */
const STUBBORN = batch(
  'trap "" TERM',
  'trap "" TERM',
  `${SRUN}\necho $$ >> up.$SLURM_JOB_ID\nwhile :; do sleep 0.1; done`,
);

const soon = (graceMs: number) => ({ ladder: [{ signal: 'SIGTERM', graceMs }, { signal: 'SIGKILL' }] });

for (const release of liveReleases('22.05', '26.05')) {
  // Somebody else's job is seen on one of the clusters, and hidden on the other.
  const hides = release === '22.05';
  const parameters = {
    ...(hides ? { PrivateData: 'jobs' } : {}),
    SchedulerParameters: 'batch_sched_delay=0',
  };

  describeLive(`terminate and probe on ${release}`, { release, nodes: 2, parameters }, (live) => {
    const options = { protocol: release };
    const terminate = (...args: unknown[]) => live().alice.call('terminate', args, options);
    const probe = async (target: unknown) => (await live().alice.call('probe', [target], options)).value;

    async function runUntilUp(script: string, count: number, args: readonly string[] = []): Promise<number> {
      const { cluster, run, output } = live();
      const id = await run(script, args);
      const isUp = async () => lines(await output(`up.${id}`)).length === count;
      await cluster.waitFor(isUp, 30_000, 'its processes to be up');
      return id;
    }

    async function known(id: number): Promise<string> {
      const { stdout } = await live().cluster.exec(['squeue', '-h', '-j', `${id}`, '-o', '%T'], {
        user: 'root',
      });
      return stdout.trim();
    }

    test('processes that exit cleanly are given the time, and no SIGKILL is sent', async () => {
      const { output, cluster } = live();
      const [steps, child] = await Promise.all([
        runUntilUp(TIDY_STEPS, 2, ['-N2', '-n2']),
        runUntilUp(TIDY_CHILD, 1),
      ]);
      const [ofSteps, ofChild] = await Promise.all([
        terminate(steps, soon(20_000)),
        terminate(child, soon(20_000)),
      ]);
      expect([ofSteps.error, ofChild.error]).toEqual([undefined, undefined]);
      expect(ofSteps.value).toMatchObject({
        outcome: 'accepted',
        dead: true,
        delivered: null,
        sent: [
          { signal: 'SIGTERM', part: 'steps', outcome: 'accepted' },
          { signal: 'SIGTERM', part: 'batch', outcome: 'accepted' },
        ],
      });
      expect(ofSteps.value.sent).toHaveLength(2);
      expect(lines(await output(`out.${steps}`)).sort()).toEqual([
        'shell TERM',
        'shell clean',
        'step TERM',
        'step TERM',
        'step clean',
        'step clean',
      ]);
      expect(await cluster.jobState(steps)).toBe('COMPLETED');
      expect(ofChild.value.sent).toMatchObject([{ signal: 'SIGTERM', part: 'full', outcome: 'accepted' }]);
      expect(lines(await output(`out.${child}`))).toEqual(['child TERM', 'child clean']);
    });

    test('processes that ignore SIGTERM are killed, and none is left', async () => {
      const { cluster, output } = live();
      const id = await runUntilUp(STUBBORN, 3, ['-N2', '-n2']);
      const { value, error } = await terminate(id, soon(1_500));
      expect(error).toBeUndefined();
      expect(value).toMatchObject({
        outcome: 'accepted',
        dead: true,
        jobs: [{ state: 'CANCELLED', flags: [] }],
      });
      expect(value.sent.map(({ signal, part }: { signal: string; part: string }) => [signal, part])).toEqual([
        ['SIGTERM', 'steps'],
        ['SIGTERM', 'batch'],
        ['SIGKILL', 'job'],
      ]);
      // At once, without waiting: gone means gone.
      const pids = lines(await output(`up.${id}`));
      const alive = await cluster.exec(
        ['sh', '-c', `for p in ${pids.join(' ')}; do kill -0 $p && echo $p; done`],
        {
          user: 'root',
        },
      );
      expect(alive.stdout).toBe('');
      expect(await cluster.jobState(id)).toBe('CANCELLED');
      expect(await known(id)).toBe('');
    });

    test('a step that ignores SIGTERM: it ends, the job goes on; probe sees both', async () => {
      const { cluster, output, alice } = live();
      const id = await runUntilUp(STUBBORN, 3, ['-N2', '-n2']);
      expect(await probe(`${id}.0`)).toMatchObject({
        exists: true,
        mine: true,
        maySignal: true,
        state: 'RUNNING',
        steps: [{ target: `${id}.0`, nodes: 'n[1-2]' }],
      });
      expect(await probe(`${id}.batch`)).toMatchObject({ exists: true, steps: [{ nodes: 'n1' }] });
      const { value, error } = await terminate(`${id}.0`, soon(500));
      expect(error).toBeUndefined();
      expect(value.sent).toMatchObject([{ signal: 'SIGTERM' }, { signal: 'SIGKILL', outcome: 'accepted' }]);
      expect(value).toMatchObject({ dead: true, jobs: [{ state: 'RUNNING' }] });
      expect(await probe(`${id}.0`)).toMatchObject({
        exists: false,
        mayBeHidden: false,
        state: null,
        steps: [],
      });
      const [shell] = lines(await output(`up.${id}`));
      expect(shell).toBeDefined();
      expect(await cluster.jobState(id)).toBe('RUNNING');
      await alice.call('killJob', [id], options);
    });

    test('an array: what is pending does not start in the place of what ends', async () => {
      const { cluster, output } = live();
      const script =
        'trap "echo TERM >> out.$SLURM_ARRAY_JOB_ID; exit 0" TERM\necho $SLURM_ARRAY_TASK_ID >> up.$SLURM_ARRAY_JOB_ID\nwhile :; do sleep 0.1; done';
      const id = await cluster.submit(script, { user: 'alice', sbatchArgs: ['--array=0-3%1'] });
      await cluster.waitFor(async () => (await output(`up.${id}`)) !== '', 30_000, 'the first task');
      const { value, error } = await terminate(id, soon(20_000));
      expect(error).toBeUndefined();
      const sent = value.sent.map(
        ({ signal, target }: { signal: string; target: string }) => `${signal} ${target}`,
      );
      expect(sent[0]).toBe(`SIGKILL ${id}_[1-3]`);
      expect(sent, JSON.stringify(value)).toHaveLength(2);
      expect([await output(`up.${id}`), await output(`out.${id}`)]).toEqual(['0\n', 'TERM\n']);
    });

    test('pending, requeued, finished and unknown jobs', async () => {
      const { cluster } = live();
      const held = await cluster.submit('sleep 1000', { user: 'alice', sbatchArgs: ['--hold'] });
      expect(await probe(held)).toMatchObject({ exists: true, state: 'PENDING', jobs: [{ nodes: null }] });
      const pending = await terminate(held);
      expect(pending.value).toMatchObject({ dead: true, sent: [{ signal: 'SIGKILL', outcome: 'accepted' }] });
      expect(pending.value.elapsedMs).toBeLessThan(20_000);

      const again = await runUntilUp(STUBBORN, 3, ['-N2', '-n2', '--requeue']);
      const under = terminate(again, soon(20_000));
      await cluster.waitFor(async () => await isSignalled(), 20_000, 'SIGTERM');
      await cluster.exec(['scontrol', 'requeue', `${again}`], { user: 'alice' });
      const requeued = await under;
      expect(requeued.error).toBeUndefined();
      expect(requeued.value).toMatchObject({ dead: true, requeued: [again] });
      expect(await known(again)).toBe('');

      expect(await probe(again)).toMatchObject({ exists: true, mine: true, state: 'CANCELLED', flags: [] });
      expect((await terminate(again)).error).toMatchObject({
        code: 'ESLURM_ALREADY_DONE',
        outcome: 'not-sent',
      });
      expect(await probe(999_999)).toMatchObject({
        exists: false,
        mayBeHidden: true,
        mine: null,
        maySignal: null,
        jobs: [],
      });
      expect((await terminate(999_999)).error).toMatchObject({
        code: 'ESLURM_INVALID_JOB_ID',
        errno: 'ESRCH',
      });
      expect((await terminate(999_999, { idempotent: true })).value).toMatchObject({ outcome: 'not-sent' });

      async function isSignalled(): Promise<boolean> {
        return (await live().output(`slurm-${again}.out`)).includes('CANCELLED');
      }
    });

    test("somebody else's job", async () => {
      const { alice, bob, run } = live();
      const id = await run('sleep 1000');
      const { value } = await bob.call('probe', [id], options);
      if (hides) expect(value).toMatchObject({ exists: false, mayBeHidden: true, jobs: [] });
      else {
        expect(value).toMatchObject({ exists: true, mine: false, maySignal: null, state: 'RUNNING' });
        const { error } = await bob.call('terminate', [id], options);
        expect(error).toMatchObject({ code: 'ESLURM_ACCESS_DENIED', outcome: 'refused' });
      }
      expect((await alice.call('probe', [id], options)).value).toMatchObject({ exists: true, mine: true });
      await alice.call('killJob', [id], options);
    });
  });
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}
