/** The inputs that the fuzzer has kept (`npm run prove:fuzz -- --save`), and those that broke a promise once, run again. */
import { describe, expect, test } from 'vitest';
import { execute, judgeTime, type Verdict } from '../../prove/fuzz/judge.js';
import { readCorpus, readRegressions } from '../../prove/fuzz/store.js';
import { TARGETS } from '../../prove/fuzz/targets/index.js';

/** Inputs of one target that are run here, evenly chosen: the fuzzer itself begins with all of them. */
const MOST = 500;

describe.each(Object.keys(TARGETS))('%s', (name) => {
  test('keeps its promises for the corpus that is kept', async () => {
    const target = await TARGETS[name]?.();
    if (target === undefined) throw new Error(`there is no target ${name}`);
    const inputs = readCorpus(name);
    expect(inputs.length).toBeGreaterThan(0);
    const broken: (Verdict & { readonly input: string })[] = [];
    const every = Math.ceil(inputs.length / MOST);
    for (const [i, input] of inputs.entries()) {
      if (i % every !== 0) continue;
      const { verdict } = await execute(target, input, () => {});
      if (verdict !== null) broken.push({ ...verdict, input: Buffer.from(input).toString('base64') });
    }
    expect(broken).toEqual([]);
  });
});

test.each(readRegressions())('$target: $what', async ({ target: name, input: base64 }) => {
  const target = await TARGETS[name]?.();
  if (target === undefined) throw new Error(`there is no target ${name}`);
  const input = Uint8Array.from(Buffer.from(base64, 'base64'));
  const { verdict, ms } = await execute(target, input, () => {});
  expect(verdict).toBeNull();
  expect(await judgeTime(target, input, ms)).toBeNull();
});
