/**
 * Writes what follows from fixtures/tables/*.tsv: the tables of src/protocol/generated, and docs/errors.md.
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
  { source: MEANINGS, target: 'docs/errors.md', text: errorsPage() },
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

function errorsPage() {
  const meaningOf = new Map(meanings.map(([name, ...meaning]) => [name, meaning]));
  const rows = errors.map(([number, name, first, last]) => {
    const [errorClass, errno, retryable, sentence = ''] = meaningOf.get(name) ?? [];
    const releases = last ? (last === first ? first : `${first} to ${last}`) : `${first} on`;
    const text = sentence.replace(/[_*|]/g, '\\$&');
    return `| ${number} | \`${name}\` | ${releases} | ${errorClass?.replace(/^Slurm|Error$/g, '')} | ${errno} | ${retryable === 'yes' ? 'yes' : ''} | ${text} |`;
  });
  return `# What Slurm's error numbers mean

Generated from \`${MEANINGS}\` and \`${ERRORS}\` by \`npm run generate\`; do not edit. The sentences are ours.

When a daemon answers with one of these numbers, the error has it as \`number\`, and \`code\`, \`errno\`, the class and the sentence from
this table. Numbers are reused between releases, names are not: match on \`code\`. \`class\` \`Server\` stands for \`SlurmServerError\`, and so on.
\`retryable\` says whether the same request may succeed later with nothing changed; an error whose outcome is \`unknown\` is retryable only if a
second request could do no harm, whatever this table says.

Numbers below 1000 are errnos of the daemon's system (Linux) and go by that name: \`EINVAL\` is what a daemon answers to a message that it
does not serve. A number that is not in the table is \`SLURM_ERROR_\` and the number, \`EIO\`. Codes that begin with \`SLURMWIRE_\` are this library's
own: [error-codes.ts](../src/protocol/error-codes.ts).

## The eight of slurm\\_kill\\_job(3)

| code | when \`killJob\` ends with it | outcome |
|---|---|---|
| \`SLURM_PROTOCOL_VERSION_ERROR\` | the controller does not speak the protocol chosen: told at the first contact, by its answer (24.11) or by HTTP (26.05); older ones close the connection | \`not-sent\` |
| \`ESLURM_DEFAULT_PARTITION_NOT_SET\` | the manual page has it; no release since 20.11 answers a kill with it | \`unknown\` |
| \`ESLURM_INVALID_JOB_ID\` | there is no such job | \`refused\` |
| \`ESLURM_JOB_SCRIPT_MISSING\` | \`batch\` for a job without a batch script | \`refused\` |
| \`ESLURM_ALREADY_DONE\` | the job has ended | \`refused\` |
| \`ESLURM_ACCESS_DENIED\` | it is somebody else's job | \`refused\` |
| \`ESLURM_INTERCONNECT_FAILURE\` | the manual page has it; no release since 20.11 answers a kill with it | \`unknown\` |
| \`SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT\` | the deadline of the call passed | \`unknown\`; \`not-sent\` if it passed before the request was sent |

\`refused\` becomes \`unknown\` where one number may stand for several jobs: arrays, heterogeneous jobs.

## All

| number | code | releases | class | errno | retryable | meaning |
|---|---|---|---|---|---|---|
${rows.join('\n')}
`;
}
