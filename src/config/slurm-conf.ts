/**
 * The syntax of slurm.conf, and nothing of its meaning (that is `slurm-config.ts`). The rules are those of Slurm's
 * own parser (`src/common/parse_config.c` upstream, releases 20.11 to 26.11).
 *
 * Lenient where Slurm is strict on keys (a client does not know the keys of future releases), and as strict as Slurm
 * on form: what is no `key=value` is an error, never skipped.
 */
import { dirname, isAbsolute, join, normalize } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { SlurmConfigError } from '../protocol/slurm-error.js';
import { ConfigErrorCode } from './config-error-code.js';

/** Includes within includes. Sites use one or two; a longer chain is a loop through links. */
export const MAX_INCLUDE_DEPTH = 16;
/** Include lines followed in all: a file that includes two, each of which includes two … ends here. */
export const MAX_INCLUDES = 1000;
/** Characters of all files together, an included file counted each time. */
export const MAX_TOTAL_CHARS = 64 * 1024 * 1024;
/** Characters of one line without its comment, with those that continue it: more than a list of 65,536 names needs. A line is read in one go, so this bounds how long. */
export const MAX_LINE_CHARS = 8 * 1024 * 1024;
/** `key=value` pairs of one line; Slurm knows less than fifty for any. */
export const MAX_LINE_PAIRS = 1000;
/** Different parameters (Slurm has some 300), and lines with an entry: what a configuration may take of the memory. */
export const MAX_PARAMETERS = 10_000;
export const MAX_ENTRIES = 4 * 65_536;

/** One `key=value`, as written. */
export interface ConfPair {
  /** In the file's own spelling; keys are compared without regard to case. */
  readonly key: string;
  /** What stood before the `=`. Only few of Slurm's keys know one; for the others it means nothing. */
  readonly operator: '' | '+' | '-' | '*' | '/';
  /** Without its quotes. Case is kept. Empty only when written `""`. */
  readonly value: string;
}

/** A parameter of the whole cluster, and where it stood. */
export interface ConfValue extends ConfPair {
  /** The file it stands in: the included one, if it came from there. */
  readonly file: string;
  /** 1-based; where the line starts, if it is continued over several. */
  readonly line: number;
}

/** Keys that begin an entry: the rest of their line belongs to it, and entries add up in order. */
export type EntryKey = 'NodeName' | 'PartitionName' | 'DownNodes' | 'NodeSet' | 'SlurmctldHost';

/** One line such as `NodeName=n[1-4] CPUs=8`, not interpreted. */
export interface ConfEntry {
  /** In the spelling of {@link EntryKey}, whatever the file's. */
  readonly key: EntryKey;
  readonly value: string;
  /** The rest of the line: `CPUs=8`. */
  readonly pairs: readonly ConfPair[];
  readonly file: string;
  readonly line: number;
}

/** A slurm.conf with its includes, read but not interpreted. */
export interface SlurmConf {
  /** The main file, as given to {@link parseSlurmConf}. */
  readonly file: string;
  /** Key in lower case → its last value. Unknown keys are here too. */
  readonly values: ReadonlyMap<string, ConfValue>;
  readonly entries: readonly ConfEntry[];
}

/** An `Include` line that asks for its text. */
export interface IncludeRequest {
  /** As written, with `%c` replaced. */
  readonly name: string;
  /** `name` seen from the directory of the main file. */
  readonly path: string;
  /** Where the Include line stands. */
  readonly file: string;
  readonly line: number;
}

/** Resolves to the text of an included file. Anything it rejects with becomes a {@link SlurmConfigError} at the Include line. */
export type IncludeReader = (request: IncludeRequest) => Promise<string>;

export interface ParseSlurmConfOptions {
  /** Path of the file the text is from: for errors, and as the place where relative includes start. Default `slurm.conf`. */
  readonly file?: string | undefined;
  /** Gives the text of included files. Without it an `Include` is an error. */
  readonly readInclude?: IncludeReader | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Parses the text of a slurm.conf. Touches no file system: `readInclude` does, if it likes.
 *
 * @throws SlurmConfigError with file and line, and nothing else: `SLURMWIRE_CONFIG_SYNTAX`, `SLURMWIRE_CONFIG_INCLUDE`,
 * `SLURMWIRE_CONFIG_TOO_LARGE`, and what `readInclude` throws. Rejects with `signal.reason` when the signal fires.
 */
export async function parseSlurmConf(text: string, options: ParseSlurmConfOptions = {}): Promise<SlurmConf> {
  const file = options.file ?? 'slurm.conf';
  const parse: Parse = {
    mainFile: file,
    readInclude: options.readInclude,
    signal: options.signal,
    values: new Map(),
    entries: [],
    sinceTurn: 0,
    chars: 0,
    includes: 0,
  };
  countChars(parse, text, { file, line: undefined });
  await parseFile(parse, text, file, [normalize(file)]);
  return { file, values: parse.values, entries: parse.entries };
}

interface Parse {
  readonly mainFile: string;
  readonly readInclude: IncludeReader | undefined;
  readonly signal: AbortSignal | undefined;
  readonly values: Map<string, ConfValue>;
  readonly entries: ConfEntry[];
  /** What was read since the event loop had its turn. */
  sinceTurn: number;
  chars: number;
  includes: number;
}

interface Place {
  readonly file: string;
  readonly line: number;
}

const ENTRY_KEYS: ReadonlyMap<string, EntryKey> = new Map(
  (['NodeName', 'PartitionName', 'DownNodes', 'NodeSet', 'SlurmctldHost'] as const).map((key) => [
    key.toLowerCase(),
    key,
  ]),
);

/** Characters after which the event loop gets its turn, and how many a line counts for by itself: about 2 ms of work. */
const CHARS_PER_TURN = 64 * 1024;
const CHARS_OF_LINE = 32;

async function parseFile(parse: Parse, text: string, file: string, stack: readonly string[]): Promise<void> {
  parse.signal?.throwIfAborted();
  for (const { line, text: content } of logicalLines(text, file)) {
    parse.sinceTurn += CHARS_OF_LINE + content.length;
    if (parse.sinceTurn >= CHARS_PER_TURN) {
      parse.sinceTurn = 0;
      await setImmediate();
      parse.signal?.throwIfAborted();
    }
    const place = { file, line };
    const include = readIncludeLine(content, place);
    if (include === null) addPairs(parse, readPairs(content, place), place);
    else await followInclude(parse, include, place, stack);
  }
}

function addPairs(parse: Parse, pairs: readonly ConfPair[], { file, line }: Place): void {
  for (const [index, pair] of pairs.entries()) {
    const lowerKey = pair.key.toLowerCase();
    const entryKey = ENTRY_KEYS.get(lowerKey);
    if (entryKey !== undefined) {
      if (parse.entries.length >= MAX_ENTRIES)
        throw tooLarge(`has more than ${MAX_ENTRIES} entries`, { file, line });
      parse.entries.push({ key: entryKey, value: pair.value, pairs: pairs.slice(index + 1), file, line });
      return;
    }
    parse.values.set(lowerKey, { ...pair, file, line });
    if (parse.values.size > MAX_PARAMETERS)
      throw tooLarge(`has more than ${MAX_PARAMETERS} parameters`, { file, line });
  }
}

async function followInclude(
  parse: Parse,
  written: string,
  place: Place,
  stack: readonly string[],
): Promise<void> {
  const name = expandClusterName(parse, written, place);
  if (name.includes('*')) {
    throw includeError(
      `Include of ${brief(name)}: patterns are not followed, by Slurm neither.`,
      'Name each file.',
      place,
    );
  }
  // From the directory of the main file, also in a file that was itself included from elsewhere.
  const path = isAbsolute(name) ? normalize(name) : join(dirname(parse.mainFile), name);
  if (stack.includes(path)) {
    throw includeError(
      `Include of ${brief(path)} is a cycle: the file includes itself.`,
      'Remove one of the Include lines.',
      place,
    );
  }
  if (stack.length > MAX_INCLUDE_DEPTH) {
    throw includeError(
      `Include is nested more than ${MAX_INCLUDE_DEPTH} deep.`,
      'Do the files include each other?',
      place,
    );
  }
  parse.includes += 1;
  if (parse.includes > MAX_INCLUDES) {
    throw includeError(
      `there are more than ${MAX_INCLUDES} includes.`,
      'Do the files include each other?',
      place,
    );
  }
  const text = await readInclude(parse, { name, path, ...place });
  countChars(parse, text, place);
  await parseFile(parse, text, path, [...stack, path]);
}

async function readInclude(parse: Parse, request: IncludeRequest): Promise<string> {
  const { file, line, path } = request;
  if (parse.readInclude === undefined) {
    throw includeError('Include cannot be followed here.', 'Pass readInclude to parseSlurmConf().', request);
  }
  try {
    return await parse.readInclude(request);
  } catch (cause) {
    parse.signal?.throwIfAborted();
    if (cause instanceof SlurmConfigError) throw cause;
    const missing = (cause as NodeJS.ErrnoException | null)?.code === 'ENOENT';
    throw new SlurmConfigError(
      `the included file ${brief(path)} ${missing ? 'does not exist' : 'cannot be read'}.`,
      {
        code: missing ? ConfigErrorCode.NOT_FOUND : ConfigErrorCode.UNREADABLE,
        errno: missing ? 'ENOENT' : 'EIO',
        file,
        line,
        hint: 'Relative names start at the directory of the main slurm.conf.',
        cause,
      },
    );
  }
}

/** `%c` is the ClusterName in lower case, if it is defined above; other escapes mean nothing here. */
function expandClusterName(parse: Parse, name: string, place: Place): string {
  if (!name.includes('%c')) return name;
  const cluster = parse.values.get('clustername')?.value.toLowerCase();
  if (cluster === undefined || cluster === '') {
    throw includeError('%c in an Include needs the ClusterName.', 'Put ClusterName= above this line.', place);
  }
  return name.replaceAll('%c', () => cluster);
}

/** Longer than any key or name of a file that is meant to be one: a line may have megabytes. */
const SHOWN_CHARS = 255;

/** The beginning, without what a terminal would act on. */
function brief(text: string): string {
  const shown = text.slice(0, SHOWN_CHARS).replaceAll(/\p{Cc}/gu, '\ufffd');
  return text.length > SHOWN_CHARS ? `${shown}…` : shown;
}

function includeError(summary: string, hint: string, { file, line }: Place): SlurmConfigError {
  return new SlurmConfigError(summary, { code: ConfigErrorCode.INCLUDE, file, line, hint });
}

function countChars(
  parse: Parse,
  text: string,
  place: { readonly file: string; readonly line: number | undefined },
): void {
  parse.chars += text.length;
  if (parse.chars <= MAX_TOTAL_CHARS) return;
  throw tooLarge(`is larger than ${MAX_TOTAL_CHARS} characters`, place);
}

function tooLarge(
  trouble: string,
  { file, line }: { readonly file: string; readonly line: number | undefined },
): SlurmConfigError {
  return new SlurmConfigError(`the configuration ${trouble}.`, {
    code: ConfigErrorCode.TOO_LARGE,
    errno: 'EFBIG',
    file,
    line,
    hint: 'Is this the right file?',
  });
}

// --- one line ------------------------------------------------------------------------------------------------------

/** White space as C's isspace() has it; JavaScript's `\s` would also take U+00A0, which Slurm keeps as text. */
const SPACES = ' \t\v\f\r';
const SPACE = '[ \\t\\v\\f\\r]';
const INCLUDE = new RegExp(`^${SPACE}*include(?:${SPACE}+(.*))?$`, 'is');
const INCLUDE_WITH_EQUALS = new RegExp(`^${SPACE}*include${SPACE}*[-+*/]?=`, 'i');
// A quoted value ends at a quote that white space or the end follows; `a="b"c` is, as in Slurm, the five characters after `=`.
const PAIR = `${SPACE}*([A-Za-z0-9_.]+)${SPACE}*([-+*/]?)=${SPACE}*(?:"([^"]*)"(?=${SPACE}|$)|([^ \\t\\v\\f\\r]+))`;
const NO_VALUE = new RegExp(`^${SPACE}*[A-Za-z0-9_.]+${SPACE}*[-+*/]?=${SPACE}*$`);
const BLANK = new RegExp(`^${SPACE}*$`);

/** The name in an `Include name` line, or `null` when the line is something else. */
function readIncludeLine(text: string, place: Place): string | null {
  if (INCLUDE_WITH_EQUALS.test(text)) {
    throw syntaxError('Include takes no "=".', 'Write: Include file', place);
  }
  const found = INCLUDE.exec(text);
  if (found === null) return null;
  const words = (found[1] ?? '').split(new RegExp(SPACE)).filter((word) => word !== '');
  const [name, ...more] = words;
  if (name === undefined) throw syntaxError('Include names no file.', 'Write: Include file', place);
  if (more.length > 0) {
    throw syntaxError(
      'there is text after the name of the included file.',
      'Names with spaces cannot be included.',
      place,
    );
  }
  return name;
}

/** The `key=value` pairs of a line. Errors show keys only, never values: this may be a line with a password, or no slurm.conf at all. */
function readPairs(text: string, place: Place): ConfPair[] {
  const pattern = new RegExp(PAIR, 'y');
  const pairs: ConfPair[] = [];
  let end = 0;
  for (let found = pattern.exec(text); found !== null; found = pattern.exec(text)) {
    end = pattern.lastIndex;
    if (pairs.length >= MAX_LINE_PAIRS)
      throw tooLarge(`has a line with more than ${MAX_LINE_PAIRS} pairs`, place);
    const [, key = '', operator, quoted, bare] = found;
    pairs.push({ key, operator: operator as ConfPair['operator'], value: quoted ?? bare ?? '' });
  }
  const rest = text.slice(end);
  if (BLANK.test(rest)) return pairs;
  const last = pairs.at(-1);
  if (NO_VALUE.test(rest)) {
    const key = rest.slice(0, rest.search(/[-+*/]?=/)).trim();
    throw syntaxError(`${brief(key)} has no value.`, 'Give it one, or write # before it.', place);
  }
  if (last === undefined) {
    throw syntaxError('this line is not a list of key=value pairs.', 'Write # before a comment.', place);
  }
  const hint = 'Put a value with spaces in double quotes, and write # before a comment.';
  throw syntaxError(`what follows the value of ${brief(last.key)} is not a key=value pair.`, hint, place);
}

function syntaxError(summary: string, hint: string, { file, line }: Place): SlurmConfigError {
  return new SlurmConfigError(summary, { code: ConfigErrorCode.SYNTAX, file, line, hint });
}

// --- from text to lines --------------------------------------------------------------------------------------------

interface LogicalLine {
  /** 1-based, where it starts. */
  readonly line: number;
  readonly text: string;
}

/** Rules 1 to 3, in this order: comments go, then continued lines are joined, then `\x` becomes `x`. */
function* logicalLines(text: string, file: string): Generator<LogicalLine> {
  let line = 0;
  let startLine = 0;
  let joined = '';
  let length = 0;
  for (let at = 0; at < text.length; ) {
    const newline = text.indexOf('\n', at);
    const end = newline === -1 ? text.length : newline;
    line += 1;
    if (startLine === 0) startLine = line;
    const content = withoutComment(text.slice(at, end));
    length += content.length;
    if (length > MAX_LINE_CHARS)
      throw tooLarge(`has a line of more than ${MAX_LINE_CHARS} characters`, { file, line: startLine });
    at = end + 1;
    const continued = withoutContinuation(content);
    joined += continued ?? content;
    if (continued !== null) continue;
    yield { line: startLine, text: withoutEscapes(joined) };
    startLine = 0;
    joined = '';
    length = 0;
  }
  // A continued line at the end of the file has nothing to be continued with: it counts as it is.
  if (startLine !== 0) yield { line: startLine, text: withoutEscapes(joined) };
}

function withoutComment(line: string): string {
  for (let hash = line.indexOf('#'); hash !== -1; hash = line.indexOf('#', hash + 1)) {
    if (backslashesBefore(line, hash) % 2 === 0) return line.slice(0, hash);
  }
  return line;
}

/** The line without its last backslash and the white space after it, or `null` when it is not continued. */
function withoutContinuation(line: string): string | null {
  let end = line.length;
  while (end > 0 && SPACES.includes(line.charAt(end - 1))) end -= 1;
  return backslashesBefore(line, end) % 2 === 1 ? line.slice(0, end - 1) : null;
}

function withoutEscapes(line: string): string {
  return line.includes('\\') ? line.replace(/\\(.)/gs, '$1') : line;
}

function backslashesBefore(line: string, end: number): number {
  let count = 0;
  while (line.charAt(end - 1 - count) === '\\') count += 1;
  return count;
}
