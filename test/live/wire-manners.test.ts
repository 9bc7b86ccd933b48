/** The same bytes to real daemons and to embedded ones: they answer, or refuse, alike. */
import { tracingChannel } from 'node:diagnostics_channel';
import { expect, test } from 'vitest';
import { mungeSocket } from '../../src/auth/index.js';
import { connect, type Release, SLURMWIRE_CHANNELS, type SlurmwireExchangeEvent } from '../../src/index.js';
import { isAtLeast, RELEASE_NAMES } from '../../src/protocol/index.js';
import { startCluster } from '../../src/testing/index.js';
import { accepts } from '../../src/testing/manners.js';
import { manneredCases } from '../support/manners-cases.js';
import { tell, words } from '../support/raw-frame.js';
import { describeLive, liveReleases } from './support/live.js';

/** Where the embedded daemons are not what the lab's are, and why. */
function isKnownToDiffer(name: string, own: Release): boolean {
  switch (name) {
    // Debian builds for several slurmds on one host, which share a munged: such daemons take a replayed credential.
    case 'a credential, the second time':
      return true;
    // A race: the daemon looks for the end of the connection just before it answers. The embedded one always sees it.
    case 'a ping by a half-closer':
      return true;
    // It waits for the rest of a second message. No client of Slurm sends one.
    case 'a ping and one byte':
      return isAtLeast(own, '26.05');
    // Debian's 20.11.4 is older than the digests of bodies, which 20.11.9 takes.
    case 'the digest of another time':
      return own === '20.11';
    // Up to 22.05 the answer is signed, or a length too small is not looked at.
    default:
      return name.startsWith('a body length') && !isAtLeast(own, '23.02');
  }
}

for (const release of liveReleases('20.11', '22.05', '24.11', '26.05')) {
  describeLive(`manners of ${release}`, { release, nodes: 1 }, (live) => {
    test('the client asks both as often until it knows their release', async () => {
      await using embedded = await startCluster({ release, nodes: 1 });
      const { slurmConf, mungeSocket: socket } = live().cluster;
      const asked: Record<string, string[]> = {};
      for (const [which, options] of Object.entries({
        real: { conf: slurmConf, auth: mungeSocket({ socket }) },
        embedded: embedded.options('root'),
      })) {
        const names: string[] = [];
        const start = ({ rpc }: SlurmwireExchangeEvent) => names.push(rpc);
        const channel = tracingChannel(SLURMWIRE_CHANNELS.exchange);
        const subscriber = { start } as unknown as Parameters<typeof channel.subscribe>[0];
        channel.subscribe(subscriber);
        const slurm = await connect(options);
        expect(await slurm.ping()).toMatchObject([{ up: true, protocol: release }]);
        await slurm.killJob(424_242).catch(() => {});
        await slurm.close();
        channel.unsubscribe(subscriber);
        asked[which] = names;
      }
      expect(asked.real?.length).toBeGreaterThan(1);
      expect(asked.embedded).toEqual(asked.real);
    });

    const oldest = RELEASE_NAMES.find((one) => accepts(release, one)) as Release;
    test.each([
      ['slurmctld', release],
      ['slurmd', release],
      ['slurmctld', oldest],
      ['slurmd', oldest],
    ] as const)('%s, in protocol %s', async (kind, protocol) => {
      const { cluster } = live();
      const real = mungeSocket({ socket: cluster.mungeSocket });
      await using embedded = await startCluster({ release, nodes: 1 });
      const { auth } = embedded.options('root');
      const ends =
        kind === 'slurmctld'
          ? [cluster.controller, embedded.daemon('slurmctld').endpoint]
          : [{ host: '127.0.0.1', port: cluster.nodes[0]?.port ?? 0 }, embedded.daemon('n1').endpoint];
      const [realEnd, embeddedEnd] = ends as [(typeof ends)[0], (typeof ends)[0]];
      const asked = await manneredCases(release, protocol, real, auth);
      const played = await manneredCases(release, protocol, auth, real);
      const answers: Record<string, string> = {};
      const expected: Record<string, string> = {};
      for (const [index, { name, sending }] of asked.entries()) {
        if (isKnownToDiffer(name, release)) continue;
        expected[name] = words(await tell(realEnd, sending));
        answers[name] = words(await tell(embeddedEnd, played[index]?.sending ?? sending));
      }
      expect(Object.keys(answers).length).toBeGreaterThan(30);
      expect(answers).toEqual(expected);
    });
  });
}
