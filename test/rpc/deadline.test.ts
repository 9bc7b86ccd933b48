import { getEventListeners } from 'node:events';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { CallContext } from '../../src/protocol/index.js';
import { SlurmTimeoutError } from '../../src/protocol/slurm-error.js';
import { Deadline } from '../../src/rpc/deadline.js';
import { FakeAuth } from './support/fake-auth.js';
import { leavesNothing, noStrayTrouble } from './support/leaks.js';
import { type Answer, answering, jobInfo, rc, silence } from './support/replies.js';
import { deadEndpoint, type PeerConnection, type Script, ScriptedPeer } from './support/scripted-peer.js';
import {
  clientOf,
  exchangeOnce,
  expectFailure,
  failureOf,
  hanging,
  type TestSetup,
  transportOf,
} from './support/setup.js';
import { turn, until } from './support/until.js';

noStrayTrouble();
afterEach(() => vi.useRealTimers());

const TIMEOUT = { name: 'SlurmTimeoutError', code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT' } as const;

describe('Deadline', () => {
  it('fires once the time is up, with what it was', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const deadline = new Deadline(1_000);
    expect(deadline.remainingMs()).toBe(1_000);
    vi.advanceTimersByTime(999);
    expect([deadline.signal.aborted, deadline.remainingMs()]).toEqual([false, 1]);
    vi.advanceTimersByTime(1);
    expect([deadline.signal.aborted, deadline.remainingMs()]).toEqual([true, 0]);
    expect(deadline.signal.reason).toMatchObject({ ...TIMEOUT, outcome: 'not-sent', retryable: true });
    expect((deadline.signal.reason as Error).message).toContain('1000 ms');
    vi.advanceTimersByTime(1_000);
    expect(deadline.remainingMs()).toBe(0);
  });

  it('does not fire any more once it is disposed of, whoever fires', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const caller = new AbortController();
    const deadline = new Deadline(1_000, caller.signal);
    expect(getEventListeners(caller.signal, 'abort')).toHaveLength(1);
    deadline.dispose();
    deadline.dispose();
    expect(vi.getTimerCount()).toBe(0);
    expect(getEventListeners(caller.signal, 'abort')).toHaveLength(0);
    vi.advanceTimersByTime(2_000);
    caller.abort();
    expect(deadline.signal.aborted).toBe(false);
  });

  it('the first reason stands', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const caller = new AbortController();
    const deadline = new Deadline(10, caller.signal);
    caller.abort('mine');
    vi.advanceTimersByTime(20);
    expect(deadline.signal.reason).toMatchObject({
      code: 'SLURMWIRE_ABORTED',
      cause: 'mine',
      retryable: false,
    });
    deadline.dispose();
  });

  it('a signal that has fired already: fired from the start, and not listened to', () => {
    const caller = AbortSignal.abort('before');
    const deadline = new Deadline(10_000, caller);
    expect(deadline.signal.reason).toMatchObject({ code: 'SLURMWIRE_ABORTED', cause: 'before' });
    expect(getEventListeners(caller, 'abort')).toHaveLength(0);
    deadline.dispose();
  });

  it.each([1, 1.5, 0x7fffffff])('%d ms is a time', (timeoutMs) => {
    const deadline = new Deadline(timeoutMs);
    expect(deadline.timeoutMs).toBe(timeoutMs);
    deadline.dispose();
  });

  it('a bad one starts no timer', async () => {
    await leavesNothing(async () => {
      const bad = (value: number) =>
        expect.objectContaining({ code: 'SLURMWIRE_BAD_OPTION', field: 'timeoutMs', value: String(value) });
      for (const value of [0, -1, 0.5, Number.NaN, 2 ** 31]) {
        expect(() => new Deadline(value)).toThrow(bad(value));
      }
      expect(() => new Deadline(1_000, {} as AbortSignal)).toThrow('second argument');
    });
  });
});

describe('one deadline over everything', () => {
  it('first contact, every controller and the look take their part of it', async () => {
    const seen: { context: CallContext; leftMs: number; atMs: number }[] = [];
    const auth = new FakeAuth();
    auth.beforeCreate = (context) => {
      const atMs = performance.now();
      seen.push({ context, leftMs: context.remainingMs(), atMs });
    };
    /** Answers when some of the budget is gone. */
    const slowly = (bytes: Uint8Array): Answer => {
      return async (connection: PeerConnection) => {
        const since = performance.now();
        await until(() => performance.now() - since > 20, '20 ms');
        await connection.send(bytes);
      };
    };
    const look = { REQUEST_JOB_INFO_SINGLE: jobInfo(1) };
    const slowPing = { REQUEST_PING: slowly(rc(0)) };
    await using first = await ScriptedPeer.listen(
      answering({ ...slowPing, REQUEST_KILL_JOB: slowly(rc(2027)) }),
    );
    await using second = await ScriptedPeer.listen(
      answering({ ...slowPing, REQUEST_KILL_JOB: slowly(rc(2020)), ...look }),
    );
    const client = clientOf([first.endpoint, second.endpoint], { auth });
    const timeoutMs = 15_000;
    expect(await failureOf(client.killJob(7, 'SIGTERM', { timeoutMs }))).toMatchObject({
      outcome: 'refused',
    });
    expect(first.requests).toEqual(['REQUEST_PING', 'REQUEST_KILL_JOB']);
    expect(second.requests).toEqual(['REQUEST_PING', 'REQUEST_KILL_JOB', 'REQUEST_JOB_INFO_SINGLE']);

    const [ping, ...others] = seen;
    const own = others.filter((_, index) => [0, 2].includes(index));
    expect(seen).toHaveLength(5);
    expect(own.map(({ context }) => context.signal)).not.toContain(ping?.context.signal);
    // The call began before its first PING: what has passed since then is gone from the budget, and nothing is given back.
    for (const { leftMs, atMs } of own) {
      expect(leftMs).toBeLessThanOrEqual(timeoutMs - (atMs - (ping?.atMs ?? 0)));
    }
  });

  it('that ends in the wait for the kill: the time told is that of the whole call', async () => {
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: silence }));
    const error = await expectFailure(clientOf([peer.endpoint]).killJob(7, 'SIGTERM', { timeoutMs: 500 }), {
      ...TIMEOUT,
      phase: 'wait',
      outcome: 'unknown',
      retryable: false,
      rpc: 'REQUEST_KILL_JOB',
      peer: peer.peer,
      protocol: '22.05',
    });
    expect(error.message).toContain('no answer within 500 ms');
  });

  it('an abort during the look: the refusal is told, its outcome unknown', async () => {
    const abort = new AbortController();
    const answers = { REQUEST_KILL_JOB: rc(2020), REQUEST_JOB_INFO_SINGLE: () => abort.abort() };
    await using peer = await ScriptedPeer.listen(answering(answers));
    const error = await failureOf(clientOf([peer.endpoint]).killJob(7, 'SIGTERM', { signal: abort.signal }));
    expect(error).toMatchObject({ number: 2020, outcome: 'unknown', retryable: false });
  });

  it('that ends in the first contact with the second controller: not sent, and the first is named', async () => {
    await using first = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(2027) }));
    await using second = await ScriptedPeer.listen(silence);
    const client = clientOf([first.endpoint, second.endpoint]);
    const error = await failureOf(client.killJob(7, 'SIGTERM', { timeoutMs: 500 }));
    expect(error).toMatchObject({ ...TIMEOUT, outcome: 'not-sent', peer: second.peer });
    expect(error.message).toContain(`Passed over before: ${first.peer} is on standby.`);
  });

  it('the authenticator and the transport are told what is left', async () => {
    const left: number[] = [];
    const abort = new AbortController();
    const auth = new FakeAuth();
    auth.beforeCreate = async (context) => {
      left.push(context.remainingMs());
      const since = performance.now();
      await until(() => performance.now() - since > 20, '20 ms');
    };
    const transport = transportOf((_, context) => {
      left.push(context.remainingMs());
      abort.abort();
      return hanging(context.signal);
    });
    const { signal } = abort;
    await failureOf(
      exchangeOnce({ host: '127.0.0.1', port: 1 }, { auth, transport, signal, timeoutMs: 15_000 }),
    );
    const [create = 0, connect = 0] = left;
    expect(create).toBeLessThanOrEqual(15_000);
    expect(connect).toBeLessThanOrEqual(create - 20);
    expect(connect).toBeGreaterThan(0);
  });

  it('defaults: five, six and one MessageTimeout; the option of the client; that of the call', async () => {
    await using peer = await ScriptedPeer.listen(
      answering({ REQUEST_KILL_JOB: silence, REQUEST_JOB_INFO_SINGLE: silence }),
    );
    await using mute = await ScriptedPeer.listen(silence);
    const setup: TestSetup = { messageTimeoutMs: 211 };
    const said = async (work: Promise<unknown>) =>
      /no answer within (\d+) ms/.exec((await failureOf(work)).message)?.[1];
    const lookup = { jobId: 7, showFlags: 0 };
    const all = await Promise.all([
      said(clientOf([peer.endpoint], setup).killJob(7)),
      said(clientOf([peer.endpoint], setup).request('REQUEST_JOB_INFO_SINGLE', lookup)),
      said(clientOf([peer.endpoint], { ...setup, timeoutMs: 397 }).killJob(7)),
      said(clientOf([peer.endpoint], { ...setup, timeoutMs: 397 }).killJob(7, 9, { timeoutMs: 353 })),
      said(clientOf([peer.endpoint], { ...setup, timeoutMs: 397 }).killJob(7, 9, { timeoutMs: undefined })),
      clientOf([mute.endpoint], setup)
        .ping()
        .then(([ping]) => said(Promise.reject(ping?.error))),
    ]);
    expect(all).toEqual(['1055', '1266', '397', '353', '397', '211']);
  });
});

describe('nothing is left of a call', () => {
  const KILL = 'REQUEST_KILL_JOB';
  const drop = (connection: PeerConnection) => connection.drop();
  const WAYS: [string, Script, string][] = [
    ['accepted', answering({ [KILL]: rc(0) }), 'accepted'],
    ['refused', answering({ [KILL]: rc(2002) }), 'refused'],
    ['refused after a look', answering({ [KILL]: rc(2020), REQUEST_JOB_INFO_SINGLE: jobInfo(1) }), 'refused'],
    ['the kill closed', answering({ [KILL]: drop }), 'unknown'],
    ['the kill reset', answering({ [KILL]: (connection) => connection.reset() }), 'unknown'],
    ['the kill silent', answering({ [KILL]: silence }), 'unknown'],
    ['garbage', answering({ [KILL]: Uint8Array.of(0, 0, 0, 2, 1, 1) }), 'unknown'],
    ['a forged reply', answering({ [KILL]: rc(0, { signer: 1 }) }), 'unknown'],
    ['HTTP', answering({ [KILL]: Buffer.from('HTTP/1.1 405 NO\r\n') }), 'unknown'],
    ['the first contact closed', answering({ REQUEST_PING: drop, REQUEST_BUILD_INFO: drop }), 'not-sent'],
    ['the PING silent', silence, 'not-sent'],
  ];
  it.each(WAYS)('%s', async (_, script, outcome) => {
    await using peer = await ScriptedPeer.listen(script);
    const { signal } = new AbortController();
    const client = clientOf([peer.endpoint], { messageTimeoutMs: 60_000 });
    const settled = await leavesNothing(async () => {
      const result = await client.killJob(7, 'SIGTERM', { timeoutMs: 400, signal }).catch((error) => error);
      await peer.allLeft();
      for (const connection of peer.connections) connection.drop();
      return result;
    }, signal);
    expect(settled.outcome).toBe(outcome);
  });

  it('nobody listens', async () => {
    const endpoint = await deadEndpoint();
    const { signal } = new AbortController();
    await leavesNothing(() => failureOf(clientOf([endpoint]).killJob(7, 9, { signal })), signal);
  });

  it('a connect that hangs, ended by the deadline', async () => {
    const transport = transportOf((_, context) => hanging(context.signal));
    const { signal } = new AbortController();
    const setup = { transport, messageTimeoutMs: 60_000 };
    const client = clientOf([{ host: '127.0.0.1', port: 1 }], setup);
    await leavesNothing(() => failureOf(client.killJob(7, 9, { timeoutMs: 80, signal })), signal);
  });

  it('an abort at any time', async () => {
    const moments: [string, Script][] = [
      ['PING', silence],
      ['kill', answering({ [KILL]: silence })],
      ['look', answering({ [KILL]: rc(2020), REQUEST_JOB_INFO_SINGLE: silence })],
    ];
    for (const [index, [moment, script]] of moments.entries()) {
      await using peer = await ScriptedPeer.listen(script);
      const abort = new AbortController();
      const client = clientOf([peer.endpoint], { messageTimeoutMs: 60_000 });
      await leavesNothing(async () => {
        const work = failureOf(client.killJob(7, 'SIGTERM', { signal: abort.signal }));
        await until(() => (peer.connections[index]?.received.length ?? 0) > 0, moment);
        abort.abort();
        await work;
        await peer.allLeft();
        for (const connection of peer.connections) connection.drop();
      }, abort.signal);
    }
  });

  it('a bad argument', async () => {
    const { signal } = new AbortController();
    const client = clientOf([{ host: '127.0.0.1', port: 1 }]);
    await leavesNothing(() => failureOf(client.killJob('nonsense', 9, { signal })), signal);
    await leavesNothing(() => failureOf(client.killJob(7, 999, { signal })), signal);
  });
});

describe('50 calls on one AbortSignal', () => {
  it('have one listener among them, take it back, and Node does not warn', async () => {
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(0) }));
    const abort = new AbortController();
    const client = clientOf([peer.endpoint]);
    const kills = Array.from({ length: 50 }, (_, i) => client.killJob(i + 1, 9, { signal: abort.signal }));
    expect(getEventListeners(abort.signal, 'abort')).toHaveLength(1);
    for (const { outcome } of await Promise.all(kills)) expect(outcome).toBe('accepted');
    expect(getEventListeners(abort.signal, 'abort')).toHaveLength(0);
    await turn();
  });

  it('all end when it fires', async () => {
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: silence }));
    const abort = new AbortController();
    const reason = new Error('all of you');
    const client = clientOf([peer.endpoint]);
    const kills = Array.from({ length: 50 }, (_, i) =>
      failureOf(client.killJob(i + 1, 9, { signal: abort.signal })),
    );
    await until(() => peer.count('REQUEST_KILL_JOB') === 50, 'all kills');
    abort.abort(reason);
    for (const error of await Promise.all(kills)) {
      expect(error).toMatchObject({ code: 'SLURMWIRE_ABORTED', outcome: 'unknown', phase: 'wait' });
      expect(error.cause).toBe(reason);
    }
    await peer.allLeft();
    expect(getEventListeners(abort.signal, 'abort')).toHaveLength(0);
  });
});

describe('a reason', () => {
  it('of an outer deadline is that of the inner one', () => {
    vi.useFakeTimers();
    const outer = new Deadline(10);
    const inner = new Deadline(1_000, outer.signal);
    vi.advanceTimersByTime(10);
    expect(inner.signal.reason).toBe(outer.signal.reason);
    expect(inner.signal.reason).toMatchObject({ name: 'SlurmTimeoutError' });
    for (const one of [inner, outer]) one.dispose();
  });

  it('of another call, given by the caller, is no time-out of this one', () => {
    // As an application does that ends what depends on a call that failed.
    const code = 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT';
    const other = new SlurmTimeoutError('another call', { code, errno: 'ETIMEDOUT', outcome: 'unknown' });
    const abort = new AbortController();
    const deadline = new Deadline(60_000, abort.signal);
    abort.abort(other);
    expect(deadline.signal.reason).toMatchObject({ code: 'SLURMWIRE_ABORTED', cause: other });
    deadline.dispose();
  });
});
