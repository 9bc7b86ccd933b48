/** What of this suite does not run on the embedded cluster, said aloud there, and held against what there is. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { LONG_ON_EMBEDDED, ONLY_REAL, ONLY_REAL_TESTS } from './support/only-real.js';

const directory = new URL('.', import.meta.url);
const files = readdirSync(directory).filter((name) => name.endsWith('.test.ts'));
const textOf = (file: string) => readFileSync(new URL(file, directory), 'utf8');

test('names files that there are', () => {
  expect(files).toEqual(expect.arrayContaining([...Object.keys(ONLY_REAL), ...LONG_ON_EMBEDDED]));
});

test('every part that is for real clusters alone has its reason', () => {
  const calls = files
    .filter((file) => !(file in ONLY_REAL))
    .flatMap((file) => textOf(file).match(/describeReal\(.{60}/gs) ?? []);
  const reasons = Object.keys(ONLY_REAL_TESTS);
  for (const call of calls)
    expect(
      reasons.some((beginning) => call.includes(beginning)),
      call,
    ).toBe(true);
});

if (process.env.SLURMWIRE_LIVE_ON === 'embedded') {
  test.skip.each(Object.entries(ONLY_REAL))('%s is for real clusters alone: %s', () => {});
}
