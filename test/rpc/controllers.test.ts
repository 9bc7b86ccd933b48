import { describe, expect, it } from 'vitest';
import type { Endpoint, Release, SlurmConnectionError } from '../../src/protocol/index.js';
import { tcpTransport } from '../../src/rpc/tcp-transport.js';
import { type Answer, answering, jobInfo, rc, reply, silence } from './support/replies.js';
import { deadEndpoint, type PeerConnection, ScriptedPeer } from './support/scripted-peer.js';
import {
  clientOf,
  expectFailure,
  type Failure,
  failureOf,
  hanging,
  shown,
  transportOf,
} from './support/setup.js';
import { until } from './support/until.js';

const KILL = { REQUEST_KILL_JOB: rc(0) };
const close = (connection: PeerConnection) => connection.drop();
const shownAs = ({ host, port }: Endpoint) => `${host}:${port}`;

function failure(peer: string, different: Partial<Failure>): Failure {
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

describe('the second controller is used', () => {
  it('when the first refuses the connection', async () => {
    await using second = await ScriptedPeer.listen(answering(KILL));
    const client = clientOf([await deadEndpoint(), second.endpoint]);
    expect(await client.killJob(7)).toMatchObject({ outcome: 'accepted', peer: second.peer });
    expect(second.requests).toEqual(['REQUEST_PING', 'REQUEST_KILL_JOB']);
  });

  it('when the first goes away between two kills', async () => {
    const first = await ScriptedPeer.listen(answering(KILL));
    await using second = await ScriptedPeer.listen(answering(KILL));
    const client = clientOf([first.endpoint, second.endpoint]);
    expect(await client.killJob(7)).toMatchObject({ peer: first.peer });
    await first.close();
    expect(await client.killJob(8)).toMatchObject({ peer: second.peer });
    expect(second.requests).toEqual(['REQUEST_PING', 'REQUEST_KILL_JOB']);
  });

  it('when the connect to the first takes longer than TCPTimeout', async () => {
    await using second = await ScriptedPeer.listen(answering(KILL));
    const tcp = tcpTransport();
    const transport = transportOf((endpoint, context) =>
      endpoint.host === 'far'
        ? Promise.reject(
            Object.assign(new Error('no connection within 2 ms (TCPTimeout)'), { code: 'ETIMEDOUT' }),
          )
        : tcp.connect(endpoint, context),
    );
    const client = clientOf([{ host: 'far', port: 6817 }, second.endpoint], { transport });
    expect(await client.killJob(7)).toMatchObject({ outcome: 'accepted', peer: second.peer });
  });

  it.each([2027, 2131])('when the first answers %i: it is on standby', async (number) => {
    await using first = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(number) }));
    await using second = await ScriptedPeer.listen(answering(KILL));
    const client = clientOf([first.endpoint, second.endpoint]);
    expect(await client.killJob(7)).toMatchObject({ outcome: 'accepted', peer: second.peer });
    expect(first.requests).toEqual(['REQUEST_PING', 'REQUEST_KILL_JOB']);
    expect(second.requests).toEqual(['REQUEST_PING', 'REQUEST_KILL_JOB']);
  });

  it('through two that are down to the third', async () => {
    await using third = await ScriptedPeer.listen(answering(KILL));
    await using standby = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(2027) }));
    const client = clientOf([await deadEndpoint(), standby.endpoint, third.endpoint]);
    expect(await client.killJob(7)).toMatchObject({ outcome: 'accepted', peer: third.peer });
  });
});

describe('who was passed over', () => {
  it('stands in the reply', async () => {
    const dead = await deadEndpoint();
    await using standby = await ScriptedPeer.listen(answering({ REQUEST_JOB_INFO_SINGLE: rc(2131) }));
    await using third = await ScriptedPeer.listen(answering({ REQUEST_JOB_INFO_SINGLE: rc(2017) }));
    const client = clientOf([dead, standby.endpoint, third.endpoint]);
    const reply = await client.request('REQUEST_JOB_INFO_SINGLE', { jobId: 7, showFlags: 0 });
    expect(reply).toMatchObject({ peer: third.peer, returnList: [] });
    expect(reply.passedOver).toEqual([
      expect.stringContaining(shownAs(dead)),
      `${standby.peer} is on standby`,
    ]);
    const alone = clientOf([third.endpoint]);
    expect(await alone.request('REQUEST_PING', {})).toMatchObject({ passedOver: [] });
  });

  it('stands in the error of a later one, which stays what it is', async () => {
    const dead = await deadEndpoint();
    await using closing = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: close }));
    const error = await expectFailure(
      clientOf([dead, closing.endpoint]).killJob(7, 'SIGTERM'),
      failure(closing.peer, {
        code: 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT',
        phase: 'wait',
        outcome: 'unknown',
        retryable: false,
      }),
    );
    expect(error.message).toMatch(/Passed over before: .*ECONNREFUSED/);
    expect(error.message).toContain(shownAs(dead));
    // A PING right afterwards was answered: that leaves three.
    expect((error as SlurmConnectionError).suspects).toHaveLength(3);
    expect(error.message).toContain('takes the credential');
  });
});

describe('the second controller is not used', () => {
  it('when the first has taken the connection and closed it silently after the kill: one frame in all', async () => {
    await using first = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: close }));
    await using second = await ScriptedPeer.listen(answering(KILL));
    const client = clientOf([first.endpoint, second.endpoint]);
    await expectFailure(
      client.killJob(7, 'SIGTERM'),
      failure(first.peer, {
        code: 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT',
        phase: 'wait',
        outcome: 'unknown',
        retryable: false,
      }),
    );
    expect(first.count('REQUEST_KILL_JOB')).toBe(1);
    expect(second.connections).toHaveLength(0);
  });

  it('when the first is silent until the deadline', async () => {
    await using first = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: silence }));
    await using second = await ScriptedPeer.listen(answering(KILL));
    const client = clientOf([first.endpoint, second.endpoint]);
    await expectFailure(
      client.killJob(7, 'SIGTERM', { timeoutMs: 400 }),
      failure(first.peer, {
        name: 'SlurmTimeoutError',
        code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT',
        phase: 'wait',
        outcome: 'unknown',
        retryable: false,
      }),
    );
    expect(first.count('REQUEST_KILL_JOB')).toBe(1);
    expect(second.connections).toHaveLength(0);
  });

  it.each([2002, 2009, 1804])('when the first says no with %i', async (number) => {
    await using first = await ScriptedPeer.listen(
      answering({ REQUEST_KILL_JOB: rc(number), REQUEST_JOB_INFO_SINGLE: jobInfo(1) }),
    );
    await using second = await ScriptedPeer.listen(answering(KILL));
    const error = await failureOf(clientOf([first.endpoint, second.endpoint]).killJob(7));
    expect(error).toMatchObject({ number, outcome: 'refused', peer: first.peer });
    expect(second.connections).toHaveLength(0);
  });

  it('when the deadline or an abort ends the connect to the first: no PING goes out after the call has ended', async () => {
    await using second = await ScriptedPeer.listen(answering(KILL));
    const tcp = tcpTransport();
    const first = await ScriptedPeer.listen(answering(KILL));
    let hang = false;
    let hung = () => {};
    const transport = transportOf((endpoint, context) => {
      if (!hang || endpoint.port !== first.endpoint.port) return tcp.connect(endpoint, context);
      setImmediate(() => hung());
      return hanging(context.signal);
    });
    const client = clientOf([first.endpoint, second.endpoint], { transport });
    await client.killJob(7); // so that the hanging connect is the kill's own
    hang = true;
    await expectFailure(
      client.killJob(7, 'SIGTERM', { timeoutMs: 80 }),
      failure(first.peer, { name: 'SlurmTimeoutError', code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT' }),
    );
    hang = false;
    await client.killJob(7); // which asks again first, after a failure
    hang = true;
    const abort = new AbortController();
    hung = () => abort.abort();
    await expectFailure(
      client.killJob(7, 'SIGTERM', { signal: abort.signal }),
      failure(first.peer, { name: 'SlurmTimeoutError', code: 'SLURMWIRE_ABORTED', retryable: false }),
    );
    await client.close();
    // A call of its own to the second would come behind a stray PING.
    await clientOf([second.endpoint]).killJob(8);
    expect(second.connections).toHaveLength(2);
    await first.close();
  });
});

describe('all down', () => {
  it('the error of the last, not sent', async () => {
    const endpoints = [await deadEndpoint(), await deadEndpoint(), await deadEndpoint()];
    const last = endpoints[2] as Endpoint;
    const error = await expectFailure(clientOf(endpoints).killJob(7), failure(shownAs(last), {}));
    expect(error.errno).toBe('ECONNREFUSED');
    const [what = '', before = ''] = error.message.split(' Passed over before: ');
    expect(what).toContain(shownAs(last));
    for (const endpoint of endpoints.slice(0, 2)) {
      expect(what).not.toContain(shownAs(endpoint));
      expect(before).toContain(shownAs(endpoint));
    }
  });

  it('the first down, the last on standby: its answer, refused', async () => {
    await using standby = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(2027) }));
    const error = await expectFailure(
      clientOf([await deadEndpoint(), standby.endpoint]).killJob(7),
      failure(standby.peer, {
        name: 'SlurmServerError',
        code: 'ESLURM_IN_STANDBY_MODE',
        phase: 'wait',
        outcome: 'refused',
      }),
    );
    expect(error.number).toBe(2027);
    expect(error.message).toContain('ECONNREFUSED');
  });

  it('one alone: its error names nobody else', async () => {
    const error = await failureOf(clientOf([await deadEndpoint()]).killJob(7));
    expect(error.message).not.toContain('Passed over');
  });

  it('the first on standby, the second down: not sent by the last', async () => {
    await using standby = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(2131) }));
    const dead = await deadEndpoint();
    const work = clientOf([standby.endpoint, dead]).killJob(7);
    const error = await expectFailure(work, failure(shownAs(dead), {}));
    expect(error.message).toContain(`Passed over before: ${standby.peer} is on standby.`);
  });
});

describe('ping()', () => {
  it('lists every controller in order, with role, and the reason of each that is not up', async () => {
    await using up = await ScriptedPeer.listen(answering({}));
    await using standby = await ScriptedPeer.listen(answering({ REQUEST_PING: rc(2027) }));
    await using closing = await ScriptedPeer.listen(answering({ REQUEST_PING: close }));
    await using forger = await ScriptedPeer.listen(answering({ REQUEST_PING: rc(0, { signer: 1234 }) }));
    await using other = await ScriptedPeer.listen(
      answering({ REQUEST_PING: rc(1007, { release: '24.11', signer: null }) }),
    );
    await using odd = await ScriptedPeer.listen(
      answering({ REQUEST_PING: reply('RESPONSE_SLURM_RC_MSG', { returnCode: 0, errMsg: null }) }),
    );
    const dead = await deadEndpoint();
    const peers = [up, standby, closing, forger, other, odd];
    const pings = await clientOf([...peers.map(({ endpoint }) => endpoint), dead]).ping();
    expect(pings.map(({ peer }) => peer)).toEqual([...peers.map(({ peer }) => peer), shownAs(dead)]);
    expect(pings.map(({ role }) => role)).toEqual(['primary', ...Array(6).fill('backup')]);
    expect(pings.map(({ up: isUp }) => isUp)).toEqual([true, ...Array(6).fill(false)]);
    const [first, ...rest] = pings;
    expect(first).toMatchObject({ protocol: '22.05', authenticated: true, error: null });
    expect(first?.latencyMs).toBeGreaterThan(0);
    const rows = rest.map(({ error, protocol, latencyMs, authenticated }) => ({
      ...shown(error ?? expect.fail('no error')),
      answeredIn: protocol,
      latencyMs,
      authenticated,
    }));
    const expected = (index: number, different: Partial<Failure> & { answeredIn?: Release }) => ({
      ...failure(pings[index]?.peer ?? '', { rpc: 'REQUEST_PING', outcome: 'unknown', phase: 'wait' }),
      answeredIn: null,
      latencyMs: null,
      authenticated: false,
      ...different,
    });
    expect(rows).toEqual([
      expected(1, {
        name: 'SlurmServerError',
        code: 'ESLURM_IN_STANDBY_MODE',
        outcome: 'refused',
        answeredIn: '22.05',
      }),
      expected(2, { code: 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT' }),
      expected(3, {
        name: 'SlurmAuthError',
        code: 'SLURM_PROTOCOL_AUTHENTICATION_ERROR',
        phase: 'authenticate',
      }),
      expected(4, {
        name: 'SlurmProtocolVersionError',
        code: 'SLURM_PROTOCOL_VERSION_ERROR',
        phase: 'decode',
        outcome: 'refused',
        retryable: false,
      }),
      expected(5, {
        name: 'SlurmServerError',
        code: 'SLURM_ERROR',
        outcome: 'refused',
        retryable: false,
        answeredIn: '22.05',
      }),
      expected(6, { outcome: 'not-sent', phase: 'connect' }),
    ]);
  });

  it('asks side by side: nobody waits for the answer of another', async () => {
    let asked = 0;
    const afterAll: Answer = async (connection) => {
      asked += 1;
      await until(() => asked === 3, 'all three to be asked');
      await connection.send(rc(0));
    };
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_PING: afterAll }));
    const pings = await clientOf([peer.endpoint, peer.endpoint, peer.endpoint]).ping();
    expect(pings.map(({ up, error }) => [up, error])).toEqual(Array(3).fill([true, null]));
  });

  it('a silent one holds up nobody else', async () => {
    await using silent = await ScriptedPeer.listen(silence);
    await using up = await ScriptedPeer.listen(answering({}));
    const pings = await clientOf([silent.endpoint, silent.endpoint, up.endpoint]).ping({ timeoutMs: 400 });
    expect(pings.map(({ up: isUp }) => isUp)).toEqual([false, false, true]);
    for (const { error } of pings.slice(0, 2)) {
      expect(shown(error ?? expect.fail('no error'))).toEqual(
        failure(silent.peer, {
          name: 'SlurmTimeoutError',
          code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT',
          phase: 'wait',
          outcome: 'unknown',
          rpc: 'REQUEST_PING',
        }),
      );
    }
    await silent.allLeft();
  });

  it('does not reject when it is aborted: every entry says so', async () => {
    await using silent = await ScriptedPeer.listen(silence);
    const abort = new AbortController();
    const pinging = clientOf([silent.endpoint, silent.endpoint]).ping({ signal: abort.signal });
    await until(() => silent.bytesReceived > 0, 'the first ping');
    abort.abort();
    expect((await pinging).map(({ error }) => error?.code)).toEqual([
      'SLURMWIRE_ABORTED',
      'SLURMWIRE_ABORTED',
    ]);
    const before = await clientOf([silent.endpoint]).ping({ signal: AbortSignal.abort() });
    expect(before.map(({ error }) => [error?.code, error?.outcome])).toEqual([
      ['SLURMWIRE_ABORTED', 'not-sent'],
    ]);
    await silent.allLeft();
  });
});
