/** So many at a time, the others in the order they came. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Limiter } from '../../src/rpc/limiter.js';
import { turn } from './support/until.js';

test('never more than the limit run, all of them do, in the order they came', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 8 }),
      fc.array(fc.record({ turns: fc.integer({ min: 1, max: 4 }), fails: fc.boolean() }), { maxLength: 40 }),
      async (limit, calls) => {
        const limiter = new Limiter(limit);
        const started: number[] = [];
        let [running, peak] = [0, 0];
        const settled = await Promise.allSettled(
          calls.map(({ turns, fails }, index) =>
            limiter.run(async () => {
              started.push(index);
              running += 1;
              peak = Math.max(peak, running);
              for (let i = 0; i < turns; i++) await turn();
              running -= 1;
              if (fails) throw new Error(`call ${index}`);
              return index;
            }),
          ),
        );
        expect(peak).toBe(Math.min(limit, calls.length));
        expect(started).toEqual(calls.map((_, index) => index));
        for (const [index, result] of settled.entries()) {
          if (calls[index]?.fails) expect(result).toMatchObject({ reason: { message: `call ${index}` } });
          else expect(result).toEqual({ status: 'fulfilled', value: index });
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('a newcomer does not take the place that one in line has been given', async () => {
  const limiter = new Limiter(1);
  const order: string[] = [];
  let [running, peak] = [0, 0];
  const work = (name: string) => async () => {
    order.push(name);
    running += 1;
    peak = Math.max(peak, running);
    await turn();
    running -= 1;
  };
  let late: Promise<void> | undefined;
  const first = limiter.run(work('first')).then(() => {
    late = limiter.run(work('late'));
  });
  await Promise.all([first, limiter.run(work('second'))]);
  await late;
  expect(order).toEqual(['first', 'second', 'late']);
  expect(peak).toBe(1);
});

test('a call that throws at once gives its place back', async () => {
  const limiter = new Limiter(1);
  const throwing = () => {
    throw new Error('at once');
  };
  for (let i = 0; i < 3; i++) await expect(limiter.run(throwing)).rejects.toThrow('at once');
  expect(await limiter.run(async () => 'runs')).toBe('runs');
});
