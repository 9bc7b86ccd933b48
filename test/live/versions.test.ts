/** Nobody names a release: the client finds it, on live daemons of four releases. */
import { describe, expect, test } from 'vitest';
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
