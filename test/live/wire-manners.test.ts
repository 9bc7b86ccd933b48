/** The same bytes to real daemons and to embedded ones: they answer, or refuse, alike. */
import { expect, test } from 'vitest';
import { mungeSocket } from '../../src/auth/index.js';
import type { Release } from '../../src/index.js';
import { RELEASE_NAMES } from '../../src/protocol/index.js';
import { startCluster } from '../../src/testing/index.js';
import { accepts } from '../../src/testing/manners.js';
import { manneredCases } from '../support/manners-cases.js';
import { tell, words } from '../support/raw-frame.js';
import { describeLive, liveReleases } from './support/live.js';

for (const release of liveReleases('20.11', '22.05', '24.11', '26.05')) {
  describeLive(`manners of ${release}`, { release, nodes: 1 }, (live) => {
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
      const show = (told: Awaited<ReturnType<typeof tell>>) => `${words(told)}`;
      const log: string[] = [];
      for (const [index, { name, sending }] of asked.entries()) {
        const byReal = await tell(realEnd, sending);
        expected[name] = show(byReal);
        const byEmbedded = await tell(embeddedEnd, played[index]?.sending ?? sending);
        answers[name] = show(byEmbedded);
        log.push(
          `${expected[name] === answers[name] ? ' ' : '!'} ${name}: ${expected[name]}/${byReal.end} | ${answers[name]}/${byEmbedded.end}`,
        );
      }
      if (process.env.MANNERS) console.log(`${release} ${kind} ${protocol}\n${log.join('\n')}`);
      expect(answers).toEqual(expected);
    });
  });
}
