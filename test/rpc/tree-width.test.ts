import { expect, it } from 'vitest';
import { RELEASE_NAMES, type Release } from '../../src/protocol/index.js';
import { treeWidthFor } from '../../src/rpc/tree-width.js';

/** TreeWidth of slurm.conf, SLURM_TREE_WIDTH → the width before 23.11, and from then on. */
const TABLE: readonly (readonly [number | undefined, string | undefined, number, number])[] = [
  [undefined, undefined, 50, 16],
  [7, undefined, 7, 7],
  [undefined, '9', 50, 9],
  [7, '9', 7, 9],
  [7, '65533', 7, 65_533],
  [7, '', 7, 7],
  [7, '0', 7, 7],
  [7, '65534', 7, 7],
  [7, '-3', 7, 7],
  [7, '12x', 7, 7],
  [7, '1e3', 7, 7],
];

it.each(TABLE)(
  'TreeWidth=%s, SLURM_TREE_WIDTH=%s: %d, from 23.11 on %d',
  (configured, variable, before, after) => {
    const old: readonly Release[] = ['20.11', '21.08', '22.05', '23.02'];
    for (const release of RELEASE_NAMES) {
      const width = treeWidthFor(release, configured, { SLURM_TREE_WIDTH: variable });
      expect([release, width]).toEqual([release, old.includes(release) ? before : after]);
    }
  },
);
