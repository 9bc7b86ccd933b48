/** Bytes from nowhere, at daemons in the embedder's own process: nothing they do may end it, hold it up or fill it. */
import { connect as dial } from 'node:net';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../src/index.js';
import { encodeFrame } from '../../src/protocol/frame.js';
import { encodeBody, type Release } from '../../src/protocol/index.js';
import { isMessageName } from '../../src/protocol/messages/index.js';
import { payloadDigest } from '../../src/protocol/payload-digest.js';
import { type CredentialStore, type EmbeddedCluster, startCluster } from '../../src/testing/index.js';
import { noStrayTrouble } from '../rpc/support/leaks.js';
import { fromHex, goldenLines, releaseOfProtocol } from '../support/golden.js';
import { packedText, rawFrame, tell, u32 } from '../support/raw-frame.js';
import { expectHarm } from '../support/watch.js';

noStrayTrouble();

/** Signed by alice, or by root: what is in it is looked at. */
function signed(
  store: CredentialStore,
  release: Release,
  type: number,
  body: Uint8Array,
  uid = 2001,
): Buffer {
  const text = store.mint({ uid, gid: uid, payload: payloadDigest(release, type, body) });
  return rawFrame({ release, type, body, auth: Buffer.concat([u32(101), packedText(text)]) });
}

describe.each(['20.11', '22.05', '24.11', '26.11'] as const)('%s', (release) => {
  let cluster: EmbeddedCluster;
  beforeAll(async () => {
    cluster = await startCluster({ release, nodes: 2, parameters: { MessageTimeout: '1' } });
    cluster.submit({ user: 'alice', script: '#!/bin/sh\nsleep 1000\n', nodes: 2 });
    cluster.submit({ user: 'alice', script: '#!/bin/sh\n', array: '0-3', hold: true });
  });
  afterAll(async () => {
    // And they still answer.
    await using slurm = await connect(cluster.options('alice'));
    expect(await slurm.ping()).toMatchObject([{ up: true }]);
    await cluster.down();
  });
  const ends = () => [cluster.daemon('slurmctld').endpoint, cluster.daemon('n1').endpoint];

  it('anything at all', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.boolean(), async (bytes, isFramed) => {
        const chunk = isFramed ? Buffer.concat([u32(bytes.length), bytes]) : bytes;
        for (const end of ends()) await tell(end, { chunks: [chunk], halfClose: true });
      }),
      { numRuns: 60 },
    );
  });

  it('messages of Slurm, cut at every byte or changed in one, with a good credential for just that', async () => {
    const store = cluster.munged.store;
    const own = goldenLines('signalling').filter(
      ({ v, name }) => releaseOfProtocol(v) === release && isMessageName(name) && name.startsWith('REQUEST_'),
    );
    expect(own.length).toBeGreaterThan(10);
    const bodies = own.flatMap(({ type, hex }) => {
      const whole = fromHex(hex);
      const cuts = Array.from({ length: whole.length }, (_, at) => whole.subarray(0, at));
      const changed = Array.from({ length: whole.length }, (_, at) =>
        whole.map((byte, i) => (i === at ? byte ^ (1 << (at % 8)) : byte)),
      );
      return [whole, ...cuts, ...changed].map((body) => ({ type, body }));
    });
    // Spread over all of them, whichever message is longest.
    const some = bodies.filter((_, index) => index % Math.ceil(bodies.length / 1_500) === 0);
    let next = 0;
    const work = async () => {
      for (let index = next++; index < some.length; index = next++) {
        const { type, body } = some[index] as (typeof some)[number];
        for (const [i, end] of ends().entries())
          await tell(end, {
            chunks: [signed(store, release, type, body, i === 0 ? 2001 : 0)],
            limitMs: 2_000,
          });
      }
    };
    await Promise.all(Array.from({ length: 16 }, work));
  });

  it('a ping that is changed in one byte, or cut, header and credential included', async () => {
    const store = cluster.munged.store;
    const whole = signed(store, release, 1008, new Uint8Array());
    const all = Array.from({ length: whole.length * 2 }, (_, i) => {
      const at = i % whole.length;
      return i < whole.length
        ? whole.subarray(0, at)
        : whole.map((byte, j) => (j === at ? byte ^ 0x81 : byte));
    });
    await Promise.all(
      all.map(async (chunk) => {
        for (const end of ends()) await tell(end, { chunks: [chunk], halfClose: true });
      }),
    );
  });
});

// Bytes of all kinds, of which some are such as no client sends.
afterEach(() => void expectHarm());

describe('many and slow ones', () => {
  it('two thousand connections that say nothing do not keep others out, and are gone in time', async () => {
    await using cluster = await startCluster({ nodes: 1, parameters: { MessageTimeout: '1' } });
    const at = cluster.daemon('slurmctld').endpoint;
    const idle = Promise.all(
      Array.from({ length: 2_000 }, () => tell(at, { chunks: [u32(50)], limitMs: 10_000 })),
    );
    await using slurm = await connect(cluster.options('alice'));
    expect(await slurm.ping()).toMatchObject([{ up: true }]);
    for (const { end } of await idle) expect(end).toBe('fin');
  });

  it('megabytes announced, and megabytes behind a message, are not kept', async () => {
    await using cluster = await startCluster({ nodes: 1, parameters: { MessageTimeout: '1' } });
    const at = cluster.daemon('slurmctld').endpoint;
    const before = process.memoryUsage().arrayBuffers;
    await Promise.all(
      Array.from({ length: 200 }, () => tell(at, { chunks: [u32(16 * 1024 * 1024), Buffer.alloc(64)] })),
    );
    cluster.fault({ request: 'REQUEST_PING', times: 1 }, { hang: 'before' });
    const ping = signed(cluster.munged.store, '26.05', 1008, new Uint8Array());
    await new Promise<void>((resolve) => {
      const socket = dial(at, () => {
        socket.write(ping);
        let left = 64;
        const more = () => {
          if (left-- === 0) return socket.destroy();
          socket.write(Buffer.alloc(1024 * 1024), more);
        };
        more();
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve());
    });
    globalThis.gc?.();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
  });

  it('who takes no answer is let go', async () => {
    await using cluster = await startCluster({ nodes: 1, parameters: { MessageTimeout: '1' } });
    // An answer that no socket buffer holds.
    cluster.fault({ request: 'REQUEST_PING' }, { corrupt: () => new Uint8Array(32 * 1024 * 1024) });
    const at = cluster.daemon('slurmctld').endpoint;
    const ping = signed(cluster.munged.store, '26.05', 1008, new Uint8Array());
    await new Promise<void>((resolve) => {
      const socket = dial(at, () => socket.write(ping));
      socket.pause();
      socket.on('error', () => resolve());
      socket.on('close', () => resolve());
      setTimeout(() => socket.resume(), 2_500);
    });
  });

  it('forward blocks with tens of thousands of names that nobody knows take no time to speak of', async () => {
    await using cluster = await startCluster({ nodes: 2, release: '24.11' });
    const at = cluster.daemon('n1').endpoint;
    const body = encodeBody('REQUEST_PING', '24.11', {});
    const payload = payloadDigest('24.11', 1008, body);
    for (const treeWidth of [1, 4, 65_535]) {
      const credential = cluster.munged.store.mint({ uid: 0, gid: 0, payload });
      const frame = encodeFrame({
        release: '24.11',
        messageName: 'REQUEST_PING',
        auth: { plugin: 'auth/munge', credential },
        body,
        forward: { cnt: 60_000, nodelist: 'x[1-60000]', timeout: 1_000, treeWidth, treeDepth: 3 },
      });
      const startedAt = performance.now();
      const { bytes } = await tell(at, { chunks: [frame], limitMs: 20_000 });
      expect(bytes.length).toBeGreaterThan(60_000);
      expect(performance.now() - startedAt).toBeLessThan(5_000);
    }
  });
});
