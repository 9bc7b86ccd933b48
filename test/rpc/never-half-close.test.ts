import { describe, expect, it } from 'vitest';
import { RELEASE_NAMES } from '../../src/protocol/index.js';
import { answering, rc, saying } from './support/replies.js';
import { type PeerConnection, ScriptedPeer } from './support/scripted-peer.js';
import { clientOf, exchangeOnce, failureOf } from './support/setup.js';
import { turn } from './support/until.js';

/** So many turns of the event loop see whatever was on its way over the loopback. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await turn();
}

describe('what the peer sees of one exchange', () => {
  it.each(RELEASE_NAMES)(
    'one frame in one piece, nothing behind it, no FIN before the reply (%s)',
    async (release) => {
      const seen: { ended: boolean; bytes: number; chunks: number }[] = [];
      const look = async (connection: PeerConnection) => {
        await settle();
        seen.push({ ended: connection.gone, bytes: connection.received.length, chunks: connection.chunks });
        await connection.send(rc(0, { release }));
        // The peer leaves it to the client to close.
      };
      await using peer = await ScriptedPeer.listen(
        answering({ REQUEST_PING: look, REQUEST_KILL_JOB: look }, release),
      );
      await clientOf([peer.endpoint], { release }).killJob('7_[1-5,9]', 'SIGTERM');
      await peer.allLeft();
      await settle();
      expect(peer.requests).toEqual(['REQUEST_PING', 'REQUEST_KILL_JOB']);
      for (const [index, connection] of peer.connections.entries()) {
        const length = connection.request?.bytes.length;
        expect(seen[index]).toEqual({ ended: false, bytes: length, chunks: 1 });
        expect(connection.received.readUInt32BE(0)).toBe((length ?? 0) - 4);
        // Nothing came later either.
        expect(connection.received.length).toBe(length);
      }
    },
  );

  it('a frame of 60 KiB is still one write', async () => {
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(0) }));
    const tasks = Array.from({ length: 11_000 }, (_, i) => i * 2).join(',');
    await clientOf([peer.endpoint]).killJob(`7_[${tasks}]`, 'SIGTERM');
    const kill = peer.connections[1];
    expect(kill?.received.length).toBe(kill?.request?.bytes.length);
    expect(kill?.request?.bytes.length).toBeGreaterThan(60_000);
  });

  it('not while the reply trickles in, byte by byte', async () => {
    const ended: boolean[] = [];
    await using peer = await ScriptedPeer.listen(async (connection) => {
      await connection.readRequest();
      for (const byte of rc(0)) {
        ended.push(connection.gone);
        await connection.send(Uint8Array.of(byte));
        await turn();
      }
    });
    await exchangeOnce(peer.endpoint);
    expect(ended.length).toBeGreaterThan(100);
    expect(ended).not.toContain(true);
    await peer.allLeft();
  });

  it('not even when the peer has half-closed in the middle of its reply and goes on waiting', async () => {
    let sawFin: boolean | undefined;
    await using peer = await ScriptedPeer.listen(async (connection) => {
      await connection.readRequest();
      sawFin = connection.gone;
      await saying(rc(0))(connection);
    });
    await exchangeOnce(peer.endpoint);
    expect(sawFin).toBe(false);
    await peer.allLeft();
  });
});

describe('the socket is closed by us', () => {
  it.each([
    ['a reply', rc(0)],
    ['half a reply, at the deadline', rc(0).subarray(0, 50)],
    ['HTTP', Buffer.from('HTTP/1.1 405 NOT ALLOWED\r\n')],
    ['a TLS alert', Uint8Array.of(0x15, 3, 3, 0, 2, 2, 10)],
    ['an insane length', Uint8Array.of(0xff, 0xff, 0xff, 0xff)],
    ['a frame that cannot be decoded', Uint8Array.of(0, 0, 0, 1, 0)],
    ['a forged reply', rc(0, { signer: 1234 })],
    ['silence, at the deadline', new Uint8Array()],
  ])('after %s', async (_, bytes) => {
    await using peer = await ScriptedPeer.listen(async (connection) => {
      await connection.readRequest();
      await connection.send(bytes);
    });
    await exchangeOnce(peer.endpoint, { timeoutMs: 150 }).catch(() => null);
    await peer.allLeft();
    expect(peer.connections).toHaveLength(1);
  });

  it('after a peer that only half-closes', async () => {
    await using peer = await ScriptedPeer.listen(async (connection) => {
      await connection.readRequest();
      connection.finish();
    });
    expect(await failureOf(exchangeOnce(peer.endpoint))).toMatchObject({ outcome: 'unknown' });
    await peer.allLeft();
  });
});
