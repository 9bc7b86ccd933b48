/**
 * Nobody names a release: the client finds it, on live daemons of four releases, also when they are replaced by others while it runs, and when the
 * slurmds are older than their controller. What arrived is proved by what the processes wrote down.
 */
import { describe, expect, test } from 'vitest';
import { lines, startListeningJob } from './support/listening-job.js';
import { describeLive } from './support/live.js';

describe.each(['20.11', '22.05', '24.11', '26.05'])('%s', (release) => {
  describeLive('without a release', { release, nodes: 2 }, (live) => {
    test('kills and signals in the daemon’s own version', async () => {
      const { alice, cluster, run } = live();
      const id = await run('sleep 1000');
      const { value: pings } = await alice.call('ping', []);
      expect(pings).toMatchObject([
        { up: true, protocol: release, version: expect.stringMatching(new RegExp(`^${release}`)) },
      ]);
      const { value } = await alice.call('killJob', [id]);
      expect(value).toMatchObject({ outcome: 'accepted', protocol: release });
      await cluster.waitForJob(id, ['CANCELLED']);
    });
  });
});

const LISTENING = `#!/bin/bash
trap 'echo heard >> heard.$SLURM_JOB_ID' USR1
echo up > up.$SLURM_JOB_ID
while :; do sleep 0.1; done
`;

/** A client stays up while everything else is replaced. */
describe.each([
  ['22.05', '24.11'],
  ['20.11', '26.05'],
  // The new one takes the old version too, and the jobs go on.
  ['24.11', '26.05'],
] as const)('%s becomes %s, and back', (from, to) => {
  describeLive('with a client that stays up', { release: from, nodes: 1 }, (live) => {
    test('the next kill succeeds, and what is signalled is signalled once', async () => {
      const { alice, cluster, run, output, waitForFile } = live();
      const listening = async () => {
        const id = await run(LISTENING);
        await waitForFile(`up.${id}`);
        return id;
      };
      /** A signal that may not be repeated, and then a kill. */
      const signalAndKill = async (id: number, protocol: string) => {
        const signalled = await alice.call('killJob', [id, 'SIGUSR1', { batch: true }]);
        expect(signalled.error).toBeUndefined();
        expect(signalled.value).toMatchObject({ outcome: 'accepted', protocol });
        await waitForFile(`heard.${id}`);
        const killed = await alice.call('killJob', [id]);
        expect(killed.error).toBeUndefined();
        expect(killed.value).toMatchObject({ outcome: 'accepted', protocol });
        await cluster.waitForJob(id, ['CANCELLED']);
        expect(lines(await output(`heard.${id}`))).toEqual(['heard']);
      };
      // Job numbers begin anew where the state is forgotten: files of older jobs would be taken for theirs.
      const fresh = async () => {
        for (const id of [...Array(10).keys()])
          await cluster.exec(['rm', '-f', `up.${id}`, `heard.${id}`], { user: 'alice' });
      };

      const other = await alice.call('probe', [4711]);
      expect(other.value).toMatchObject({ exists: false });
      await signalAndKill(await listening(), from);
      const goesOn = from === '24.11';
      const kept = goesOn ? await listening() : null;

      await cluster.switchRelease(to);
      if (!goesOn) await fresh();
      const spoken = goesOn ? from : to;
      await signalAndKill(kept ?? (await listening()), spoken);

      await cluster.switchRelease(from);
      await fresh();
      await signalAndKill(await listening(), from);
    });
  });
});

describe('a controller of 26.05', () => {
  const [release, nodeRelease] = ['26.05', '24.11'];
  describeLive(`with slurmds of ${nodeRelease}`, { release, nodeRelease, nodes: 4 }, (live) => {
    async function heard(id: number, count: number): Promise<string[]> {
      const { cluster, output } = live();
      const now = async () => lines(await output(`out.${id}`));
      await cluster.waitFor(async () => (await now()).length >= count, 20_000, `${count} signals`);
      return (await now()).sort();
    }
    const STEP_0 = ['0.0', '0.1', '0.2', '0.3'];
    const STEP_1 = ['1.0', '1.1'];
    const each = (tasks: readonly string[], signal: string) => tasks.map((task) => `${task} ${signal}`);

    test.each([
      ['direct', undefined],
      ['tree', 1],
      ['tree', 2],
    ] as const)('signals arrive in the version of the slurmds: %s, width %s', async (fanOut, treeWidth) => {
      const { alice, cluster } = live();
      const id = await startListeningJob(live());
      const options = { fanOut, ...(treeWidth === undefined ? {} : { treeWidth }) };
      const accepted = async (method: string, args: unknown[]) => {
        const { value, error } = await alice.call(method, [...args, options]);
        expect(error).toBeUndefined();
        expect(value).toMatchObject({ outcome: 'accepted', protocol: nodeRelease });
        const protocols = value.nodes.map(({ protocol }: { protocol: string }) => protocol);
        expect(new Set(protocols)).toEqual(new Set([nodeRelease]));
        return value.nodes.length;
      };
      const { value: pings } = await alice.call('ping', []);
      expect(pings).toMatchObject([{ up: true, protocol: release }]);

      expect(await accepted('signalJobStep', [`${id}.0`, 'SIGUSR1'])).toBe(4);
      expect(await heard(id, 4)).toEqual(each(STEP_0, 'USR1'));
      expect(await accepted('signalJob', [id, 'SIGUSR2'])).toBe(4);
      const both = [...each(STEP_0, 'USR1'), ...each([...STEP_0, ...STEP_1], 'USR2')].sort();
      expect(await heard(id, 10)).toEqual(both);
      // The node table tells the version of the batch host.
      expect(await accepted('signalJobStep', [`${id}.batch`, 'SIGUSR1'])).toBe(1);
      expect(await heard(id, 11)).toEqual([...both, 'batch USR1'].sort());
      expect(await accepted('terminateJobStep', [`${id}.1`])).toBe(2);
      await cluster.waitFor(
        async () => (await alice.call('probe', [`${id}.1`])).value?.exists === false,
        20_000,
        'the step to be gone',
      );
      expect(await heard(id, 11)).toEqual([...both, 'batch USR1'].sort());
      expect((await alice.call('killJob', [id])).value).toMatchObject({ protocol: release });
      await cluster.waitForJob(id, ['CANCELLED']);
    });

    test('in the version of the controller they do not: why the older one is spoken', async () => {
      const { alice, cluster } = live();
      const id = await startListeningJob(live());
      const pinned = await alice.call('signalJobStep', [`${id}.0`, 'SIGUSR1'], { protocol: release });
      expect(pinned.error).toMatchObject({
        outcome: 'unknown',
        code: 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT',
      });
      await alice.call('killJob', [id]);
      await cluster.waitForJob(id, ['CANCELLED']);
      expect(lines(await live().output(`out.${id}`))).toEqual([]);
    });
  });
});

/** srun of 22.05 and steps of 20.11 do not get along (docs/daemons.md): the batch step alone. */
describe('a controller of 22.05', () => {
  const [release, nodeRelease] = ['22.05', '20.11'];
  describeLive(`with slurmds of ${nodeRelease}`, { release, nodeRelease, nodes: 1 }, (live) => {
    test('the batch step hears it in the version of its slurmd', async () => {
      const { alice, cluster, run, output, waitForFile } = live();
      const id = await run(LISTENING);
      await waitForFile(`up.${id}`);
      const signal = (options?: Record<string, unknown>) =>
        alice.call('signalJobStep', [`${id}.batch`, 'SIGUSR1'], options);
      const pinned = await signal({ protocol: release });
      expect(pinned.error).toMatchObject({
        outcome: 'unknown',
        code: 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT',
      });
      const { value, error } = await signal();
      expect(error).toBeUndefined();
      expect(value).toMatchObject({ outcome: 'accepted', protocol: nodeRelease });
      await waitForFile(`heard.${id}`);
      expect((await alice.call('killJob', [id])).value).toMatchObject({ protocol: release });
      await cluster.waitForJob(id, ['CANCELLED']);
      expect(lines(await output(`heard.${id}`))).toEqual(['heard']);
    });
  });
});
