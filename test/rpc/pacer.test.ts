/** Rate limits as a caller of the verbs sees them: 1804 is sent again, 1805 is not, and what waits is accounted for. */
import { describe, expect, it, test } from 'vitest';
import type { Release } from '../../src/protocol/index.js';
import { Pacer } from '../../src/rpc/pacer.js';
import { leavesNothing, noStrayTrouble } from './support/leaks.js';
import { type Answer, answering, jobInfo, rc, silence } from './support/replies.js';
import { ScriptedPeer } from './support/scripted-peer.js';
import { clientOf, expectFailure, type Failure, failureOf } from './support/setup.js';
import { TestClock } from './support/test-clock.js';
import { until } from './support/until.js';

noStrayTrouble();

const release = '24.11';
const half = () => 0;

type Playing = Exclude<Answer, Uint8Array>;

/** Answers one after the other, the last one for ever. */
function numbers(...list: number[]): Playing & { readonly seen: () => number } {
  let seen = 0;
  const answer: Playing = async (connection) => {
    await connection.send(rc(list[Math.min(seen++, list.length - 1)] ?? 0, { release }));
    connection.finish();
  };
  return Object.assign(answer, { seen: () => seen });
}

async function scene(kill: Answer, more: Parameters<typeof answering>[0] = {}) {
  const clock = new TestClock();
  const peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: kill, ...more }, release));
  // Pauses are half of what they are at most.
  const pacer = new Pacer(clock, half);
  const client = clientOf([peer.endpoint], { release, pacer });
  return { clock, peer, client, [Symbol.asyncDispose]: () => peer.close() };
}

function failure(peer: string, different: Partial<Failure>): Failure {
  return {
    name: 'SlurmServerError',
    code: 'SLURMCTLD_COMMUNICATIONS_BACKOFF',
    phase: 'wait',
    outcome: 'refused',
    retryable: true,
    rpc: 'REQUEST_KILL_JOB',
    peer,
    protocol: release as Release,
    ...different,
  };
}

describe('1804', () => {
  it('is sent again until it is taken, with longer and longer pauses', async () => {
    await using on = await scene(numbers(1804, 1804, 1804, 0));
    expect(await on.client.killJob(7, 'SIGTERM')).toMatchObject({ outcome: 'accepted' });
    expect(on.peer.requests).toEqual(['REQUEST_PING', ...Array(4).fill('REQUEST_KILL_JOB')]);
    expect(on.clock.waits).toEqual([250, 500, 1000]);
    expect(on.client.paces()).toMatchObject([
      { peer: on.peer.peer, underWay: 0, waiting: 0, backoffs: 3, drops: 0, perSecond: 2, held: [] },
    ]);
  });

  it('costs nothing before the first: no wait, and no limit', async () => {
    await using on = await scene(numbers(0));
    await Promise.all(Array.from({ length: 100 }, (_, index) => on.client.killJob(index + 1, 'SIGTERM')));
    expect(on.clock.waits).toEqual([]);
    expect(on.client.paces()).toMatchObject([{ perSecond: null, backoffs: 0 }]);
  });

  it('each try has a credential of its own', async () => {
    await using on = await scene(numbers(1804, 0));
    await on.client.killJob(7, 'SIGTERM');
    const credentials = on.peer.connections.map(({ request }) => JSON.stringify(request?.frame.auth));
    expect(new Set(credentials).size).toBe(3);
  });

  it('for ever: the refusal itself, after so many tries', async () => {
    await using on = await scene(numbers(1804));
    const error = await expectFailure(on.client.killJob(7, 'SIGTERM'), failure(on.peer.peer, {}));
    expect(error).toMatchObject({ errno: 'EAGAIN', number: 1804 });
    expect(on.peer.count('REQUEST_KILL_JOB')).toBe(20);
    expect(Math.max(...on.clock.waits)).toBeLessThanOrEqual(5_000);
  });

  it('with less time left than the pause: the refusal at once', async () => {
    await using on = await scene(numbers(1804));
    await expectFailure(on.client.killJob(7, 'SIGTERM', { timeoutMs: 249 }), failure(on.peer.peer, {}));
    expect([on.peer.count('REQUEST_KILL_JOB'), on.clock.waits]).toEqual([1, []]);
  });

  it('to a lookup: the same, and no answer is made of it', async () => {
    const look = numbers(1804);
    await using on = await scene(numbers(0), { REQUEST_JOB_INFO_SINGLE: look });
    expect(await failureOf(on.client.probe(7))).toMatchObject({ number: 1804, outcome: 'not-sent' });
    expect(look.seen()).toBe(20);
  });

  it('to the PING of a first contact: sent again before anything else is', async () => {
    await using on = await scene(numbers(0), { REQUEST_PING: numbers(1804, 0) });
    await Promise.all([on.client.killJob(7, 'SIGTERM'), on.client.killJob(8, 'SIGTERM')]);
    expect(on.peer.requests.slice(0, 2)).toEqual(['REQUEST_PING', 'REQUEST_PING']);
    expect(on.peer.requests).toHaveLength(4);
  });

  it('an aborted call is aborted, also between two tries', async () => {
    const pacer = new Pacer(); // in real time
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: numbers(1804) }, release));
    const client = clientOf([peer.endpoint], { release, pacer });
    const abort = new AbortController();
    await leavesNothing(async () => {
      const work = failureOf(client.killJob(7, 'SIGTERM', { signal: abort.signal }));
      await until(() => client.paces()[0]?.waiting === 1, 'the pause');
      abort.abort();
      expect(await work).toMatchObject({ code: 'SLURMWIRE_ABORTED', outcome: 'not-sent', phase: 'send' });
    }, abort.signal);
    expect(client.paces()).toMatchObject([{ waiting: 0, underWay: 0 }]);
  });

  it('who waits in line and runs out of time was not sent, and the endpoint is not contacted anew for it', async () => {
    const pacer = new Pacer(); // in real time
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: numbers(1804) }, release));
    const client = clientOf([peer.endpoint], { release, pacer });
    await leavesNothing(async () => {
      const abort = new AbortController();
      const first = failureOf(client.killJob(7, 'SIGTERM', { signal: abort.signal }));
      await until(() => client.paces()[0]?.waiting === 1, 'the pause');
      const error = await expectFailure(
        client.killJob(8, 'SIGTERM', { timeoutMs: 20 }),
        failure(peer.peer, {
          name: 'SlurmTimeoutError',
          code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT',
          phase: 'send',
          outcome: 'not-sent',
        }),
      );
      expect(error.message).toMatch(
        /was not sent: no answer within 20 ms, while it waited for its turn.* limits the rate/,
      );
      abort.abort();
      await first;
    });
    expect(peer.count('REQUEST_PING')).toBe(1);
  });
});

test('with another controller beside it, a wait in line is not taken for silence', async () => {
  const limited = numbers(1804, 1804, 0);
  await using first = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: limited }, release));
  await using second = await ScriptedPeer.listen(
    answering({ REQUEST_KILL_JOB: rc(0, { release }) }, release),
  );
  // Twice MessageTimeout is less than the two pauses.
  const client = clientOf([first.endpoint, second.endpoint], {
    release,
    messageTimeoutMs: 300,
    timeoutMs: 10_000,
    pacer: new Pacer(),
  });
  expect(await client.killJob(7)).toMatchObject({ outcome: 'accepted', peer: first.peer });
  expect(second.connections).toHaveLength(0);
});

describe('more than 64 requests under way', () => {
  it('wait for their turn, in order; a ping does not', async () => {
    const held: (() => void)[] = [];
    const kill: Answer = async (connection) => {
      await new Promise<void>((resolve) => held.push(resolve));
      await connection.send(rc(0, { release }));
      connection.finish();
    };
    await using on = await scene(kill);
    const order: number[] = [];
    const all = Array.from({ length: 70 }, (_, index) =>
      on.client.killJob(index + 1, 'SIGTERM').then(() => order.push(index)),
    );
    await until(() => held.length === 64, '64 kills');
    expect(on.client.paces()).toMatchObject([{ underWay: 64, waiting: 6, perSecond: null }]);
    expect(await on.client.ping()).toMatchObject([{ up: true }]);
    for (let next = held.shift(); order.length < 70; next = held.shift()) {
      next?.();
      await until(() => held.length > 0 || order.length === 70, 'the next');
    }
    await Promise.all(all);
    expect(order.slice(64)).toEqual([64, 65, 66, 67, 68, 69]);
  });

  it('on a silent controller: those in line were not sent, the others are unknown', async () => {
    await using on = await scene(silence);
    const errors = await Promise.all(
      Array.from({ length: 66 }, (_, index) =>
        failureOf(on.client.killJob(index + 1, 'SIGTERM', { timeoutMs: index < 64 ? 1_500 : 1_000 })),
      ),
    );
    const count = (outcome: string) => errors.filter((error) => error.outcome === outcome).length;
    expect([count('unknown'), count('not-sent')]).toEqual([64, 2]);
    expect(errors.at(-1)?.message).toMatch(/with 64 others under way/);
  });
});

describe('1805', () => {
  const DROP = { code: 'SLURMCTLD_COMMUNICATIONS_HARD_DROP' };

  it('is not sent again', async () => {
    await using on = await scene(numbers(1805));
    const error = await expectFailure(on.client.killJob(7), failure(on.peer.peer, DROP));
    expect(error.number).toBe(1805);
    expect(on.peer.count('REQUEST_KILL_JOB')).toBe(1);
    expect(on.client.paces()).toMatchObject([
      { drops: 1, held: [{ rpc: 'REQUEST_KILL_JOB', leftMs: 1_000 }] },
    ]);
  });

  it('holds the next of its kind back until the pause is over', async () => {
    await using on = await scene(numbers(1805, 0));
    await failureOf(on.client.killJob(7));
    expect(await on.client.killJob(8)).toMatchObject({ outcome: 'accepted' });
    expect(on.clock.waits).toEqual([1_000]);
    expect(on.client.paces()).toMatchObject([{ held: [] }]);
    await on.client.killJob(9);
    expect(on.clock.waits).toEqual([1_000]);
  });

  it('the next of its kind fails at once where it has less time than that', async () => {
    await using on = await scene(numbers(1805, 0));
    await failureOf(on.client.killJob(7));
    const error = await expectFailure(
      on.client.killJob(8, 'SIGKILL', { timeoutMs: 900 }),
      failure(on.peer.peer, { code: 'SLURMWIRE_BREAKER_OPEN', phase: 'send', outcome: 'not-sent' }),
    );
    expect(error).toMatchObject({ errno: 'EAGAIN' });
    expect(error.hint).toContain('1.0 s');
    expect(on.peer.requests).toEqual(['REQUEST_PING', 'REQUEST_KILL_JOB']);
  });

  it('holds back nothing else: the queues are one for each kind of request', async () => {
    await using on = await scene(numbers(1805), { REQUEST_JOB_INFO_SINGLE: jobInfo(1, { release }) });
    await failureOf(on.client.killJob(7));
    expect(await on.client.request('REQUEST_JOB_INFO_SINGLE', { jobId: 7, showFlags: 0 })).toMatchObject({
      name: 'RESPONSE_JOB_INFO',
    });
    expect(on.clock.waits).toEqual([]);
  });

  it('again and again: twice as long each time, up to a bound', async () => {
    await using on = await scene(numbers(1805));
    for (let job = 1; job <= 8; job++) await failureOf(on.client.killJob(job));
    expect(on.clock.waits).toEqual([1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
  });

  it('lets one through first, and the others after it', async () => {
    const answer = numbers(1805, 0);
    let atOnce = 0;
    let peak = 0;
    const kill: Answer = async (connection, request) => {
      atOnce += 1;
      if (answer.seen() === 1) peak = Math.max(peak, atOnce);
      await answer(connection, request);
      atOnce -= 1;
    };
    await using on = await scene(kill);
    await failureOf(on.client.killJob(1));
    const rest = await Promise.all([2, 3, 4, 5].map((job) => on.client.killJob(job)));
    expect(rest.map(({ outcome }) => outcome)).toEqual(Array(4).fill('accepted'));
    expect(peak).toBe(1);
  });

  it('the one that went first is lost: the next goes first', async () => {
    const seen = numbers(1805, 0);
    let count = 0;
    const kill: Answer = async (connection, request) => {
      if (count++ === 1) connection.drop();
      else await seen(connection, request);
    };
    await using on = await scene(kill);
    await failureOf(on.client.killJob(1));
    const [first, second] = await Promise.allSettled([
      on.client.killJob(2, 'SIGTERM'),
      on.client.killJob(3, 'SIGTERM'),
    ]);
    expect([first.status, second.status].sort()).toEqual(['fulfilled', 'rejected']);
    expect(on.client.paces()).toMatchObject([{ held: [], waiting: 0 }]);
  });

  test('killJobs: the others are listed, with what became of them', async () => {
    const old = '23.02';
    const kill: Answer = async (connection) => {
      await connection.send(rc(1805, { release: old }));
      connection.finish();
    };
    await using peer = await ScriptedPeer.listen(
      answering({ REQUEST_KILL_JOB: kill, REQUEST_JOB_INFO: jobInfo(3, { release: old }) }, old),
    );
    const client = clientOf([peer.endpoint], { release: old, pacer: new Pacer() });
    const killed = await client.killJobs([100, 101, 102], 'SIGTERM', { concurrency: 1, timeoutMs: 900 });
    expect(killed.jobs.map(({ outcome, code }) => [outcome, code])).toEqual([
      ['refused', 'SLURMCTLD_COMMUNICATIONS_HARD_DROP'],
      ['not-sent', 'SLURMWIRE_BREAKER_OPEN'],
      ['not-sent', 'SLURMWIRE_BREAKER_OPEN'],
    ]);
    expect(peer.count('REQUEST_KILL_JOB')).toBe(1);
  });
});
