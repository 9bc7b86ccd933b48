/** A slurmctld and a munged by script, for commands that run in this process. */
import { type MessageInput, RELEASES, type Release } from '../../../src/protocol/index.js';
import { messageType } from '../../../src/protocol/messages/index.js';
import { decodeAnswer, encodeAnswer, type FakeMunged, startFakeMunged } from '../../auth/fake-munged.js';
import { reply } from '../../rpc/support/replies.js';
import { type Daemon, VersionedPeer } from '../../rpc/support/versioned-peer.js';
import { exampleOf, settled } from '../../support/description.js';

/** A release whose daemons do not sign their replies, as nobody here could. */
export const UNSIGNED: Release = '24.11';

const { oldestAccepted, protocol } = RELEASES.find(
  ({ release }) => release === UNSIGNED,
) as (typeof RELEASES)[number];

function takes(version: Release): boolean {
  const row = RELEASES.find(({ release }) => release === version);
  return row !== undefined && row.protocol >= oldestAccepted && row.protocol <= protocol;
}

export class FakeCluster {
  readonly controller: VersionedPeer;
  readonly munged: FakeMunged;
  /** What the controller tells of itself, beside what it usually does. */
  config: Readonly<Record<string, unknown>> = {};

  private constructor(controller: VersionedPeer, munged: FakeMunged) {
    this.controller = controller;
    this.munged = munged;
    controller.before = async ({ name, frame: { release } }, connection) => {
      // In a version that it does not take it answers as its release does.
      if (!takes(release)) return false;
      if (name === 'REQUEST_BUILD_INFO') await connection.send(this.#buildInfo(release));
      else if (name === 'REQUEST_NODE_INFO') {
        await connection.send(reply('RESPONSE_NODE_INFO', { lastUpdate: 0n, nodes: [] }, { release }));
      } else return false;
      connection.finish();
      return true;
    };
  }

  /** @param uid of whom munged takes the caller for. */
  static async start(daemon: Release | Daemon = UNSIGNED, uid = 1000): Promise<FakeCluster> {
    const munged = await startFakeMunged((request, connection) => {
      const isDecode = request[5] === 4;
      connection.end(isDecode ? decodeAnswer({ credUid: uid, credGid: uid }) : encodeAnswer());
    });
    return new FakeCluster(await VersionedPeer.start(daemon), munged);
  }

  /** The options that lead there. */
  get options(): string[] {
    return [
      '--controller',
      this.controller.peer,
      '--auth',
      'munge-socket',
      '--munge-socket',
      this.munged.socket,
    ];
  }

  async stop(): Promise<void> {
    await this.controller.die();
    await this.munged.remove();
  }

  #buildInfo(release: Release): Uint8Array {
    const type = messageType('RESPONSE_BUILD_INFO');
    const now = BigInt(Math.floor(Date.now() / 1_000));
    const told = {
      lastUpdate: now,
      bootTime: now - 86_400n,
      version: '24.11.5',
      clusterName: 'lab',
      slurmUserId: 64030,
      slurmUserName: 'slurm',
      scronParams: null,
      schedParams: null,
      slurmctldParams: null,
      privateData: 0,
      ...this.config,
    };
    const example = exampleOf(type, release) as Record<string, unknown>;
    const record = settled(type, { ...example, ...told }, release) as MessageInput<'RESPONSE_BUILD_INFO'>;
    // What is null on purpose was filled in with an example.
    return reply('RESPONSE_BUILD_INFO', { ...record, ...told } as MessageInput<'RESPONSE_BUILD_INFO'>, {
      release,
    });
  }
}
