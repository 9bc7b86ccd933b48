/** The forwarding tree as pure functions: what is asked of whom, and that nothing that harms a slurmd gets past the last look. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compressHostlist, expandHostlist } from '../../src/config/index.js';
import { isAtLeast, RELEASE_NAMES, type Release, SlurmUsageError } from '../../src/protocol/index.js';
import {
  branchWaitMs,
  checkForward,
  forwardBlock,
  MAX_TREE_WIDTH,
  planTree,
  treeDepth,
} from '../../src/rpc/forward-tree.js';
import { nodeNames } from './support/fan-out.js';

/** Names with gaps, leading zeros and other prefixes, in an order of their own. */
const anyNodes = fc.oneof(
  fc.uniqueArray(
    fc
      .tuple(fc.constantFrom('n', 'gpu', 'r1c', 'login-'), fc.nat(12_000), fc.nat(5))
      .map(([prefix, number, width]) => prefix + String(number).padStart(width, '0')),
    { minLength: 1, maxLength: 300 },
  ),
  fc.integer({ min: 1, max: 10_000 }).map((count) => nodeNames(count)),
);
const anyWidth = fc.oneof(
  fc.constantFrom(1, 2, 3, 16, 50, 256, MAX_TREE_WIDTH),
  fc.integer({ min: 1, max: 400 }),
  fc.integer({ min: 1, max: MAX_TREE_WIDTH }),
);
const anyRelease = fc.constantFrom(...RELEASE_NAMES);
const anyTimes = fc.record({
  hopTimeoutMs: fc.integer({ min: 1, max: 600_000 }),
  messageTimeoutMs: fc.integer({ min: 1000, max: 300_000 }),
});

/** width + width² + … + width^depth, as far as it matters. */
function room(width: number, depth: number): number {
  let [sum, level] = [0, 1];
  for (let i = 0; i < depth && sum < 1e9; i++) {
    level *= width;
    sum += level;
  }
  return sum;
}

describe('planTree', () => {
  test('every node is in exactly one branch, in the order given, and sizes differ by at most one', () => {
    fc.assert(
      fc.property(anyNodes, anyWidth, (nodes, width) => {
        const { branches } = planTree(nodes, width);
        expect(branches.flatMap(({ root, below }) => [root, ...below])).toEqual(nodes);
        const sizes = branches.map(({ below }) => below.length + 1);
        expect(branches.length).toBe(Math.min(width, nodes.length));
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
      { numRuns: 150 },
    );
  });

  test('the depth is the smallest that holds all of them', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 65_536 }), anyWidth, (count, width) => {
        const depth = treeDepth(count, width);
        expect(room(width, depth)).toBeGreaterThanOrEqual(count);
        if (depth > 1) expect(room(width, depth - 1)).toBeLessThan(count);
        expect(depth).toBeGreaterThanOrEqual(1);
      }),
    );
    expect([treeDepth(16, 16), treeDepth(17, 16), treeDepth(272, 16), treeDepth(273, 16)]).toEqual([
      1, 2, 2, 3,
    ]);
    expect([treeDepth(1, 1), treeDepth(10_000, 1), planTree(nodeNames(17), 16).depth]).toEqual([
      1, 10_000, 2,
    ]);
  });

  test('no nodes: no branches, depth 1', () => {
    expect(planTree([], 16)).toEqual({ branches: [], depth: 1, width: 16 });
  });

  test.each([0, -1, 1.5, Number.NaN, MAX_TREE_WIDTH + 1])('no tree of width %s', (width) => {
    expect(() => planTree(['n1'], width)).toThrow(RangeError);
  });

  test('no node twice', () => {
    expect(() => planTree(['n1', 'n2', 'n1'], 2)).toThrow(RangeError);
  });
});

describe('forwardBlock', () => {
  test('the count is that of the names the list expands to; the width, depth and time are as the release wants them', () => {
    fc.assert(
      fc.property(anyNodes, anyWidth, anyRelease, anyTimes, (nodes, width, release, times) => {
        const plan = planTree(nodes, width);
        const seen = new Set([0, plan.branches.length - 1, plan.branches.length >> 1]);
        for (const [index, branch] of plan.branches.entries()) {
          if (!seen.has(index)) continue;
          const block = forwardBlock(branch, plan, release, times);
          if (branch.below.length === 0) {
            expect(block).toBeUndefined();
            continue;
          }
          const names = expandHostlist(block?.nodelist ?? '');
          expect(names).toEqual(branch.below);
          expect(block?.cnt).toBe(new Set(names).size);
          expect(names).not.toContain(branch.root);
          expect(block?.treeWidth).toBe(width);
          const hop = Math.max(times.hopTimeoutMs, times.messageTimeoutMs);
          const scaled = isAtLeast(release, '24.11');
          expect(block?.timeout).toBe(Math.min(0xffffffff, scaled ? 2 * plan.depth * hop : hop));
          expect(block?.timeout).toBeGreaterThanOrEqual(times.messageTimeoutMs);
          if (scaled) expect(block?.treeDepth).toBe(plan.depth);
          else expect(block).not.toHaveProperty('treeDepth');
          expect(block).not.toHaveProperty('netCred');
          expect(() => checkForward(block, branch.root, release, times.messageTimeoutMs)).not.toThrow();
        }
      }),
      { numRuns: 120 },
    );
  });

  test('fields with 16 and 32 bits are never overrun, with all nodes of the largest cluster in one chain', () => {
    const plan = planTree(nodeNames(65_536), 1);
    const [branch] = plan.branches;
    if (branch === undefined) throw new Error('no branch');
    const times = { hopTimeoutMs: 600_000, messageTimeoutMs: 600_000 };
    expect(forwardBlock(branch, plan, '26.05', times)).toMatchObject({
      cnt: 65_535,
      treeDepth: 65_535,
      timeout: 0xffffffff,
    });
    // A timer takes no more.
    expect(branchWaitMs(branch, plan, times)).toBe(0x7fffffff);
  });

  test('fractions of a millisecond are rounded up', () => {
    const plan = planTree(nodeNames(3), 1);
    const [branch] = plan.branches;
    if (branch === undefined) throw new Error('no branch');
    const times = { hopTimeoutMs: 1000.25, messageTimeoutMs: 1000 };
    expect(forwardBlock(branch, plan, '22.05', times)?.timeout).toBe(1001);
  });
});

describe('branchWaitMs', () => {
  test('is at least what the slurmds of every release may take', () => {
    fc.assert(
      fc.property(anyNodes, anyWidth, anyTimes, (nodes, width, times) => {
        const plan = planTree(nodes, width);
        const [branch] = plan.branches;
        if (branch === undefined) return;
        const wait = branchWaitMs(branch, plan, times);
        const hop = Math.max(times.hopTimeoutMs, times.messageTimeoutMs);
        const count = branch.below.length;
        expect(wait).toBeGreaterThanOrEqual(Math.min(0x7fffffff, hop));
        if (count === 0) return;
        const steps = Math.floor((count + 1) / width);
        // 20.11 to 24.05; then 24.11 and newer, by what the header says.
        const older = times.messageTimeoutMs * steps + hop * (steps + 1);
        expect(wait).toBeGreaterThanOrEqual(Math.min(0x7fffffff, older, 0x7fffffff));
        const newer = forwardBlock(branch, plan, '26.05', times)?.timeout ?? 0;
        expect(wait).toBeGreaterThanOrEqual(Math.min(0x7fffffff, newer));
        expect(wait).toBeLessThanOrEqual(0x7fffffff);
      }),
    );
  });
});

describe('checkForward', () => {
  const good = { cnt: 3, nodelist: 'n[2-4]', timeout: 20_000, treeWidth: 16 };
  const goodIn = (release: Release) => (isAtLeast(release, '24.11') ? { ...good, treeDepth: 2 } : good);

  test.each(RELEASE_NAMES)('lets a good one pass in %s', (release) => {
    expect(() => checkForward(goodIn(release), 'n1', release, 10_000)).not.toThrow();
    expect(() => checkForward(undefined, 'n1', release, 10_000)).not.toThrow();
  });

  const broken: Record<string, [field: string, change: object, since?: Release]> = {
    'a count too small': ['cnt', { cnt: 2 }],
    'a count too large': ['cnt', { cnt: 4 }],
    'a count of 0 with a list': ['cnt', { cnt: 0 }],
    'a negative count': ['cnt', { cnt: -3 }],
    'no list': ['cnt', { nodelist: null }],
    'an empty list': ['cnt', { cnt: 0, nodelist: '' }],
    'a list of separators': ['cnt', { cnt: 0, nodelist: ' , ' }],
    'a name twice': ['nodelist', { nodelist: 'n2,n3,n2' }],
    'a name twice by ranges': ['nodelist', { cnt: 4, nodelist: 'n[2-3],n[3-4]' }],
    'a count of distinct names beside a name twice': ['cnt', { cnt: 2, nodelist: 'n2,n3,n2' }],
    "less time than the daemons' MessageTimeout": ['timeout', { timeout: 9_999 }],
    'a width too large': ['treeWidth', { treeWidth: MAX_TREE_WIDTH + 1 }],
    'a depth of 0': ['treeDepth', { treeDepth: 0 }, '24.11'],
    'no depth': ['treeDepth', { treeDepth: undefined }, '24.11'],
  };
  for (const [what, [field, change, since]] of Object.entries(broken)) {
    test(`refuses ${what}`, () => {
      for (const release of RELEASE_NAMES.filter((one) => since === undefined || isAtLeast(one, since))) {
        const error = caught(() => checkForward({ ...goodIn(release), ...change }, 'n1', release, 10_000));
        expect(error).toBeInstanceOf(SlurmUsageError);
        expect(error).toMatchObject({
          code: 'SLURMWIRE_UNSAFE_MESSAGE',
          outcome: 'not-sent',
          field: `forward.${field}`,
          protocol: release,
        });
      }
    });
  }

  test.each(['n[1-', 'n[3-1]', 'n]1', 'n{1-3}', 'n1\0', 'n[a]'])(
    'refuses a list that cannot be read: %j',
    (nodelist) => {
      expect(caught(() => checkForward({ ...good, nodelist }, 'n1', '22.05', 10_000))).toMatchObject({
        name: 'SlurmUsageError',
        code: 'SLURMWIRE_BAD_HOSTLIST',
        outcome: 'not-sent',
      });
    },
  );

  test('refuses every change of a good one that could harm a slurmd', () => {
    type Block = NonNullable<ReturnType<typeof forwardBlock>>;
    const changes: Record<string, (block: Block, root: string) => object> = {
      'a name fewer': ({ nodelist }) => ({
        nodelist: compressHostlist(expandHostlist(nodelist ?? '').slice(1)),
      }),
      'a name more': ({ nodelist }) => ({ nodelist: `${nodelist},stranger` }),
      'a name twice, and counted': ({ nodelist, cnt }) => ({
        nodelist: `${nodelist},${expandHostlist(nodelist ?? '')[0]}`,
        cnt: cnt + 1,
      }),
      'a name in place of another': ({ nodelist }) => {
        const [first = '', ...rest] = expandHostlist(nodelist ?? '');
        return { nodelist: [...rest, rest[0] ?? `${first},${first}`].join(',') };
      },
      'the root itself': ({ nodelist, cnt }, root) => ({ nodelist: `${nodelist},${root}`, cnt: cnt + 1 }),
      'no time': () => ({ timeout: 0 }),
      'time that is none': () => ({ timeout: Number.NaN }),
      'no width': () => ({ treeWidth: 0 }),
      'width that is none': () => ({ treeWidth: Number.NaN }),
      'addresses in a credential': () => ({ netCred: 'MUNGE:not to be shown' }),
    };
    const depths: typeof changes = {
      'no depth': () => ({ treeDepth: 0 }),
      'depth that is none': () => ({ treeDepth: Number.NaN }),
    };
    fc.assert(
      fc.property(anyNodes, anyWidth, anyRelease, fc.nat(), (nodes, width, release, pick) => {
        const plan = planTree(['root', ...nodes], width);
        const branch = plan.branches[pick % plan.branches.length];
        if (branch === undefined || branch.below.length === 0) return;
        const times = { hopTimeoutMs: 10_000, messageTimeoutMs: 10_000 };
        const block = forwardBlock(branch, plan, release, times) as Block;
        expect(() => checkForward(block, branch.root, release, 10_000)).not.toThrow();
        const all = Object.entries({ ...changes, ...(isAtLeast(release, '24.11') ? depths : {}) });
        for (const [what, change] of all) {
          const changed = { ...block, ...change(block, branch.root) };
          const error = caught(() => checkForward(changed, branch.root, release, 10_000), what);
          expect(error, what).toMatchObject({ code: 'SLURMWIRE_UNSAFE_MESSAGE', outcome: 'not-sent' });
          expect(JSON.stringify(error), what).not.toContain('not to be shown');
        }
      }),
      { numRuns: 60 },
    );
  });

  test('refuses any other count', () => {
    fc.assert(
      fc.property(anyNodes, fc.integer({ min: -3, max: 70_000 }), anyRelease, (nodes, cnt, release) => {
        const plan = planTree(['root', ...nodes], 1);
        const [branch] = plan.branches;
        if (branch === undefined || cnt === nodes.length) return;
        const times = { hopTimeoutMs: 10_000, messageTimeoutMs: 10_000 };
        const block = forwardBlock(branch, plan, release, times);
        expect(block).toBeDefined();
        if (block !== undefined)
          expect(() => checkForward({ ...block, cnt }, branch.root, release, 10_000)).toThrow(
            SlurmUsageError,
          );
      }),
      { numRuns: 60 },
    );
  });
});

function caught(step: () => void, what = 'it'): unknown {
  try {
    step();
  } catch (error) {
    return error;
  }
  throw new Error(`expected a refusal of ${what}`);
}
