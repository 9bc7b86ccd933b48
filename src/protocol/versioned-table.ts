import { isAtLeast, type Release } from './release.js';

/** Number, name, first release, last release (null: still there in the newest). */
export type TableRow = readonly [number: number, name: string, first: Release, last: Release | null];

/** Of the rows that share a number or a name, the one that holds in a release. */
export function rowIn(rows: readonly TableRow[] | undefined, release: Release): TableRow | undefined {
  return rows?.find(
    ([, , first, last]) => isAtLeast(release, first) && (last === null || isAtLeast(last, release)),
  );
}

/** Groups rows by one of their columns. */
export function rowsBy<K extends 0 | 1>(
  rows: readonly TableRow[],
  column: K,
): ReadonlyMap<TableRow[K], readonly TableRow[]> {
  const groups = new Map<TableRow[K], TableRow[]>();
  for (const row of rows) groups.set(row[column], [...(groups.get(row[column]) ?? []), row]);
  return groups;
}
