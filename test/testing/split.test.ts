/** Into which branches a slurmd splits the nodes it passes a message on to. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { treeDepth } from '../../src/rpc/forward-tree.js';
import { splitNodes } from '../../src/testing/slurmd/split.js';
import { nodeNames } from '../rpc/support/fan-out.js';

/** `2×5 3`: two branches of five nodes and one of three, the nodes contacted among them. */
function sizes(count: number, width: number, own: '22.05' | '24.11'): string {
  const runs: { size: number; times: number }[] = [];
  for (const { below } of splitNodes(nodeNames(count), width, own)) {
    const last = runs.at(-1);
    if (last?.size === below.length + 1) last.times += 1;
    else runs.push({ size: below.length + 1, times: 1 });
  }
  return runs.map(({ size, times }) => (times === 1 ? `${size}` : `${times}×${size}`)).join(' ');
}

describe('up to 24.05: as few as possible pass on', () => {
  // Worked out with `set_span` of 22.05.8.
  test.each([
    [4, 4, '4×1'],
    [5, 4, '5'],
    [9, 4, '5 4'],
    [12, 4, '2×5 2×1'],
    [15, 4, '3×5'],
    [21, 4, '6 3×5'],
    [5, 2, '3 2'],
    [12, 7, '8 4×1'],
    // As libslurm 22.05 was seen to do it: 20 of 1,024 slurmds pass on.
    [1024, 50, '20×51 4×1'],
    [8192, 50, '12×201 193 37×151'],
  ])('%i nodes, width %i: %s', (count, width, expected) => {
    expect(sizes(count, width, '22.05')).toBe(expected);
  });
});

test('from 24.11 on: evenly', () => {
  expect(sizes(21, 4, '24.11')).toBe('6 3×5');
  expect(sizes(12, 7, '24.11')).toBe('5×2 2×1');
});

test('every node once and in order, in no more branches than the width', () => {
  const releases = fc.constantFrom('20.11' as const, '22.05' as const, '24.11' as const);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 400 }),
      fc.integer({ min: 1, max: 60 }),
      releases,
      (count, width, own) => {
        const branches = splitNodes(nodeNames(count), width, own);
        expect(branches.flatMap(({ root, below }) => [root, ...below])).toEqual(nodeNames(count));
        expect(branches.length).toBeLessThanOrEqual(width);
        // No deeper than the fewest levels that hold them all.
        const deepest = Math.max(...branches.map(({ below }) => below.length));
        if (deepest > 0) expect(treeDepth(deepest, width)).toBeLessThan(treeDepth(count, width));
      },
    ),
  );
});
