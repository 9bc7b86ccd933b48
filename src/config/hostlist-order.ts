/** The order in which Slurm sorts node names. Imports nothing of `node:`. */
import { isDigit, type SplitName, splitNames } from './hostlist-name.js';

/**
 * The set of these names, sorted: what libslurm makes of a list before it forwards a message (`hostlist_uniq()`).
 *
 * The order is that of `hostrange_cmp()` upstream, the same from 20.11 to 26.11: by prefix, numbers within it in
 * natural order (`r2n` before `r10n`); then the name that is the prefix alone; then short numbers before long ones
 * (n9, n10, n007: width counts, `n7` and `n007` are two nodes); then by number.
 *
 * Better than libslurm in one point: that sorts ranges as they were joined when the list was read, so that n99,n100,n050
 * stays n[99-100],n050, and a name can survive twice. Here every name counts by itself, and none is there twice.
 *
 * @throws SlurmUsageError `SLURMWIRE_BAD_HOSTLIST` for a name that cannot be one.
 */
export function uniqueSorted(names: readonly string[]): string[] {
  return splitNames([...new Set(names)])
    .sort(compareNames)
    .map(({ prefix, digits }) => prefix + digits);
}

function compareNames(a: SplitName, b: SplitName): number {
  if (a.prefix !== b.prefix) return compareNaturally(a.prefix, b.prefix);
  if (a.digits.length !== b.digits.length) return a.digits.length - b.digits.length;
  // Of the same length: as text is as numbers.
  return a.digits < b.digits ? -1 : a.digits > b.digits ? 1 : 0;
}

/**
 * Text with numbers in it, as `strnatcmp()` upstream has it: of two numbers the smaller one, except that a number with
 * a zero in front is compared as text is (01 before 1, 010 before 02). Case counts.
 */
export function compareNaturally(a: string, b: string): number {
  const at = firstDifference(a, b);
  // The number that they differ in, if it is one, may begin before the difference: 12 and 134.
  let start = at;
  while (start > 0 && isDigit(a.charCodeAt(start - 1))) start -= 1;
  const left = digitsAt(a, start);
  const right = digitsAt(b, start);
  if (left !== '' && right !== '' && left !== right) return compareNumbers(left, right);
  // The end of the text is smaller than any character.
  return (at < a.length ? a.charCodeAt(at) : -1) - (at < b.length ? b.charCodeAt(at) : -1);
}

function firstDifference(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  let at = 0;
  while (at < end && a.charCodeAt(at) === b.charCodeAt(at)) at += 1;
  return at;
}

function compareNumbers(a: string, b: string): number {
  const asText = a.startsWith('0') || b.startsWith('0');
  if (!asText && a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

function digitsAt(text: string, start: number): string {
  let end = start;
  while (end < text.length && isDigit(text.charCodeAt(end))) end += 1;
  return text.slice(start, end);
}
