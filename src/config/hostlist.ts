/**
 * Hostlist expressions such as `n[08-11,20],login`: from the text to the names. Imports nothing of `node:`.
 *
 * Source of the facts: `_hostlist_create_bracketed()`, `_parse_single_range()` and `_push_range_list()` in
 * `src/common/hostlist.c` upstream (read: 20.11 to 26.11; observed: 22.05, name by name, in the test). Where releases
 * differ this follows the newer: text may follow the last group (23.11+), a newline separates (23.02+), and a group
 * that is not closed is an error (23.02+).
 *
 * Stricter than every release where Slurm is only careless: `[1-]`, `[+1]`, `[ 1]`, `a]b`, `a{1}`, a control
 * character, a number beyond 64 bits.
 */
import { SlurmUsageError, showValue } from '../protocol/slurm-error.js';
import {
  BAD_HOSTLIST,
  isDigit,
  isTooLarge,
  MAX_NAME_LENGTH,
  SEPARATORS,
  splitName,
  troubleWithCharacter,
} from './hostlist-name.js';

/** MAX_SLURM_NODES upstream: no cluster has more nodes, and no range may. */
export const MAX_HOSTS = 65_536;

export interface ExpandHostlistOptions {
  /** More names than this are an error, found before any is built. Default {@link MAX_HOSTS}. */
  readonly maxHosts?: number | undefined;
  /** The argument or option the text came from, for the error. Default `hostlist`. */
  readonly field?: string | undefined;
}

/**
 * The names an expression stands for, in Slurm's order, duplicates kept. An empty text is an empty list.
 *
 * Several groups in one item are a product. The last group changes fastest; of the others it is the **first** that
 * does: `a[1-2]b[1-2]c[1-2]` begins a1b1c1 a1b1c2 a2b1c1 a2b1c2 a1b2c1. That is how Slurm's recursion works out, in
 * every release; it matters where two lists are read side by side (NodeName and NodeAddr).
 *
 * @throws SlurmUsageError `SLURMWIRE_BAD_HOSTLIST`, which says what is wrong and at which character (1-based), also for
 * more than `maxHosts` names; `SLURMWIRE_BAD_OPTION` for a `maxHosts` that is no count.
 */
export function expandHostlist(text: string, options: ExpandHostlistOptions = {}): string[] {
  const { maxHosts = MAX_HOSTS, field = 'hostlist' } = options;
  if (!Number.isSafeInteger(maxHosts) || maxHosts < 1) {
    throw new SlurmUsageError('maxHosts is not a count.', {
      code: 'SLURMWIRE_BAD_OPTION',
      field: 'maxHosts',
      value: maxHosts,
      hint: 'Give a whole number from 1.',
    });
  }
  // Callers in plain JavaScript may hand over anything.
  if (typeof text !== 'string') throw badHostlist({ text, field }, 'is not a string');
  const names: string[] = [];
  for (const item of parse({ text, field, maxHosts })) addNames(names, item);
  return names;
}

/** `lo` to `lo + count - 1`, padded to `width`. */
interface Range {
  readonly lo: bigint;
  readonly count: number;
  readonly width: number;
}

/** `r[1-2]n[1-2]-ib` is the texts `r`, `n`, `-ib` and two groups: always one text more than groups. */
interface Item {
  readonly texts: readonly string[];
  readonly groups: readonly (readonly Range[])[];
}

function addNames(names: string[], { texts, groups }: Item): void {
  const numbers = groups.map(numbersOf);
  const [only, ...more] = numbers;
  const [before = '', after = ''] = texts;
  if (only === undefined) return void names.push(before);
  // What nearly every list is made of, and what thousands of nodes come as.
  if (more.length === 0) {
    for (const number of only) names.push(before + number + after);
    return;
  }
  // Fastest first.
  const order = [...numbers.keys()];
  const last = order.pop();
  if (last !== undefined) order.unshift(last);

  const total = numbers.reduce((product, group) => product * group.length, 1);
  const chosen: string[] = [];
  for (let index = 0; index < total; index += 1) {
    let rest = index;
    for (const group of order) {
      const choices = numbers[group] ?? [];
      chosen[group] = choices[rest % choices.length] ?? '';
      rest = Math.floor(rest / choices.length);
    }
    names.push(texts.reduce((name, piece, at) => name + (chosen[at - 1] ?? '') + piece));
  }
}

function numbersOf(ranges: readonly Range[]): string[] {
  const numbers: string[] = [];
  for (const { lo, count, width } of ranges) {
    // Beyond what a double counts exactly only a big integer does, which is ten times slower.
    const isExact = lo + BigInt(count) <= BigInt(Number.MAX_SAFE_INTEGER);
    const low = Number(lo);
    for (let step = 0; step < count; step += 1) {
      const number = isExact ? String(low + step) : (lo + BigInt(step)).toString();
      numbers.push(number.padStart(width, '0'));
    }
  }
  return numbers;
}

// --- parsing -------------------------------------------------------------------------------------------------------

interface Source {
  readonly text: string;
  readonly field: string;
  readonly maxHosts: number;
}

/** Reads the text once, left to right, and counts the names as it goes. */
function parse(source: Source): Item[] {
  const { text } = source;
  const items: Item[] = [];
  let hosts = 0;
  let at = 0;
  while (at < text.length) {
    if (SEPARATORS.includes(text.charAt(at))) {
      at += 1;
      continue;
    }
    const { item, count, end } = parseItem(source, at, source.maxHosts - hosts);
    items.push(item);
    hosts += count;
    at = end;
  }
  return items;
}

function parseItem(source: Source, start: number, room: number): { item: Item; count: number; end: number } {
  const { text } = source;
  if (room === 0) throw tooMany(source, start);
  const texts: string[] = [];
  const groups: Range[][] = [];
  let count = 1;
  let longest = 0;
  let pieceStart = start;
  let at = start;
  for (; at < text.length && !SEPARATORS.includes(text.charAt(at)); ) {
    const character = text.charAt(at);
    if (character !== '[') {
      const trouble = troubleWithCharacter(character);
      if (trouble !== null) throw badHostlist(source, `has ${trouble}`, at);
      at += 1;
      continue;
    }
    const group = parseGroup(source, at, room);
    count *= group.count;
    // Each group has at least one name, so this is found before the product can grow beyond room².
    if (count > room) throw tooMany(source, at);
    longest += at - pieceStart + group.longest;
    if (longest > MAX_NAME_LENGTH) throw tooLong(source, start);
    texts.push(text.slice(pieceStart, at));
    groups.push(group.ranges);
    at = group.end;
    pieceStart = at;
  }
  const tail = text.slice(pieceStart, at);
  if (longest + tail.length > MAX_NAME_LENGTH) throw tooLong(source, start);
  if (groups.length === 0 && isTooLarge(splitName(tail).digits)) {
    throw badHostlist(source, 'has a name that ends with a number larger than 64 bits hold', start);
  }
  texts.push(tail);
  return { item: { texts, groups }, count, end: at };
}

interface Group {
  readonly ranges: Range[];
  /** Of all ranges together. */
  readonly count: number;
  /** Characters of the longest number. */
  readonly longest: number;
  /** Behind the closing bracket. */
  readonly end: number;
}

function parseGroup(source: Source, open: number, room: number): Group {
  const { text } = source;
  const ranges: Range[] = [];
  let count = 0;
  let longest = 0;
  let at = open;
  do {
    const start = at + 1;
    const first = numberAt(source, start, open);
    at = start + first.length;
    let last = first;
    if (text.charAt(at) === '-') {
      last = numberAt(source, at + 1, open);
      at += 1 + last.length;
    }
    const lo = BigInt(first);
    const hi = BigInt(last);
    if (lo > hi) throw badHostlist(source, `has a range that runs backwards, ${first}-${last}`, start);
    // As a number the difference may be rounded, but never to something that fits.
    const inRange = Number(hi - lo) + 1;
    count += inRange;
    if (count > room) throw tooMany(source, start);
    // The width is that of the lower end alone: [00-1] is 00 01, and [1-010] is 1 to 10.
    ranges.push({ lo, count: inRange, width: first.length });
    longest = Math.max(longest, first.length, hi.toString().length);
  } while (text.charAt(at) === ',');
  if (text.charAt(at) === ']') return { ranges, count, longest, end: at + 1 };
  throw text.indexOf(']', at) === -1
    ? badHostlist(source, 'has a group that is not closed', open)
    : badHostlist(source, `has ${showCharacter(text, at)} in a group`, at);
}

/** The digits from here on: at least one, and a number that Slurm can hold. */
function numberAt(source: Source, start: number, open: number): string {
  const { text } = source;
  let end = start;
  while (end < text.length && isDigit(text.charCodeAt(end))) end += 1;
  if (end === start) {
    if (text.indexOf(']', start) === -1) throw badHostlist(source, 'has a group that is not closed', open);
    throw badHostlist(source, `has ${showCharacter(text, start)} where a number should be`, start);
  }
  if (end - start > MAX_NAME_LENGTH) throw tooLong(source, start);
  const digits = text.slice(start, end);
  if (isTooLarge(digits)) throw badHostlist(source, 'has a number larger than 64 bits hold', start);
  return digits;
}

// --- errors --------------------------------------------------------------------------------------------------------

function tooMany(source: Source, at: number): SlurmUsageError {
  return badHostlist(source, `has more than ${source.maxHosts} names`, at);
}

function tooLong(source: Source, at: number): SlurmUsageError {
  return badHostlist(source, `has a name of more than ${MAX_NAME_LENGTH} characters`, at);
}

function badHostlist(
  { text, field }: { readonly text: unknown; readonly field: string },
  trouble: string,
  at?: number,
): SlurmUsageError {
  const where = at === undefined ? '' : ` (character ${at + 1})`;
  return new SlurmUsageError(`${field} ${trouble}${where}.`, {
    code: BAD_HOSTLIST,
    field,
    value: text,
    hint: "Give a list such as 'n[01-16],login1'.",
  });
}

function showCharacter(text: string, at: number): string {
  return showValue(String.fromCodePoint(text.codePointAt(at) ?? 0));
}
