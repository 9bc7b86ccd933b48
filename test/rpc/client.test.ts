import { describe, expect, it } from 'vitest';
import { SlurmClient } from '../../src/rpc/client.js';
import { FakeAuth } from './support/fake-auth.js';
import { leavesNothing, noStrayTrouble } from './support/leaks.js';
import { answering, rc, silence } from './support/replies.js';
import { ScriptedPeer } from './support/scripted-peer.js';
import { clientOf, expectFailure, failureOf } from './support/setup.js';
import { turn, until } from './support/until.js';

noStrayTrouble();

const KILL = { REQUEST_KILL_JOB: rc(0) };
const CLOSED = {
  name: 'SlurmUsageError',
  code: 'SLURMWIRE_CLOSED',
  phase: undefined,
  outcome: 'not-sent',
  retryable: false,
  rpc: undefined,
  peer: undefined,
  protocol: undefined,
} as const;

describe('close()', () => {
  it('may be called twice, and at once', async () => {
    const client = clientOf([{ host: '127.0.0.1', port: 1 }]);
    expect(await Promise.all([client.close(), client.close()])).toEqual([undefined, undefined]);
    expect(await client.close()).toBeUndefined();
  });

  it('after it every call is refused, and nothing is sent', async () => {
    await using peer = await ScriptedPeer.listen(answering(KILL));
    const auth = new FakeAuth();
    const client = clientOf([peer.endpoint], { auth });
    await client.killJob(7);
    const [connections, credentials] = [peer.connections.length, auth.created.length];
    await client.close();
    const calls = [
      () => client.killJob(7),
      () => client.killJobStep('7.0'),
      () => client.ping(),
      () => client.request('REQUEST_PING', {}),
      // Closed comes before anything that is wrong with the arguments.
      () => client.killJob('nonsense', 999, null as never),
    ];
    for (const call of calls) {
      const error = await expectFailure(call(), CLOSED);
      expect(error.errno).toBe('EBADF');
    }
    expect([peer.connections.length, auth.created.length]).toEqual([connections, credentials]);
  });

  it('waits for the calls in flight, good and bad, and for those alone', async () => {
    let answer = () => {};
    const held = new Promise<void>((resolve) => {
      answer = resolve;
    });
    await using peer = await ScriptedPeer.listen(
      answering({
        REQUEST_KILL_JOB: async (connection) => {
          await held;
          await connection.send(rc(0));
        },
        REQUEST_CANCEL_JOB_STEP: silence,
      }),
    );
    const client = clientOf([peer.endpoint]);
    const order: string[] = [];
    const good = client.killJob(7).then(({ outcome }) => order.push(outcome));
    const bad = failureOf(client.killJobStep('7.0', 15, { timeoutMs: 400 })).then(({ outcome }) =>
      order.push(outcome),
    );
    await until(() => peer.requests.length === 3, 'both requests');
    const closing = [client.close(), client.close()].map((promise) =>
      promise.then(() => order.push('closed')),
    );
    await bad;
    expect(order).toEqual(['unknown']);
    answer();
    await Promise.all([good, ...closing]);
    expect(order).toEqual(['unknown', 'accepted', 'closed', 'closed']);
    await peer.allLeft();
  });

  it('is reached by `await using`', async () => {
    await using peer = await ScriptedPeer.listen(answering(KILL));
    let outer: SlurmClient;
    {
      await using client = clientOf([peer.endpoint]);
      outer = client;
      await client.killJob(7);
    }
    await expectFailure(outer.killJob(8), CLOSED);
    expect(outer[Symbol.asyncDispose]()).toBeInstanceOf(Promise);
    expect(peer.count('REQUEST_KILL_JOB')).toBe(1);
  });

  it('frees nothing, since nothing is held between calls', async () => {
    await using peer = await ScriptedPeer.listen(answering(KILL));
    const client = clientOf([peer.endpoint]);
    await leavesNothing(async () => {
      for (let i = 1; i <= 5; i++) await client.killJob(i);
      await peer.allLeft();
      for (const connection of peer.connections) connection.drop();
    });
    expect(peer.connections).toHaveLength(6);
  });
});

describe('every promise settles exactly once and nothing is unhandled', () => {
  it('calls that fail while nobody looks yet', async () => {
    await using peer = await ScriptedPeer.listen((connection) => connection.drop());
    const client = clientOf([peer.endpoint]);
    const kills = Array.from({ length: 10 }, (_, i) => client.killJob(i + 1));
    const settled = await Promise.allSettled(kills);
    expect(settled.every(({ status }) => status === 'rejected')).toBe(true);
    await client.close();
    for (let i = 0; i < 5; i++) await turn();
  });

  it('a reply that comes after the abort', async () => {
    const abort = new AbortController();
    await using peer = await ScriptedPeer.listen(
      answering({
        REQUEST_KILL_JOB: async (connection) => {
          abort.abort();
          await connection.send(rc(0));
          connection.finish();
        },
      }),
    );
    const error = await failureOf(clientOf([peer.endpoint]).killJob(7, 15, { signal: abort.signal }));
    expect(error).toMatchObject({ code: 'SLURMWIRE_ABORTED', outcome: 'unknown' });
    await peer.allLeft();
  });

  it('an authenticator that fails after the deadline', async () => {
    await using peer = await ScriptedPeer.listen(answering(KILL));
    const auth = new FakeAuth();
    let fail = (_: Error) => {};
    auth.beforeCreate = () =>
      new Promise((_, reject) => {
        fail = reject;
      });
    const error = await failureOf(clientOf([peer.endpoint], { auth }).killJob(7, 15, { timeoutMs: 60 }));
    expect(error).toMatchObject({ outcome: 'not-sent' });
    fail(new Error('too late to matter'));
    for (let i = 0; i < 5; i++) await turn();
    expect(peer.connections).toHaveLength(0);
  });
});

describe('request()', () => {
  it('gives the reply as it is, whatever number it carries', async () => {
    await using peer = await ScriptedPeer.listen(
      answering({ REQUEST_KILL_JOB: rc(2017), REQUEST_PING: rc(2027) }),
    );
    const client = clientOf([peer.endpoint]);
    const record = { stepId: { jobId: 1, stepId: 2, stepHetComp: 3 }, sjobId: '7', signal: 9 };
    expect(await client.request('REQUEST_KILL_JOB', record)).toMatchObject({
      name: 'RESPONSE_SLURM_RC',
      record: { returnCode: 2017 },
      peer: peer.peer,
      protocol: '22.05',
      authenticated: true,
    });
    expect(await client.request('REQUEST_PING', {})).toMatchObject({ record: { returnCode: 2027 } });
  });

  it('makes the credential for whom it is told', async () => {
    await using peer = await ScriptedPeer.listen(answering({}));
    const auth = new FakeAuth();
    const client = clientOf([peer.endpoint], { auth });
    for (const restrictUid of [undefined, null, 0, 1234])
      await client.request('REQUEST_PING', {}, { restrictUid });
    expect(auth.created.map(({ restrictUid }) => restrictUid)).toEqual([64030, null, 0, 1234]);
  });

  it('an unknown of it is never retryable: it may be anything', async () => {
    await using peer = await ScriptedPeer.listen(
      answering({ REQUEST_JOB_INFO_SINGLE: (connection) => connection.drop() }),
    );
    const error = await failureOf(
      clientOf([peer.endpoint]).request('REQUEST_JOB_INFO_SINGLE', { jobId: 7, showFlags: 0 }),
    );
    expect(error).toMatchObject({ outcome: 'unknown', retryable: false });
  });
});

it('the constructor opens nothing', async () => {
  await using peer = await ScriptedPeer.listen(answering({}));
  expect(clientOf([peer.endpoint])).toBeInstanceOf(SlurmClient);
  await clientOf([peer.endpoint]).request('REQUEST_PING', {});
  expect(peer.connections).toHaveLength(1);
});
