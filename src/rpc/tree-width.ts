import { isAtLeast, type Release } from '../protocol/release.js';
import { MAX_TREE_WIDTH } from './forward-tree.js';

/**
 * The width of a fan-out tree where the call names none: SLURM_TREE_WIDTH of the environment from protocol 23.11 on, else slurm.conf's
 * TreeWidth, else the release's default.
 *
 * Source: `DEFAULT_TREE_WIDTH` (50, from 23.11 on 16) and `_validate_and_set_defaults()`, where 23.11.0 began to read the variable; a value
 * of it that is no width is passed over.
 */
export function treeWidthFor(
  release: Release,
  configured: number | undefined,
  env: Readonly<Record<string, string | undefined>> = process.env,
): number {
  const isNew = isAtLeast(release, '23.11');
  const named = isNew ? widthIn(env.SLURM_TREE_WIDTH) : undefined;
  return named ?? configured ?? (isNew ? 16 : 50);
}

function widthIn(text: string | undefined): number | undefined {
  const width = text !== undefined && /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  return width >= 1 && width <= MAX_TREE_WIDTH ? width : undefined;
}
