/**
 * `npm run bench`: measures slurmwire beside its peers and prints one table.
 *
 * usage: npm run bench [-- [--rounds N] [--quick] [MEASURE…]]
 *
 * --rounds N   how many rounds the contestants play (default 7)
 * --quick      small numbers of everything: whether the programs work; nothing is kept
 *
 * What was measured is kept in `bench/results/`, a file a measure. Nothing else may run on the machine meanwhile.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { machine } from './machine.js';
import type { BenchContext, Row } from './measure.js';
import { MEASURES } from './measures.js';
import { table } from './table.js';

const RESULTS = fileURLToPath(new URL('../../bench/results/', import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '7' }, quick: { type: 'boolean', default: false } },
});
const rounds = Number(values.rounds);
const unknown = positionals.filter((name) => !MEASURES.some((measure) => measure.name === name));
if (!Number.isInteger(rounds) || rounds < 1) fail(`--rounds ${values.rounds} is no number of rounds`);
if (unknown.length > 0) {
  fail(`no such measure: ${unknown.join(', ')}; there are ${MEASURES.map(({ name }) => name).join(', ')}`);
}

const context: BenchContext = {
  rounds: values.quick ? 1 : rounds,
  isQuick: values.quick,
  log: (line) => process.stderr.write(`${line}\n`),
};
const on = machine();
const rows: Row[] = [];
for (const measure of MEASURES) {
  if (positionals.length > 0 && !positionals.includes(measure.name)) continue;
  context.log(`${measure.name}: ${measure.title}`);
  const began = Date.now();
  const measured = await measure.run(context);
  rows.push(...measured.rows);
  if (values.quick) continue;
  mkdirSync(RESULTS, { recursive: true });
  const kept = {
    measure: measure.name,
    title: measure.title,
    when: new Date(began).toISOString(),
    seconds: Math.round((Date.now() - began) / 1000),
    machine: on,
    rounds: context.rounds,
    ...measured,
  };
  writeFileSync(join(RESULTS, `${measure.name}.json`), `${JSON.stringify(kept, null, 1)}\n`);
}

console.log(
  `slurmwire ${on.commit}, Node ${on.node} (V8 ${on.v8}), ${on.cores} × ${on.cpu}, ${on.memoryGiB} GiB, ${on.system}, Linux ${on.kernel}`,
);
console.log(
  `Medians of ${context.rounds} paired rounds.${values.quick ? ' Quick: the figures mean nothing.' : ''}\n`,
);
console.log(table(rows));

function fail(text: string): never {
  console.error(`bench: ${text}`);
  process.exit(2);
}
