/** What is remembered of controllers of which another one takes over, and first contacts that are cut off. */
import { describe, expect, it } from 'vitest';
import type { SlurmClient } from '../../src/rpc/client.js';
import { noStrayTrouble } from './support/leaks.js';
import { clientOf, type TestSetup } from './support/setup.js';
import { VersionedPeer } from './support/versioned-peer.js';

noStrayTrouble();

function finding(peers: readonly VersionedPeer[], given: TestSetup = {}): SlurmClient {
  return clientOf(
    peers.map(({ endpoint }) => endpoint),
    { release: '26.11', findsVersion: true, ...given },
  );
}

describe('two controllers of different releases', () => {
  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'the backup takes over, and the primary says so: %s',
    async (signal) => {
      await using first = await VersionedPeer.start('24.11');
      await using second = await VersionedPeer.start({ release: '26.05', standby: 2131 });
      const client = finding([first, second]);
      await client.killJob(7, signal);
      first.become({ release: '24.11', standby: 2131 });
      second.become('26.05');
      expect(await client.killJob(8, signal)).toMatchObject({ outcome: 'accepted', peer: second.peer });
      expect(second.signals).toEqual([`${signal} 8`]);
    },
  );
});

describe('a first contact that is cut off by the end of the controller', () => {
  it.each([
    { release: '24.11', findsVersion: true },
    { release: '24.11', findsVersion: false },
  ] as const)('the next controller is used: %j', async (manner) => {
    await using first = await VersionedPeer.start('24.11');
    await using second = await VersionedPeer.start('24.11');
    first.before = async (_, connection) => {
      connection.reset();
      void first.die();
      return true;
    };
    const client = finding([first, second], manner);
    expect(await client.killJob(8, 'SIGTERM')).toMatchObject({ outcome: 'accepted', peer: second.peer });
  });

  it.each([true, false])('in the midst of its answer (version found: %j)', async (findsVersion) => {
    await using first = await VersionedPeer.start('24.11');
    await using second = await VersionedPeer.start('24.11');
    first.before = async (_, connection) => {
      await connection.send(Buffer.from([0, 0, 1, 0, 0x29]));
      connection.finish();
      void first.die();
      return true;
    };
    const client = finding([first, second], { release: '24.11', findsVersion });
    expect(await client.killJob(8, 'SIGTERM')).toMatchObject({ outcome: 'accepted', peer: second.peer });
  });
});
