/** What listeners of the diagnostics channels hear of calls and exchanges, and that they are no part of them. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { tracingChannel } from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import { describe, expect, expectTypeOf, it, vi } from 'vitest';
import { jwt } from '../../src/auth/index.js';
import { isSlurmError, type Outcome, showEndpoint } from '../../src/protocol/index.js';
import type { SlurmClient } from '../../src/rpc/client.js';
import {
  callChannel,
  contactChannel,
  exchangeChannel,
  passedOverChannel,
  terminateChannel,
  waitChannel,
} from '../../src/rpc/diagnostics.js';
import {
  SLURMWIRE_CHANNELS,
  type SlurmwireCallEvent,
  type SlurmwireExchangeEvent,
  type SlurmwireVerb,
} from '../../src/rpc/index.js';
import { Pacer } from '../../src/rpc/pacer.js';
import { badCredential, FakeAuth } from './support/fake-auth.js';
import { FakeSlurmds, nodeNames } from './support/fan-out.js';
import { jobInfoReply, mixedTransport, stepInfoReply } from './support/fan-out-controller.js';
import { noStrayTrouble } from './support/leaks.js';
import { Listener } from './support/listener.js';
import { type Answer, answering, buildInfoReply, rc, silence } from './support/replies.js';
import { deadEndpoint, ScriptedPeer } from './support/scripted-peer.js';
import { clientOf, failureOf, type TestSetup } from './support/setup.js';
import { TestClock } from './support/test-clock.js';
import { turn, until } from './support/until.js';

noStrayTrouble();

const RELEASE = '22.05';
const NODES = 'n[1-3]';
const JOB = { jobId: 7, batchFlag: 1, batchHost: 'n1', nodes: NODES };

const ANSWERS = {
  REQUEST_KILL_JOB: rc(0),
  REQUEST_CANCEL_JOB_STEP: rc(0),
  REQUEST_SUSPEND: rc(0),
  REQUEST_JOB_REQUEUE: rc(0),
  REQUEST_JOB_NOTIFY: rc(0),
  REQUEST_JOB_INFO_SINGLE: jobInfoReply([JOB], RELEASE),
  REQUEST_JOB_INFO: jobInfoReply([JOB], RELEASE),
  REQUEST_JOB_STEP_INFO: stepInfoReply([{ jobId: 7, stepId: 0, nodes: NODES }], RELEASE),
} as const satisfies Parameters<typeof answering>[0];

interface Scene extends AsyncDisposable {
  readonly peer: ScriptedPeer;
  readonly slurmds: FakeSlurmds;
  readonly client: SlurmClient;
}

/** One slurmctld on a socket, and slurmds in memory. */
async function scene(
  answers: { [N in keyof typeof ANSWERS]?: Answer } = {},
  given: TestSetup = {},
): Promise<Scene> {
  const peer = await ScriptedPeer.listen(answering({ ...ANSWERS, ...answers }, given.release));
  const slurmds = new FakeSlurmds();
  const client = clientOf([peer.endpoint], {
    transport: mixedTransport(slurmds),
    nodeAddress: (node) => ({ host: node, port: 6818 }),
    ...given,
  });
  return { peer, slurmds, client, [Symbol.asyncDispose]: () => peer.close() };
}

/** Of whatever kind. */
const failure = (call: Promise<unknown>) =>
  call.then(
    () => 'none',
    (error: Error & { code?: string }) => [error.name, error.code],
  );
const count = (list: readonly string[], one: string) => list.filter((other) => other === one).length;
const sum = (list: readonly number[]) => list.reduce((all, one) => all + one, 0);

interface VerbCase {
  readonly verb: SlurmwireVerb;
  readonly run: (client: SlurmClient) => PromiseLike<unknown>;
  readonly target: string | null;
  readonly outcome: string;
  readonly more?: Partial<SlurmwireCallEvent>;
  /** Connections to slurmds. */
  readonly atNodes?: number;
}

const VERBS: readonly VerbCase[] = [
  {
    verb: 'killJob',
    run: (client) => client.killJob(7, 15, { batch: true, timeoutMs: 4_000 }),
    target: '7',
    outcome: 'accepted',
    more: { unixSignal: 'SIGTERM', options: { batch: true, timeoutMs: 4_000 } },
  },
  {
    verb: 'killJobStep',
    run: (client) => client.killJobStep({ jobId: 7, stepId: 0 }, 'usr1'),
    target: '7.0',
    outcome: 'accepted',
    more: { unixSignal: 'SIGUSR1' },
  },
  {
    verb: 'killJobs',
    run: (client) => client.killJobs([7, '7']),
    target: '7,7',
    outcome: 'accepted',
    more: { unixSignal: 'SIGKILL', parts: { accepted: 1 } },
  },
  {
    verb: 'kill',
    run: (client) => client.kill(7, 0),
    target: '7',
    outcome: 'accepted',
    more: { unixSignal: '0', parts: { accepted: 1 } },
  },
  {
    verb: 'signalJob',
    run: (client) => client.signalJob(7, 'SIGUSR2', { fanOut: 'direct' }),
    target: '7',
    outcome: 'accepted',
    more: { unixSignal: 'SIGUSR2', parts: { accepted: 3 }, options: { fanOut: 'direct' } },
    atNodes: 3,
  },
  {
    verb: 'signalJobStep',
    run: (client) => client.signalJobStep('7.0', 12),
    target: '7.0',
    outcome: 'accepted',
    more: { parts: { accepted: 3 } },
    atNodes: 3,
  },
  {
    verb: 'terminateJobStep',
    run: (client) => client.terminateJobStep('7.0'),
    target: '7.0',
    outcome: 'accepted',
    more: { unixSignal: null, parts: { accepted: 3 } },
    atNodes: 3,
  },
  { verb: 'suspend', run: (client) => client.suspend('7'), target: '7', outcome: 'accepted' },
  { verb: 'resume', run: (client) => client.resume(7), target: '7', outcome: 'accepted' },
  {
    verb: 'requeue',
    run: (client) => client.requeue(7, { hold: true }),
    target: '7',
    outcome: 'accepted',
    more: { options: { hold: true } },
  },
  { verb: 'notify', run: (client) => client.notify(7, 'good bye'), target: '7', outcome: 'accepted' },
  {
    verb: 'probe',
    run: (client) => client.probe('7.0'),
    target: '7.0',
    outcome: 'answered',
    more: { unixSignal: null, protocol: RELEASE },
  },
  {
    verb: 'terminate',
    run: (client) => client.terminate(7, { ladder: [{ signal: 'SIGKILL' }], confirm: false }),
    target: '7',
    outcome: 'accepted',
    more: { options: { confirm: false } },
  },
  {
    verb: 'explain',
    run: (client) => client.explain('killJob', 7, 'SIGTERM'),
    target: '7',
    outcome: 'answered',
  },
  { verb: 'ping', run: (client) => client.ping(), target: null, outcome: 'answered' },
  {
    verb: 'request',
    run: (client) => client.request('REQUEST_JOB_INFO_SINGLE', { jobId: 7, showFlags: 0 }),
    target: 'REQUEST_JOB_INFO_SINGLE',
    outcome: 'answered',
    more: { protocol: RELEASE },
  },
];

describe('every verb', () => {
  it('is in the table', () => {
    expectTypeOf<SlurmwireVerb>().toExtend<keyof SlurmClient>();
    const proto = Object.getOwnPropertyNames(Object.getPrototypeOf(clientOf([{ host: 'c', port: 1 }])));
    const silent = ['constructor', 'close', 'paces'];
    expect(VERBS.map(({ verb }) => verb).sort()).toEqual(
      proto.filter((name) => !silent.includes(name)).sort(),
    );
  });

  it.each(VERBS)('$verb: one call, and its exchanges, one per connection', async (given) => {
    const { verb, run, target, outcome, more = {}, atNodes = 0 } = given;
    await using on = await scene();
    using heard = new Listener();
    await run(on.client);
    const { call, exchanges } = heard;
    expect(call).toMatchObject({ verb, target, outcome, filter: null, code: null, ...more });
    expect(call.client).toBe(on.client);
    expect(call.durationMs).toBeGreaterThan(0);
    expect('error' in call).toBe(false);
    for (const what of ['start', 'end', 'asyncStart', 'asyncEnd'])
      expect(count(heard.order, `call 1 ${what}`)).toBe(1);
    expect([heard.order[0], heard.order.at(-1)]).toEqual(['call 1 start', 'call 1 asyncEnd']);
    expect(heard.order.filter((one) => one.endsWith('error'))).toEqual([]);

    const at = (role: string) => exchanges.filter((one) => one.role === role);
    expect(
      at('slurmctld')
        .map(({ rpc }) => rpc)
        .sort(),
    ).toEqual([...on.peer.requests].sort());
    expect(at('slurmd').map(({ node }) => node)).toEqual(nodeNames(atNodes));
    expect(on.slurmds.contacts).toHaveLength(atNodes);
    for (const [index, one] of exchanges.entries()) {
      expect(count(heard.order, `exchange ${index + 1} start`)).toBe(1);
      expect(count(heard.order, `exchange ${index + 1} asyncEnd`)).toBe(1);
      expect(one).toMatchObject({
        outcome: 'answered',
        number: null,
        protocol: RELEASE,
        attempt: 1,
        auth: 'auth/munge',
        ...(one.reply === 'RESPONSE_SLURM_RC' ? { number: 0, code: null } : {}),
      });
      expect(one.call).toBe(call);
      expect(one.peer).toBe(showEndpoint(one.endpoint));
      expect(one.durationMs).toBeCloseTo(sum(Object.values(one.phases).map((ms) => ms ?? 0)), 6);
      expect(Object.values(one.phases)).not.toContain(null);
    }
    expect(call.exchanges).toBe(exchanges.length);
    expect(sum(at('slurmctld').map(({ bytesSent }) => bytesSent))).toBe(on.peer.bytesReceived);
    expect(call.bytesSent).toBe(sum(exchanges.map(({ bytesSent }) => bytesSent)));
    expect(call.bytesReceived).toBe(sum(exchanges.map(({ bytesReceived }) => bytesReceived)));
    expect(new Set(exchanges.map(({ id }) => id)).size).toBe(exchanges.length);
  });

  it.each(VERBS)('$verb: the same is sent when nobody listens', async ({ run }) => {
    await using observed = await scene();
    await using alone = await scene();
    {
      using _ = new Listener();
      await run(observed.client);
    }
    await run(alone.client);
    expect(alone.peer.requests).toEqual(observed.peer.requests);
    expect(alone.slurmds.contacts).toEqual(observed.slurmds.contacts);
  });
});

describe('a call that rejects', () => {
  it('for a refusal: the exchange was answered, the call was refused', async () => {
    await using on = await scene({ REQUEST_KILL_JOB: rc(2010) });
    using heard = new Listener();
    const error = await failureOf(on.client.killJob(7, 'SIGTERM'));
    expect(heard.call).toMatchObject({
      outcome: error.outcome,
      code: 'ESLURM_USER_ID_MISSING',
      peer: on.peer.peer,
    });
    expect(heard.call.error).toBe(error);
    const last = heard.exchanges.at(-1);
    expect(last).toMatchObject({
      outcome: 'answered',
      reply: 'RESPONSE_SLURM_RC',
      number: 2010,
      code: error.code,
    });
    expect(last?.authenticated).toBe(true);
    expect(heard.order.slice(-3)).toEqual(['call 1 error', 'call 1 asyncStart', 'call 1 asyncEnd']);
    expect(heard.order.filter((one) => /exchange . error/.test(one))).toEqual([]);
  });

  it('for its arguments: no exchange', async () => {
    await using on = await scene();
    using heard = new Listener();
    const misuse = [
      () => on.client.killJob('nonsense'),
      () => on.client.killJob(7, 99),
      () => on.client.killJob(7, 9, { typo: true } as never),
      () => on.client.killJob(7, 9, null as never),
      () => on.client.request('NO_SUCH' as never, {} as never),
      () => on.client.killJob(Object.create(null)),
      () => on.client.killJob(Symbol('x') as never),
    ];
    for (const call of misuse) await failureOf(call());
    expect(heard.calls.map(({ outcome, target, unixSignal }) => [outcome, target, unixSignal])).toEqual([
      ['not-sent', 'nonsense', 'SIGKILL'],
      ['not-sent', '7', null],
      ['not-sent', '7', 'SIGKILL'],
      ['not-sent', '7', 'SIGKILL'],
      ['not-sent', 'NO_SUCH', null],
      ['not-sent', null, 'SIGKILL'],
      ['not-sent', null, 'SIGKILL'],
    ]);
    expect(heard.calls.map(({ options }) => options)).toEqual(misuse.map(() => ({})));
    expect(heard.exchanges).toEqual([]);
  });

  it('getters are asked by the verb alone', async () => {
    await using on = await scene();
    using heard = new Listener();
    let asked = 0;
    const options = Object.defineProperty({}, 'batch', { enumerable: true, get: () => asked++ === 99 });
    const job = Object.defineProperty({}, 'jobId', { enumerable: true, get: () => 7 + asked++ });
    await on.client.killJob(7, 'SIGTERM', options);
    const alone = asked;
    await on.client.killJob(job as never, 'SIGTERM').catch(() => {});
    expect(heard.calls).toMatchObject([
      { target: '7', options: {} },
      { target: null, options: {} },
    ]);
    const twice = asked - alone;
    heard[Symbol.dispose]();
    asked = 0;
    await on.client.killJob(7, 'SIGTERM', options);
    expect(asked).toBe(alone);
    await on.client.killJob(job as never, 'SIGTERM').catch(() => {});
    expect(asked - alone).toBe(twice);
  });

  it('the error is the same whoever listens, whatever was given', async () => {
    await using on = await scene();
    let deep: unknown = [7];
    for (let depth = 0; depth < 20_000; depth++) deep = [deep];
    const throwing = (trap: string) =>
      new Proxy({}, { [trap]: () => expect.fail('looked at') } as ProxyHandler<object>) as never;
    const misuse = [
      () => on.client.killJob(deep as never),
      () => on.client.killJobs([deep] as never),
      () => on.client.killJobs(throwing('has')),
      () => on.client.killJob(throwing('ownKeys')),
      () => on.client.killJob(7, 9, throwing('ownKeys')),
    ];
    for (const call of misuse) {
      const alone = await failure(call());
      using heard = new Listener();
      expect(await failure(call())).toEqual(alone);
      expect(heard.call).toMatchObject({ filter: null, options: {} });
    }
  });

  it('since the client is closed', async () => {
    await using on = await scene();
    await on.client.close();
    using heard = new Listener();
    await failureOf(on.client.killJob(7));
    expect(heard.call).toMatchObject({ code: 'SLURMWIRE_CLOSED', outcome: 'not-sent', exchanges: 0 });
  });

  it.each([
    ['the time limit', {}, 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT'],
    ['the caller', { abort: true }, 'SLURMWIRE_ABORTED'],
  ])('ended by %s', async (_, { abort = false }: { abort?: boolean }, code) => {
    await using on = await scene({ REQUEST_KILL_JOB: silence });
    using heard = new Listener();
    const control = new AbortController();
    const call = on.client.killJob(7, 'SIGTERM', { timeoutMs: abort ? 60_000 : 300, signal: control.signal });
    const failed = failureOf(call);
    await until(() => on.peer.requests.length === 2 || heard.call.durationMs !== null, 'the kill');
    if (abort) control.abort();
    const error = await failed;
    expect(heard.call).toMatchObject({
      outcome: 'unknown',
      code,
      options: { timeoutMs: abort ? 60_000 : 300 },
    });
    const last = heard.exchanges.at(-1);
    expect(last).toMatchObject({
      rpc: 'REQUEST_KILL_JOB',
      outcome: 'unknown',
      code,
      reply: null,
      bytesReceived: 0,
    });
    expect(last?.phases).toMatchObject({ wait: expect.any(Number), verify: null, decode: null });
    expect(isSlurmError(last?.error)).toBe(true);
    expect(heard.call.error).toBe(error);
    expect(count(heard.order, 'exchange 2 error')).toBe(1);
    expect(heard.order.at(-1)).toBe('call 1 asyncEnd');
  });

  it('where nobody listens: not sent, and the phases say how far it came', async () => {
    const client = clientOf([await deadEndpoint()]);
    using heard = new Listener();
    await failureOf(client.killJob(7));
    expect(heard.exchanges).toMatchObject([
      { rpc: 'REQUEST_PING', outcome: 'not-sent', bytesSent: 0, reply: null },
    ]);
    expect(heard.exchanges[0]?.phases).toMatchObject({ connect: expect.any(Number), send: null });
  });

  it('without a credential: nothing was connected', async () => {
    const auth = new FakeAuth();
    auth.beforeCreate = () => Promise.reject(badCredential('EMUNGE_SOCKET'));
    await using on = await scene({}, { auth });
    using heard = new Listener();
    await failureOf(on.client.killJob(7));
    expect(heard.exchanges).toMatchObject([
      { outcome: 'not-sent', code: 'EMUNGE_SOCKET', phases: { connect: null } },
    ]);
  });

  it('for a cut reply: the bytes that came are counted', async () => {
    const bytes = rc(0);
    await using on = await scene({
      REQUEST_KILL_JOB: async (connection) => {
        await connection.send(bytes.subarray(0, 10));
        connection.finish();
      },
    });
    using heard = new Listener();
    await failureOf(on.client.killJob(7, 'SIGTERM'));
    expect(heard.exchanges.at(-1)).toMatchObject({
      bytesReceived: 10,
      outcome: 'unknown',
      phases: { decode: null },
    });
  });
});

describe('the parts of many', () => {
  it('nodes of a fan-out that fails are counted by their outcome', async () => {
    await using on = await scene();
    on.slurmds.set('n2', { kind: 'rc', code: 2010 }).set('n3', { kind: 'down' });
    using heard = new Listener();
    const { outcome } = await failureOf(on.client.signalJob(7, 'SIGUSR1'));
    expect(heard.call).toMatchObject({ outcome, parts: { accepted: 1, refused: 1, 'not-sent': 1 } });
    expect(
      heard.exchanges
        .filter(({ role }) => role === 'slurmd')
        .map(({ node, outcome, number }) => [node, outcome, number]),
    ).toEqual([
      ['n1', 'answered', 0],
      ['n2', 'answered', 2010],
      ['n3', 'not-sent', null],
    ]);
  });

  it('a tree is one exchange for each of its branches', async () => {
    const nodes = nodeNames(100);
    const steps = stepInfoReply([{ jobId: 7, stepId: 0, nodes: 'n[1-100]' }], RELEASE);
    await using on = await scene({ REQUEST_JOB_STEP_INFO: steps });
    using heard = new Listener();
    await on.client.signalJobStep('7.0', 'SIGUSR1', { treeWidth: 10 });
    const sent = heard.exchanges.filter(({ role }) => role === 'slurmd');
    expect(sent).toHaveLength(on.slurmds.contacts.length);
    expect(sent.length + sum(sent.map(({ forwardedTo }) => forwardedTo))).toBe(nodes.length);
    expect(heard.call.parts).toEqual({ accepted: 100 });
  });

  it('a list shows its first ten; a filter the names of its conditions and nothing else', async () => {
    await using on = await scene();
    using heard = new Listener();
    await on.client.killJobs(Array.from({ length: 12 }, (_, index) => index + 7)).catch(() => {});
    await on.client
      .killJobs({ name: 'private-name', state: 'RUNNING' }, 15, { timeoutMs: 2_000 })
      .catch(() => {});
    expect(heard.calls).toMatchObject([
      { target: '7,8,9,10,11,12,13,14,15,16 and 2 more', filter: null },
      { target: null, filter: ['name', 'state'] },
    ]);
    expect(inspect(heard.calls[1], { depth: 4 })).not.toContain('private-name');
  });
});

describe('plain channels', () => {
  it('1804: each try is an exchange with its number, and waits', async () => {
    let left = 2;
    const busy: Answer = async (connection) => {
      await connection.send(rc(left-- > 0 ? 1804 : 0, { release: '24.11' }));
      connection.finish();
    };
    await using on = await scene(
      { REQUEST_KILL_JOB: busy },
      { release: '24.11', pacer: new Pacer(new TestClock()) },
    );
    using heard = new Listener();
    await on.client.killJob(7, 'SIGTERM');
    const kills = heard.exchanges.filter(({ rpc }) => rpc === 'REQUEST_KILL_JOB');
    expect(kills.map(({ attempt, number, code }) => [attempt, number, code])).toEqual([
      [1, 1804, 'SLURMCTLD_COMMUNICATIONS_BACKOFF'],
      [2, 1804, 'SLURMCTLD_COMMUNICATIONS_BACKOFF'],
      [3, 0, null],
    ]);
    expect(kills.every(({ queuedMs }) => queuedMs >= 0)).toBe(true);
    const wait = {
      call: heard.call,
      peer: on.peer.peer,
      rpc: 'REQUEST_KILL_JOB',
      because: 'rate',
      waiting: 0,
    };
    expect(heard.waits).toEqual([
      { ...wait, attempt: 2 },
      { ...wait, attempt: 3 },
    ]);
    expect(heard.call).toMatchObject({ outcome: 'accepted', exchanges: heard.exchanges.length });
  });

  it('the first to go after a drop waits for nobody, and is not said to', async () => {
    let left = 1;
    const dropping: Answer = async (connection) => {
      await connection.send(rc(left-- > 0 ? 1805 : 0, { release: '24.11' }));
      connection.finish();
    };
    const clock = new TestClock();
    await using on = await scene(
      { REQUEST_KILL_JOB: dropping },
      { release: '24.11', pacer: new Pacer(clock) },
    );
    expect(await failureOf(on.client.killJob(7, 'SIGTERM'))).toMatchObject({ number: 1805 });
    using heard = new Listener();
    await on.client.killJob(7, 'SIGTERM');
    expect(heard.waits.map(({ because }) => because)).toEqual(['drop']);
    left = 1;
    await failureOf(on.client.killJob(7, 'SIGTERM'));
    await clock.sleep(60_000, new AbortController().signal);
    heard.waits.length = 0;
    await on.client.killJob(7, 'SIGTERM');
    expect(heard.waits).toEqual([]);
  });

  it('more than may be under way at a time wait, and nobody else does', async () => {
    let gate = Promise.resolve();
    await using on = await scene({
      REQUEST_KILL_JOB: async (connection) => {
        await gate;
        await connection.send(rc(0));
        connection.finish();
      },
    });
    await on.client.killJob(6, 'SIGTERM');
    let open = () => {};
    gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    using heard = new Listener();
    const calls = Array.from({ length: 66 }, (_, index) => on.client.killJob(index + 10, 'SIGTERM'));
    await until(() => heard.waits.length === 2, 'two that wait');
    open();
    await Promise.all(calls);
    expect(heard.waits.map(({ because, attempt, waiting }) => [because, attempt, waiting])).toEqual([
      ['busy', 1, 0],
      ['busy', 1, 1],
    ]);
    const late = heard.waits.map(({ call }) =>
      heard.exchanges.find((one) => one.call === call && one.rpc === 'REQUEST_KILL_JOB'),
    );
    expect(late.every((one) => (one?.queuedMs ?? 0) > 0)).toBe(true);
  });

  it('the first contact: found or given, once for all that wait for it, in the name of the first', async () => {
    const script = answering({
      REQUEST_BUILD_INFO: async (connection, { frame }) => {
        if (frame.release > '22.05') return connection.drop();
        await connection.send(buildInfoReply({ release: '22.05' }, frame.release));
        connection.finish();
      },
      REQUEST_KILL_JOB: rc(0),
    });
    await using peer = await ScriptedPeer.listen(script);
    const client = clientOf([peer.endpoint], { findsVersion: true, release: '22.05' });
    using heard = new Listener();
    await Promise.all([client.killJob(7, 'SIGTERM'), client.killJob(8, 'SIGTERM')]);
    const [first, second] = heard.calls;
    const common = { call: first, peer: peer.peer, protocol: '22.05', standby: false };
    expect(heard.contacts).toEqual([{ ...common, found: true, version: '22.05.3' }]);
    expect(heard.contacts[0]?.call).toBe(first);
    const asked = heard.exchanges.filter(({ rpc }) => rpc === 'REQUEST_BUILD_INFO');
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.every(({ call }) => call === first)).toBe(true);
    expect(second).toMatchObject({ exchanges: 1, outcome: 'accepted' });

    await using on = await scene();
    await on.client.killJob(7, 'SIGTERM');
    expect(heard.contacts.at(-1)).toMatchObject({
      found: false,
      version: null,
      protocol: '22.05',
      peer: on.peer.peer,
    });
  });

  it('controllers that are passed over, and why', async () => {
    const dead = await deadEndpoint();
    await using standby = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(2131) }));
    await using last = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(0) }));
    const client = clientOf([dead, standby.endpoint, last.endpoint]);
    using heard = new Listener();
    await client.killJob(7, 'SIGTERM');
    expect(heard.passedOver).toMatchObject([
      { peer: showEndpoint(dead), why: 'unreached', error: { outcome: 'not-sent' } },
      { peer: standby.peer, why: 'standby', error: null },
    ]);
    expect(heard.passedOver.every(({ call }) => call === heard.call)).toBe(true);
    expect(heard.call).toMatchObject({ peer: last.peer });
  });

  it('what a termination does', async () => {
    await using on = await scene();
    using heard = new Listener();
    const termination = on.client.terminate(7, { ladder: [{ signal: 'SIGKILL' }], confirm: false });
    const events: unknown[] = [];
    for await (const event of termination) events.push(event);
    expect(events.length).toBeGreaterThan(0);
    expect(heard.terminations.map(({ event }) => event)).toEqual(events);
    expect(heard.terminations.every(({ call }) => call === heard.call)).toBe(true);
  });
});

describe('the record of a request', () => {
  it('can be asked for, and is nowhere by itself', async () => {
    await using on = await scene();
    using heard = new Listener();
    await on.client.killJob('7', 'SIGTERM');
    const [ping, kill] = heard.exchanges;
    expect(ping?.record).toEqual({});
    expect(kill?.record).toMatchObject({ sjobId: '7', signal: 15 });
    expect(Object.keys(kill ?? {})).not.toContain('record');
    expect(JSON.stringify(kill?.phases)).not.toContain('sjobId');
    expect(inspect(kill, { depth: 9, showHidden: true })).not.toContain('sjobId');
  });

  it('is withheld where it may hold what is not for everybody', async () => {
    await using on = await scene();
    using heard = new Listener();
    await on.client.notify(7, 'the password is hunter2');
    expect(heard.exchanges.at(-1)).toMatchObject({ rpc: 'REQUEST_JOB_NOTIFY', record: undefined });
    expect(inspect(heard.all, { depth: 9, showHidden: true })).not.toContain('hunter2');
  });
});

describe('no secrets', () => {
  const TOKEN = `${['{"alg":"HS256"}', '{"exp":9999999999,"sun":"ann"}'].map((part) => Buffer.from(part).toString('base64url')).join('.')}.c2VjcmV0`;

  /** Everything that a listener could get at without asking for it. */
  const shown = (heard: Listener) =>
    inspect(heard.all, { depth: 12, showHidden: true, maxArrayLength: null, maxStringLength: null }) +
    heard.all.map((event) => JSON.stringify(event)).join();

  it.each(['answered', 'refused', 'cut', 'silent'] as const)('of munge: %s', async (how) => {
    const auth = new FakeAuth();
    const answer: Record<typeof how, Answer> = {
      answered: rc(0),
      refused: rc(1007),
      cut: async (connection) => {
        await connection.send(rc(0).subarray(0, 100));
        connection.finish();
      },
      silent: silence,
    };
    await using on = await scene({ REQUEST_KILL_JOB: answer[how] }, { auth });
    using heard = new Listener();
    await on.client.killJob(7, 'SIGTERM', { timeoutMs: 500 }).catch(() => {});
    await on.client.signalJob(7, 'SIGTERM').catch(() => {});
    const text = shown(heard);
    expect(heard.exchanges.length).toBeGreaterThan(3);
    expect(auth.created.length).toBeGreaterThan(3);
    expect(text).not.toContain('FAKE:');
    for (const { payload } of auth.created) expect(text).not.toContain(payload);
  });

  it('of a token, in its place or not', async () => {
    const release = '24.11';
    const auth = jwt({ token: TOKEN });
    await using on = await scene({ REQUEST_KILL_JOB: rc(0, { release }) }, { auth, release });
    using heard = new Listener();
    expect(await on.client.killJob(7, 'SIGTERM')).toMatchObject({ outcome: 'accepted' });
    const wrong = [
      () => on.client.killJob(TOKEN),
      () => on.client.killJob(7, TOKEN),
      () => on.client.killJob(7, 9, { token: TOKEN } as never),
      () => on.client.killJob(7, 9, { sibling: TOKEN, batch: 1 as never }),
      () => on.client.killJobs({ user: TOKEN }),
      () => on.client.killJobs([TOKEN]),
      () => on.client.request(TOKEN as never, {} as never),
      () => on.client.terminate(TOKEN, { ladder: [{ signal: TOKEN }] as never }),
    ];
    for (const call of wrong) await Promise.resolve(call()).catch(() => {});
    expect(heard.calls).toHaveLength(1 + wrong.length);
    const text = shown(heard);
    expect(text).toContain("auth: 'auth/jwt'");
    for (const part of TOKEN.split('.')) expect(text).not.toContain(part);
  });
});

describe('nobody listens', () => {
  it('nothing is published, traced or made', async () => {
    const channels = [callChannel, exchangeChannel];
    const plain = [contactChannel, passedOverChannel, waitChannel, terminateChannel];
    await using on = await scene();
    let before: SlurmwireExchangeEvent | undefined;
    {
      using heard = new Listener();
      await on.client.killJob(7, 'SIGTERM');
      before = heard.exchanges.at(-1);
    }
    const spies = [
      ...channels.map((one) => vi.spyOn(one, 'tracePromise')),
      ...channels.flatMap(({ start, end, asyncStart, asyncEnd, error }) =>
        [start, end, asyncStart, asyncEnd, error].map((one) => vi.spyOn(one, 'publish')),
      ),
      ...plain.map((one) => vi.spyOn(one, 'publish')),
    ];
    for (const { run } of VERBS) await run(on.client);
    for (const spy of spies) expect(spy).not.toHaveBeenCalled();
    vi.restoreAllMocks();

    // Events are numbered as they are made: none was in between.
    using heard = new Listener();
    await on.client.killJob(7, 'SIGTERM');
    expect(heard.exchanges[0]?.id).toBe((before?.id ?? 0) + 1);
    expect(heard.call.id).toBe((before?.call?.id ?? 0) + 1);
  });

  it('to one channel: the others are silent, and it still knows the call', async () => {
    await using on = await scene();
    const ended: SlurmwireExchangeEvent[] = [];
    const tracing = tracingChannel<unknown, SlurmwireExchangeEvent>(SLURMWIRE_CHANNELS.exchange);
    const note = (event: SlurmwireExchangeEvent) => ended.push(event);
    tracing.asyncEnd.subscribe(note as never);
    try {
      await on.client.killJob(7, 'SIGTERM');
    } finally {
      tracing.asyncEnd.unsubscribe(note as never);
    }
    expect(ended.map(({ rpc, call }) => [rpc, call?.verb, call?.exchanges])).toEqual([
      ['REQUEST_PING', 'killJob', 2],
      ['REQUEST_KILL_JOB', 'killJob', 2],
    ]);
  });

  it('the event of a call has its exchanges counted, though nobody listens to them', async () => {
    await using on = await scene();
    const ended: SlurmwireCallEvent[] = [];
    const tracing = tracingChannel<unknown, SlurmwireCallEvent>(SLURMWIRE_CHANNELS.call);
    const note = (event: SlurmwireCallEvent) => ended.push(event);
    tracing.asyncEnd.subscribe(note as never);
    try {
      await on.client.killJob(7, 'SIGTERM');
    } finally {
      tracing.asyncEnd.unsubscribe(note as never);
    }
    expect(ended).toMatchObject([{ exchanges: 2, bytesSent: on.peer.bytesReceived }]);
  });
});

describe('async context', () => {
  it('a store bound to the start of calls is there in all that a call does, and only there', async () => {
    const store = new AsyncLocalStorage<string>();
    const tracing = tracingChannel<string, SlurmwireCallEvent>(SLURMWIRE_CHANNELS.call);
    const seen: [where: string, store: string | undefined, rpc: string | undefined][] = [];
    const note = (where: string, rpc?: string) => seen.push([where, store.getStore(), rpc]);
    const auth = new FakeAuth();
    auth.beforeCreate = async () => {
      await turn();
      note('authenticate');
    };
    auth.beforeVerify = () => void note('verify');
    let left = 5;
    const busy: Answer = async (connection) => {
      await connection.send(rc(left-- > 0 ? 1804 : 0, { release: '22.05' }));
      connection.finish();
    };
    await using on = await scene({ REQUEST_KILL_JOB: busy }, { auth });
    tracing.start.bindStore(store, ({ verb, target }) => `${verb} ${target}`);
    using heard = new Listener();
    const exchanges = tracingChannel<unknown, SlurmwireExchangeEvent>(SLURMWIRE_CHANNELS.exchange);
    const tell = ({ call }: SlurmwireExchangeEvent) => void note('exchange', `${call?.verb} ${call?.target}`);
    const handlers = { start: tell, end: tell, asyncStart: tell, asyncEnd: tell, error: tell };
    exchanges.subscribe(handlers);
    try {
      await store.run('outside', async () => {
        const jobs = Array.from({ length: 10 }, (_, index) => index + 1);
        await Promise.all(
          jobs.map(async (job) => {
            await on.client.killJob(job, 'SIGTERM');
            expect(store.getStore()).toBe('outside');
          }),
        );
        await on.client.signalJobStep('7.0', 'SIGUSR1');
        expect(store.getStore()).toBe('outside');
      });
    } finally {
      exchanges.unsubscribe(handlers);
      tracing.start.unbindStore(store);
    }
    // The contact, five refusals, ten kills; the lookups and three nodes of the fan-out.
    expect(heard.exchanges.length).toBeGreaterThanOrEqual(16 + 4);
    expect(seen.filter(([where]) => where === 'verify')).toHaveLength(heard.exchanges.length);
    for (const [where, value, whose] of seen) {
      expect(value, where).toMatch(/^(killJob \d+|signalJobStep 7\.0)$/);
      if (whose !== undefined) expect(value).toBe(whose);
    }
    expect(new Set(seen.map(([, value]) => value)).size).toBe(11);
  });
});

describe('a listener that throws', () => {
  it('does not touch the call; Node tells of it as an uncaught exception', async () => {
    await using on = await scene({ REQUEST_KILL_JOB: rc(2010) });
    const boom = () => {
      throw new Error('a bad listener');
    };
    const traced = { start: boom, end: boom, asyncStart: boom, asyncEnd: boom, error: boom };
    const outcomes: Outcome[] = [];
    const { uncaught } = await uncaughtIn(async () => {
      callChannel.subscribe(traced);
      exchangeChannel.subscribe(traced);
      contactChannel.subscribe(boom);
      const store = new AsyncLocalStorage();
      callChannel.start.bindStore(store, boom);
      try {
        outcomes.push((await on.client.killJobStep('7.0', 'SIGTERM')).outcome);
        outcomes.push((await failureOf(on.client.killJob(7, 'SIGTERM'))).outcome);
      } finally {
        callChannel.unsubscribe(traced);
        exchangeChannel.unsubscribe(traced);
        contactChannel.unsubscribe(boom);
        callChannel.start.unbindStore(store);
      }
    });
    expect(outcomes[0]).toBe('accepted');
    expect(outcomes[1]).toBe('refused');
    expect(uncaught.length).toBeGreaterThan(10);
    expect(uncaught.every((error) => (error as Error).message === 'a bad listener')).toBe(true);
  });

  it('one that spoils the events when they end does not change how it ends', async () => {
    await using on = await scene({ REQUEST_KILL_JOB: rc(2010) });
    const freeze = (event: unknown) => void Object.freeze(event);
    const channels = [callChannel.asyncStart, exchangeChannel.asyncStart, callChannel.error];
    const { uncaught } = await uncaughtIn(async () => {
      for (const one of channels) one.subscribe(freeze);
      // What Node does with the event after the listener has had it.
      const spoil = (event: unknown) => {
        Object.defineProperty(event, 'result', { writable: false, value: null });
        Object.defineProperty(event, 'error', { writable: false, value: null });
      };
      try {
        expect(await on.client.killJobStep('7.0', 'SIGTERM')).toMatchObject({ outcome: 'accepted' });
        expect(await failureOf(on.client.killJob(7, 'SIGTERM'))).toMatchObject({ outcome: 'refused' });
        callChannel.start.subscribe(spoil);
        exchangeChannel.start.subscribe(spoil);
        expect(await on.client.killJobStep('7.0', 'SIGTERM')).toMatchObject({ outcome: 'accepted' });
        const refused = { outcome: 'refused', code: 'ESLURM_USER_ID_MISSING' };
        expect(await failureOf(on.client.killJob(7, 'SIGTERM'))).toMatchObject(refused);
      } finally {
        for (const one of channels) one.unsubscribe(freeze);
        callChannel.start.unsubscribe(spoil);
        exchangeChannel.start.unsubscribe(spoil);
      }
    });
    expect(uncaught.length).toBeGreaterThan(0);
    expect(uncaught.every((error) => error instanceof TypeError)).toBe(true);
  });
});

/** Runs the work; what was thrown where nobody could catch it meanwhile. */
async function uncaughtIn(work: () => Promise<void>): Promise<{ readonly uncaught: readonly unknown[] }> {
  const uncaught: unknown[] = [];
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => uncaught.push(error));
  try {
    await work();
    await turn();
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const other of others) process.on('uncaughtException', other);
  }
  return { uncaught };
}
