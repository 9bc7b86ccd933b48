/** munged's socket without libmunge, on live clusters of four releases: credentials that Slurm takes, and a munged in trouble. */
import { chmod, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, test, vi } from 'vitest';
import { munge } from '../../src/auth/munge.js';
import { mungeSocket } from '../../src/auth/munge-socket.js';
import { isAtLeast, type Release } from '../../src/protocol/index.js';
import type { Actor, Told } from './support/actor.js';
import { describeLive } from './support/live.js';

const RELEASES: readonly Release[] = ['20.11', '22.05', '24.11', '26.05'];

describe.each(RELEASES)('%s', (release) => {
  describeLive("munged's socket", { release, nodes: 1 }, (live) => {
    const way = (name: 'mungeSocket' | 'defaultMunge', more: object = {}) => ({
      protocol: release,
      munge: { way: name, options: { socket: live().cluster.mungeSocket, ...more } },
    });
    const kill = (actor: Actor, id: number, more: object = {}): Promise<Told> =>
      actor.call('killJob', [id, 'SIGKILL', more], way('mungeSocket'));

    test('kills, as the user it is; replies are checked the same way', async () => {
      const { alice, bob, cluster, run } = live();
      const id = await run('sleep 1000');
      expect((await kill(bob, id)).error).toMatchObject({ code: 'ESLURM_ACCESS_DENIED', outcome: 'refused' });
      expect(await cluster.jobState(id)).toBe('RUNNING');
      // Replies are signed up to protocol 22.05: verify() is used there.
      const authenticated = !isAtLeast(release, '23.02');
      expect((await kill(alice, id)).value).toMatchObject({ outcome: 'accepted', authenticated });
      await cluster.waitForJob(id, ['CANCELLED']);
    });

    test('many kills at once', async () => {
      const { alice, cluster } = live();
      const ids = await Promise.all(
        Array.from({ length: 30 }, () =>
          cluster.submit('sleep 1000', { user: 'alice', sbatchArgs: ['--hold'] }),
        ),
      );
      for (const { value } of await Promise.all(ids.map((id) => kill(alice, id)))) {
        expect(value).toMatchObject({ outcome: 'accepted' });
      }
      for (const id of ids) expect(await cluster.jobState(id)).toBe('CANCELLED');
    });

    test('signals by slurmd, which gets a credential made over the socket', async () => {
      const { alice, run, waitForFile } = live();
      const id = await run(
        'srun bash -c \'trap "touch got" USR1; touch ready; while :; do sleep 0.1; done\'',
      );
      await waitForFile('ready');
      const { value, error } = await alice.call('signalJob', [id, 'SIGUSR1'], way('mungeSocket'));
      expect(error).toBeUndefined();
      expect(value).toBeDefined();
      await waitForFile('got');
      expect((await kill(alice, id)).value).toMatchObject({ outcome: 'accepted' });
    });

    test('credentials of libmunge decode over the socket, and the other way round', async () => {
      const socket = live().cluster.mungeSocket;
      const payload = new Uint8Array([1, 2, 3]);
      const context = { remainingMs: () => 10_000, signal: AbortSignal.timeout(10_000) };
      for (const [maker, reader] of [
        [munge, mungeSocket],
        [mungeSocket, munge],
      ] as const) {
        const section = await maker({ socket }).create(payload, null, context);
        expect(await reader({ socket }).verify(section, context)).toEqual({ uid: 0, gid: 0, payload });
      }
    });

    test('is what is used where libmunge cannot be loaded', async () => {
      const { alice, run } = live();
      const id = await run('sleep 1000');
      const options = way('defaultMunge', { library: '/nonexistent/libmunge.so.2' });
      expect((await alice.call('killJob', [id], options)).value).toMatchObject({ outcome: 'accepted' });
    });

    test('works from a worker thread', async () => {
      const { cluster, run } = live();
      const id = await run('sleep 1000');
      const library = fileURLToPath(new URL('../../dist/index.js', import.meta.url));
      const worker = new Worker(
        `const { parentPort, workerData } = require('node:worker_threads');
        import(workerData.library).then(async ({ connect, mungeSocket }) => {
          const { conf, protocol, socket, id } = workerData;
          const slurm = await connect({ conf, protocol, auth: mungeSocket({ socket }) });
          parentPort.postMessage((await slurm.killJob(id)).outcome);
        });`,
        {
          eval: true,
          workerData: {
            library,
            conf: cluster.slurmConf,
            protocol: release,
            socket: cluster.mungeSocket,
            id,
          },
        },
      );
      const outcome = await new Promise((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
      });
      await worker.terminate();
      expect(outcome).toBe('accepted');
      await cluster.waitForJob(id, ['CANCELLED']);
    });

    test('munged stopped: no socket, not sent, and it works again afterwards', async () => {
      const { alice, cluster, run } = live();
      const id = await run('sleep 1000');
      await cluster.stopMunged();
      try {
        const { error } = await kill(alice, id);
        expect(error).toMatchObject({
          name: 'SlurmAuthError',
          code: 'EMUNGE_SOCKET',
          phase: 'authenticate',
          outcome: 'not-sent',
          rpc: 'REQUEST_KILL_JOB',
        });
        expect(['no-socket', 'not-running']).toContain(error.reason);
        expect(error.message).toContain(cluster.mungeSocket);
      } finally {
        await cluster.startMunged();
      }
      expect(await cluster.jobState(id)).toBe('RUNNING');
      expect((await kill(alice, id)).value).toMatchObject({ outcome: 'accepted' });
    });

    test('munged hangs: deadlines hold, the event loop stays free, nothing was sent', async () => {
      const { alice, cluster, run } = live();
      const id = await run('sleep 1000');
      await cluster.pauseMunged();
      try {
        const calls = Array.from({ length: 12 }, () => kill(alice, id, { timeoutMs: 700 }));
        for (const { error, longestPauseMs } of await Promise.all(calls)) {
          expect(error).toMatchObject({
            phase: 'authenticate',
            outcome: 'not-sent',
            rpc: 'REQUEST_KILL_JOB',
          });
          expect(longestPauseMs).toBeLessThan(2_000);
        }
        // With time enough it is called by its name: no answer within two seconds, several times.
        const { error } = await kill(alice, id, { timeoutMs: 20_000 });
        expect(error).toMatchObject({
          code: 'EMUNGE_SOCKET',
          reason: 'hung',
          errno: 'ETIMEDOUT',
          outcome: 'not-sent',
        });
      } finally {
        await cluster.resumeMunged();
      }
      expect(await cluster.jobState(id)).toBe('RUNNING');
      expect((await kill(alice, id)).value).toMatchObject({ outcome: 'accepted' });
    });

    test('munged restarts in mid-call: the kill goes through', async () => {
      const { alice, cluster, run } = live();
      const id = await run('sleep 1000');
      await cluster.pauseMunged();
      const killing = kill(alice, id, { timeoutMs: 20_000 });
      // Until the call waits for its answer: the socket's listener and one connection.
      const sockets = async () => {
        const lines = (await readFile('/proc/net/unix', 'utf8')).split('\n');
        return lines.filter((line) => line.endsWith(` ${cluster.mungeSocket}`)).length;
      };
      await vi.waitFor(async () => expect(await sockets()).toBeGreaterThan(1), { timeout: 5_000 });
      await cluster.stopMunged();
      await cluster.startMunged();
      const told = await killing;
      expect(told.error).toBeUndefined();
      expect(told.value).toMatchObject({ outcome: 'accepted' });
      await cluster.waitForJob(id, ['CANCELLED']);
    });

    test('a socket that others may not use: no-permission, not sent', async () => {
      const { alice, cluster, run } = live();
      const id = await run('sleep 1000');
      await chmod(cluster.mungeSocket, 0o700);
      try {
        expect((await kill(alice, id)).error).toMatchObject({
          code: 'EMUNGE_SOCKET',
          reason: 'no-permission',
          errno: 'EACCES',
          retryable: false,
          outcome: 'not-sent',
        });
      } finally {
        await chmod(cluster.mungeSocket, 0o777);
      }
      expect((await kill(alice, id)).value).toMatchObject({ outcome: 'accepted' });
    });
  });
});
