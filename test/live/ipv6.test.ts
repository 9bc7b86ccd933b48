/** Clusters whose daemons listen on ::1 and nowhere else, of four releases. */
import { createConnection } from 'node:net';
import { expect, test } from 'vitest';
import { releaseNames } from '../../lab/cluster.js';
import { lines, startListeningJob } from './support/listening-job.js';
import { describeReal } from './support/live.js';

for (const release of releaseNames) {
  describeReal(`IPv6, ${release}`, { release, ipv6: true }, (live) => {
    test('jobs are killed and steps are signalled, directly and through the tree', async () => {
      const { alice, cluster, output } = live();
      const { port } = cluster.controller;
      // Nobody is there on IPv4, so whatever works went over IPv6.
      const overIpv4 = await new Promise((resolve) => {
        const socket = createConnection({ host: '127.0.0.1', port });
        socket.once('connect', () => resolve('connected')).once('error', (error) => resolve(error));
      });
      expect(overIpv4).toMatchObject({ code: 'ECONNREFUSED' });

      const id = await startListeningJob(live());
      const heard = async () => lines(await output(`out.${id}`)).length;
      for (const [unixSignal, how, count] of [
        ['SIGUSR1', { fanOut: 'direct' }, 4],
        ['SIGUSR2', { fanOut: 'tree', treeWidth: 1 }, 8],
      ] as const) {
        const signalled = await alice.call('signalJobStep', [`${id}.0`, unixSignal, how]);
        expect(signalled.error).toBeUndefined();
        expect(signalled.value).toMatchObject({ outcome: 'accepted' });
        await cluster.waitFor(async () => (await heard()) >= count, 20_000, `${count} signals`);
      }
      const killed = await alice.call('killJob', [id]);
      expect(killed.error).toBeUndefined();
      await cluster.waitForJob(id, ['CANCELLED', 'FAILED', 'COMPLETED']);
    });

    test('an address in brackets is a controller', async () => {
      const { alice, cluster } = live();
      const { port } = cluster.controller;
      const options = {
        conf: undefined,
        controllers: [`[::1]:${port}`],
        munge: { way: 'defaultMunge', options: { socket: cluster.mungeSocket } },
      };
      const { error, value } = await alice.call('ping', [], options);
      expect(error).toBeUndefined();
      expect(value).toMatchObject([{ peer: `[::1]:${port}`, up: true }]);
    });
  });
}
