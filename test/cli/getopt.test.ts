/** The manners of getopt_long, and its words: those of glibc, as the live test hears them from the real scancel. */
import { Command, Option } from 'commander';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type GetoptRules, getopt } from '../../src/cli/getopt.js';

const command = new Command()
  .addOption(new Option('-a, --all'))
  .addOption(new Option('-n, --name <name>'))
  .addOption(new Option('--jobname <name>'))
  .addOption(new Option('-s, --signal <signal>'))
  .addOption(new Option('--state <state>'))
  .addOption(new Option('--help'))
  .addOption(new Option('--statistics'));

const rules: GetoptRules = {
  aliases: { jobname: 'name' },
  whole: new Set(['statistics']),
  last: new Set(['help']),
  posix: false,
};
const read = (argv: readonly string[], more: Partial<GetoptRules> = {}) =>
  getopt(command, argv, { ...rules, ...more });

describe('what is understood', () => {
  test.each<[string[], string[]]>([
    [[], ['--']],
    [
      ['12', '-a', '13'],
      ['--all', '--', '12', '13'],
    ],
    [
      ['-an', 'x', '12'],
      ['--all', '--name=x', '--', '12'],
    ],
    [
      ['-nx', '--name=y', '--name', 'z'],
      ['--name=x', '--name=y', '--name=z', '--'],
    ],
    [
      ['--name=', '--name=a=b'],
      ['--name=', '--name=a=b', '--'],
    ],
    [
      ['--si', '9', '--stat', 'R'],
      ['--signal=9', '--state=R', '--'],
    ],
    [['--statistics'], ['--statistics', '--']],
    [
      ['-n', '-a', '--name', '--'],
      ['--name=-a', '--name=--', '--'],
    ],
    [
      ['12', '--', '-a', '--name'],
      ['--', '12', '-a', '--name'],
    ],
    [
      ['-', '12'],
      ['--', '-', '12'],
    ],
    [
      ['-a', '--help', '--nonsense', '-z'],
      ['--all', '--help', '--'],
    ],
  ])('%j', (argv, args) => {
    expect(read(argv)).toEqual({ args, trouble: null });
  });

  test('with POSIXLY_CORRECT options end at the first operand', () => {
    expect(read(['-a', '12', '-a'], { posix: true }).args).toEqual(['--all', '--', '12', '-a']);
  });
});

test('a hundred thousand operands are taken, before and behind --, in a time that grows with their number', () => {
  const ids = Array.from({ length: 300_000 }, (_, i) => String(i));
  const start = performance.now();
  expect(read(ids).args).toHaveLength(ids.length + 1);
  expect(read(['--', ...ids]).args).toHaveLength(ids.length + 1);
  const { args } = read([`-${'a'.repeat(100_000)}`]);
  expect(args).toHaveLength(100_001);
  // It took many minutes.
  expect(performance.now() - start).toBeLessThan(10_000);
});

describe('what is wrong', () => {
  test.each<[string[], string]>([
    [['--nonsense=1'], "unrecognized option '--nonsense=1'"],
    [['--statist'], "unrecognized option '--statist'"],
    [['--s=9'], "option '--s=9' is ambiguous; possibilities: '--signal' '--state'"],
    [['--all=yes'], "option '--all' doesn't allow an argument"],
    [['12', '--na'], "option '--name' requires an argument"],
    [['-z'], "invalid option -- 'z'"],
    [['-az'], "invalid option -- 'z'"],
    [['12', '-an'], "option requires an argument -- 'n'"],
  ])('%j', (argv, trouble) => {
    expect(read(argv).trouble).toBe(trouble);
  });
});

test('whatever is given, options come out once, in order, and operands stay what they are', () => {
  const operand = fc.string().filter((text) => !text.startsWith('-'));
  const option = fc.constantFrom(
    ['-a'],
    ['--all'],
    ['--al'],
    ['-n', 'v'],
    ['-nv'],
    ['--name=v'],
    ['--na', 'v'],
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(operand, option)), (parts) => {
      const { args, trouble } = read(parts.flat());
      expect(trouble).toBeNull();
      const options = parts.filter((part) => typeof part !== 'string');
      expect(args).toEqual([
        ...options.map(([first = '']) =>
          first.includes('a') && !first.includes('n') ? '--all' : '--name=v',
        ),
        '--',
        ...parts.filter((part) => typeof part === 'string'),
      ]);
    }),
  );
});
