/**
 * One name of a hostlist, as Slurm sees it: a prefix and the digits it ends with. Imports nothing of `node:`.
 *
 * Source of the facts: `src/common/hostlist.c` upstream (read: 20.11 to 26.11; observed: 22.05).
 */
import { isWireText } from '../protocol/byte-text.js';
import { SlurmUsageError } from '../protocol/slurm-error.js';

/** `code` of every error about a hostlist expression or a name in one. */
export const BAD_HOSTLIST = 'SLURMWIRE_BAD_HOSTLIST';

/** Characters of one name. A limit of ours: no resolver takes more than 253, and what is expanded stays in proportion. */
export const MAX_NAME_LENGTH = 255;

/**
 * The largest number in a name. Slurm reads numbers into 64 bits: what is larger silently becomes 18446744073709551615,
 * another name, and that one marks an empty range (observed on 22.05: scontrol crashes on a range that ends with it).
 */
export const MAX_NUMBER = 18_446_744_073_709_551_614n;

/** `n007` is prefix `n` and digits `007`; `login` has no digits; `12` has no prefix. */
export interface SplitName {
  readonly prefix: string;
  /** As written: `7` and `007` are different names. Empty when the name ends with something else. */
  readonly digits: string;
}

/** Cuts a name in front of its trailing digits: `hostname_create_dims()`, one dimension. */
export function splitName(name: string): SplitName {
  let start = name.length;
  while (start > 0 && isDigit(name.charCodeAt(start - 1))) start -= 1;
  return { prefix: name.slice(0, start), digits: name.slice(start) };
}

/**
 * Splits names that are to be sent to Slurm, and refuses those that it would read as something else.
 *
 * @throws SlurmUsageError `SLURMWIRE_BAD_HOSTLIST` with the index of the first bad one in `field`.
 */
export function splitNames(names: readonly string[]): SplitName[] {
  return names.map((name, index) => {
    const trouble = troubleWithName(name);
    if (trouble === null) return splitName(name);
    throw new SlurmUsageError(`names[${index}] ${trouble}.`, {
      code: BAD_HOSTLIST,
      field: `names[${index}]`,
      value: name,
      hint: 'Give single node names; expandHostlist() makes them of an expression.',
    });
  });
}

/** True when Slurm cannot hold this number. */
export function isTooLarge(digits: string): boolean {
  if (digits.length < 20) return false;
  // Zeros in front add nothing, and only 20 digits and more have to be looked at.
  const significant = digits.replace(/^0+/, '');
  return significant.length > 20 || (significant.length === 20 && BigInt(significant) > MAX_NUMBER);
}

/** What separates items outside brackets. The newline only since 23.02; before, it was part of a name, which nobody wants. */
export const SEPARATORS = ', \t\n';

/** Characters that cannot be in a name, whatever Slurm's parser does with them, in words; `null` for all others. */
export function troubleWithCharacter(character: string): string | null {
  if (character === '[' || character === ']') return `a bracket that has no partner`;
  // 25.05+: the controller expands {…} where a command is given one; lists that daemons send have none.
  if (character === '{' || character === '}') return 'a brace: only the controller can expand {…}';
  if (character < ' ' || character === '\x7f') return 'a control character';
  return null;
}

export function isDigit(charCode: number): boolean {
  return charCode >= 0x30 && charCode <= 0x39;
}

function troubleWithName(name: unknown): string | null {
  // Callers in plain JavaScript may hand over anything.
  if (typeof name !== 'string') return 'is not a string';
  if (name === '') return 'is empty';
  if (name.length > MAX_NAME_LENGTH) return `has more than ${MAX_NAME_LENGTH} characters`;
  let hasSurrogate = false;
  for (const character of name) {
    if (character >= '\ud800') hasSurrogate = true;
    if (SEPARATORS.includes(character)) return 'has a separator in it: comma, space, tab or newline';
    const trouble = troubleWithCharacter(character);
    if (trouble !== null) return `has ${trouble}`;
  }
  // It would be another name's bytes, and that name could be in the list as well.
  if (hasSurrogate && !isWireText(name))
    return 'has a lone surrogate that stands for no byte, or bytes that make a character';
  return isTooLarge(splitName(name).digits) ? 'ends with a number larger than 64 bits hold' : null;
}
