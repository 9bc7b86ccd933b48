/** The verdict of `npm run prove:soak`: that it finds what grows, and passes what does not. */
import { Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Bound, trendOf } from '../../prove/soak/flat.js';
import { boundOf } from '../../prove/soak/measure.js';
import { readOptions, UsageError } from '../../prove/soak/options.js';
import { Chance } from '../../prove/soak/random.js';
import { soak } from '../../prove/soak/soak.js';

const calls = Array.from({ length: 18 }, (_, i) => (i + 7) * 1_000);
const BOUND: Bound = { growth: 100, unit: 'count' };
const isFlat = (values: readonly number[]) => trendOf('it', calls, values, BOUND).isFlat;
const noise = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 18, maxLength: 18 });

describe('a measure', () => {
  test('that only jumps about is flat, and a few wild samples do not turn that', () => {
    fc.assert(
      fc.property(noise, fc.array(fc.nat(17), { maxLength: 2 }), (around, wild) => {
        const values = around.map((one) => 1_000 + one);
        for (const at of wild) values[at] = 100_000;
        expect(isFlat(values)).toBe(true);
      }),
    );
  });

  test('that grows by more than the bound is not, whatever jumps about', () => {
    fc.assert(
      fc.property(noise, fc.nat(17), (around, wild) => {
        const values = around.map((one, i) => 1_000 + one + i * 50);
        values[wild] = 0;
        expect(isFlat(values)).toBe(false);
      }),
    );
  });

  test('that grows within the bound, falls, or rose in steps once is flat', () => {
    expect(isFlat(calls.map((_, i) => i * 5))).toBe(true);
    expect(isFlat(calls.map((_, i) => -i * 500))).toBe(true);
    expect(isFlat(calls.map((_, i) => (i < 2 ? 0 : 5_000)))).toBe(true);
  });

  test('with too few samples has no verdict', () => {
    expect(() => trendOf('it', [1, 2, 3], [1, 2, 3], BOUND)).toThrow(RangeError);
  });
});

test('a leak of one object, listener or descriptor per hundred calls is above the bounds of a run of 100,000', () => {
  for (const name of ['descriptors', 'resources:Timeout', 'listeners:process', 'objects:Socket'])
    expect(boundOf(name).growth).toBeLessThan(1_000);
  // 64 bytes a call.
  for (const name of ['heapUsed', 'external', 'arrayBuffers'])
    expect(boundOf(name).growth).toBeLessThan(6_400_000);
});

test('a seed repeats the choices', () => {
  const drawn = (seed: number) => {
    const chance = new Chance(seed);
    return Array.from({ length: 20 }, () => chance.whole(0, 9));
  };
  expect(drawn(7)).toEqual(drawn(7));
  expect(drawn(7)).not.toEqual(drawn(8));
});

test.each([
  ['--kills', '1.5'],
  ['--kills', '-1'],
  ['--only', 'kills,naps'],
  ['--ways', 'guess'],
  ['--release', '19.05'],
  ['--plant', 'trees'],
  ['--nothing', '1'],
])('%s %s is refused', (...args) => {
  expect(() => readOptions(args)).toThrow(UsageError);
});

describe('a short run', () => {
  setFlagsFromString('--expose-gc');
  globalThis.gc ??= runInNewContext('gc') as NonNullable<typeof globalThis.gc>;
  const run = (leak: (index: number) => void) =>
    soak({
      name: 'short',
      calls: 360,
      concurrency: 4,
      until: Number.POSITIVE_INFINITY,
      classes: 1,
      call: async (index) => {
        leak(index);
        return 'done';
      },
    });
  const grows = ({ trends }: Awaited<ReturnType<typeof soak>>) =>
    trends.filter(({ isFlat }) => !isFlat).map(({ name }) => name);

  test('that leaks sockets, listeners and memory is found out in each of them', async () => {
    const held: unknown[] = [];
    const listener = () => {};
    const report = await run((index) => {
      held.push(new Uint8Array(20_000));
      if (index % 4 === 0) held.push(new Socket());
      if (index % 10 === 0) process.on('SIGUSR2', listener);
    });
    process.removeAllListeners('SIGUSR2');
    expect(held.length).toBeGreaterThan(360);
    expect(report.isFlat).toBe(false);
    expect(grows(report)).toEqual(
      expect.arrayContaining(['arrayBuffers', 'objects:Socket', 'listeners:process']),
    );
  });

  test('that leaks nothing is flat in what it could leak', async () => {
    const report = await run(() => {});
    expect(report).toMatchObject({ calls: 360, became: { done: 360 } });
    for (const name of ['arrayBuffers', 'objects:Socket', 'listeners:process', 'descriptors'])
      expect(grows(report)).not.toContain(name);
  });
});
