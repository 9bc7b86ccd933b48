/**
 * Our hostlists against Slurm's own: `scontrol show hostnames`, `hostlist` and `hostlistsorted` of the installed release.
 * They look at nothing but their argument: no daemon is needed, only a slurm.conf that names a cluster.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, inject, test } from 'vitest';
import { expandHostlist } from '../../src/config/hostlist.js';
import { compressHostlist } from '../../src/config/hostlist-compress.js';
import { uniqueSorted } from '../../src/config/hostlist-order.js';

const directory = mkdtempSync(join(tmpdir(), 'slurmwire-hostlist-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const conf = join(directory, 'slurm.conf');
writeFileSync(conf, 'ClusterName=none\nSlurmctldHost=localhost\nNodeName=n1\nPartitionName=p Nodes=n1\n');
const env = { ...process.env, SLURM_CONF: conf };

const { release, trouble } = findScontrol();

describe.skipIf(trouble !== null)(`scontrol ${release}`, () => {
  test('answers a batch of commands in order, refusals among them', async () => {
    expect(
      await scontrol(['hostnames n[1-2]', 'hostnames n[2-1]', 'hostlist n1,n2', 'hostlistsorted b,a,a']),
    ).toEqual([['n1', 'n2'], [], ['n[1-2]'], ['a,a,b']]);
  });

  test('show hostnames gives the names that we give', async () => {
    await compareBatches(expression(false), (text) => expandHostlist(text));
  });

  test('show hostnames takes text behind the last group from 23.11 on, and refuses it before', async () => {
    await compareBatches(expression(true), (text) => (release >= '23.11' ? expandHostlist(text) : []));
  });

  test('show hostnames refuses what we refuse, but for the known carelessness', async () => {
    const pieces =
      'n m1 0 - , [ ] [1-2] [09] [08-11] [1,3-4] [2-1] [] [,] [1,] [-1] [1-] [a] [1-2-3] [[1]] [0-65536]';
    const anything = fc
      .array(fc.constantFrom(...pieces.split(' ')), { minLength: 1, maxLength: 5 })
      .map((list) => list.join(''))
      .filter((list) => /^[nm0-9[]/.test(list) && !isKnownToDiffer(list, namesOrRefusal(list)));
    await compareBatches(anything, namesOrRefusal);
  });

  test.each([
    // Expression, what we do (null: refuse), what 22.05 does.
    ['n[1-2', null, ['n]']],
    ['n[1-2]-ib', ['n1-ib', 'n2-ib'], []],
    ['n[1-]', null, ['n1']],
    ['n[+1]', null, ['n01']],
    ['a]b', null, ['a]b']],
    ['a{1}', null, ['a{1}']],
    ['n99999999999999999999', null, ['n18446744073709551615']],
    // The range n[18446744073709551614-18446744073709551615] is not here: scontrol crashes.
  ])('%s is where we differ from 22.05 on purpose', async (text, ours, theirs) => {
    expect(namesOrRefusal(text)).toEqual(ours ?? []);
    if (release === '22.05') expect(await scontrol([`hostnames ${text}`])).toEqual([theirs]);
  });

  test('separators are those of Slurm', () => {
    const text = ' a,,b c\td, ';
    const run = spawnSync('scontrol', ['show', 'hostnames', text], { env, encoding: 'utf8' });
    expect(run.stdout.trim().split('\n')).toEqual(expandHostlist(text));
  });

  test('show hostlist prints what compressHostlist does: order and duplicates kept', async () => {
    await eachBatch(names, async (lists) => {
      const answers = await scontrol(lists.map((list) => `hostlist ${list.join(',')}`));
      expect(answers.map((lines) => lines.join())).toEqual(lists.map(compressHostlist));
    });
  });

  test('show hostlistsorted prints a set of names in the order of uniqueSorted', async () => {
    await eachBatch(names, async (lists) => {
      // Backwards, since libslurm would join ascending neighbours first and then sort ranges: see uniqueSorted().
      const sets = lists.map((list) => uniqueSorted(list).reverse());
      const answers = await scontrol(sets.map((list) => `hostlistsorted ${list.join(',')}`));
      expect(answers.map((lines) => lines.join())).toEqual(
        sets.map((list) => compressHostlist(uniqueSorted(list))),
      );
    });
  });

  test('sorting ranges, as libslurm does, is where uniqueSorted differs', async () => {
    const list = 'n99,n100,n050';
    expect(await scontrol([`hostlistsorted ${list}`])).toEqual([['n[99-100,050]']]);
    expect(compressHostlist(uniqueSorted(list.split(',')))).toBe('n[99,050,100]');
  });

  test('what we compress, Slurm expands to the same names', async () => {
    await eachBatch(names, async (lists) => {
      expect(await scontrol(lists.map((list) => `hostnames ${compressHostlist(list)}`))).toEqual(lists);
    });
  });
});

// --- what is generated ---------------------------------------------------------------------------------------------

const number = fc.oneof(fc.nat(15), fc.nat(120), fc.nat(9999));
const range = fc
  .tuple(number, fc.nat(6), fc.nat(4), fc.nat(4), fc.boolean())
  .map(([lo, more, width, otherWidth, isSingle]) => {
    const first = String(lo).padStart(width, '0');
    return isSingle ? first : `${first}-${String(lo + more).padStart(otherWidth, '0')}`;
  });
const group = fc.array(range, { minLength: 1, maxLength: 3 }).map((ranges) => `[${ranges.join()}]`);
const text = fc.constantFrom('n', 'm', 'rack', 'n-', '_x', 'N0', '1', '.', 'ß', 'a-b1c');

/** One to three items, of up to three groups each; with text behind the last group in at least one, or in none. */
function expression(withTail: boolean): fc.Arbitrary<string> {
  const bare = fc
    .tuple(fc.constantFrom('n', 'login', 'a-b', 'r1n'), fc.constantFrom('', '1', '007'))
    .map((parts) => parts.join(''));
  const part = fc.tuple(fc.option(text, { nil: '' }), group).map((parts) => parts.join(''));
  const grouped = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(''));
  const plain = fc.array(fc.oneof(bare, grouped, grouped), { minLength: 1, maxLength: 3 });
  const items = withTail
    ? fc.tuple(plain, grouped, text).map(([others, item, tail]) => [...others, item + tail])
    : plain;
  return items
    .map((list) => list.join())
    .filter((list) => list.length <= MAX_COMMAND && countOf(list) <= 5000);
}

const names = fc.array(
  fc
    .tuple(
      fc.constantFrom('n', 'n', 'n-', 'r1n', 'r2n', 'r10n', 'r02n', 'login', 'N', 'n1-ib', ''),
      fc.oneof(fc.constant(''), range),
    )
    // A list has to say something, and a single number is what a name ends with.
    .map(([prefix, digits]) => prefix + (digits.split('-')[0] ?? ''))
    .filter((name) => name !== ''),
  { minLength: 1, maxLength: 10 },
);

function countOf(list: string): number {
  return namesOrRefusal(list).length;
}

function namesOrRefusal(list: string): string[] {
  try {
    return expandHostlist(list, { maxHosts: 65_536 });
  } catch {
    return [];
  }
}

/** Where 22.05 takes what we refuse or the other way round, see the table above. */
function isKnownToDiffer(list: string, ours: readonly string[]): boolean {
  if (ours.length > 0) return /\][^,[\]]*[^,[\]]/.test(list) && release < '23.11';
  const groups = /\[[^[\]]*\]/g;
  const outside = list.replaceAll(groups, '');
  // Of several items 22.05 drops one with a bad range before another group, and keeps the rest: seen for `m1,[2-1][09]`.
  if (outside.includes(',')) return true;
  // A bracket without a partner, or a range without its end.
  return /[[\]]/.test(outside) || /-[,\]]/.test((list.match(groups) ?? []).join(''));
}

// --- scontrol ------------------------------------------------------------------------------------------------------

/** Longer lines are cut in the echo of a command, by readline's idea of a terminal. */
const MAX_COMMAND = 300;

/** Five times a hundred: a batch is one process. */
async function eachBatch<T>(arbitrary: fc.Arbitrary<T>, check: (batch: T[]) => Promise<void>): Promise<void> {
  const batches = fc.array(arbitrary, { minLength: 100, maxLength: 100 });
  await fc.assert(fc.asyncProperty(batches, check), { numRuns: 5, endOnFailure: true });
}

async function compareBatches(
  arbitrary: fc.Arbitrary<string>,
  ours: (text: string) => string[],
): Promise<void> {
  await eachBatch(arbitrary, async (texts) => {
    const answers = await scontrol(texts.map((each) => `hostnames ${each}`));
    for (const [index, each] of texts.entries()) {
      expect({ text: each, names: answers[index] }).toEqual({ text: each, names: ours(each) });
    }
  });
}

/** The lines that each `show …` prints, by one scontrol that reads them from its standard input; none for a refusal. */
async function scontrol(commands: readonly string[]): Promise<string[][]> {
  const child = spawn('scontrol', [], { env, stdio: ['pipe', 'pipe', 'ignore'] });
  // A command after each marks where its answer ends.
  child.stdin.end(
    commands.map((command, index) => `show ${command}\nshow hostnames ${mark(index)}\n`).join(''),
  );
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    output += chunk;
  });
  await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));

  const answers: string[][] = [[]];
  for (const line of output.split('\n')) {
    if (line === mark(answers.length - 1)) answers.push([]);
    // scontrol echoes the commands.
    else if (!line.startsWith('scontrol:') && !line.startsWith('<')) answers.at(-1)?.push(line);
  }
  const last = answers.pop();
  expect(last?.join('')).toBe('');
  expect(answers).toHaveLength(commands.length);
  return answers;
}

function mark(index: number): string {
  return `slurmwire-mark-${index}-end`;
}

/** The release of the installed scontrol, or why there is none. Never silent: in CI it is a failure. */
function findScontrol(): { release: string; trouble: string | null } {
  const { stdout, error } = spawnSync('scontrol', ['--version'], { env, encoding: 'utf8' });
  const release = /\b(\d\d\.\d\d)\.\d+/.exec(stdout ?? '')?.[1];
  if (release !== undefined) return { release, trouble: null };
  const trouble = inject('labTrouble') ?? error?.message ?? 'scontrol does not tell its version';
  if (process.env.CI) throw new Error(`tests against scontrol cannot run, and CI is set: ${trouble}`);
  process.stderr.write(`\n*** tests against scontrol SKIPPED: ${trouble}\n\n`);
  return { release: '(missing)', trouble };
}
