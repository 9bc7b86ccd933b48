/** Jobs with a step manager (`enable_stepmgr`) on real daemons: lookups of steps go to its slurmd, and no signal to a step that is not there passes for one. */
import { expect, test } from 'vitest';
import type { Release } from '../../src/index.js';
import { lines, startListeningJob } from './support/listening-job.js';
import { describeLive } from './support/live.js';

const RELEASES: readonly Release[] = ['24.11', '26.05'];
// For all jobs, and not for those alone that ask for one (the lab's option stepmgr).
const parameters = { SlurmctldParameters: 'enable_stepmgr', PrologFlags: 'contain' };

for (const release of RELEASES) {
  describeLive(`jobs with a step manager, ${release}`, { release, parameters }, (live) => {
    async function heard(id: number, count: number): Promise<string[]> {
      const { cluster, output } = live();
      const all = async () => lines(await output(`out.${id}`));
      await cluster.waitFor(async () => (await all()).length >= count, 20_000, `${count} signals`);
      return (await all()).sort();
    }

    test('signals to a step and to all steps arrive; a step that is not there is told', async () => {
      const { alice, bob } = live();
      const id = await startListeningJob(live());
      const call = (verb: string, args: unknown[]) => alice.call(verb, args, { protocol: release });

      expect((await call('probe', [`${id}.0`])).value).toMatchObject({
        exists: true,
        steps: [{ target: `${id}.0`, state: 'RUNNING' }],
      });
      expect((await call('probe', [`${id}.77`])).value).toMatchObject({ exists: false });
      expect((await call('kill', [`${id}.0`, 0])).error).toBeUndefined();
      for (const [verb, ...args] of [
        ['killJobStep', `${id}.77`, 'SIGUSR1'],
        ['killJobStep', `${id}.77`],
        ['kill', `${id}.77`, 'SIGUSR1'],
        ['kill', `${id}.77`, 0],
        ['signalJobStep', `${id}.77`, 'SIGUSR1'],
        ['terminateJobStep', `${id}.77`],
      ] as const) {
        const { error } = await call(verb, args as unknown as unknown[]);
        expect(error, verb).toMatchObject({
          code: 'ESLURM_INVALID_JOB_ID',
          errno: 'ESRCH',
          outcome: 'not-sent',
        });
      }

      expect((await call('killJobStep', [`${id}.0`, 'SIGUSR1'])).value).toMatchObject({
        outcome: 'accepted',
      });
      expect(await heard(id, 4)).toEqual(['0.0 USR1', '0.1 USR1', '0.2 USR1', '0.3 USR1']);
      const { value } = await call('signalJobStep', [`${id}.0`, 'SIGUSR2']);
      expect(value.nodes).toHaveLength(4);
      expect(await heard(id, 8)).toContain('0.3 USR2');
      expect((await call('signalJob', [id, 'SIGUSR1'])).value.nodes).toHaveLength(4);

      const plan = (await call('explain', ['killJobStep', `${id}.0`, 'SIGUSR1'])).value;
      expect(plan.effects).toMatchObject([{ target: `${id}.0`, nodes: ['n1', 'n2', 'n3', 'n4'] }]);

      // Somebody else may look, and is refused by the controller.
      const his = await bob.call('killJobStep', [`${id}.0`, 'SIGUSR1'], { protocol: release });
      expect(his.error).toMatchObject({ errno: 'EPERM', outcome: 'refused' });
      const gone = await call('killJob', [id]);
      expect(gone.value).toMatchObject({ outcome: 'accepted' });
    });

    test('steps in protocols that do not name the step manager, and of a suspended job', async () => {
      const { alice, cluster } = live();
      const id = await startListeningJob(live());
      if (release === '24.11') {
        for (const protocol of ['23.02', '23.11', '24.05']) {
          const { value } = await alice.call('probe', [`${id}.0`], { protocol });
          expect(value, protocol).toMatchObject({ exists: true });
          const { error } = await alice.call('killJobStep', [`${id}.77`, 'SIGUSR1'], { protocol });
          expect(error, protocol).toMatchObject({ errno: 'ESRCH', outcome: 'not-sent' });
        }
      }
      await cluster.exec(['scontrol', 'suspend', String(id)], { user: 'root' });
      const options = { protocol: release };
      expect((await alice.call('probe', [`${id}.0`], options)).value).toMatchObject({ exists: true });
      expect((await alice.call('probe', [`${id}.77`], options)).value).toMatchObject({ exists: false });
      expect((await alice.call('killJobStep', [`${id}.77`, 'SIGUSR1'], options)).error).toMatchObject({
        number: 2020,
        outcome: 'refused',
      });
      await cluster.exec(['scontrol', 'resume', String(id)], { user: 'root' });
      expect((await alice.call('killJob', [id], options)).error).toBeUndefined();
    });

    test('terminate ends a step, and then the job', async () => {
      const { alice, cluster } = live();
      const id = await startListeningJob(live());
      const ladder = { ladder: [{ signal: 'SIGTERM', graceMs: 2_000 }, { signal: 'SIGKILL' }] };
      const step = await alice.call('terminate', [`${id}.0`, ladder], { protocol: release });
      expect(step.error).toBeUndefined();
      expect((await alice.call('probe', [`${id}.0`], { protocol: release })).value.exists).toBe(false);
      const job = await alice.call('terminate', [id, { ...ladder, idempotent: true }], { protocol: release });
      expect(job.error).toBeUndefined();
      await cluster.waitForJob(id, ['CANCELLED', 'COMPLETED', 'FAILED', 'TIMEOUT']);
    });
  });
}

// A slurmd of the release before, which closes on the version of its controller.
describeLive(
  'a step manager older than the controller',
  { release: '26.05', nodeRelease: '24.11', nodes: 1, parameters },
  (live) => {
    test('is asked in its own version', async () => {
      const { alice, cluster, run, waitForFile } = live();
      const id = await run('touch up.$SLURM_JOB_ID\nsleep 1000');
      await waitForFile(`up.${id}`);
      const options = { protocol: '26.05' };
      // No srun: that of 24.11 is no match for the controller. So nobody has steps, and only the slurmd can say so.
      const { value, error } = await alice.call('probe', [`${id}.0`], options);
      expect(error).toBeUndefined();
      expect(value).toMatchObject({ exists: false, jobs: [{ state: 'RUNNING' }] });
      expect((await alice.call('killJobStep', [`${id}.0`], options)).error).toMatchObject({
        errno: 'ESRCH',
        outcome: 'not-sent',
      });
      expect((await alice.call('killJob', [id], options)).error).toBeUndefined();
      await cluster.waitForJob(id, ['CANCELLED']);
    });
  },
);
