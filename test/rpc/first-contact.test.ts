import { describe, expect, it } from 'vitest';
import type { SlurmError } from '../../src/protocol/index.js';
import { tcpTransport } from '../../src/rpc/tcp-transport.js';
import { badCredential, FakeAuth } from './support/fake-auth.js';
import { type Answer, answering, rc, silence } from './support/replies.js';
import { deadEndpoint, type PeerConnection, type Script, ScriptedPeer } from './support/scripted-peer.js';
import { clientOf, expectFailure, type Failure, failureOf, shown, transportOf } from './support/setup.js';
import { until } from './support/until.js';

const PING_AND_KILL = ['REQUEST_PING', 'REQUEST_KILL_JOB'];
const KILL = { REQUEST_KILL_JOB: rc(0) };
const close = (connection: PeerConnection) => connection.drop();
/** Refuses the credential as daemons up to 24.05 do. */
const DEAF = { REQUEST_PING: close, REQUEST_BUILD_INFO: close };
/** What such a daemon is asked: the version given, then those that tell which one it might take. */
const DEAF_CONTACT = ['REQUEST_PING', ...Array.from({ length: 4 }, () => 'REQUEST_BUILD_INFO')];
const DEAF_FAILURE = {
  // Of no single version.
  protocol: undefined,
  name: 'SlurmAuthError',
  code: 'SLURM_PROTOCOL_AUTHENTICATION_ERROR',
  phase: 'authenticate',
  retryable: false,
} as const;

function notSent(peer: string, different: Partial<Failure>): Failure {
  return {
    name: 'SlurmConnectionError',
    code: 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT',
    phase: 'wait',
    outcome: 'not-sent',
    retryable: true,
    rpc: 'REQUEST_KILL_JOB',
    peer,
    protocol: '22.05',
    ...different,
  };
}

/** PINGs wait until the test lets them be answered. */
function heldPing() {
  let let_go = () => {};
  const held = new Promise<void>((resolve) => {
    let_go = resolve;
  });
  const script = answering({
    ...KILL,
    REQUEST_PING: async (connection) => {
      await held;
      await connection.send(rc(0));
      connection.finish();
    },
  });
  return { script, release: () => let_go() };
}

describe('an endpoint never spoken to', () => {
  it('is asked with a PING before the first kill, and not before the second', async () => {
    await using peer = await ScriptedPeer.listen(answering(KILL));
    const client = clientOf([peer.endpoint]);
    await client.killJob(7);
    expect(peer.requests).toEqual(PING_AND_KILL);
    await client.killJob(8, 'SIGTERM');
    expect(peer.requests).toEqual([...PING_AND_KILL, 'REQUEST_KILL_JOB']);
  });

  it('any message but PING itself is preceded by one', async () => {
    const answers = { REQUEST_JOB_INFO_SINGLE: rc(2017), REQUEST_CANCEL_JOB_STEP: rc(0) };
    await using peer = await ScriptedPeer.listen(answering(answers));
    const first = clientOf([peer.endpoint]);
    await first.request('REQUEST_JOB_INFO_SINGLE', { jobId: 7, showFlags: 0 });
    await first.request('REQUEST_PING', {});
    await clientOf([peer.endpoint]).killJobStep('7.0');
    expect(peer.requests).toEqual([
      ...['REQUEST_PING', 'REQUEST_JOB_INFO_SINGLE'],
      'REQUEST_PING',
      ...['REQUEST_PING', 'REQUEST_CANCEL_JOB_STEP'],
    ]);
  });

  it.each([0, 2002, 2010])(
    'a PING answered with RC %i with a good credential is contact enough',
    async (number) => {
      await using peer = await ScriptedPeer.listen(answering({ ...KILL, REQUEST_PING: rc(number) }));
      expect(await clientOf([peer.endpoint]).killJob(7)).toMatchObject({ outcome: 'accepted' });
    },
  );
});

describe('trouble at first contact', () => {
  it('closed without a word in every version: the kill is not sent, and no kill arrives', async () => {
    await using peer = await ScriptedPeer.listen(answering({ ...KILL, ...DEAF }));
    const error = await expectFailure(clientOf([peer.endpoint]).killJob(7), notSent(peer.peer, DEAF_FAILURE));
    expect(error.message).toContain('REQUEST_KILL_JOB was not sent, since the first contact failed: ');
    expect(error.message).toContain('in every protocol it was asked in (22.05, 25.05, 24.05, 20.11, 26.11)');
    expect(error).toMatchObject({ reason: 'closed-on-every-version', cause: { outcome: 'not-sent' } });
    expect(peer.requests).toEqual(DEAF_CONTACT);
  });

  it('PING closed without a word by a daemon that then takes the version: not sent', async () => {
    const picky: Script = async (connection) => {
      const { name, frame } = await connection.readRequest();
      if (name === 'REQUEST_PING' || frame.release !== '20.11') return connection.drop();
      await connection.send(rc(2002, { release: '20.11' }));
      connection.finish();
    };
    await using peer = await ScriptedPeer.listen(picky);
    const error = await expectFailure(clientOf([peer.endpoint]).killJob(7), notSent(peer.peer, {}));
    expect(error.message).toContain(
      'REQUEST_KILL_JOB was not sent, since the first contact failed: REQUEST_PING',
    );
    expect(error).toMatchObject({ cause: { rpc: 'REQUEST_PING', outcome: 'unknown' } });
    expect((error as unknown as { suspects: string[] }).suspects).toHaveLength(4);
  });

  it('every other trouble of the PING is not-sent for the kill', async () => {
    const troubles: [Uint8Array, Partial<Failure>][] = [
      [
        Buffer.from('HTTP/1.1 405 NOT ALLOWED\r\n'),
        { name: 'SlurmProtocolVersionError', code: 'SLURM_PROTOCOL_VERSION_ERROR', retryable: false },
      ],
      [
        rc(1007, { release: '24.11', signer: null }),
        {
          name: 'SlurmProtocolVersionError',
          code: 'SLURM_PROTOCOL_VERSION_ERROR',
          phase: 'decode',
          retryable: false,
        },
      ],
      [rc(13000, { release: '25.11', signer: null }), { code: 'ESLURM_TLS_REQUIRED', retryable: false }],
      [
        rc(0, { signer: 1234 }),
        { name: 'SlurmAuthError', code: 'SLURM_PROTOCOL_AUTHENTICATION_ERROR', phase: 'authenticate' },
      ],
      [
        rc(0, { signer: null }),
        { name: 'SlurmAuthError', code: 'SLURM_PROTOCOL_AUTHENTICATION_ERROR', phase: 'authenticate' },
      ],
      [rc(0).subarray(0, 20), { code: 'SLURM_COMMUNICATIONS_RECEIVE_ERROR' }],
      [
        Uint8Array.of(0, 0, 0, 0),
        { name: 'SlurmProtocolError', code: 'SLURMWIRE_TRUNCATED', phase: 'decode' },
      ],
    ];
    for (const [bytes, expected] of troubles) {
      await using peer = await ScriptedPeer.listen(answering({ ...KILL, REQUEST_PING: bytes }));
      await expectFailure(clientOf([peer.endpoint]).killJob(7, 'SIGTERM'), notSent(peer.peer, expected));
      expect(peer.requests).toEqual(['REQUEST_PING']);
    }
  });

  it('nobody listens: not sent, in phase connect', async () => {
    const endpoint = await deadEndpoint();
    const code = 'SLURM_COMMUNICATIONS_CONNECTION_ERROR';
    const error = await failureOf(clientOf([endpoint]).killJob(7));
    expect(shown(error)).toEqual(notSent(`127.0.0.1:${endpoint.port}`, { code, phase: 'connect' }));
    expect(error.errno).toBe('ECONNREFUSED');
  });

  it('no credential to be had: not sent, nobody was connected to', async () => {
    await using peer = await ScriptedPeer.listen(answering(KILL));
    const auth = new FakeAuth();
    auth.beforeCreate = () => Promise.reject(Object.assign(new Error('no munged'), { code: 'ENOENT' }));
    const error = await failureOf(clientOf([peer.endpoint], { auth }).killJob(7));
    expect(error).toMatchObject({ outcome: 'not-sent', phase: 'authenticate', errno: 'ENOENT' });
    expect(peer.connections).toHaveLength(0);
  });

  it('is tried again at the next call', async () => {
    await using peer = await ScriptedPeer.listen(answering({ ...KILL, ...DEAF }));
    const client = clientOf([peer.endpoint]);
    await expectFailure(client.killJob(7), notSent(peer.peer, DEAF_FAILURE));
    await expectFailure(client.killJob(7), notSent(peer.peer, DEAF_FAILURE));
    expect(peer.requests).toEqual([...DEAF_CONTACT, ...DEAF_CONTACT]);
    peer.play(answering(KILL));
    expect(await client.killJob(7)).toMatchObject({ outcome: 'accepted' });
    expect(peer.requests).toEqual([...DEAF_CONTACT, ...DEAF_CONTACT, ...PING_AND_KILL]);
  });

  it('after an unknown the next call asks again; after a refusal it does not', async () => {
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: close }));
    const client = clientOf([peer.endpoint]);
    expect(await failureOf(client.killJob(7))).toMatchObject({ outcome: 'unknown' });
    peer.play(answering({ REQUEST_KILL_JOB: rc(2002) }));
    expect(await failureOf(client.killJob(7))).toMatchObject({ outcome: 'refused' });
    expect(await failureOf(client.killJob(7))).toMatchObject({ outcome: 'refused' });
    expect(peer.requests).toEqual([...PING_AND_KILL, ...PING_AND_KILL, 'REQUEST_KILL_JOB']);
  });
});

describe('any failure of an exchange makes the next call ask again', () => {
  const again = [...PING_AND_KILL, ...PING_AND_KILL];
  const WAYS: [string, Answer, Partial<SlurmError>][] = [
    ['closed without an answer', close, { outcome: 'unknown' }],
    ['reset', (connection) => connection.reset(), { outcome: 'unknown' }],
    ['answered in HTTP', Buffer.from('HTTP/1.1 405 NO\r\n'), { outcome: 'unknown' }],
    ['answered by a TLS alert', Uint8Array.of(0x15, 3, 3, 0, 2, 2, 10), { outcome: 'unknown' }],
    ['TLS required', rc(13000, { release: '25.11', signer: null }), { outcome: 'unknown' }],
    ['another version', rc(0, { release: '24.11', signer: null }), { outcome: 'unknown' }],
    ['credential refused', rc(1007), { outcome: 'refused', code: 'SLURM_PROTOCOL_AUTHENTICATION_ERROR' }],
    ['a forged reply', rc(0, { signer: 1234 }), { outcome: 'unknown' }],
    ['a cut reply', rc(0).subarray(0, 20), { outcome: 'unknown' }],
    ['the deadline', silence, { outcome: 'unknown', code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT' }],
  ];
  it.each(WAYS)('%s', async (_, answer, expected) => {
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: answer }));
    const client = clientOf([peer.endpoint]);
    const options = { timeoutMs: answer === silence ? 400 : 5_000 };
    expect(await failureOf(client.killJob(7, 'SIGTERM', options))).toMatchObject(expected);
    peer.play(answering(KILL));
    await client.killJob(7);
    expect(peer.requests).toEqual(again);
  });

  it('an abort', async () => {
    const abort = new AbortController();
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: () => abort.abort() }));
    const client = clientOf([peer.endpoint]);
    const error = await failureOf(client.killJob(7, 'SIGTERM', { signal: abort.signal }));
    expect(error).toMatchObject({ code: 'SLURMWIRE_ABORTED' });
    peer.play(answering(KILL));
    await client.killJob(7);
    expect(peer.requests).toEqual(again);
  });

  it('no credential, no connection', async () => {
    await using peer = await ScriptedPeer.listen(answering(KILL));
    const auth = new FakeAuth();
    const tcp = tcpTransport();
    let refusing = false;
    const transport = transportOf((endpoint, context) =>
      refusing
        ? Promise.reject(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }))
        : tcp.connect(endpoint, context),
    );
    const client = clientOf([peer.endpoint], { auth, transport });
    await client.killJob(7);
    auth.beforeCreate = () => Promise.reject(badCredential('EMUNGE_SOCKET'));
    expect(await failureOf(client.killJob(7))).toMatchObject({ code: 'EMUNGE_SOCKET', outcome: 'not-sent' });
    auth.beforeCreate = () => {};
    await client.killJob(7);
    refusing = true;
    expect(await failureOf(client.killJob(7))).toMatchObject({ errno: 'ECONNREFUSED', outcome: 'not-sent' });
    refusing = false;
    await client.killJob(7);
    expect(peer.requests).toEqual([...PING_AND_KILL, ...PING_AND_KILL, ...PING_AND_KILL]);
  });

  it('also one of the look at what a refusal means', async () => {
    await using peer = await ScriptedPeer.listen(
      answering({ REQUEST_KILL_JOB: rc(2020), REQUEST_JOB_INFO_SINGLE: close }),
    );
    const client = clientOf([peer.endpoint]);
    expect(await failureOf(client.killJob(7))).toMatchObject({ number: 2020, outcome: 'unknown' });
    peer.play(answering(KILL));
    await client.killJob(7);
    expect(peer.requests).toEqual([...PING_AND_KILL, 'REQUEST_JOB_INFO_SINGLE', ...PING_AND_KILL]);
  });

  it('also one of ping()', async () => {
    await using peer = await ScriptedPeer.listen(answering(KILL));
    const client = clientOf([peer.endpoint]);
    await client.killJob(7);
    peer.play(answering({ REQUEST_PING: close }));
    expect(await client.ping()).toMatchObject([{ up: false }]);
    peer.play(answering(KILL));
    await client.killJob(7);
    expect(peer.requests).toEqual([...PING_AND_KILL, 'REQUEST_PING', ...PING_AND_KILL]);
  });
});

describe('several first kills at once', () => {
  it('20 of them need one PING', async () => {
    const { script, release } = heldPing();
    await using peer = await ScriptedPeer.listen(script);
    const client = clientOf([peer.endpoint]);
    const kills = Array.from({ length: 20 }, (_, i) => client.killJob(i + 1));
    await until(() => peer.count('REQUEST_PING') === 1, 'the PING');
    release();
    expect((await Promise.all(kills)).map(({ target }) => target)).toEqual(
      Array.from({ length: 20 }, (_, i) => String(i + 1)),
    );
    expect(peer.count('REQUEST_PING')).toBe(1);
    expect(peer.count('REQUEST_KILL_JOB')).toBe(20);
  });

  it('20 of them fail with one PING, each not-sent with an error of its own', async () => {
    await using peer = await ScriptedPeer.listen(answering(DEAF));
    const client = clientOf([peer.endpoint]);
    const errors = await Promise.all(Array.from({ length: 20 }, (_, i) => failureOf(client.killJob(i + 1))));
    for (const error of errors) expect(shown(error)).toEqual(notSent(peer.peer, DEAF_FAILURE));
    expect(new Set(errors).size).toBe(20);
    expect(peer.requests).toEqual(DEAF_CONTACT);
  });

  it('one that is aborted, or whose deadline passes, does not hurt the others', async () => {
    const { script, release } = heldPing();
    await using peer = await ScriptedPeer.listen(script);
    const client = clientOf([peer.endpoint]);
    const abort = new AbortController();
    // The first, who started the PING, is the one who leaves.
    const leaving = client.killJob(1, 'SIGTERM', { signal: abort.signal });
    const late = client.killJob(2, 'SIGTERM', { timeoutMs: 60 });
    const staying = Array.from({ length: 5 }, (_, i) => client.killJob(i + 3));
    await until(() => peer.count('REQUEST_PING') === 1, 'the PING');
    abort.abort('gone');
    const error = await expectFailure(
      leaving,
      notSent(peer.peer, { name: 'SlurmTimeoutError', code: 'SLURMWIRE_ABORTED', retryable: false }),
    );
    expect(error.cause).toBe('gone');
    expect(error.message).toMatch(/^REQUEST_KILL_JOB was not sent: .*the caller aborted.* the first contact/);
    await expectFailure(
      late,
      notSent(peer.peer, { name: 'SlurmTimeoutError', code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT' }),
    );
    expect(peer.connections[0]?.gone).toBe(false);
    release();
    expect((await Promise.all(staying)).map(({ outcome }) => outcome)).toEqual(Array(5).fill('accepted'));
    expect(peer.count('REQUEST_PING')).toBe(1);
    expect(peer.count('REQUEST_KILL_JOB')).toBe(5);
  });

  it('when the last one leaves, the PING ends with it, and the next call starts a new one', async () => {
    await using peer = await ScriptedPeer.listen(silence);
    const client = clientOf([peer.endpoint], { messageTimeoutMs: 60_000 });
    const aborts = [new AbortController(), new AbortController()];
    const kills = aborts.map(({ signal }) => failureOf(client.killJob(1, 'SIGTERM', { signal })));
    await until(() => (peer.connections[0]?.received.length ?? 0) > 0, 'the PING');
    aborts[0]?.abort();
    await kills[0];
    expect(peer.connections[0]?.gone).toBe(false);
    aborts[1]?.abort();
    peer.play(answering(KILL));
    expect(await kills[1]).toMatchObject({ code: 'SLURMWIRE_ABORTED', outcome: 'not-sent' });
    // At once, while the old PING is being given up: it must not be joined.
    expect(await client.killJob(2)).toMatchObject({ outcome: 'accepted' });
    await until(() => peer.connections[0]?.gone === true, 'the PING to be given up');
    expect(peer.requests).toEqual(PING_AND_KILL);
  });
});

describe('endings during first contact', () => {
  it('the deadline: not sent, in phase wait, and no kill arrives', async () => {
    await using peer = await ScriptedPeer.listen(silence);
    const error = await expectFailure(
      clientOf([peer.endpoint]).killJob(7, 'SIGKILL', { timeoutMs: 120 }),
      notSent(peer.peer, { name: 'SlurmTimeoutError', code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT' }),
    );
    expect(error.message).toMatch(
      /^REQUEST_KILL_JOB was not sent: .*no answer within 120 ms.* the first contact/,
    );
    await peer.allLeft();
    expect(peer.connections).toHaveLength(1);
  });

  it('MessageTimeout of the PING, before the deadline of the call: not sent', async () => {
    await using peer = await ScriptedPeer.listen(silence);
    const error = await expectFailure(
      clientOf([peer.endpoint], { messageTimeoutMs: 120 }).killJob(7),
      notSent(peer.peer, { name: 'SlurmTimeoutError', code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT' }),
    );
    expect(error.message).toContain('first contact failed');
    expect(error.message).toContain('120 ms');
    await peer.allLeft();
  });

  it('close(): waits for the kill, which goes its way', async () => {
    const { script, release } = heldPing();
    await using peer = await ScriptedPeer.listen(script);
    const client = clientOf([peer.endpoint]);
    const kill = client.killJob(7);
    await until(() => peer.count('REQUEST_PING') === 1, 'the PING');
    let closed = false;
    const closing = client.close().then(() => {
      closed = true;
    });
    expect(await failureOf(client.killJob(8))).toMatchObject({ code: 'SLURMWIRE_CLOSED' });
    expect(closed).toBe(false);
    release();
    expect(await kill).toMatchObject({ outcome: 'accepted' });
    await closing;
    expect(peer.requests).toEqual(PING_AND_KILL);
  });

  it('close() with a deadline: nothing is left open at the peer when it resolves', async () => {
    await using peer = await ScriptedPeer.listen(silence);
    const client = clientOf([peer.endpoint], { messageTimeoutMs: 60_000 });
    const kill = failureOf(client.killJob(7, 'SIGKILL', { timeoutMs: 100 }));
    await client.close();
    expect(await kill).toMatchObject({ outcome: 'not-sent' });
    await peer.allLeft();
  });
});
