/** The TLS transport against servers of Node's own: what is trusted, how a handshake can fail, and that the frames inside are those of TCP. */
import type { Socket } from 'node:net';
import { createServer, type Server } from 'node:net';
import { createSecureContext, TLSSocket as Secured, type TLSSocket } from 'node:tls';
import { describe, expect, it, vi } from 'vitest';
import { isSlurmError } from '../../src/protocol/index.js';
import { type TlsTransportOptions, tlsTransport } from '../../src/rpc/index.js';
import { leavesNothing, noStrayTrouble } from './support/leaks.js';
import { answering, rc, saying } from './support/replies.js';
import { type PeerConnection, ScriptedPeer } from './support/scripted-peer.js';
import { clientOf, exchangeOnce, failureOf } from './support/setup.js';
import { describeTls } from './support/tls-peer.js';
import { turn, until } from './support/until.js';

noStrayTrouble();

/** Stays until the client has gone, and goes too. */
async function leave(connection: PeerConnection): Promise<void> {
  await until(() => connection.gone, 'the client to leave');
  connection.drop();
}

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await turn();
}

describeTls('TLS', (certificates) => {
  const transport = (options: Partial<TlsTransportOptions> = {}) =>
    tlsTransport({ ca: certificates().ca.cert, caSource: '/etc/slurm/ca_cert.pem', ...options });
  const setup = (options: Partial<TlsTransportOptions> = {}) => ({ transport: transport(options) });

  describe('a peer that is as it should be', () => {
    it.each(['TLSv1.2', 'TLSv1.3'] as const)('%s: a kill, no SNI, nothing left behind', async (version) => {
      await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(0) }), {
        ...certificates().good,
        minVersion: version,
        maxVersion: version,
      });
      const client = clientOf([peer.endpoint], setup());
      await leavesNothing(() => client.killJob(7, 'SIGTERM'));
      expect(peer.requests).toEqual(['REQUEST_PING', 'REQUEST_KILL_JOB']);
      for (const { socket } of peer.connections) {
        expect((socket as TLSSocket & { servername: unknown }).servername).toBe(false);
      }
    });

    it('a minimum of 1.3 is kept', async () => {
      await using peer = await ScriptedPeer.listen(() => {}, {
        ...certificates().good,
        maxVersion: 'TLSv1.2',
      });
      const error = await failureOf(exchangeOnce(peer.endpoint, setup({ minVersion: 'TLSv1.3' })));
      expect(error).toMatchObject({ code: 'SLURMWIRE_TLS_HANDSHAKE', outcome: 'not-sent', errno: 'EPROTO' });
      expect(error.hint).toContain('minVersion');
    });

    it.each(['TLSv1.2', 'TLSv1.3'] as const)(
      '%s: the reply in two pieces, at every byte',
      async (version) => {
        const bytes = rc(0);
        let cut = 0;
        await using peer = await ScriptedPeer.listen(
          async (connection) => {
            await connection.readRequest();
            await connection.send(bytes.subarray(0, cut));
            await turn();
            await connection.send(bytes.subarray(cut));
          },
          { ...certificates().good, minVersion: version, maxVersion: version },
        );
        const one = setup();
        for (cut = 1; cut < bytes.length; cut++) await exchangeOnce(peer.endpoint, one);
        expect(peer.connections).toHaveLength(bytes.length - 1);
      },
    );

    it('no close_notify and no FIN before the reply, byte by byte; both behind it', async () => {
      const ended: boolean[] = [];
      await using peer = await ScriptedPeer.listen(async (connection) => {
        await connection.readRequest();
        for (const byte of rc(0)) {
          await settle();
          ended.push(connection.gone);
          await connection.send(Uint8Array.of(byte));
        }
      }, certificates().good);
      await exchangeOnce(peer.endpoint, setup());
      expect(ended.length).toBeGreaterThan(100);
      expect(ended).not.toContain(true);
      await peer.allLeft();
      // Clean on the TLS layer: nothing a daemon would log as an error.
      expect(peer.connections[0]).toMatchObject({ ended: true, wasReset: false });
    });

    it('a request of 60 KiB, in more than one record', async () => {
      await using peer = await ScriptedPeer.listen(
        answering({ REQUEST_KILL_JOB: rc(0) }),
        certificates().good,
      );
      const tasks = Array.from({ length: 11_000 }, (_, i) => i * 2).join(',');
      await clientOf([peer.endpoint], setup()).killJob(`7_[${tasks}]`, 'SIGTERM');
      expect(peer.connections[1]?.request?.bytes.length).toBeGreaterThan(60_000);
    });
  });

  describe('an end of the stream', () => {
    const rawEnd: [string, (connection: PeerConnection) => void][] = [
      ['close_notify', (connection) => connection.finish()],
      // What carries the TLS is cut: no close_notify.
      ['FIN alone', (connection) => endBelow(connection)],
    ];
    it.each(rawEnd)('%s behind a whole frame: the frame counts', async (_, end) => {
      await using peer = await ScriptedPeer.listen(async (connection) => {
        await connection.readRequest();
        await connection.send(rc(0));
        end(connection);
      }, certificates().good);
      await exchangeOnce(peer.endpoint, setup());
    });

    it.each(rawEnd)('%s in the middle of a frame: cut off, unknown', async (_, end) => {
      await using peer = await ScriptedPeer.listen(async (connection) => {
        await connection.readRequest();
        await connection.send(rc(0).subarray(0, 30));
        end(connection);
      }, certificates().good);
      const error = await failureOf(exchangeOnce(peer.endpoint, setup()));
      expect(error).toMatchObject({ code: 'SLURM_COMMUNICATIONS_RECEIVE_ERROR', outcome: 'unknown' });
      expect(error.message).toContain('cut off after 30 bytes');
    });

    it.each(rawEnd)('%s instead of a reply: closed without an answer, unknown', async (_, end) => {
      await using peer = await ScriptedPeer.listen(async (connection) => {
        await connection.readRequest();
        end(connection);
      }, certificates().good);
      const error = await failureOf(exchangeOnce(peer.endpoint, setup()));
      expect(error).toMatchObject({ code: 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT', outcome: 'unknown' });
    });

    it('bytes that are no TLS behind the handshake: broken, unknown', async () => {
      await using peer = await ScriptedPeer.listen(async (connection) => {
        await connection.readRequest();
        below(connection).write(Buffer.from('HTTP/1.1 200 OK\r\n\r\n'));
      }, certificates().good);
      const error = await failureOf(exchangeOnce(peer.endpoint, setup()));
      expect(error).toMatchObject({
        code: 'SLURMWIRE_TLS_BROKEN',
        outcome: 'unknown',
        errno: 'EPROTO',
        phase: 'wait',
      });
    });

    it('silence: the deadline, and nothing is left', async () => {
      await using peer = await ScriptedPeer.listen(async (connection) => {
        await connection.readRequest();
      }, certificates().good);
      const work = () => failureOf(exchangeOnce(peer.endpoint, { ...setup(), timeoutMs: 300 }));
      expect(await leavesNothing(work)).toMatchObject({ name: 'SlurmTimeoutError', outcome: 'unknown' });
      await peer.allLeft();
    });
  });

  describe('a certificate that is not good: nothing is sent', () => {
    const untrusted = {
      code: 'SLURMWIRE_TLS_UNTRUSTED',
      outcome: 'not-sent',
      phase: 'connect',
      errno: 'EACCES',
    };

    it.each(['TLSv1.2', 'TLSv1.3'] as const)('another CA (%s)', async (version) => {
      // Not half open: a server that was left in its handshake must go by itself for nothing to be left.
      const tls = {
        ...certificates().stranger,
        minVersion: version,
        maxVersion: version,
        allowHalfOpen: false,
      };
      await using peer = await ScriptedPeer.listen(() => {}, tls);
      const error = await leavesNothing(() => failureOf(exchangeOnce(peer.endpoint, setup())));
      expect(error).toMatchObject({
        ...untrusted,
        retryable: false,
        rpc: 'REQUEST_KILL_JOB',
        peer: peer.peer,
      });
      expect(error.hint).toContain('/etc/slurm/ca_cert.pem');
      await settle();
      expect(peer.bytesReceived).toBe(0);
    });

    it('the system and NODE_TLS_REJECT_UNAUTHORIZED have no say', async () => {
      await using peer = await ScriptedPeer.listen(() => {}, certificates().stranger);
      const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
      process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
      try {
        expect(await failureOf(exchangeOnce(peer.endpoint, setup()))).toMatchObject(untrusted);
      } finally {
        delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
        warned.mockRestore();
      }
      expect(peer.bytesReceived).toBe(0);
    });

    it('expired', async () => {
      await using peer = await ScriptedPeer.listen(() => {}, certificates().expired);
      const error = await failureOf(exchangeOnce(peer.endpoint, setup()));
      expect(error).toMatchObject(untrusted);
      expect(error.message).toMatch(/expired|not valid yet/i);
      expect(peer.bytesReceived).toBe(0);
    });

    it('for another host: good by default, as with Slurm; refused with checkHostname', async () => {
      await using peer = await ScriptedPeer.listen(
        answering({ REQUEST_KILL_JOB: rc(0) }),
        certificates().good,
      );
      await exchangeOnce(peer.endpoint, setup());
      const error = await failureOf(exchangeOnce(peer.endpoint, setup({ checkHostname: true })));
      expect(error).toMatchObject(untrusted);
      expect(error.hint).toContain('checkHostname');
      await exchangeOnce(peer.endpoint, setup({ checkHostname: true, servername: 'ctl.example' }));
      const asked = peer.connections.map(
        ({ socket }) => (socket as TLSSocket & { servername: unknown }).servername,
      );
      expect(asked).toContain('ctl.example');
    });

    it('checkHostname with a certificate for the address', async () => {
      await using peer = await ScriptedPeer.listen(
        answering({ REQUEST_KILL_JOB: rc(0) }),
        certificates().local,
      );
      await exchangeOnce(peer.endpoint, setup({ checkHostname: true }));
    });
  });

  describe('a certificate of the client', () => {
    it('is shown where it is asked for', async () => {
      const { ca, good, client } = certificates();
      const tls = { ...good, ca: ca.cert, requestCert: true, rejectUnauthorized: true };
      await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(0) }), tls);
      await exchangeOnce(peer.endpoint, setup(client));
      expect(peer.connections.map(({ socket }) => (socket as TLSSocket).authorized)).toEqual([true]);
      const error = await failureOf(exchangeOnce(peer.endpoint, setup()));
      // In TLS 1.3 the server looks at it when the client has sent already; an alert, or a close, as it happens.
      expect(error.outcome).toBe('unknown');
      expect(error.hint).toContain('certificate of the client');
      // The first contact takes the uncertainty away.
      const kill = await failureOf(clientOf([peer.endpoint], setup()).killJob(7));
      expect(kill).toMatchObject({ outcome: 'not-sent', name: 'SlurmConnectionError' });
      expect(peer.requests).toEqual(['REQUEST_KILL_JOB']);
    });

    it('a key that does not belong to it, or is none, is told without a byte of it', () => {
      const { client, good } = certificates();
      for (const key of [good.key, 'secret nonsense', '']) {
        const error = thrownBy(() => transport({ cert: client.cert, key }));
        expect(error).toMatchObject({ code: 'SLURMWIRE_CONFIG_TLS', outcome: 'not-sent' });
        expect((error as Error).cause).toBeUndefined();
        expect(JSON.stringify(error)).not.toMatch(/secret|PRIVATE/);
      }
    });

    it('an intermediate CA alone can be what is trusted', async () => {
      const { ca } = certificates();
      const between = await ca.issue('between', { isCa: true });
      const leaf = await ca.issue('leaf', { issuer: 'between' });
      await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(0) }), leaf);
      await exchangeOnce(peer.endpoint, setup({ ca: between.cert }));
      await exchangeOnce(peer.endpoint, setup({ ca: [ca.cert, between.cert] }));
      // The server does not send what lies between.
      expect(await failureOf(exchangeOnce(peer.endpoint, setup()))).toMatchObject({
        code: 'SLURMWIRE_TLS_UNTRUSTED',
      });
    });

    it('a CA that is none', () => {
      for (const ca of [
        '',
        'nonsense',
        '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
        [],
      ]) {
        expect(thrownBy(() => transport({ ca }))).toMatchObject({ code: 'SLURMWIRE_CONFIG_TLS' });
      }
    });
  });

  describe('a peer that does not come through the handshake: nothing is sent', () => {
    const failed = {
      code: 'SLURMWIRE_TLS_HANDSHAKE',
      outcome: 'not-sent',
      phase: 'connect',
      rpc: 'REQUEST_KILL_JOB',
    };

    it.each([
      ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
      ['a frame of Slurm', rc(0)],
      ['noughts', Buffer.alloc(4096)],
      ['an alert', Buffer.of(0x15, 3, 3, 0, 2, 2, 40)],
    ])('it answers with %s', async (what, bytes) => {
      await using peer = await ScriptedPeer.listen(async (connection) => {
        await connection.have(5);
        await connection.send(bytes);
        await leave(connection);
      });
      const error = await leavesNothing(() => failureOf(exchangeOnce(peer.endpoint, setup())));
      expect(error).toMatchObject({ ...failed, errno: 'EPROTO', retryable: false, peer: peer.peer });
      expect(error.hint).toContain(what === 'an alert' ? 'cert and key' : '25.05');
      await peer.allLeft();
      expect(peer.connections).toHaveLength(1); // no second try, in plain text or otherwise
    });

    it.each([
      ['at once', (connection: PeerConnection) => connection.finish()],
      [
        'with a reset',
        async (connection: PeerConnection) => {
          await connection.have(5);
          connection.reset();
        },
      ],
      [
        'after the ClientHello',
        async (connection: PeerConnection) => {
          await connection.have(5);
          connection.finish();
        },
      ],
    ])('it closes %s', async (_, script) => {
      await using peer = await ScriptedPeer.listen(script);
      const error = await leavesNothing(() => failureOf(exchangeOnce(peer.endpoint, setup())));
      expect(error).toMatchObject({ ...failed, errno: 'ECONNRESET', retryable: true });
      expect(error.hint).toContain('tls: false');
      expect(peer.connections).toHaveLength(1);
    });

    it('it is silent: the bound of the handshake', async () => {
      await using peer = await ScriptedPeer.listen(leave);
      const work = () => failureOf(exchangeOnce(peer.endpoint, setup({ handshakeTimeoutMs: 100 })));
      const error = await leavesNothing(work);
      expect(error).toMatchObject({ ...failed, errno: 'ETIMEDOUT', retryable: true });
      expect(error.message).toContain('100 ms');
      await peer.allLeft();
    });

    it('it is silent: just before the end of the call, so that the reason is told', async () => {
      await using peer = await ScriptedPeer.listen(() => {});
      const error = await failureOf(exchangeOnce(peer.endpoint, { ...setup(), timeoutMs: 500 }));
      expect(error).toMatchObject({ ...failed, errno: 'ETIMEDOUT' });
      // Of a first contact too, which has a deadline of its own.
      const client = clientOf([peer.endpoint], { ...setup(), messageTimeoutMs: 500 });
      const kill = await failureOf(client.killJob(7));
      expect(kill).toMatchObject(failed);
    });

    it('the caller gives up during the handshake', async () => {
      const abort = new AbortController();
      await using peer = await ScriptedPeer.listen(async (connection) => {
        await connection.have(5);
        abort.abort();
        await leave(connection);
      });
      const work = () => failureOf(exchangeOnce(peer.endpoint, { ...setup(), signal: abort.signal }));
      const error = await leavesNothing(work, abort.signal);
      expect(error).toMatchObject({ code: 'SLURMWIRE_ABORTED', outcome: 'not-sent', phase: 'connect' });
      await peer.allLeft();
    });

    it('the next controller is asked', async () => {
      await using plain = await ScriptedPeer.listen((connection) => connection.finish());
      await using good = await ScriptedPeer.listen(
        answering({ REQUEST_KILL_JOB: rc(0) }),
        certificates().good,
      );
      const accepted = await clientOf([plain.endpoint, good.endpoint], setup()).killJob(7);
      expect(accepted.outcome).toBe('accepted');
      expect(good.requests).toContain('REQUEST_KILL_JOB');
    });

    it('nobody listens: as with TCP', async () => {
      const peer = await ScriptedPeer.listen(() => {});
      await peer.close();
      const error = await failureOf(exchangeOnce(peer.endpoint, setup()));
      expect(error).toMatchObject({ errno: 'ECONNREFUSED', code: 'SLURM_COMMUNICATIONS_CONNECTION_ERROR' });
    });
  });

  describe('a client that was not told to speak TLS never does', () => {
    it.each([
      ['RC 13000', rc(13000, { release: '25.11', signer: null })],
      ['a TLS alert', Buffer.of(0x15, 3, 3, 0, 2, 2, 70)],
    ])('after %s', async (_, bytes) => {
      await using peer = await ScriptedPeer.listen(saying(bytes));
      const error = await failureOf(clientOf([peer.endpoint]).killJob(7));
      expect(error).toMatchObject({ code: 'ESLURM_TLS_REQUIRED', outcome: 'not-sent' });
      expect(error.hint).toContain('TLSType');
      expect(error.hint).toContain('tls option');
      for (const { received } of peer.connections) expect(received[0]).not.toBe(0x16);
    });

    it('to a TLS server', async () => {
      const server = await listening(certificates().good);
      try {
        const error = await failureOf(exchangeOnce(server.endpoint, { release: '25.05' }));
        expect(isSlurmError(error)).toBe(true);
        expect(['ESLURM_TLS_REQUIRED', 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT']).toContain(error.code);
        expect(error.hint).toContain('tls option');
        expect(server.first).toEqual([0]);
      } finally {
        await server.close();
      }
    });
  });
});

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('it did not throw');
}

/** The TCP socket below a TLS one. */
function below({ socket }: PeerConnection): Socket {
  return (socket as unknown as { _parent: Socket })._parent;
}

function endBelow(connection: PeerConnection): void {
  const raw = below(connection);
  raw.destroy();
}

/** A TLS server that notes the first byte of each connection. */
async function listening(identity: { cert: string; key: string }) {
  const first: number[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('readable', () => {
      const chunk: Buffer | null = socket.read();
      if (chunk === null) return;
      first.push(chunk[0] ?? -1);
      socket.unshift(chunk);
      const secured = new Secured(socket, { isServer: true, secureContext: createSecureContext(identity) });
      secured.on('error', () => socket.destroy());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    endpoint: { host: '127.0.0.1', port },
    first,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
