import { expect, test } from 'vitest';
import { inSlices } from '../../src/rpc/in-slices.js';

/** So many steps of two milliseconds each. */
function* work(steps: number, log: string[] = [], name = ''): Generator<void, number, void> {
  for (let i = 0; i < steps; i++) {
    const until = performance.now() + 2;
    while (performance.now() < until);
    log.push(name);
    yield;
  }
  return steps;
}

/** Turns of the event loop until something is over. */
async function turnsOf(over: Promise<unknown>): Promise<number> {
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  over.then(end, end);
  let turns = 0;
  for (; !isOver; turns++) await new Promise((resolve) => setImmediate(resolve));
  return turns;
}

const never = new AbortController().signal;

test('other things have their turn in between', async () => {
  const result = inSlices(work(40), never);
  expect(await turnsOf(result)).toBeGreaterThanOrEqual(10);
  expect(await result).toBe(40);
});

test('what is short has no pause', async () => {
  const result = inSlices(work(0), never);
  expect(await turnsOf(result)).toBeLessThanOrEqual(2);
});

test('several have one slice a turn together, and end in the order in which they began', async () => {
  const log: string[] = [];
  const all = Promise.all(['a', 'b', 'c'].map((name) => inSlices(work(20, log, name), never)));
  // Three at a time would take a third of these turns.
  expect(await turnsOf(all)).toBeGreaterThanOrEqual(15);
  expect(log.lastIndexOf('a')).toBeLessThan(log.lastIndexOf('b'));
  expect(log.lastIndexOf('b')).toBeLessThan(log.lastIndexOf('c'));
});

test('ends when the signal fires, and passes on what is thrown', async () => {
  const stop = new AbortController();
  const log: string[] = [];
  const result = inSlices(work(1000, log), stop.signal);
  setImmediate(() => stop.abort(new Error('enough')));
  await expect(result).rejects.toThrow('enough');
  expect(log.length).toBeLessThan(100);

  const failing = (function* (): Generator<void, number, void> {
    yield;
    throw new RangeError('no');
  })();
  await expect(inSlices(failing, never)).rejects.toThrow(RangeError);
});
