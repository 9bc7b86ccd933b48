import dns from 'node:dns';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  isAtLeast,
  RELEASE_NAMES,
  type Release,
  type SlurmConnectionError,
  type SlurmTimeoutError,
} from '../../src/protocol/index.js';
import { tcpTransport } from '../../src/rpc/tcp-transport.js';
import { FakeAuth } from './support/fake-auth.js';
import { answering, rc, replyOf, saying, silence, undescribedReply } from './support/replies.js';
import { deadEndpoint, type PeerConnection, type Script, ScriptedPeer } from './support/scripted-peer.js';
import {
  clientOf,
  exchangeOnce,
  expectFailure,
  type Failure,
  failureOf,
  hanging,
  shown,
  transportOf,
} from './support/setup.js';
import { turn, until } from './support/until.js';

afterEach(() => vi.restoreAllMocks());

/** How a failure of the kill of `exchangeOnce` looks before the parts that a test is about. */
function kill(peer: string, different: Partial<Failure>): Failure {
  return {
    name: 'SlurmConnectionError',
    code: 'SLURM_COMMUNICATIONS_CONNECTION_ERROR',
    phase: 'connect',
    outcome: 'not-sent',
    retryable: true,
    rpc: 'REQUEST_KILL_JOB',
    peer,
    protocol: '22.05',
    ...different,
  };
}

const TIMEOUT = { name: 'SlurmTimeoutError', code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT' } as const;
const ABORTED = { name: 'SlurmTimeoutError', code: 'SLURMWIRE_ABORTED', retryable: false } as const;
const SILENT_CLOSE = {
  code: 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT',
  phase: 'wait',
  outcome: 'unknown',
  retryable: false,
} as const;

describe('no connection', () => {
  it('nobody listens: not sent, ECONNREFUSED kept as errno and as cause', async () => {
    const endpoint = await deadEndpoint();
    const error = await expectFailure(exchangeOnce(endpoint), kill(`127.0.0.1:${endpoint.port}`, {}));
    expect(error).toMatchObject({ errno: 'ECONNREFUSED', cause: { code: 'ECONNREFUSED' } });
    expect(error.message).toContain('is slurmctld running');
  });

  it('a connect that never completes ends by TCPTimeout: ETIMEDOUT with the milliseconds, and the socket dropped', async () => {
    // A lookup that never calls back is a connect that never completes.
    vi.spyOn(dns, 'lookup').mockImplementation((() => {}) as unknown as typeof dns.lookup);
    const endpoint = { host: 'controller.invalid', port: 6817 };
    const transport = tcpTransport({ connectTimeoutMs: 100 });
    const error = await expectFailure(
      exchangeOnce(endpoint, { transport }),
      kill('controller.invalid:6817', {}),
    );
    expect(error.errno).toBe('ETIMEDOUT');
    expect(error.message).toContain('no connection within 100 ms (TCPTimeout)');
  });

  it.each([
    ['ENOTFOUND', 'does not resolve'],
    ['EAI_AGAIN', 'name service did not answer'],
  ])(
    "a name that does not resolve (%s): not sent; the errno is POSIX's, the cause the resolver's own",
    async (code, hint) => {
      vi.spyOn(dns, 'lookup').mockImplementation(((
        host: string,
        _options: unknown,
        callback: (error: Error) => void,
      ) => {
        const error = Object.assign(new Error(`getaddrinfo ${code} ${host}`), {
          code,
          syscall: 'getaddrinfo',
          hostname: host,
        });
        setImmediate(() => callback(error));
      }) as unknown as typeof dns.lookup);
      const endpoint = { host: 'controller.invalid', port: 6817 };
      const error = await expectFailure(exchangeOnce(endpoint), kill('controller.invalid:6817', {}));
      expect(error).toMatchObject({ errno: 'EHOSTUNREACH', cause: { code, hostname: 'controller.invalid' } });
      expect(error.hint).toContain(hint);
    },
  );

  it.each([
    ['ENETUNREACH', 'no route to the network'],
    ['EHOSTUNREACH', 'no route to the host'],
    ['ETIMEDOUT', 'did not answer in time'],
    ['EMFILE', 'too many files open'],
  ])('%s: not sent, kept as errno, with what to do', async (code, hint) => {
    const transport = transportOf(() =>
      Promise.reject(Object.assign(new Error(`connect ${code}`), { code })),
    );
    const error = await expectFailure(
      exchangeOnce({ host: '127.0.0.1', port: 6817 }, { transport }),
      kill('127.0.0.1:6817', {}),
    );
    expect(error.errno).toBe(code);
    expect(error.hint).toContain(hint);
  });

  it('several addresses that all fail: the first says why, all stay in the cause', async () => {
    const refused = (address: string) =>
      Object.assign(new Error(`connect ECONNREFUSED ${address}:6817`), { code: 'ECONNREFUSED' });
    const all = new AggregateError([refused('::1'), refused('127.0.0.1')]);
    const transport = transportOf(() => Promise.reject(all));
    const error = await expectFailure(
      exchangeOnce({ host: '::1', port: 6817 }, { transport }),
      kill('[::1]:6817', {}),
    );
    expect(error.errno).toBe('ECONNREFUSED');
    expect(error.cause).toBe(all);
  });

  it('a defect of a transport is not dressed up as a network error', async () => {
    const defect = new TypeError('undefined is not a function');
    const transport = transportOf(() => Promise.reject(defect));
    const error = await expectFailure(
      exchangeOnce({ host: '127.0.0.1', port: 1 }, { transport }),
      kill('127.0.0.1:1', { name: 'SlurmProtocolError', code: 'SLURMWIRE_INTERNAL', retryable: false }),
    );
    expect(error.cause).toBe(defect);
  });
});

describe('the deadline', () => {
  it('a peer that accepts and says nothing: unknown, with the milliseconds', async () => {
    await using peer = await ScriptedPeer.listen(silence);
    for (const repeatable of [false, true]) {
      const error = await expectFailure(
        exchangeOnce(peer.endpoint, { timeoutMs: 120, repeatable }),
        kill(peer.peer, { ...TIMEOUT, phase: 'wait', outcome: 'unknown', retryable: repeatable }),
      );
      expect(error.errno).toBe('ETIMEDOUT');
      expect(error.message).toContain('no answer within 120 ms, while waiting for the reply');
      expect(error.message).toContain('look at the job before you send it again');
    }
    await peer.allLeft();
    expect(peer.connections).toHaveLength(2);
  });

  it('during the credential: not sent, and nobody was connected to', async () => {
    await using peer = await ScriptedPeer.listen(silence);
    const auth = new FakeAuth();
    auth.beforeCreate = ({ signal }) => hanging(signal);
    const error = await expectFailure(
      exchangeOnce(peer.endpoint, { timeoutMs: 100, auth }),
      kill(peer.peer, { ...TIMEOUT, phase: 'authenticate' }),
    );
    expect(error.message).toContain('while getting a credential');
    expect(peer.connections).toHaveLength(0);
  });

  it('during a credential whose authenticator ignores the signal', async () => {
    await using peer = await ScriptedPeer.listen(silence);
    const auth = new FakeAuth();
    let release = () => {};
    auth.beforeCreate = () =>
      new Promise<void>((resolve) => {
        release = resolve;
      });
    await expectFailure(
      exchangeOnce(peer.endpoint, { timeoutMs: 100, auth }),
      kill(peer.peer, { ...TIMEOUT, phase: 'authenticate' }),
    );
    release();
    await until(() => auth.created.length === 1, 'the late credential');
    expect(peer.connections).toHaveLength(0);
  });

  it('during connect: not sent', async () => {
    const transport = transportOf((_, { signal }) => hanging(signal));
    const error = await expectFailure(
      exchangeOnce({ host: '127.0.0.1', port: 6817 }, { timeoutMs: 100, transport }),
      kill('127.0.0.1:6817', { ...TIMEOUT, phase: 'connect' }),
    );
    expect(error.message).toContain('while connecting');
  });

  it('during a TCP connect: not sent', async () => {
    vi.spyOn(dns, 'lookup').mockImplementation((() => {}) as unknown as typeof dns.lookup);
    await expectFailure(
      exchangeOnce({ host: 'controller.invalid', port: 6817 }, { timeoutMs: 100 }),
      kill('controller.invalid:6817', { ...TIMEOUT, phase: 'connect' }),
    );
  });

  it('during a connect whose transport ignores the signal; the connection that comes too late is closed', async () => {
    let arrive = (_: { close(): void }) => {};
    const transport = transportOf(
      () =>
        new Promise((resolve) => {
          arrive = (late) => resolve(late as never);
        }),
    );
    await expectFailure(
      exchangeOnce({ host: '127.0.0.1', port: 6817 }, { timeoutMs: 100, transport }),
      kill('127.0.0.1:6817', { ...TIMEOUT, phase: 'connect' }),
    );
    const close = vi.fn();
    arrive({ close });
    await until(() => close.mock.calls.length === 1, 'the late connection to be closed');
  });

  it('during the write: unknown, and the connection is closed', async () => {
    const close = vi.fn();
    const never = new Promise<never>(() => {});
    const transport = transportOf(async () => ({ write: () => never, read: () => never, close }));
    const error = await expectFailure(
      exchangeOnce({ host: '127.0.0.1', port: 6817 }, { timeoutMs: 100, transport }),
      kill('127.0.0.1:6817', { ...TIMEOUT, phase: 'send', outcome: 'unknown', retryable: false }),
    );
    expect(error.message).toContain('while sending');
    expect(close).toHaveBeenCalledTimes(1);
  });

  it('while the credential of the reply is verified: unknown', async () => {
    await using peer = await ScriptedPeer.listen(async (connection) => {
      await connection.readRequest();
      await connection.send(rc(0));
    });
    const auth = new FakeAuth();
    auth.beforeVerify = () => new Promise(() => {});
    const error = await expectFailure(
      exchangeOnce(peer.endpoint, { timeoutMs: 150, auth }),
      kill(peer.peer, { ...TIMEOUT, phase: 'authenticate', outcome: 'unknown', retryable: false }),
    );
    expect(error.message).toContain("while checking the reply's credential");
  });

  it('half a reply and then silence: unknown', async () => {
    await using peer = await ScriptedPeer.listen(async (connection) => {
      await connection.readRequest();
      await connection.send(rc(0).subarray(0, 40));
    });
    await expectFailure(
      exchangeOnce(peer.endpoint, { timeoutMs: 120 }),
      kill(peer.peer, { ...TIMEOUT, phase: 'wait', outcome: 'unknown', retryable: false }),
    );
  });
});

describe('a close() that throws changes nothing', () => {
  const trouble = () => {
    throw new Error('close() failed');
  };

  it('about a reply', async () => {
    let chunks = [rc(0)];
    const close = vi.fn(trouble);
    const transport = transportOf(async () => ({
      write: async () => {},
      read: async () => chunks.shift() ?? null,
      close,
    }));
    const reply = await exchangeOnce({ host: '127.0.0.1', port: 6817 }, { transport });
    expect(reply).toMatchObject({ record: { returnCode: 0 }, authenticated: true });
    expect(close).toHaveBeenCalledTimes(1);
    chunks = [rc(2017)];
    expect(await exchangeOnce({ host: '127.0.0.1', port: 6817 }, { transport })).toMatchObject({
      record: { returnCode: 2017 },
    });
  });

  it('about a failure', async () => {
    const transport = transportOf(async () => ({
      write: async () => {},
      read: async () => null,
      close: trouble,
    }));
    await expectFailure(
      exchangeOnce({ host: '127.0.0.1', port: 6817 }, { transport }),
      kill('127.0.0.1:6817', SILENT_CLOSE),
    );
  });

  it('about a connection that came too late: no rejection is left unhandled', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    let arrive = () => {};
    const close = vi.fn(trouble);
    const transport = transportOf(
      () =>
        new Promise((resolve) => {
          arrive = () => resolve({ close } as never);
        }),
    );
    const abort = new AbortController();
    const work = failureOf(
      exchangeOnce({ host: '127.0.0.1', port: 6817 }, { transport, signal: abort.signal }),
    );
    await turn();
    abort.abort();
    expect(await work).toMatchObject({ code: 'SLURMWIRE_ABORTED', outcome: 'not-sent' });
    arrive();
    await until(() => close.mock.calls.length === 1, 'the late connection to be closed');
    for (let i = 0; i < 5; i++) await turn();
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});

describe("the caller's AbortSignal", () => {
  it('fired before the call: no credential, no connection', async () => {
    await using peer = await ScriptedPeer.listen(silence);
    const auth = new FakeAuth();
    const reason = new Error('the user changed their mind');
    const error = await expectFailure(
      exchangeOnce(peer.endpoint, { signal: AbortSignal.abort(reason), auth }),
      kill(peer.peer, { ...ABORTED, phase: 'authenticate' }),
    );
    expect(error.cause).toBe(reason);
    expect(error.errno).toBe('ECANCELED');
    expect(auth.created).toHaveLength(0);
    expect(peer.connections).toHaveLength(0);
  });

  it('fired before a verb of the client: no credential, no connection, not even a PING', async () => {
    await using peer = await ScriptedPeer.listen(silence);
    const auth = new FakeAuth();
    const reason = new Error('never mind');
    const client = clientOf([peer.endpoint], { auth });
    const error = await expectFailure(
      client.killJob(7, 'SIGTERM', { signal: AbortSignal.abort(reason) }),
      kill(peer.peer, { ...ABORTED, phase: 'authenticate' }),
    );
    expect(error.cause).toBe(reason);
    await client.close();
    expect(auth.created).toHaveLength(0);
    expect(peer.connections).toHaveLength(0);
  });

  it('during the credential: not sent', async () => {
    const abort = new AbortController();
    const reason = { any: 'value will do as a reason' };
    const auth = new FakeAuth();
    auth.beforeCreate = ({ signal }) => {
      abort.abort(reason);
      return hanging(signal);
    };
    const error = await expectFailure(
      exchangeOnce({ host: '127.0.0.1', port: 6817 }, { signal: abort.signal, auth }),
      kill('127.0.0.1:6817', { ...ABORTED, phase: 'authenticate' }),
    );
    expect(error.cause).toBe(reason);
  });

  it('during connect: not sent', async () => {
    const abort = new AbortController();
    const transport = transportOf((_, { signal }) => {
      const connecting = hanging(signal);
      abort.abort('enough');
      return connecting;
    });
    const error = await expectFailure(
      exchangeOnce({ host: '127.0.0.1', port: 6817 }, { signal: abort.signal, transport }),
      kill('127.0.0.1:6817', { ...ABORTED, phase: 'connect' }),
    );
    expect(error.cause).toBe('enough');
  });

  it('between connect and the first byte: not sent, the connection is closed and saw nothing', async () => {
    const abort = new AbortController();
    const write = vi.fn();
    const close = vi.fn();
    const transport = transportOf(async () => {
      abort.abort();
      return { write, read: () => Promise.resolve(null), close };
    });
    await expectFailure(
      exchangeOnce({ host: '127.0.0.1', port: 6817 }, { signal: abort.signal, transport }),
      kill('127.0.0.1:6817', { ...ABORTED, phase: 'connect' }),
    );
    expect(write).not.toHaveBeenCalled();
    await until(() => close.mock.calls.length > 0, 'the connection to be closed');
  });

  it('while waiting: unknown; the peer sees the connection go', async () => {
    const abort = new AbortController();
    const reason = new DOMException('stop', 'AbortError');
    await using peer = await ScriptedPeer.listen(async (connection) => {
      await connection.readRequest();
      abort.abort(reason);
    });
    const error = await expectFailure(
      exchangeOnce(peer.endpoint, { signal: abort.signal, repeatable: true }),
      kill(peer.peer, { ...ABORTED, phase: 'wait', outcome: 'unknown' }),
    );
    expect(error.cause).toBe(reason);
    expect(error.message).toContain('look at the job');
    await peer.allLeft();
  });
});

describe('a connection that is closed without an answer', () => {
  const CLOSERS: Record<string, Script> = {
    'before reading': (connection) => {
      connection.stopReading();
      connection.drop();
    },
    'after part of the request': async (connection) => {
      await connection.have(10);
      connection.drop();
    },
    'after the whole request, with FIN': async (connection) => {
      await connection.readRequest();
      connection.finish();
    },
    'by reset, after part of the request': async (connection) => {
      await connection.have(10);
      connection.reset();
    },
    'by reset, after the whole request': async (connection) => {
      await connection.readRequest();
      connection.reset();
    },
  };
  for (const [when, script] of Object.entries(CLOSERS)) {
    it(`${when}: unknown, with suspects`, async () => {
      await using peer = await ScriptedPeer.listen(script);
      for (const repeatable of [false, true]) {
        const error = (await expectFailure(
          exchangeOnce(peer.endpoint, { repeatable }),
          kill(peer.peer, { ...SILENT_CLOSE, retryable: repeatable }),
        )) as SlurmConnectionError;
        expect(['EPIPE', 'ECONNRESET']).toContain(error.errno);
        expect(error.suspects[0]).toContain('does not speak protocol 22.05');
        expect(error.suspects[1]).toContain('credential');
        expect(error.message).toContain('log of slurmctld');
      }
    });
  }

  it('by reset after the whole request: the errno says so and the cause is kept', async () => {
    await using peer = await ScriptedPeer.listen(CLOSERS['by reset, after the whole request'] as Script);
    const error = await failureOf(exchangeOnce(peer.endpoint));
    expect(error).toMatchObject({ errno: 'ECONNRESET', cause: { code: 'ECONNRESET' } });
  });

  it('by reset as soon as it was accepted: by connect it is not sent, later it is unknown, never anything else', async () => {
    await using peer = await ScriptedPeer.listen((connection) => connection.reset());
    for (let i = 0; i < 20; i++) {
      const error = await failureOf(exchangeOnce(peer.endpoint));
      const expected = error.phase === 'connect' ? {} : SILENT_CLOSE;
      expect(shown(error)).toEqual(kill(peer.peer, expected));
    }
  });

  for (const code of ['EPIPE', 'ECONNRESET', 'ECONNABORTED']) {
    it(`seen by the write as ${code}: told like the others`, async () => {
      const gone = Object.assign(new Error(`write ${code}`), { code });
      const close = vi.fn();
      const transport = transportOf(async () => ({
        write: () => Promise.reject(gone),
        read: () => Promise.reject(gone),
        close,
      }));
      const error = await expectFailure(
        exchangeOnce({ host: '127.0.0.1', port: 6817 }, { transport }),
        kill('127.0.0.1:6817', SILENT_CLOSE),
      );
      expect(error.cause).toBe(gone);
      expect(close).toHaveBeenCalled();
    });
  }

  it('other errors of the write: SEND_ERROR, unknown', async () => {
    const bad = Object.assign(new Error('write EHOSTUNREACH'), { code: 'EHOSTUNREACH' });
    const transport = transportOf(async () => ({
      write: () => Promise.reject(bad),
      read: () => Promise.reject(bad),
      close: () => {},
    }));
    const error = await expectFailure(
      exchangeOnce({ host: '127.0.0.1', port: 6817 }, { transport }),
      kill('127.0.0.1:6817', {
        code: 'SLURM_COMMUNICATIONS_SEND_ERROR',
        phase: 'send',
        outcome: 'unknown',
        retryable: false,
      }),
    );
    expect(error).toMatchObject({ errno: 'EHOSTUNREACH', cause: bad });
  });
});

describe('an answer that did not look at the request', () => {
  const VERSION = { name: 'SlurmProtocolVersionError', code: 'SLURM_PROTOCOL_VERSION_ERROR' } as const;

  async function answered(
    script: (connection: PeerConnection) => Promise<void> | void,
    expected: Partial<Failure>,
  ) {
    await using peer = await ScriptedPeer.listen(async (connection) => {
      await connection.readRequest();
      await script(connection);
    });
    const error = await expectFailure(
      exchangeOnce(peer.endpoint, { release: expected.protocol ?? '22.05', repeatable: true }),
      kill(peer.peer, { phase: 'decode', retryable: false, ...expected }),
    );
    await peer.allLeft();
    return error;
  }

  const LINE = 'HTTP/1.1 405 NOT ALLOWED';
  const HTTP = Buffer.from(`${LINE}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
  const REFUSED_HTTP = { ...VERSION, phase: 'wait', outcome: 'refused', protocol: '24.11' } as const;

  it('HTTP, whole: refused, with the first line as evidence', async () => {
    const error = await answered(saying(HTTP), REFUSED_HTTP);
    expect(error).toMatchObject({ answer: LINE, tried: ['24.11'] });
    expect((error as unknown as { spoken: string[] }).spoken).toContain('26.11');
    expect(error.message).toContain(LINE);
  });

  it('HTTP, split at each byte of its first line', async () => {
    for (let at = 1; at <= LINE.length + 2; at++) {
      const error = await answered(async (connection) => {
        await connection.send(HTTP.subarray(0, at));
        await connection.send(HTTP.subarray(at));
        connection.finish();
      }, REFUSED_HTTP);
      expect(error).toMatchObject({ answer: LINE });
    }
  });

  it('HTTP without a line end, closed or reset behind it', async () => {
    expect(await answered(saying(Buffer.from('HTTP/1.1 400')), REFUSED_HTTP)).toMatchObject({
      answer: 'HTTP/1.1 400',
    });
    const error = await answered(async (connection) => {
      await connection.send(Buffer.from('HTTP/1.1 400'));
      connection.reset();
    }, REFUSED_HTTP);
    expect(error).toMatchObject({ answer: 'HTTP/1.1 400' });
  });

  it('HTTP without a line end and without a close: refused when the deadline comes', async () => {
    await using peer = await ScriptedPeer.listen(async (connection) => {
      await connection.readRequest();
      await connection.send(Buffer.from('HTTP'));
    });
    const error = await expectFailure(
      exchangeOnce(peer.endpoint, { timeoutMs: 120, release: '24.11' }),
      kill(peer.peer, { ...REFUSED_HTTP, retryable: false }),
    );
    expect(error).toMatchObject({ answer: 'HTTP' });
  });

  it('HTTP that never ends its line: refused after 200 characters, control characters masked', async () => {
    const error = await answered(async (connection) => {
      const endless = Buffer.concat([Buffer.from('HTTP\x1b[31m'), Buffer.alloc(4096, 'x')]);
      while (!connection.gone) {
        await connection.send(endless);
        await new Promise((resolve) => setImmediate(resolve));
      }
    }, REFUSED_HTTP);
    const { answer } = error as unknown as { answer: string };
    expect(answer).toMatch(/^HTTP\?\[31mx+$/);
    expect(answer).toHaveLength(200);
  });

  it('only the start of HTTP and a close is a cut reply: unknown', async () => {
    await answered(saying(Buffer.from('HTT')), {
      code: 'SLURM_COMMUNICATIONS_RECEIVE_ERROR',
      phase: 'wait',
      outcome: 'unknown',
      retryable: true,
    });
  });

  it.each([
    ['whole', [Uint8Array.of(0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x0a)]],
    ['byte by byte', [0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x28].map((byte) => Uint8Array.of(byte))],
  ])('a TLS alert, %s: refused', async (_, parts) => {
    const error = await answered(
      async (connection) => {
        for (const part of parts) await connection.send(part);
        connection.finish();
      },
      { code: 'ESLURM_TLS_REQUIRED', phase: 'wait', outcome: 'refused', protocol: '24.11' },
    );
    expect(error.message).toContain('TLSType');
  });

  const otherThan = (release: Release): Release => (release === '26.11' ? '26.05' : '26.11');
  const rcInAnother = (number: number) => (release: Release) =>
    rc(number, { release: otherThan(release), signer: null });
  /** In a version that is too new or too old to take the request's. */
  const rcFromAfar = (release: Release) =>
    rc(1007, { release: isAtLeast(release, '25.05') ? '24.11' : '26.11', signer: null });
  /** A "no" without a credential, and what it is told as. */
  const UNSIGNED_NOES: [string, (release: Release) => Uint8Array, Partial<Failure>][] = [
    ['HTTP', () => HTTP, { ...VERSION, phase: 'wait' }],
    [
      'a TLS alert',
      () => Uint8Array.of(0x15, 3, 3, 0, 2, 2, 10),
      { code: 'ESLURM_TLS_REQUIRED', phase: 'wait' },
    ],
    ['RC 13000 in another version', rcInAnother(13000), { code: 'ESLURM_TLS_REQUIRED', phase: 'wait' }],
    ['RC 1007 in another version', rcFromAfar, { ...VERSION, phase: 'decode' }],
  ];

  describe.each(UNSIGNED_NOES)('%s', (_, answer, expected) => {
    // Before 23.02 replies are signed, and the first contact has shown that the peer speaks the version: a stranger's "no".
    it.each(RELEASE_NAMES)('to a kill in %s', async (release) => {
      const outcome = isAtLeast(release, '23.02') ? 'refused' : 'unknown';
      await answered(saying(answer(release)), { ...expected, outcome, protocol: release });
    });

    it.each(RELEASE_NAMES)('to a PING in %s: refused', async (release) => {
      await using peer = await ScriptedPeer.listen(answering({ REQUEST_PING: answer(release) }));
      await expectFailure(
        exchangeOnce(peer.endpoint, { release, name: 'REQUEST_PING', record: {} }),
        kill(peer.peer, {
          ...expected,
          outcome: 'refused',
          retryable: false,
          rpc: 'REQUEST_PING',
          protocol: release,
        }),
      );
    });
  });

  it.each([
    ['25.05', '26.05'],
    ['24.11', '25.05'],
    ['26.05', '26.11'],
  ] as const)(
    'RC 1007 to %s from a slurmd of %s, which takes that: the credential',
    async (protocol, release) => {
      const error = await answered(saying(rc(1007, { release, signer: null })), {
        name: 'SlurmAuthError',
        code: 'SLURM_PROTOCOL_AUTHENTICATION_ERROR',
        phase: 'authenticate',
        outcome: 'refused',
        retryable: false,
        protocol,
      });
      expect(error.number).toBe(1007);
    },
  );

  it('RC 1007 in another version names both versions', async () => {
    const error = await answered(saying(rcInAnother(1007)('24.11')), {
      ...VERSION,
      outcome: 'refused',
      protocol: '24.11',
    });
    expect(error.message).toContain('speaks 26.11 and not 24.11');
    expect(error).toMatchObject({ tried: ['24.11'] });
  });

  it('RC 13000 in another version: its number', async () => {
    const error = await answered(saying(rcInAnother(13000)('24.11')), {
      code: 'ESLURM_TLS_REQUIRED',
      phase: 'wait',
      outcome: 'refused',
      protocol: '24.11',
    });
    expect(error).toMatchObject({ number: 13000, errno: 'EPROTO' });
  });

  it.each([0, 2017, 1005, 1])('RC %i in another version is not believed: unknown', async (number) => {
    const error = await answered(saying(rc(number, { release: '24.11', signer: null })), {
      ...VERSION,
      outcome: 'unknown',
    });
    expect(error).toMatchObject({ answer: 'a reply in protocol 24.11' });
  });

  it('a body that cannot be decoded, in another version: unknown', async () => {
    const bytes = replyOf('RESPONSE_SLURM_RC', Uint8Array.of(0, 0), { release: '24.11', signer: null });
    await answered(saying(bytes), {
      name: 'SlurmProtocolError',
      code: 'SLURMWIRE_TRUNCATED',
      outcome: 'unknown',
      retryable: true,
    });
  });

  it.each(['0100', '2300', '2601', '2f00', 'ff00'])(
    'version word %s, which nobody speaks: unknown',
    async (word) => {
      const bytes = rc(1007, { release: '24.11', signer: null });
      new DataView(bytes.buffer, bytes.byteOffset).setUint16(4, Number.parseInt(word, 16));
      const error = await answered(saying(bytes), { ...VERSION, outcome: 'unknown' });
      expect((error as unknown as { answer: string }).answer).toContain(`0x${word}`);
    },
  );

  it.each(['23.02', '24.11', '26.11'] as const)(
    'RC 1007 in the same version (%s): credential refused',
    async (release) => {
      const error = await answered(saying(rc(1007, { release })), {
        name: 'SlurmAuthError',
        code: 'SLURM_PROTOCOL_AUTHENTICATION_ERROR',
        phase: 'authenticate',
        outcome: 'refused',
        protocol: release,
      });
      expect(error.number).toBe(1007);
      expect(error.message).toContain('uid 64030 only');
    },
  );

  it.each(['22.05', '24.11'] as const)('a message nobody asked for (%s): unknown', async (release) => {
    const { name, bytes } = undescribedReply({ release });
    const error = await answered(saying(bytes), {
      name: 'SlurmProtocolError',
      code: 'SLURM_UNEXPECTED_MSG_ERROR',
      outcome: 'unknown',
      retryable: true,
      protocol: release,
    });
    expect(error.message).toContain(name);
  });

  it('a described message that is no answer to a kill: unknown', async () => {
    await using peer = await ScriptedPeer.listen(async (connection) => {
      const { name } = await connection.readRequest();
      await connection.send(
        name === 'REQUEST_PING' ? rc(0) : replyOf('RESPONSE_FORWARD_FAILED', new Uint8Array()),
      );
      connection.finish();
    });
    const client = clientOf([peer.endpoint]);
    const expected = {
      name: 'SlurmProtocolError',
      code: 'SLURM_UNEXPECTED_MSG_ERROR',
      phase: 'decode',
      outcome: 'unknown',
    } as const;
    await expectFailure(client.killJob(7, 'SIGTERM'), kill(peer.peer, { ...expected, retryable: false }));
    await expectFailure(client.killJob(7), kill(peer.peer, { ...expected, retryable: true }));
  });
});

it('the errors of deadline and abort are told apart by code alone', async () => {
  const transport = transportOf((_, { signal }) => hanging(signal));
  const endpoint = { host: '127.0.0.1', port: 6817 };
  const late = (await failureOf(exchangeOnce(endpoint, { timeoutMs: 50, transport }))) as SlurmTimeoutError;
  const aborted = await failureOf(exchangeOnce(endpoint, { signal: AbortSignal.timeout(50), transport }));
  expect(shown(late).code).toBe('SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT');
  expect(shown(aborted).code).toBe('SLURMWIRE_ABORTED');
  expect((aborted.cause as DOMException).name).toBe('TimeoutError');
});
