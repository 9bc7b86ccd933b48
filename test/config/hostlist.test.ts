import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ExpandHostlistOptions, expandHostlist } from '../../src/config/hostlist.js';
import { compressHostlist } from '../../src/config/hostlist-compress.js';
import { compareNaturally, uniqueSorted } from '../../src/config/hostlist-order.js';
import { SlurmUsageError, showValue } from '../../src/protocol/slurm-error.js';

const words = (text: string) => text.split(' ').filter((word) => word !== '');

/** The SlurmUsageError of a call; anything else is thrown on, and so is an answer. */
function usageError(call: () => unknown): SlurmUsageError {
  let answer: unknown;
  try {
    answer = call();
  } catch (error) {
    if (error instanceof SlurmUsageError) return error;
    throw error;
  }
  throw new Error(`expected an error, got ${showValue(answer)}`);
}

const refused = (text: string, options?: ExpandHostlistOptions) =>
  usageError(() => expandHostlist(text, options));

describe('expandHostlist', () => {
  it.each([
    ['', ''],
    [' ,\t\n, ', ''],
    ['n1', 'n1'],
    ['n007', 'n007'],
    ['login', 'login'],
    ['n2,n1,n2', 'n2 n1 n2'],
    ['a b\tc\nd,,e,', 'a b c d e'],
    ['n[1-3]', 'n1 n2 n3'],
    ['n[3,1-2,1]', 'n3 n1 n2 n1'],
    ['n[08-11]', 'n08 n09 n10 n11'],
    ['n[8-11]', 'n8 n9 n10 n11'],
    ['n[00-1]', 'n00 n01'],
    ['n[1-010]', 'n1 n2 n3 n4 n5 n6 n7 n8 n9 n10'],
    ['n[099-101]', 'n099 n100 n101'],
    ['n[1,01,001]', 'n1 n01 n001'],
    ['[1-2]', '1 2'],
    ['[1-2],[07]', '1 2 07'],
    ['r[1-2]n[1-2]', 'r1n1 r1n2 r2n1 r2n2'],
    ['a[1-2][3-4]', 'a13 a14 a23 a24'],
    ['n[1-2]-[3-4]', 'n1-3 n1-4 n2-3 n2-4'],
    // As 22.05 prints it: last group fastest, then the first, and the one before the last slowest.
    ['r[1-2]n[1-2]x[1-2]', 'r1n1x1 r1n1x2 r2n1x1 r2n1x2 r1n2x1 r1n2x2 r2n2x1 r2n2x2'],
    ['a[1-2]b[1-2]c[1-2]d[1]', 'a1b1c1d1 a2b1c1d1 a1b2c1d1 a2b2c1d1 a1b1c2d1 a2b1c2d1 a1b2c2d1 a2b2c2d1'],
    // From 23.11 on; the text behind does not change the order.
    ['n[1-2]-ib', 'n1-ib n2-ib'],
    ['n[1-2]-ib0,m', 'n1-ib0 n2-ib0 m'],
    ['r[1-2]n[1-2].x', 'r1n1.x r1n2.x r2n1.x r2n2.x'],
    ['n1-3', 'n1-3'],
    ['knoten-ä[1-2]', 'knoten-ä1 knoten-ä2'],
    ['n[18446744073709551613-18446744073709551614]', 'n18446744073709551613 n18446744073709551614'],
    ['n[00000000000000000000000000001]', 'n00000000000000000000000000001'],
  ])('%j is %j', (text, names) => {
    expect(expandHostlist(text)).toEqual(words(names));
  });

  it.each([
    ['n[3-1]', 'has a range that runs backwards, 3-1 (character 3)'],
    ['m,n[1,3-1]', 'has a range that runs backwards, 3-1 (character 7)'],
    ['n[]', 'has "]" where a number should be (character 3)'],
    ['n[1,]', 'has "]" where a number should be (character 5)'],
    ['n[,1]', 'has "," where a number should be (character 3)'],
    ['n[-1]', 'has "-" where a number should be (character 3)'],
    ['n[1-]', 'has "]" where a number should be (character 5)'],
    ['n[1--2]', 'has "-" where a number should be (character 5)'],
    ['n[+1]', 'has "+" where a number should be (character 3)'],
    ['n[ 1]', 'has " " where a number should be (character 3)'],
    ['n[a]', 'has "a" where a number should be (character 3)'],
    ['n[😀]', 'has "😀" where a number should be (character 3)'],
    ['n[1 ,2]', 'has " " in a group (character 4)'],
    ['n[1-2-3]', 'has "-" in a group (character 6)'],
    ['n[000x133]', 'has "x" in a group (character 6)'],
    ['n[[1]]', 'has "[" where a number should be (character 3)'],
    ['n[1-2', 'has a group that is not closed (character 2)'],
    ['n[1-2,m', 'has a group that is not closed (character 2)'],
    ['n[', 'has a group that is not closed (character 2)'],
    ['a[1]b[2', 'has a group that is not closed (character 6)'],
    [']', 'has a bracket that has no partner (character 1)'],
    ['a[1]]', 'has a bracket that has no partner (character 5)'],
    ['{block1}', 'has a brace: only the controller can expand {…} (character 1)'],
    ['n1,a{b', 'has a brace: only the controller can expand {…} (character 5)'],
    ['n1\r\nn2', 'has a control character (character 3)'],
    ['n\0', 'has a control character (character 2)'],
    ['n[18446744073709551615]', 'has a number larger than 64 bits hold (character 3)'],
    ['n[1-99999999999999999999]', 'has a number larger than 64 bits hold (character 5)'],
    ['m,n18446744073709551615', 'has a name that ends with a number larger than 64 bits hold (character 3)'],
  ])('%j is refused', (text, trouble) => {
    const error = refused(text, { field: 'nodes' });
    expect(error).toMatchObject({ code: 'SLURMWIRE_BAD_HOSTLIST', errno: 'EINVAL', field: 'nodes' });
    expect(error.summary).toBe(`nodes ${trouble}.`);
    expect(error.hint).toMatch(/n\[01-16\]/);
  });

  it('names the field "hostlist" where nobody names it', () => {
    expect(refused('[').field).toBe('hostlist');
  });

  it('refuses what is no text', () => {
    expect(refused(12 as never).summary).toBe('hostlist is not a string.');
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '3' as never])(
    'refuses a maxHosts of %j',
    (maxHosts) => {
      expect(refused('n1', { maxHosts })).toMatchObject({ code: 'SLURMWIRE_BAD_OPTION', field: 'maxHosts' });
    },
  );
});

describe('the limit of names', () => {
  it.each(['a,b,c', 'n[1-3]', 'n[1,2,3]', 'a,n[1-2]', 'n[1-2],a', 'a[1-3]b[1]', 'a[1]b[1-3]'])(
    'holds for %j',
    (text) => {
      expect(expandHostlist(text, { maxHosts: 3 })).toHaveLength(3);
      expect(refused(text, { maxHosts: 2 }).summary).toMatch(
        /^hostlist has more than 2 names \(character \d+\)\.$/,
      );
    },
  );

  it('is 65536 by default, as Slurm has it', () => {
    expect(expandHostlist('n[0-65535]')).toHaveLength(65_536);
    expect(refused('n[0-65536]').summary).toContain('has more than 65536 names');
    expect(refused('n[0-65535],m').summary).toContain('has more than 65536 names');
  });

  const hostile: Record<string, string> = {
    'a range of the whole 64 bits': 'n[0-18446744073709551614]',
    'a product of ranges': 'a[1-60000]b[1-60000]c[1-60000]',
    'a product that no number holds': `a${'[1-9]'.repeat(2000)}`,
    'groups of one': `a${'[1]'.repeat(1_000_000)}`,
    'many ranges': `n[${'1-60000,'.repeat(100_000)}1]`,
    'many names': 'a,'.repeat(1_000_000),
    'a long name': 'a'.repeat(5_000_000),
    'a long number': `n[${'9'.repeat(5_000_000)}]`,
    'a long number of zeros': `n[${'0'.repeat(5_000_000)}]`,
    'a wide range': `n[${'0'.repeat(300)}1-60000]`,
    'a long text before many numbers': `${'n'.repeat(251)}[1-65536]`,
    'a long text behind many numbers': `[1-65536]${'n'.repeat(251)}`,
    'open brackets': '['.repeat(5_000_000),
    'groups that are not closed': 'a[1,'.repeat(1_000_000),
  };
  it.each(Object.keys(hostile))('meets %s with an error, soon', (name) => {
    const start = performance.now();
    expect(refused(hostile[name] ?? '')).toMatchObject({ code: 'SLURMWIRE_BAD_HOSTLIST' });
    expect(performance.now() - start).toBeLessThan(1_000);
  });

  it('takes separators without end, and the most names of the greatest length', () => {
    const start = performance.now();
    expect(expandHostlist(', \t\n'.repeat(1_000_000))).toEqual([]);
    expect(expandHostlist(`${'n'.repeat(250)}[00000-65535]`)).toHaveLength(65_536);
    expect(expandHostlist('[0-1]'.repeat(16))).toHaveLength(65_536);
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  it('only ever throws a SlurmUsageError, whatever the text', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom(...'n[]-,0129 {}\n') }),
    );
    fc.assert(
      fc.property(text, (given) => {
        let names: string[];
        try {
          names = expandHostlist(given, { maxHosts: 100 });
        } catch (error) {
          expect(error).toBeInstanceOf(SlurmUsageError);
          return;
        }
        expect(names.length).toBeLessThanOrEqual(100);
        // What comes out can go in again.
        expect(expandHostlist(compressHostlist(names))).toEqual(names);
      }),
      { numRuns: 3000 },
    );
  });
});

const name = fc
  .tuple(
    fc.constantFrom('', 'n', 'm', 'n-', 'r1n', 'r2n', 'r10n', 'r02n', 'login', 'N'),
    fc.constantFrom(
      '',
      '0',
      '1',
      '2',
      '3',
      '8',
      '9',
      '10',
      '11',
      '99',
      '100',
      '101',
      '09',
      '007',
      '008',
      '0100',
    ),
  )
  .map(([prefix, digits]) => prefix + digits)
  .filter((text) => text !== '');

describe('compressHostlist', () => {
  // As `scontrol show hostlist` of 22.05 prints them.
  it.each([
    ['', ''],
    ['n1', 'n1'],
    ['n1 n2 n3', 'n[1-3]'],
    ['n1 n3 n2', 'n[1,3,2]'],
    ['n1 n1 n2', 'n[1,1-2]'],
    ['r1n1 r1n2 r2n1 r2n2', 'r1n[1-2],r2n[1-2]'],
    ['n7 n007 n07 n8', 'n[7,007,07,8]'],
    ['n9 n10', 'n[9-10]'],
    ['n09 n10', 'n[09-10]'],
    ['n99 n100', 'n[99-100]'],
    ['n099 n100', 'n[099-100]'],
    ['n1 n02', 'n[1,02]'],
    ['n1 m n2', 'n1,m,n2'],
    ['n1 n2 n4 m1 n3', 'n[1-2,4],m1,n3'],
    ['1 2 3', '[1-3]'],
    ['n1-ib n2-ib', 'n1-ib,n2-ib'],
    ['a a a', 'a,a,a'],
    ['n n1', 'n,n1'],
    ['n1 n', 'n1,n'],
  ])('%j is %j', (names, text) => {
    expect(compressHostlist(words(names))).toBe(text);
    expect(expandHostlist(text)).toEqual(words(names));
  });

  it('is undone by expandHostlist: the same names, order and duplicates', () => {
    fc.assert(
      fc.property(fc.array(name, { maxLength: 30 }), (names) => {
        expect(expandHostlist(compressHostlist(names))).toEqual(names);
      }),
      { numRuns: 2000 },
    );
  });

  it('takes as many names as a cluster can have', () => {
    const names = expandHostlist('n[00001-65536]');
    const start = performance.now();
    expect(compressHostlist(names)).toBe('n[00001-65536]');
    expect(performance.now() - start).toBeLessThan(2_000);
  });

  it.each([
    ['', 'is empty'],
    ['n1,n2', 'has a separator in it: comma, space, tab or newline'],
    ['n 1', 'has a separator in it: comma, space, tab or newline'],
    ['n1\n', 'has a separator in it: comma, space, tab or newline'],
    ['n[1-2]', 'has a bracket that has no partner'],
    ['n]', 'has a bracket that has no partner'],
    ['{x}', 'has a brace: only the controller can expand {…}'],
    ['n\u001b[31m', 'has a control character'],
    ['n'.repeat(256), 'has more than 255 characters'],
    ['n18446744073709551615', 'ends with a number larger than 64 bits hold'],
    [7 as never, 'is not a string'],
  ])('refuses the name %j, as uniqueSorted does', (bad, trouble) => {
    for (const call of [compressHostlist, uniqueSorted]) {
      const error = usageError(() => call(['n1', bad]));
      expect(error).toMatchObject({ code: 'SLURMWIRE_BAD_HOSTLIST', field: 'names[1]' });
      expect(error.summary).toBe(`names[1] ${trouble}.`);
    }
  });
});

describe('uniqueSorted', () => {
  it.each([
    ['n10 n9 n1', 'n1 n9 n10'],
    ['n2 n1 n2 n1', 'n1 n2'],
    ['n007 n8 n7 n07', 'n7 n8 n07 n007'],
    ['n100 n050 n99', 'n99 n050 n100'],
    ['r10n1 r2n1 r2n3 r010n1 r r1 R3 r2-ib r10-ib', 'R3 r r1 r010n1 r2-ib r2n1 r2n3 r10-ib r10n1'],
    ['10 9 a', '9 10 a'],
    ['n18446744073709551614 n18446744073709551613', 'n18446744073709551613 n18446744073709551614'],
  ])('of %j is %j', (names, sorted) => {
    expect(uniqueSorted(words(names))).toEqual(words(sorted));
  });

  it('is the same whatever the order given, has every name once, and leaves its argument alone', () => {
    fc.assert(
      fc.property(fc.array(name, { maxLength: 30 }), (names) => {
        const before = [...names];
        const sorted = uniqueSorted(names);
        expect(names).toEqual(before);
        expect(uniqueSorted([...names].reverse())).toEqual(sorted);
        expect(uniqueSorted([...names, ...names].sort())).toEqual(sorted);
        expect(new Set(sorted)).toEqual(new Set(names));
        expect(new Set(sorted).size).toBe(sorted.length);
      }),
      { numRuns: 1000 },
    );
  });

  it('takes many names, also tedious ones', () => {
    const tedious = `${'1'.repeat(240)}x`;
    const names = Array.from({ length: 16_384 }, (_, index) => `${tedious}${(index * 7919) % 16_384}y1`);
    const start = performance.now();
    expect(uniqueSorted(names)[16_383]).toBe(`${tedious}16383y1`);
    expect(performance.now() - start).toBeLessThan(5_000);
  });

  it('orders text naturally, and consistently', () => {
    const sorted = [
      '',
      '01',
      '010',
      '02',
      '1',
      '1a',
      '2',
      '10',
      'a',
      'a0',
      'a01',
      'a1',
      'a1b2',
      'a1b10',
      'a10',
      'b',
    ];
    for (const [i, a] of sorted.entries()) {
      for (const [j, b] of sorted.entries()) {
        expect(Math.sign(compareNaturally(a, b)), `${a} and ${b}`).toBe(Math.sign(i - j));
      }
    }
    const text = fc.string({ unit: fc.constantFrom(...'a019'), maxLength: 5 });
    fc.assert(
      fc.property(text, text, text, (a, b, c) => {
        expect(compareNaturally(a, b) === 0).toBe(a === b);
        expect(Math.sign(compareNaturally(b, a)) + Math.sign(compareNaturally(a, b))).toBe(0);
        if (compareNaturally(a, b) < 0 && compareNaturally(b, c) < 0) {
          expect(compareNaturally(a, c)).toBeLessThan(0);
        }
      }),
      { numRuns: 5000 },
    );
  });
});

/** The slow clear way, with big integers throughout, for what counts in doubles as long as these are exact. */
describe('numbers around what a double counts exactly', () => {
  const number = fc.oneof(
    fc.bigInt({ min: 0n, max: 2_000n }),
    fc.bigInt({ min: 2n ** 53n - 20n, max: 2n ** 53n + 20n }),
    fc.bigInt({ min: 10n ** 15n - 20n, max: 10n ** 15n + 20n }),
    fc.bigInt({ min: 10n ** 16n - 20n, max: 10n ** 16n + 20n }),
  );

  it('are expanded and compressed like all others', () => {
    fc.assert(
      fc.property(
        number,
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 0, max: 18 }),
        (low, count, width) => {
          const shown = (value: bigint) => value.toString().padStart(width, '0');
          const names = Array.from({ length: count }, (_, step) => `n${shown(low + BigInt(step))}-ib`);
          expect(expandHostlist(`n[${shown(low)}-${low + BigInt(count) - 1n}]-ib`)).toEqual(names);
          const plain = names.map((name) => name.slice(0, -3));
          expect(expandHostlist(compressHostlist(plain))).toEqual(plain);
          const last = shown(low + BigInt(count) - 1n);
          if (count > 1) expect(compressHostlist(plain)).toBe(`n[${shown(low)}-${last}]`);
        },
      ),
    );
  });
});
