/**
 * Writes the error and message-type tables of src/protocol/generated from fixtures/tables/*.tsv.
 * With --check it writes nothing and fails when a checked-in file is not what it would write.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
const tables = [
  {
    source: 'fixtures/tables/errors.tsv',
    target: 'src/protocol/generated/error-rows.ts',
    constant: 'ERROR_ROWS',
    what: "Slurm's error numbers",
  },
  {
    source: 'fixtures/tables/message-types.tsv',
    target: 'src/protocol/generated/message-type-rows.ts',
    constant: 'MESSAGE_TYPE_ROWS',
    what: "Slurm's message types",
  },
];

const check = process.argv.includes('--check');
let stale = 0;
for (const { source, target, constant, what } of tables) {
  const text = render(await readFile(new URL(source, root), 'utf8'), source, constant, what);
  const path = new URL(target, root);
  if (check) {
    const current = await readFile(path, 'utf8').catch(() => '');
    if (current === text) continue;
    stale++;
    console.error(`${target} is not what ${source} gives: run "npm run generate" and commit the result`);
  } else {
    await mkdir(fileURLToPath(new URL('./', path)), { recursive: true });
    await writeFile(path, text);
  }
}
process.exitCode = stale > 0 ? 1 : 0;

/**
 * @param {string} tsv
 * @param {string} source
 * @param {string} constant
 * @param {string} what
 */
function render(tsv, source, constant, what) {
  const [header, ...lines] = tsv.split('\n').filter((line) => line !== '');
  if (header !== 'number\tname\tfirst_version\tlast_version')
    throw new Error(`${source}: unknown columns ${header}`);
  const rows = lines.map((line) => {
    const [number, name, first, last] = line.split('\t');
    return `  [${number}, '${name}', '${first}', ${last ? `'${last}'` : 'null'}],`;
  });
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
