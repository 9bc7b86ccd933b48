/** How a slurmd splits the nodes it is to pass a message on to: from 24.11 on as slurmwire does, before in lots of the tree's width. */
import { isAtLeast, type Release } from '../../protocol/release.js';
import { type Branch, planTree } from '../../rpc/forward-tree.js';

/**
 * Branches of consecutive nodes, in order. Up to 24.05 as few as possible pass on: each gets a lot of `width` nodes below it, round after
 * round, until those that are left can be contacted directly or are less than a lot.
 *
 * Source: `set_span` of 20.11.9 to 24.05.4, `_set_span` of 24.11.5 to 26.05.3.
 */
export function splitNodes(nodes: readonly string[], width: number, own: Release): readonly Branch[] {
  if (isAtLeast(own, '24.11')) return planTree(nodes, width).branches;
  const below = lotsOf(nodes.length, width);
  const branches: Branch[] = [];
  for (let at = 0; at < nodes.length; ) {
    const size = 1 + (below[branches.length] ?? 0);
    const [root = '', ...rest] = nodes.slice(at, at + size);
    branches.push({ root, below: rest });
    at += size;
  }
  return branches;
}

/** How many nodes are below each of the first; none below the others. */
function lotsOf(count: number, width: number): number[] {
  const below: number[] = [];
  if (count <= width) return below;
  let left = count;
  for (;;) {
    for (let i = 0; i < width; i++) {
      const own = below[i] ?? 0;
      const isNew = own === 0;
      // As many branches are left as nodes: the rest are contacted directly, or join the last one that was reached.
      if (width - i >= left) {
        if (!isNew) below[i] = own + left;
        return below;
      }
      if (isNew) left -= 1; // the first of the branch
      const lot = Math.min(width, left);
      below[i] = own + lot;
      left -= lot;
      if (left === 0) return below;
    }
  }
}
