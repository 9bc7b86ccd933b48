/**
 * `npm run bench:curves`: draws the curves of what `npm run bench` has kept in `bench/results/` into `docs/performance/`. Measures nothing.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Chart } from './growth/curve.js';
import { svgOf } from './svg.js';

const RESULTS = fileURLToPath(new URL('../../bench/results/', import.meta.url));
const PICTURES = fileURLToPath(new URL('../../docs/performance/', import.meta.url));

mkdirSync(PICTURES, { recursive: true });
for (const name of readdirSync(RESULTS).filter((file) => file.endsWith('.json'))) {
  const { raw } = JSON.parse(readFileSync(join(RESULTS, name), 'utf8')) as { raw?: { charts?: Chart[] } };
  for (const chart of raw?.charts ?? []) {
    writeFileSync(join(PICTURES, `${chart.file}.svg`), svgOf(chart));
    console.log(`docs/performance/${chart.file}.svg`);
  }
}
