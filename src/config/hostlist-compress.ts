/** Slurm's ranged notation: from names to the text. Imports nothing of `node:`. */
import { splitNames } from './hostlist-name.js';

/**
 * The expression `scontrol show hostlist` prints for these names: `n1 n2 n3 login` becomes `n[1-3],login`.
 *
 * Order and duplicates are kept (`n3 n1` is `n[3,1]`), so `expandHostlist()` gives back exactly these names; sort them
 * with `uniqueSorted()` first for the shortest text. Only the number at the end is compressed (`r1n[1-2],r2n[1-2]`),
 * and only neighbours are joined. No names: the empty text.
 *
 * Source: `hostlist_push_range()` (when a name continues a range) and `_get_bracketed_list()` (which ranges share a
 * bracket), `src/common/hostlist.c` upstream; checked against 22.05.
 *
 * @throws SlurmUsageError `SLURMWIRE_BAD_HOSTLIST` for a name that would be read as something else.
 */
export function compressHostlist(names: readonly string[]): string {
  const items: Item[] = [];
  for (const { prefix, digits } of splitNames(names)) {
    const item = items.at(-1);
    const range = item?.ranges.at(-1);
    if (item === undefined || range === undefined || digits === '' || item.prefix !== prefix) {
      items.push({ prefix, ranges: digits === '' ? [] : [{ first: digits, last: digits }] });
    } else if (digits === successor(range.last)) {
      range.last = digits;
    } else {
      item.ranges.push({ first: digits, last: digits });
    }
  }
  return items.map(showItem).join(',');
}

interface Item {
  readonly prefix: string;
  /** Empty for a name without digits. */
  readonly ranges: Range[];
}

interface Range {
  readonly first: string;
  last: string;
}

/**
 * The next number in the same width: 7 → 8, 009 → 010, 99 → 100. A range has the width of its first number, so this
 * is what stands behind `last` when the range is expanded: text decides, and 99 is not followed by 0100.
 */
function successor(digits: string): string {
  const next = digits.length < EXACT_DIGITS ? String(Number(digits) + 1) : (BigInt(digits) + 1n).toString();
  return next.padStart(digits.length, '0');
}

/** Numbers with fewer digits are exact as doubles, which are ten times faster than big integers. */
const EXACT_DIGITS = 16;

function showItem({ prefix, ranges }: Item): string {
  const numbers = ranges.map(({ first, last }) => (first === last ? first : `${first}-${last}`)).join(',');
  const [range] = ranges;
  const isSingle = range === undefined || (ranges.length === 1 && range.first === range.last);
  return isSingle ? prefix + numbers : `${prefix}[${numbers}]`;
}
