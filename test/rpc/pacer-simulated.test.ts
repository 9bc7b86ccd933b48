/** The pacer against slurmctld's limiter as its source has it, in simulated time. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isSlurmError } from '../../src/protocol/index.js';
import type { Request } from '../../src/rpc/exchange.js';
import { Pacer } from '../../src/rpc/pacer.js';
import type { Reply } from '../../src/rpc/reply.js';
import { SimClock } from './support/sim-clock.js';
import { type BucketSettings, TokenBucket } from './support/token-bucket.js';
import { turn } from './support/until.js';

const MAX_UNDER_WAY = 64;

function request(name: Request['name']): Request {
  return {
    endpoint: { host: 'c', port: 6817 },
    release: '24.11',
    name,
    body: new Uint8Array(),
    flags: 0,
    restrictUid: null,
    repeatable: false,
  };
}

function answer(number: number): Reply {
  return {
    name: 'RESPONSE_SLURM_RC',
    record: { returnCode: number },
    protocol: '24.11',
    peer: 'c:6817',
    authenticated: false,
    returnList: [],
    passedOver: [],
    doubt: null,
    elapsedMs: 0,
  };
}

interface Sent {
  readonly call: number;
  readonly at: number;
  readonly number: number;
}

interface Ended {
  readonly outcome: 'landed' | 'refused' | 'not-sent';
  readonly at: number;
  readonly code: string | null;
}

/** N calls at once against a limited controller. Times are milliseconds since the start. */
async function simulate(
  settings: BucketSettings & { readonly startMs: number; readonly rttMs: number; readonly seed: number },
  timeouts: readonly number[],
) {
  const start = 1_700_000_000_000 + settings.startMs;
  const clock = new SimClock(start);
  const bucket = new TokenBucket(settings);
  const pacer = new Pacer(clock, randomFrom(settings.seed));
  const sent: Sent[] = [];
  let [underWay, peak] = [0, 0];
  const one = async (timeoutMs: number, call: number): Promise<Ended> => {
    const deadline = clock.deadline(timeoutMs);
    const end = (outcome: Ended['outcome'], code: string | null = null) => {
      deadline.over();
      return { outcome, code, at: clock.now() - start };
    };
    try {
      const reply = await pacer.run(request('REQUEST_KILL_JOB'), deadline, async () => {
        deadline.signal.throwIfAborted();
        underWay += 1;
        peak = Math.max(peak, underWay);
        const at = clock.now();
        await clock.sleep(settings.rttMs / 2, new AbortController().signal);
        const number = bucket.take(clock.now()) ? 0 : 1804;
        sent.push({ call, at: at - start, number });
        await clock.sleep(settings.rttMs / 2, new AbortController().signal);
        underWay -= 1;
        return answer(number);
      });
      return end((reply.record as { returnCode: number }).returnCode === 0 ? 'landed' : 'refused');
    } catch (error) {
      if (!isSlurmError(error)) throw error;
      expect(error).toMatchObject({
        outcome: 'not-sent',
        phase: 'send',
        rpc: 'REQUEST_KILL_JOB',
        peer: 'c:6817',
      });
      return end('not-sent', error.code);
    }
  };
  const ended = await clock.run(Promise.all(timeouts.map(one)));
  const refusals = sent.filter(({ number }) => number === 1804);
  return { ended, sent, refusals, peak, clock, pacer };
}

/** Mulberry32: pauses of random length that a seed repeats. */
function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const SETTINGS = fc.record({
  size: fc.integer({ min: 1, max: 200 }),
  rate: fc.integer({ min: 1, max: 200 }),
  period: fc.integer({ min: 1, max: 20 }),
  startMs: fc.integer({ min: 0, max: 999 }),
  rttMs: fc.integer({ min: 1, max: 40 }),
  seed: fc.integer(),
});

/** Tokens per second that a steady client can get at most. */
const perSecond = ({ size, rate, period }: BucketSettings) => Math.min(size, rate) / period;

describe('a token bucket of any size, rate and period', () => {
  test('all calls land, in bounded time, with few refusals, in the order they came', async () => {
    await fc.assert(
      fc.asyncProperty(SETTINGS, fc.integer({ min: 1, max: 300 }), async (settings, count) => {
        const { ended, sent, refusals, peak, clock, pacer } = await simulate(
          settings,
          Array.from({ length: count }, () => 10_000_000),
        );
        expect(ended.filter(({ outcome }) => outcome !== 'landed')).toEqual([]);
        expect(peak).toBeLessThanOrEqual(MAX_UNDER_WAY);
        expect(sent.length).toBe(count + refusals.length);
        expect(pacer.paces()).toMatchObject([{ underWay: 0, waiting: 0, backoffs: refusals.length }]);
        // No timer is left.
        expect(clock.sleepers).toBe(0);

        const tookMs = Math.max(...ended.map(({ at }) => at));
        const short = Math.max(0, count - settings.size);
        const leastMs = (short / perSecond(settings)) * 1000;
        // What the limiter itself takes, half as much again, and what is needed to find out what it is like.
        expect(tookMs, `${tookMs} ms, at least ${leastMs}`).toBeLessThanOrEqual(
          leastMs * 1.5 + (settings.period + 5) * 1000 * 3 + settings.rttMs * (2 + count),
        );
        // Those under way at the first, and a few for each second.
        expect(refusals.length, `${refusals.length} refusals in ${tookMs} ms`).toBeLessThanOrEqual(
          (refusals.length === 0 ? 0 : MAX_UNDER_WAY) + (tookMs / 1000) * 2,
        );
        // Whoever came first was let out first; what was refused kept its place.
        const firstTries = [...new Map([...sent].reverse().map(({ call, at }) => [call, at]))].sort(
          ([a], [b]) => a - b,
        );
        for (const [index, [, at]] of firstTries.entries()) {
          expect(at).toBeGreaterThanOrEqual(firstTries[Math.max(0, index - 1)]?.[1] ?? 0);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('with deadlines each call is accounted for, and none is sent after its own', async () => {
    await fc.assert(
      fc.asyncProperty(
        SETTINGS,
        fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 200 }),
        async (settings, timeouts) => {
          const { ended, sent, clock, pacer } = await simulate(settings, timeouts);
          for (const [call, { outcome, code }] of ended.entries()) {
            const own = sent.filter((one) => one.call === call);
            for (const { at } of own) expect(at).toBeLessThanOrEqual(timeouts[call] ?? 0);
            expect(own.filter(({ number }) => number === 0)).toHaveLength(outcome === 'landed' ? 1 : 0);
            if (outcome === 'not-sent')
              expect([own.length, code]).toEqual([0, 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT']);
          }
          expect(clock.sleepers).toBe(0);
          expect(pacer.paces()).toMatchObject([{ underWay: 0, waiting: 0 }]);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe.each([
  ["slurmctld's defaults", { size: 30, rate: 2, period: 1 }],
  ['a generous one', { size: 50, rate: 100, period: 1 }],
  ['one that fills once in ten seconds', { size: 100, rate: 50, period: 10 }],
] as const)('500 calls against %s', (what, settings) => {
  test('land, and the refusals are few', async () => {
    const { ended, refusals } = await simulate(
      { ...settings, startMs: 123, rttMs: 5, seed: 1 },
      Array.from({ length: 500 }, () => 1_000_000),
    );
    const seconds = Math.max(...ended.map(({ at }) => at)) / 1000;
    const least = (500 - settings.size) / perSecond(settings);
    console.log(
      `${what}: 500 calls, ${seconds.toFixed(1)} s (at least ${least.toFixed(1)}), ${refusals.length} times 1804`,
    );
    expect(ended.every(({ outcome }) => outcome === 'landed')).toBe(true);
    expect(seconds).toBeLessThan(least * 1.25 + settings.period * 2 + 5);
    expect(refusals.length).toBeLessThan(MAX_UNDER_WAY + 20 + least / 5);
  });
});

test('what others wait for goes before them, but not before the pause is over', async () => {
  const clock = new SimClock();
  const pacer = new Pacer(clock, () => 0);
  const started = clock.now();
  const order: string[] = [];
  let left = 1;
  const call = (what: string, isUrgent: boolean) => {
    const deadline = clock.deadline(60_000);
    const send = async () => {
      order.push(`${what} ${clock.now() - started}`);
      return answer(left-- > 0 ? 1804 : 0);
    };
    return pacer.run(request('REQUEST_BUILD_INFO'), deadline, send, isUrgent).finally(deadline.over);
  };
  const first = call('first', false);
  await turn();
  await clock.run(Promise.all([first, call('second', false), call('contact', true)]));
  expect(order.map((text) => text.split(' ')[0])).toEqual(['first', 'contact', 'first', 'second']);
  expect(order[1]).toBe('contact 250');
});
