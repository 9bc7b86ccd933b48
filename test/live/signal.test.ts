/** signalJob, signalJobStep and terminateJobStep on real slurmds of four releases: proved by what the processes wrote down. */
import { expect, test } from 'vitest';
import type { Release } from '../../src/index.js';
import { lines, startListeningJob } from './support/listening-job.js';
import { describeLive } from './support/live.js';

const RELEASES: readonly Release[] = ['20.11', '22.05', '24.11', '26.05'];

for (const release of RELEASES) {
  describeLive(`signals straight to the slurmds of ${release}`, { release }, (live) => {
    const options = { protocol: release };

    const listeningJob = () => startListeningJob(live());

    async function heard(id: number, count: number): Promise<string[]> {
      const { cluster, output } = live();
      await cluster.waitFor(
        async () => lines(await output(`out.${id}`)).length >= count,
        20_000,
        `${count} signals`,
      );
      return lines(await output(`out.${id}`)).sort();
    }

    test('each node answers for itself', async () => {
      const { alice, cluster } = live();
      const id = await listeningJob();

      const one = await alice.call('signalJobStep', [`${id}.0`, 'SIGUSR1', { fanOut: 'direct' }], options);
      expect(one.error).toBeUndefined();
      expect(one.value).toMatchObject({
        outcome: 'accepted',
        target: `${id}.0`,
        unixSignal: 10,
        rpc: 'REQUEST_SIGNAL_TASKS',
      });
      expect(one.value.nodes).toMatchObject(
        ['n1', 'n2', 'n3', 'n4'].map((node) => ({
          node,
          outcome: 'accepted',
          number: 0,
          via: null,
          perhapsTwice: false,
        })),
      );
      expect(await heard(id, 4)).toEqual(['0.0 USR1', '0.1 USR1', '0.2 USR1', '0.3 USR1']);

      // The same through Slurm's own forwarding: a chain, then a tree of two branches.
      for (const treeWidth of [1, 2]) {
        const tree = await alice.call(
          'signalJobStep',
          [`${id}.0`, 'SIGUSR2', { fanOut: 'tree', treeWidth }],
          options,
        );
        expect(tree.error).toBeUndefined();
        expect(
          tree.value.nodes.map(({ node, outcome }: { node: string; outcome: string }) => [node, outcome]),
        ).toEqual([
          ['n1', 'accepted'],
          ['n2', 'accepted'],
          ['n3', 'accepted'],
          ['n4', 'accepted'],
        ]);
        const forwarded = tree.value.nodes.filter(({ via }: { via: string | null }) => via !== null);
        expect(forwarded.length).toBe(4 - treeWidth);
        // Written down before the next one is sent: signals of one number that wait for the shell become one.
        expect(await heard(id, 4 + 4 * treeWidth)).toHaveLength(4 + 4 * treeWidth);
      }

      // All steps of the job, and not the batch shell.
      const all = await alice.call('signalJob', [id, 'USR1'], options);
      expect(all.value).toMatchObject({ outcome: 'accepted', target: String(id) });
      const told = await heard(id, 18);
      expect(told.filter((line) => line.startsWith('batch'))).toEqual([]);
      expect(told.filter((line) => line.endsWith('USR1'))).toHaveLength(10);

      // The batch shell alone.
      const batch = await alice.call('signalJobStep', [`${id}.batch`, 'USR2'], options);
      expect(batch.value.nodes).toMatchObject([{ outcome: 'accepted', target: `${id}.batch` }]);
      expect((await heard(id, 19)).filter((line) => line.startsWith('batch'))).toEqual(['batch USR2']);

      // One step ends, the other and the job go on.
      const ended = await alice.call('terminateJobStep', [`${id}.1`], options);
      expect(ended.value).toMatchObject({
        outcome: 'accepted',
        rpc: 'REQUEST_TERMINATE_TASKS',
        unixSignal: 9,
      });
      const steps = async () =>
        (await cluster.exec(['squeue', '-h', '-s', '-j', `${id}`, '-o', '%i'], { user: 'root' })).stdout;
      await cluster.waitFor(async () => !(await steps()).includes(`${id}.1`), 20_000, 'step 1 to end');
      expect(await steps()).toContain(`${id}.0`);

      const none = await alice.call('signalJobStep', [`${id}.7`, 'USR1'], options);
      expect(none.error).toMatchObject({
        code: 'ESLURM_INVALID_JOB_ID',
        errno: 'ESRCH',
        outcome: 'not-sent',
      });

      const { bob } = live();
      const foreign = await bob.call('signalJobStep', [`${id}.0`, 'USR1'], options);
      expect(foreign.error).toMatchObject({
        name: 'SlurmServerError',
        code: 'ESLURM_USER_ID_MISSING',
        errno: 'EPERM',
        outcome: 'refused',
      });
      expect(foreign.error.nodes).toHaveLength(4);

      await alice.call('killJob', [id], options);
    });

    test('a node that is down is named, the others take the signal', async () => {
      const { alice, cluster } = live();
      const id = await listeningJob();
      await cluster.stopDaemon('n2');
      try {
        for (const how of [
          { fanOut: 'direct' },
          { fanOut: 'tree', treeWidth: 1 },
          { fanOut: 'tree', treeWidth: 2 },
        ]) {
          const { error } = await alice.call('signalJobStep', [`${id}.0`, 'USR1', how], options);
          expect(error).toMatchObject({ outcome: 'partial', code: 'SLURM_COMMUNICATIONS_CONNECTION_ERROR' });
          expect(
            error.nodes.map(({ node, outcome }: { node: string; outcome: string }) => [node, outcome]),
          ).toEqual([
            ['n1', 'accepted'],
            ['n2', 'not-sent'],
            ['n3', 'accepted'],
            ['n4', 'accepted'],
          ]);
        }
      } finally {
        await cluster.startDaemon('n2');
      }
      await alice.call('killJob', [id], options);
    });

    test('pending, finished and unknown jobs: nothing is sent', async () => {
      const { alice, cluster, run } = live();
      const held = await cluster.submit('sleep 1000', { user: 'alice', sbatchArgs: ['--hold'] });
      expect((await alice.call('signalJob', [held, 'USR1'], options)).error).toMatchObject({
        code: 'ESLURM_JOB_PENDING',
        errno: 'EAGAIN',
        outcome: 'not-sent',
      });
      await alice.call('killJob', [held], options);
      expect((await alice.call('signalJob', [held, 'USR1'], options)).error).toMatchObject({
        code: 'ESLURM_ALREADY_DONE',
      });
      expect((await alice.call('signalJob', [999_999, 'USR1'], options)).error).toMatchObject({
        code: 'ESLURM_INVALID_JOB_ID',
      });
      const noSteps = await run('sleep 1000');
      expect((await alice.call('signalJob', [noSteps, 'USR1'], options)).error).toMatchObject({
        code: 'ESLURM_INVALID_JOB_ID',
        errno: 'ESRCH',
        outcome: 'not-sent',
      });
      await alice.call('killJob', [noSteps], options);
    });

    test('the verbs that stand on these, once each', async () => {
      const { alice, bob, cluster } = live();
      const id = await listeningJob();
      const call = async (verb: string, ...args: unknown[]) => {
        const { error, value } = await alice.call(verb, args, options);
        expect(error, verb).toBeUndefined();
        return value;
      };
      expect(await call('probe', id)).toMatchObject({ exists: true, mine: true, state: 'RUNNING' });
      expect(await call('probe', 999_999)).toMatchObject({ exists: false });

      // Signal 0 asks and reaches nobody; a signal reaches the steps, as explain says.
      expect(await call('kill', id, 0)).toMatchObject({ outcome: 'accepted', unixSignal: 0, count: 1 });
      expect((await bob.call('kill', [id, 0], options)).error).toMatchObject({ errno: 'EPERM' });
      expect((await alice.call('kill', [999_999, 0], options)).error).toMatchObject({ errno: 'ESRCH' });
      const { requests, effects } = await call('explain', 'kill', id, 'SIGUSR1');
      expect(requests).toMatchObject([{ rpc: 'REQUEST_KILL_JOB', to: 'slurmctld' }]);
      const said = effects.map(({ target, nodes }: { target: string; nodes: string[] }) => [target, nodes]);
      expect(Object.fromEntries(said)).toEqual({
        [`${id}.0`]: ['n1', 'n2', 'n3', 'n4'],
        [`${id}.1`]: expect.objectContaining({ length: 2 }),
      });
      expect(await call('kill', id, 'SIGUSR1')).toMatchObject({ outcome: 'accepted', count: 1 });
      expect(await heard(id, 6)).toEqual(
        ['0.0', '0.1', '0.2', '0.3', '1.0', '1.1'].map((task) => `${task} USR1`),
      );

      const held = await cluster.submit('sleep 1000', {
        user: 'alice',
        sbatchArgs: ['--array=0-3', '--hold'],
      });
      expect(await call('kill', -held, 'SIGKILL')).toMatchObject({ outcome: 'accepted' });
      expect(await cluster.jobState(held)).toBe('CANCELLED');

      const ladder = [{ signal: 'SIGTERM', graceMs: 200 }, { signal: 'SIGKILL' }];
      expect(await call('terminate', id, { ladder })).toMatchObject({ outcome: 'accepted', dead: true });
      expect(['CANCELLED', 'COMPLETED', 'FAILED']).toContain(await cluster.jobState(id));
    });
  });
}
