/** Some at a time, results in order, and at the first failure no more of them; nothing is left running. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concurrently } from '../../src/rpc/concurrently.js';
import { Deadline } from '../../src/rpc/deadline.js';
import { turn } from './support/until.js';

async function withDeadline<T>(work: (deadline: Deadline) => Promise<T>): Promise<T> {
  const deadline = new Deadline(20_000);
  try {
    return await work(deadline);
  } finally {
    deadline.dispose();
  }
}

test('never more than the limit, each once, results in the order of the items', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 6 }),
      fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 30 }),
      async (limit, turns) => {
        let [running, peak] = [0, 0];
        const results = await withDeadline((deadline) =>
          concurrently([...turns.entries()], limit, deadline, async ([index, count]) => {
            running += 1;
            peak = Math.max(peak, running);
            for (let i = 0; i < count; i++) await turn();
            running -= 1;
            return index;
          }),
        );
        expect(results).toEqual(turns.map((_, index) => index));
        expect(peak).toBe(Math.min(limit, turns.length));
      },
    ),
    { numRuns: 60 },
  );
});

test('the first failure ends those that run, keeps the others from beginning, and is what is thrown', async () => {
  const [begun, told]: [number[], number[]] = [[], []];
  let running = 0;
  const failing = withDeadline((deadline) =>
    concurrently([0, 1, 2, 3, 4, 5], 3, deadline, async (item, { signal }) => {
      begun.push(item);
      running += 1;
      try {
        if (item === 1) throw new Error('the first');
        await new Promise((_, reject) =>
          signal.addEventListener('abort', () => {
            told.push(item);
            reject(new Error(`given up: ${item}`));
          }),
        );
      } finally {
        await turn();
        running -= 1;
      }
    }),
  );
  await expect(failing).rejects.toThrow('the first');
  expect([begun, told, running]).toEqual([[0, 1, 2], [0, 2], 0]);
});

test('the deadline of the call reaches the work', async () => {
  const abort = new AbortController();
  const deadline = new Deadline(20_000, abort.signal);
  const seen: unknown[] = [];
  const running = concurrently([1, 2], 2, deadline, async (_, own) => {
    expect(own.remainingMs()).toBeGreaterThan(0);
    await new Promise<void>((resolve) => own.signal.addEventListener('abort', () => resolve()));
    seen.push(own.signal.reason);
  });
  abort.abort();
  await running;
  expect(seen).toMatchObject([{ code: 'SLURMWIRE_ABORTED' }, { code: 'SLURMWIRE_ABORTED' }]);
  deadline.dispose();
});
