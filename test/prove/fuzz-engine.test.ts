/** The fuzzer can find what it is to find: a fault behind several conditions, what takes too long or too much, the wrong errors. */
import { describe, expect, test } from 'vitest';
import { minimised } from '../../prove/fuzz/corpus.js';
import { COUNTERS, installCounters } from '../../prove/fuzz/coverage.js';
import { fuzz } from '../../prove/fuzz/engine.js';
import { instrument } from '../../prove/fuzz/instrument.js';
import { execute, judgeMemory, judgeTime } from '../../prove/fuzz/judge.js';
import { Broken, type Target } from '../../prove/fuzz/target.js';
import { SlurmProtocolError } from '../../src/protocol/slurm-error.js';

installCounters();

/** Compiles a function from its text, instrumented. The text is a module that defines `decode`. */
function instrumented<T>(source: string): T {
  const { code } = instrument(source, 'planted.js');
  return new Function('refuse', `${code}; return decode;`)(() => {
    throw new SlurmProtocolError('no', { code: 'X', errno: 'EPROTO', outcome: 'not-sent' });
  });
}

/** A version, a kind, and a length that is believed once both are right. */
const PLANTED = `
function decode(bytes) {
  if (bytes.length < 6) refuse();
  if (bytes[0] !== 0x24) refuse();
  const kind = bytes[2] === 0x13 ? 'kill' : 'other';
  if (kind !== 'kill') return kind;
  for (let at = 3; at < 6; at++) if (bytes[at] === 0xa8) return undefined.length;
  return kind;
}`;

const target = (run: Target['run'], more: Partial<Target> = {}): Target => ({
  name: 'planted',
  seeds: () => [new Uint8Array(8)],
  run,
  maxLength: 32,
  ...more,
});

describe('coverage', () => {
  const EXECUTIONS = 150_000;

  test.each(['1', '2'])(
    'leads to a fault behind several conditions, which blind changes miss (seed %s)',
    async (seed) => {
      const run = instrumented<(bytes: Uint8Array) => unknown>(PLANTED);
      const options = { seed, executions: EXECUTIONS, maxFindings: 1 };
      const guided = await fuzz(target(run), options);
      expect(guided.findings.map(({ kind }) => kind)).toEqual(['error']);
      expect(guided.findings[0]?.what).toContain('TypeError');
      const { executions } = guided.progress;
      const blind = await fuzz(target(run), { ...options, executions, guided: false });
      expect(blind.findings).toEqual([]);
      expect(blind.progress.executions).toBe(executions);
    },
  );

  test('features that a target reports lead as well', async () => {
    const run: Target['run'] = (input, report) => {
      let depth = 0;
      while (depth < 6 && input[depth] === 0x40 + depth) depth++;
      report(depth);
      if (depth === 6) throw new Broken('there');
    };
    const { findings } = await fuzz(target(run), { seed: '1', executions: EXECUTIONS, maxFindings: 1 });
    expect(findings[0]?.what).toBe('there');
    expect([...(findings[0]?.input.subarray(0, 6) ?? [])]).toEqual([0x40, 0x41, 0x42, 0x43, 0x44, 0x45]);
  });

  test('the same seed gives the same inputs', async () => {
    const run = instrumented<(bytes: Uint8Array) => unknown>(PLANTED);
    const once = async () => (await fuzz(target(run), { seed: 'x', executions: 20_000 })).corpus;
    expect(await once()).toEqual(await once());
  });
});

describe('instrumented code', () => {
  const SAMPLE = `
    const arrow = (n) => n > 2 ? 'more' : n === 2 ? 'two' : 'less';
    const record = (n) => ({ n });
    async function later(n) { if (n) return await Promise.resolve(n); else if (n === 0) return 'zero'; return null; }
    function* each(list) { for (const one of list) if (one) yield one ?? 0; }
    class Kind { #own = 1; static all = [1, 2]; constructor(n = 3) { this.n = n; } get own() { return this.#own && this.n || 7; } }
    function decode(n) {
      let out = [];
      switch (n) { case 0: case 1: out.push('few'); break; case 2: { out.push('two'); } default: out.push('fall') }
      do { out.push(n); n--; } while (n > 0);
      label: for (let i = 0; i < 3; i++) { if (i === 1) continue label; out.push(i); }
      try { if (n < 0) throw new Error('below'); } catch { out.push('caught'); } finally { out.push('end'); }
      if (n) if (n > 5) out.push('a'); else out.push('b');
      return [...out, arrow(n), record(n).n, [...each([0, 1, null, 2])], new Kind().own, new Kind(0).own, Kind.all.length, typeof later(n)];
    }`;

  test('does what it did before', () => {
    const plain = new Function(`${SAMPLE}; return decode;`)() as (n: number) => unknown;
    const counted = instrumented<(n: number) => unknown>(SAMPLE);
    for (let n = -2; n < 9; n++) expect(counted(n)).toEqual(plain(n));
  });

  test('has a counter for each way of a branch', () => {
    const { lines, code, literals } = instrument("if (a === 7) b(); c ? d : 'word';", 'x.js');
    // Then, the way past it, and both of the other branch.
    expect(lines).toEqual([1, 1, 1, 1]);
    expect(code).toContain(COUNTERS);
    expect([...literals]).toEqual([7, 'word']);
  });
});

describe('the judge', () => {
  const input = Uint8Array.of(1, 2, 3);
  const verdictOf = async (run: Target['run']) => (await execute(target(run), input, () => {})).verdict;
  const protocolError = (message: string) =>
    new SlurmProtocolError(message, { code: 'X', errno: 'EPROTO', outcome: 'not-sent' });

  test('takes documented errors only', async () => {
    const thrower = (thrown: unknown) => () => {
      throw thrown;
    };
    expect(await verdictOf(() => 1)).toBeNull();
    expect(await verdictOf(thrower(protocolError('short')))).toBeNull();
    expect((await verdictOf(thrower(new RangeError('x'))))?.kind).toBe('error');
    expect((await verdictOf(thrower('text')))?.kind).toBe('error');
    expect((await verdictOf(thrower(undefined)))?.kind).toBe('error');
    expect((await verdictOf(async () => Promise.reject(new TypeError('late'))))?.kind).toBe('error');
    const isDocumented = (thrown: unknown) => thrown instanceof RangeError;
    const documented = target(thrower(new RangeError('x')), { isDocumented });
    expect((await execute(documented, input, () => {})).verdict).toBeNull();
  });

  test.each([
    ['an empty one', ''],
    ['a long one', 'x'.repeat(1201)],
    ['control characters', 'a\u0007b'],
    ['a credential', `it was MUNGE:${'A'.repeat(20)}`],
    ['a token', `it was eyJ${'hbGci'.repeat(4)}`],
  ])('refuses messages: %s', async (_, message) => {
    // Put there afterwards: an error that is made with a credential in it has it masked.
    const error = Object.assign(protocolError('short'), { message });
    expect(
      (
        await verdictOf(() => {
          throw error;
        })
      )?.kind,
    ).toBe('message');
  });

  test('notices what takes too long each time, and not what took long once', async () => {
    const busy = (ms: number) => {
      for (const start = performance.now(); performance.now() - start < ms; );
    };
    const limits = { ms: 5, usPerByte: 0 };
    expect(
      (
        await judgeTime(
          target(() => busy(8), { limits }),
          input,
          8,
        )
      )?.kind,
    ).toBe('slow');
    expect(
      await judgeTime(
        target(() => {}, { limits: { ...limits, ms: 50 } }),
        input,
        80,
      ),
    ).toBeNull();
  });

  test('notices what takes too much memory', async () => {
    const limits = { bytes: 1 << 20, bytesPerByte: 0 };
    const kept: unknown[] = [];
    const kindsOf = async (run: () => unknown) => {
      const kinds = new Set<string | undefined>();
      // A collection in between may hide it once.
      for (let i = 0; i < 5; i++) kinds.add((await judgeMemory(target(run, { limits }), input))?.kind);
      return [...kinds];
    };
    expect(await kindsOf(() => kept.push(new Array(1 << 18).fill(0)))).toContain('memory');
    expect(await kindsOf(() => kept.push(new Uint8Array(8 << 20)))).toContain('memory');
    expect(
      await judgeMemory(
        target(() => [], { limits }),
        input,
      ),
    ).toBeNull();
    let calls = 0;
    const once = target(() => calls++ === 0 && kept.push(new Uint8Array(8 << 20)), { limits });
    expect(await judgeMemory(once, input)).toBeNull();
  });
});

test('a corpus is made small without losing what it reaches', async () => {
  const inputs = [[1], [1, 2], [3, 1], [2, 3, 4], [4, 4, 4, 4]].map((bytes) => Uint8Array.from(bytes));
  const kept = await minimised(inputs, async (input) => Uint32Array.from(input));
  expect(new Set(kept.flatMap((input) => [...input]))).toEqual(new Set([1, 2, 3, 4]));
  expect(kept.length).toBeLessThan(inputs.length);
});
