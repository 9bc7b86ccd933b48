/** What terminate() gives back: a promise that can be iterated. */
import { describe, expect, test } from 'vitest';
import type { Terminated, TerminateEvent, TerminateState } from '../../src/rpc/index.js';
import { MAX_EVENTS, Termination } from '../../src/rpc/termination.js';
import { noStrayTrouble } from './support/leaks.js';
import { clientOf, failureOf } from './support/setup.js';
import { STATE, TerminateWorld } from './support/terminate-world.js';
import { turn, until } from './support/until.js';

// Also the proof that whoever awaits alone, or iterates alone, leaves no rejection unhandled.
noStrayTrouble();

const result = { target: '7' } as Terminated;
const event = (at: number): TerminateEvent => {
  return { type: 'gone', target: '7', at, rung: 0, resume: {} as TerminateState };
};

/** A termination that goes as the test says. */
function driven() {
  let report: (event: TerminateEvent) => void = () => {};
  let resolve: (result: Terminated) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const termination = new Termination((take) => {
    report = take;
    return new Promise((yes, no) => {
      [resolve, reject] = [yes, no];
    });
  });
  return {
    termination,
    tell: (...times: number[]) => {
      for (const at of times) report(event(at));
    },
    resolve: () => resolve(result),
    reject: (error: unknown) => reject(error),
  };
}

async function drain(termination: Termination): Promise<{ seen: number[]; thrown?: unknown }> {
  const seen: number[] = [];
  try {
    for await (const { at } of termination) seen.push(at);
    return { seen };
  } catch (thrown) {
    return { seen, thrown };
  }
}

describe('awaited', () => {
  test('then, catch, finally are those of the result', async () => {
    const good = driven();
    good.resolve();
    expect(await good.termination).toBe(result);
    expect(await good.termination.finally(() => {})).toBe(result);
    expect(await good.termination.catch(() => null)).toBe(result);
    const bad = driven();
    bad.reject(new Error('no'));
    await expect(bad.termination).rejects.toThrow('no');
    expect(await bad.termination.catch((error) => String(error))).toBe('Error: no');
    expect(Object.prototype.toString.call(bad.termination)).toBe('[object Termination]');
  });

  test('alone: events are kept for nobody', async () => {
    const { termination, tell, resolve } = driven();
    tell(1, 2, 3);
    resolve();
    await termination;
    expect((await drain(termination)).seen).toEqual([]);
  });
});

describe('iterated', () => {
  test('events that came before they were asked for, and after', async () => {
    const { termination, tell, resolve } = driven();
    const drained = drain(termination);
    tell(1, 2);
    await turn();
    tell(3);
    resolve();
    expect(await drained).toEqual({ seen: [1, 2, 3] });
    expect(await termination).toBe(result);
  });

  test('a failure is thrown after the events, once; nothing is unhandled', async () => {
    const { termination, tell, reject } = driven();
    const iterator = termination[Symbol.asyncIterator]();
    tell(1);
    reject(new Error('no'));
    await turn();
    expect(await iterator.next()).toMatchObject({ value: { at: 1 } });
    await expect(iterator.next()).rejects.toThrow('no');
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  test('several calls of next() at a time each get one', async () => {
    const { termination, tell, resolve } = driven();
    const iterator = termination[Symbol.asyncIterator]();
    const asked = [iterator.next(), iterator.next(), iterator.next()];
    tell(1, 2);
    resolve();
    expect((await Promise.all(asked)).map(({ value }) => value?.at)).toEqual([1, 2, undefined]);
  });

  test('left early: the termination goes on, and tells the others', async () => {
    const { termination, tell, resolve } = driven();
    const other = drain(termination);
    const left = (async () => {
      for await (const { at } of termination) return at;
    })();
    tell(1, 2);
    expect(await left).toBe(1);
    tell(3);
    resolve();
    expect((await other).seen).toEqual([1, 2, 3]);
    expect(await termination).toBe(result);
  });

  test('left early, and it fails: told to whoever awaits', async () => {
    const { termination, tell, reject } = driven();
    const iterator = termination[Symbol.asyncIterator]();
    tell(1);
    expect(await iterator.return?.()).toEqual({ done: true, value: undefined });
    reject(new Error('no'));
    await turn();
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    await expect(termination).rejects.toThrow('no');
  });

  test('an iterator that lags keeps the newest events', async () => {
    const { termination, tell, resolve } = driven();
    const iterator = termination[Symbol.asyncIterator]();
    for (let at = 1; at <= 10 * MAX_EVENTS; at++) tell(at);
    resolve();
    await turn();
    const seen: number[] = [];
    for await (const { at } of iterator) seen.push(at);
    expect(seen).toHaveLength(MAX_EVENTS);
    expect([seen[0], seen.at(-1)]).toEqual([9 * MAX_EVENTS + 1, 10 * MAX_EVENTS]);
  });
});

describe('of a client', () => {
  const LADDER = [{ signal: 'SIGTERM', graceMs: 20 }, { signal: 'SIGKILL' }];

  test('runs without being asked; iterated and awaited it tells the same', async () => {
    await using world = await TerminateWorld.start();
    world.onSignal = ({ signal }) => {
      if (signal === 'SIGKILL') world.change(7, { jobState: STATE.CANCELLED });
      return 0;
    };
    const client = clientOf([world.peer.endpoint]);
    const termination = client.terminate(7, { ladder: LADDER });
    const events: TerminateEvent[] = [];
    for await (const one of termination) events.push(one);
    expect(events[0]).toMatchObject({ type: 'signalling', rung: 0 });
    expect(events.at(-1)).toMatchObject({ type: 'gone', rung: 2 });
    const { sent, dead } = await termination;
    expect(dead).toBe(true);
    expect(events.at(-1)?.resume.sent).toEqual(sent);
    expect(Math.abs((sent[0]?.at ?? 0) - Date.now())).toBeLessThan(60_000);
    expect(JSON.parse(JSON.stringify(events))).toEqual(events);
  });

  test('close() waits for it and refuses new ones', async () => {
    await using world = await TerminateWorld.start();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    world.onSignal = async () => {
      await held;
      world.change(7, { jobState: STATE.CANCELLED });
      return 0;
    };
    const client = clientOf([world.peer.endpoint]);
    const order: string[] = [];
    const termination = client.terminate(7, { ladder: LADDER }).then(() => order.push('gone'));
    await until(() => world.arrived.length === 1, 'the signal');
    const closed = client.close().then(() => order.push('closed'));
    expect(await failureOf(Promise.resolve(client.terminate(8)))).toMatchObject({ code: 'SLURMWIRE_CLOSED' });
    release();
    await Promise.all([termination, closed]);
    expect(order).toEqual(['gone', 'closed']);
  });

  test('a failure reaches the iterator and the promise alike', async () => {
    await using world = await TerminateWorld.start();
    const client = clientOf([world.peer.endpoint]);
    const termination = client.terminate(999);
    const { thrown, seen } = await drain(termination);
    expect(seen).toEqual([]);
    expect(thrown).toMatchObject({ code: 'ESLURM_INVALID_JOB_ID' });
    expect(await failureOf(Promise.resolve(termination))).toBe(thrown);
  });
});

test('iterations that were left early leave nothing with a termination that goes on', async () => {
  let waits = 0;
  const result = new Promise<Terminated>(() => {});
  const { then } = result;
  // biome-ignore lint/suspicious/noThenProperty: counts who waits for it
  result.then = function counted(this: Promise<Terminated>, ...given: Parameters<typeof then>) {
    waits += 1;
    return then.apply(this, given);
  } as typeof then;
  const termination = new Termination(() => result);
  for (let i = 0; i < 1000; i++) await termination[Symbol.asyncIterator]().return?.();
  expect(waits).toBeLessThanOrEqual(1);
});
