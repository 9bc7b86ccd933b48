/**
 * docs/messages.md: every declared message with its fields, from the declarations of src/protocol/messages as the library itself uses
 * them (dist), and the comments beside them (sources).
 */
import { readdirSync } from 'node:fs';
import { MESSAGE_TYPE_ROWS } from '../../dist/protocol/generated/message-type-rows.js';
import { header } from '../../dist/protocol/header.js';
import { MESSAGES, RELEASE_NAMES } from '../../dist/protocol/index.js';
import { readDeclarations } from './declarations.mjs';

/** @typedef {import('../../dist/protocol/wire-type.js').Spec} Spec */
/** @typedef {import('../../dist/protocol/wire-type.js').WireType<unknown, unknown>} WireType */
/** @typedef {Extract<Spec, { kind: 'struct' }>} Struct */
/** @typedef {{ readonly file: string, readonly name: string }} Constant */

const compiled = new URL('../../dist/protocol/', import.meta.url);
const { files, records } = readDeclarations();
const constants = await exportedConstants();

/** Named records that stand inside messages, in the order they are met. */
/** @type {Map<string, Struct>} */
const parts = new Map();

/** @returns {string} */
export function messagesPage() {
  const inFiles = messageFiles();
  const contents = inFiles.map(([, declared]) => `- ${contentsLine([...declared.values()].flat())}`);
  parts.set('header', /** @type {Struct} */ (header.spec));
  const sections = inFiles.map(messageSection);
  const partSections = [];
  // Parts have parts: the map grows while it is walked.
  for (const [name, spec] of parts)
    partSections.push(`### ${name}\n\n${partComment(name, spec)}${recordTable(spec)}`);
  return `${HEAD}
${contents.join('\n')}
- [Parts](#parts): records inside messages; the [header](#header)

${sections.join('\n\n')}

## Parts

Records inside the messages above, by the name that they have in \`src/protocol\`.

${partSections.join('\n\n')}
`;
}

const HEAD = `# The messages, field by field

Generated from the declarations in \`src/protocol/messages\` by \`npm run docs\`; do not edit. What the words mean and how a message travels:
[protocol.md](protocol.md). Names are upstream's in camel case. Fields stand on the wire in the order of the table, without padding.

| type here | on the wire |
|---|---|
| \`u8\` \`u16\` \`u32\` \`u64\` | unsigned, big-endian |
| \`bool\` | one byte; any but 0 is true |
| \`time\` | signed 64-bit, seconds since 1970 |
| \`double\` | the IEEE 754 bits of 1,000,000 times the value, as u64 |
| \`str\` | u32 length that counts a terminating NUL, then the bytes; length 0 is null |
| \`bitstr\` | u32 number of bits (NO_VAL: null), then a str: \`0x\` and hex digits, most significant first |
| \`addr\` | u16 family; 2: address and port byte by byte in reverse; 10: u32 16, the address as it is, the port in reverse |
| \`list<T>\` | u32 count, then so many T; the count NO_VAL is null |
| \`array<T>\` | u32 count, then so many T; \`array16\`: u16 count |
| \`T[field]\` | as many T as the field says |
| \`flag + T\` | a byte that says whether T follows (0: null); \`flag16\`: a u16 |
| \`T or NO_VAL\` | a record, or NO_VAL in place of its first field for null |
| \`up to one T\` | T, which is null for an empty list |

*Releases*: the protocol versions that have the field, by the release that brought them; empty: all. "cond." marks a field that stands on the wire only when fields
before it say so. *else*: what decoding gives where the field is not there, and what may be left out when encoding.
`;

/** The exported declarations of all files, by what they describe. */
async function exportedConstants() {
  const paths = readdirSync(new URL('messages/', compiled))
    .filter((name) => name.endsWith('.js') && name !== 'index.js')
    .map((name) => `messages/${name}`);
  /** @type {Map<unknown, Constant>} */
  const found = new Map();
  for (const path of ['step-id.js', 'header.js', ...paths]) {
    /** @type {Record<string, unknown>} */
    const module = await import(new URL(path, compiled).href);
    for (const [name, value] of Object.entries(module)) {
      const spec = /** @type {{ spec?: Spec } | null} */ (value)?.spec;
      if (spec?.kind === 'struct' && !found.has(spec)) {
        found.set(spec, { file: path.replace(/^.*\/|\.js$/g, ''), name });
      }
    }
  }
  return found;
}

/** @param {readonly string[]} names */
function contentsLine(names) {
  const anchor = names.join(' ').toLowerCase().replaceAll(' ', '-');
  return `[${names.join(', ')}](#${anchor})`;
}

/** Files with the messages declared in each, in the order of the library's own list. */
function messageFiles() {
  /** @type {Map<string, Map<Spec, string[]>>} */
  const byFile = new Map();
  for (const [name, { spec }] of Object.entries(MESSAGES)) {
    const file = constants.get(spec)?.file;
    if (file === undefined) throw new Error(`${name}: its declaration is not exported`);
    const inFile = byFile.get(file) ?? new Map();
    byFile.set(file, inFile);
    inFile.set(spec, [...(inFile.get(spec) ?? []), name]);
  }
  return [...byFile];
}

/** @param {[file: string, declared: Map<Spec, string[]>]} entry */
function messageSection([file, declared]) {
  const names = [...declared.values()].flat();
  const comment = files.find((one) => one.file === file)?.comment ?? '';
  const tables = [...declared].map(
    ([spec, carried]) =>
      `**${carried.map((name) => `${name} ${numberOf(name)}`).join(', ')}**\n\n${recordTable(/** @type {Struct} */ (spec))}`,
  );
  return `## ${names.join(', ')}\n\n${escaped(comment)}\n\n${tables.join('\n\n')}`;
}

/** @param {string} name */
function numberOf(name) {
  return MESSAGE_TYPE_ROWS.filter(([, one]) => one === name)
    .map(([number, , first, last]) => {
      const releases =
        first === RELEASE_NAMES[0] && last === null ? '' : `, ${span(first, last ?? undefined)}`;
      return `(${number}${releases})`;
    })
    .join(' ');
}

/** @param {Struct} spec */
function recordTable(spec) {
  if (spec.fields.length === 0) return 'No body.';
  const orders =
    spec.layouts.length > 0
      ? `\n\nOrder on the wire, where it is not that of the table:\n\n${spec.layouts.map(orderLine).join('\n')}`
      : '';
  return `| field | type | releases | else | |\n|---|---|---|---|---|\n${rowsOf(spec, '').join('\n')}${orders}`;
}

/** @param {Struct['layouts'][number]} layout */
function orderLine({ since, order }) {
  const places = order.map((place) =>
    typeof place === 'string' ? place : `${place.field}${place.condition ? ' (cond.)' : ' (again)'}`,
  );
  return `- from ${since}: ${places.map((place) => `\`${place}\``).join(', ')}`;
}

/**
 * @param {Struct} spec
 * @param {string} prefix path of the record these fields are in
 * @returns {string[]}
 */
function rowsOf(spec, prefix) {
  const { comments } = declarationOf(spec);
  return spec.fields.flatMap(([name, field]) => {
    const path = `${prefix}${name}`;
    const releases = [span(field.first, field.last), field.condition === undefined ? '' : 'cond.'].filter(
      (part) => part !== '',
    );
    const comment = (comments.get(name) ?? '').replace(/\n+/g, ' ');
    const row = `| \`${path}\` | ${typeText(field)} | ${releases.join(', ')} | ${fallbackText(field)} | ${escaped(comment)} |`;
    return [row, ...inlineRecords(field).flatMap(([inner, mark]) => rowsOf(inner, `${path}${mark}.`))];
  });
}

/**
 * Records without a name of their own inside a type: their fields are told in place.
 *
 * @param {WireType} type
 * @returns {[Struct, string][]}
 */
function inlineRecords({ spec }) {
  switch (spec.kind) {
    case 'struct':
      return partName(spec) === null ? [[spec, '']] : [];
    case 'list':
    case 'atMostOne':
      return inlineRecords(spec.item).map(([inner]) => [inner, '[]']);
    case 'optional':
    case 'unlessNoVal':
      return inlineRecords(spec.item);
    case 'versions':
      return spec.cases
        .flatMap(([, type]) => inlineRecords(type))
        .filter(([one], i, all) => all.findIndex(([other]) => one === other) === i);
    default:
      return [];
  }
}

/**
 * @param {WireType} type
 * @returns {string}
 */
function typeText({ spec }) {
  switch (spec.kind) {
    case 'i64':
      return '`time`';
    case 'bigU32':
      return '`u32`';
    case 'text':
      return '`str`';
    case 'bitString':
      return '`bitstr`';
    case 'address':
      return '`addr`';
    case 'rest':
      return 'all bytes that are left';
    case 'struct': {
      const name = partName(spec);
      if (name === null) return 'record:';
      const other = parts.get(name);
      if (other !== undefined && other !== spec) throw new Error(`two records are named ${name}`);
      parts.set(name, spec);
      return `[${name}](#${name.toLowerCase()})`;
    }
    case 'list': {
      const item = typeText(spec.item);
      if (typeof spec.count !== 'string') return `${item}[\`${spec.count.field}\`]`;
      return `${spec.nullable ? 'list' : spec.count === 'u16' ? 'array16' : 'array'}\\<${item}>`;
    }
    case 'atMostOne':
      return `up to one ${typeText(spec.item)}`;
    case 'optional':
      return `${spec.width === 'u8' ? 'flag' : 'flag16'} + ${typeText(spec.item)}`;
    case 'unlessNoVal':
      return `${typeText(spec.item)} or NO_VAL`;
    case 'undescribed':
      return `${spec.what} (not described)`;
    case 'versions':
      return spec.cases
        .map(([since, type], i) => (i === 0 ? typeText(type) : `from ${since} ${typeText(type)}`))
        .join('; ');
    case 'dependent':
      return 'as fields before it say';
    default:
      return `\`${spec.kind}\``;
  }
}

/**
 * The name of a record that is told by itself, or null for one that is told in place.
 *
 * @param {Struct} spec
 */
function partName(spec) {
  const { file, name } = constants.get(spec) ?? declarationOf(spec);
  // What a file calls just "record" is what the file is named after.
  return name === 'record' ? file.replace(/-(.)/g, (_, letter) => letter.toUpperCase()) : name;
}

/**
 * What the sources say of a record. Found by its fields: those of an unexported record are all that its description has of it.
 *
 * @param {Struct} spec
 */
function declarationOf(spec) {
  const names = spec.fields.map(([name]) => name).join();
  const exported = constants.get(spec);
  const candidates = records.filter(({ fields }) => fields.join() === names);
  const declared =
    candidates.find(
      ({ file, name }) => exported !== undefined && file === exported.file && name === exported.name,
    ) ??
    candidates.find(({ comments }) => comments.size > 0) ??
    candidates[0];
  if (declared === undefined) throw new Error(`no declaration with the fields ${names}`);
  return declared;
}

/**
 * @param {string} name
 * @param {Struct} spec
 */
function partComment(name, spec) {
  const { file } = constants.get(spec) ?? declarationOf(spec);
  const alone = records.filter((one) => one.file === file && one.name !== null).length === 1;
  const comment = files.find((one) => one.file === file)?.comment ?? '';
  const inMessages = Object.values(MESSAGES).some((message) => constants.get(message.spec)?.file === file);
  return alone || (!inMessages && constants.get(spec)?.name === name) ? `${escaped(comment)}\n\n` : '';
}

/** @param {WireType} field */
function fallbackText({ fallback }) {
  if (fallback === undefined) return '';
  if (fallback.derive !== undefined) return 'from other fields';
  const { value } = fallback;
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return value > 0xfff0 ? `0x${value.toString(16)}` : String(value);
  if (typeof value === 'object') return Array.isArray(value) && value.length === 0 ? 'empty' : 'none';
  return escaped(String(value));
}

/**
 * @param {string | undefined} first
 * @param {string | undefined} last
 */
function span(first, last) {
  if (last === undefined) return first === undefined || first === RELEASE_NAMES[0] ? '' : `${first} on`;
  return first === undefined || first === RELEASE_NAMES[0] ? `until ${last}` : `${first} to ${last}`;
}

/**
 * Text for a cell or a paragraph of Markdown.
 *
 * @param {string} text
 */
function escaped(text) {
  return text
    .split(/(`[^`]*`)/)
    .map((piece, i) => (i % 2 === 1 ? piece : piece.replace(/[*<]|\b_\B|\B_\b/g, '\\$&')))
    .join('')
    .replace(/\|/g, '\\|');
}
