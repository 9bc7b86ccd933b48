/**
 * The manners of GNU getopt_long, which scancel(1) has and commander has not: unambiguous abbreviations of long options, and its words where
 * something is wrong. Arguments are brought into the one form that commander takes without a doubt; which options there are stands in the
 * commander `Command` alone.
 *
 * Source: getopt_long(3), observed with glibc 2.36.
 */
import type { Command, Option } from 'commander';

export interface GetoptRules {
  /** Long names that mean the same as another one: they do not make an abbreviation ambiguous. */
  readonly aliases: Readonly<Record<string, string>>;
  /** Long names that have to be written out, so that abbreviations of the others mean what they always did. */
  readonly whole: ReadonlySet<string>;
  /** Long names after which nothing is read any more: `--help`. */
  readonly last: ReadonlySet<string>;
  /** Options stop at the first operand (POSIXLY_CORRECT). */
  readonly posix: boolean;
}

export interface GetoptResult {
  /** `--name`, `--name=value` …, then `--` and the operands. */
  readonly args: string[];
  /** What is wrong, in getopt's words, without the program's name. Then `args` is what stood before it. */
  readonly trouble: string | null;
}

/** Reads arguments as getopt_long does. */
export function getopt(command: Command, argv: readonly string[], rules: GetoptRules): GetoptResult {
  const options: string[] = [];
  const operands: string[] = [];
  // Not shift(), whose cost grows with what is left: a command line may have a hundred thousand ids.
  let at = 0;
  const next = (): string | undefined => argv[at++];
  const end = (trouble: string | null): GetoptResult => ({ args: [...options, '--', ...operands], trouble });
  const add = (option: Option, value: string | undefined) => {
    options.push(value === undefined ? `--${nameOf(option)}` : `--${nameOf(option)}=${value}`);
    return rules.last.has(nameOf(option));
  };
  for (let arg = next(); arg !== undefined; arg = next()) {
    if (arg === '--') break;
    if (arg.startsWith('--')) {
      const [name = '', value] = splitOnce(arg.slice(2));
      const found = findLong(command, name, arg, rules);
      if (typeof found === 'string') return end(found);
      const shown = `--${nameOf(found)}`;
      if (!found.required && value !== undefined) return end(`option '${shown}' doesn't allow an argument`);
      const given = found.required ? (value ?? next()) : undefined;
      if (found.required && given === undefined) return end(`option '${shown}' requires an argument`);
      if (add(found, given)) return end(null);
    } else if (arg.startsWith('-') && arg !== '-') {
      for (let letters = arg.slice(1); letters !== ''; ) {
        // Not [...letters][0], which takes all of them apart for each one.
        const letter = String.fromCodePoint(letters.codePointAt(0) ?? 0);
        letters = letters.slice(letter.length);
        const found = command.options.find(({ short }) => short === `-${letter}`);
        if (found === undefined) return end(`invalid option -- '${letter}'`);
        let given: string | undefined;
        if (found.required) {
          given = letters === '' ? next() : letters;
          if (given === undefined) return end(`option requires an argument -- '${letter}'`);
          letters = '';
        }
        if (add(found, given)) return end(null);
      }
    } else {
      operands.push(arg);
      if (rules.posix) break;
    }
  }
  // One by one: a call takes no hundred thousand arguments.
  for (let arg = next(); arg !== undefined; arg = next()) operands.push(arg);
  return end(null);
}

/** The option, or what is wrong with the name. */
function findLong(
  command: Command,
  name: string,
  arg: string,
  { aliases, whole }: GetoptRules,
): Option | string {
  const exact = command.options.find((option) => nameOf(option) === name);
  if (exact !== undefined) return exact;
  const begun = command.options.filter((option) => {
    const long = nameOf(option);
    return long.startsWith(name) && !whole.has(long);
  });
  const [first] = begun;
  if (first === undefined) return `unrecognized option '${arg}'`;
  const meanings = new Set(begun.map((option) => aliases[nameOf(option)] ?? nameOf(option)));
  if (meanings.size === 1) return first;
  const names = begun.map((option) => `'--${nameOf(option)}'`).join(' ');
  return `option '${arg}' is ambiguous; possibilities: ${names}`;
}

/** The long name without its dashes. */
export function nameOf({ long }: Option): string {
  return (long ?? '').replace(/^--/, '');
}

function splitOnce(text: string): [string, string?] {
  const at = text.indexOf('=');
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
