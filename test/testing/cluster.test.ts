import { describe, expect, it } from 'vitest';
import { connect } from '../../src/index.js';
import { RELEASE_NAMES, type Release } from '../../src/protocol/index.js';
import { startCluster } from '../../src/testing/index.js';

describe.each(RELEASE_NAMES)('an embedded cluster of %s', (release: Release) => {
  it('is up at once, takes its own protocol and answers as its release does', async () => {
    await using cluster = await startCluster({ release, backups: 1 });
    const slurm = await connect({ ...cluster.options('alice'), protocol: release });
    expect(await slurm.ping()).toMatchObject([
      { up: true, protocol: release },
      { up: true, protocol: release },
    ]);
    await slurm.close();
    expect(cluster.requests.at(-1)).toMatchObject({ name: 'REQUEST_PING', uid: 2001, answer: 'RC 0' });
  });
});
