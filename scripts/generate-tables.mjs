/**
 * Writes what follows from fixtures/tables/*.tsv: the tables of src/protocol/generated.
 * With --check it writes nothing and fails when a checked-in file is not what it would write.
 */
import { readFile } from 'node:fs/promises';
import { settle } from './outputs.mjs';

const root = new URL('../', import.meta.url);
const ERRORS = 'fixtures/tables/errors.tsv';
const MEANINGS = 'fixtures/tables/error-meanings.tsv';
const MESSAGE_TYPES = 'fixtures/tables/message-types.tsv';
const NUMBERED = ['number', 'name', 'first_version', 'last_version'];

const errors = await readTable(ERRORS, NUMBERED);
const messageTypes = await readTable(MESSAGE_TYPES, NUMBERED);
const meanings = await readTable(MEANINGS, ['name', 'class', 'errno', 'retryable', 'sentence']);
refuseUnpaired();

const outputs = [
  {
    source: ERRORS,
    target: 'src/protocol/generated/error-rows.ts',
    text: numberedRows(ERRORS, errors, 'ERROR_ROWS', "Slurm's error numbers"),
  },
  {
    source: MESSAGE_TYPES,
    target: 'src/protocol/generated/message-type-rows.ts',
    text: numberedRows(MESSAGE_TYPES, messageTypes, 'MESSAGE_TYPE_ROWS', "Slurm's message types"),
  },
  { source: MEANINGS, target: 'src/protocol/generated/error-meanings.ts', text: meaningRows() },
];

await settle(outputs, 'npm run generate');

/**
 * @param {string} source
 * @param {string[]} columns
 */
async function readTable(source, columns) {
  const text = await readFile(new URL(source, root), 'utf8');
  const [header, ...rows] = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'));
  if (header?.join() !== columns.join()) throw new Error(`${source}: unknown columns ${header}`);
  return rows;
}

/** Every name has a meaning, and every meaning a name. */
function refuseUnpaired() {
  const names = errors.map(([, name]) => name);
  const known = meanings.map(([name]) => name);
  const unpaired = [
    ...names.filter((name) => !known.includes(name)),
    ...known.filter((name) => !names.includes(name)),
  ];
  if (unpaired.length > 0) throw new Error(`${ERRORS} and ${MEANINGS} differ: ${unpaired.join(', ')}`);
}

/**
 * @param {string} source
 * @param {string[][]} table
 * @param {string} constant
 * @param {string} what
 */
function numberedRows(source, table, constant, what) {
  const rows = table.map(
    ([number, name, first, last]) => `  [${number}, '${name}', '${first}', ${last ? `'${last}'` : 'null'}],`,
  );
  return [
    `/** ${what}: number, name, first and last release. Generated from ${source} by "npm run generate"; do not edit. */`,
    `import type { TableRow } from '../versioned-table.js';`,
    '',
    `export const ${constant}: readonly TableRow[] = [`,
    ...rows,
    '];',
    '',
  ].join('\n');
}

function meaningRows() {
  const rows = meanings.map(([name, errorClass, errno, retryable, sentence = '']) => {
    const quoted = sentence.includes("'") ? JSON.stringify(sentence) : `'${sentence}'`;
    const values = [`'${errorClass}'`, `'${errno}'`, String(retryable === 'yes'), quoted];
    const line = `  ${name}: [${values.join(', ')}],`;
    // As the formatter has it.
    return line.length <= 110
      ? line
      : [`  ${name}: [`, ...values.map((one) => `    ${one},`), '  ],'].join('\n');
  });
  return [
    `/** What Slurm's error numbers mean, by name. Generated from ${MEANINGS} by "npm run generate"; do not edit. */`,
    `import type { MeaningRow } from '../error-meaning.js';`,
    '',
    'export const ERROR_MEANINGS: Readonly<Record<string, MeaningRow>> = {',
    ...rows,
    '};',
    '',
  ].join('\n');
}
