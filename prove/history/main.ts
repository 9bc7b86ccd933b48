/** `npm run prove:history`: many runs, each made by its seed. */
import { parseArgs } from 'node:util';
import { isRelease } from '../../src/protocol/release.js';
import { proveHistory } from './prove.js';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '300' },
    seconds: { type: 'string' },
    seed: { type: 'string' },
    on: { type: 'string', default: 'embedded' },
    release: { type: 'string' },
    concurrency: { type: 'string' },
    verbose: { type: 'boolean', default: false },
    shrink: { type: 'boolean', default: true },
  },
  allowNegative: true,
});

const { on = 'embedded', release } = values;
if (release !== undefined && !isRelease(release)) throw new RangeError(`no such release: ${release}`);
if (on !== 'embedded' && !isRelease(on))
  throw new RangeError(`--on takes embedded or a release of the lab: ${on}`);
const seed = values.seed === undefined ? Math.floor(Math.random() * 0x7fffffff) : Number(values.seed);
const result = await proveHistory({
  seed,
  on,
  release,
  runs: Number(values.runs),
  seconds: values.seconds === undefined ? Infinity : Number(values.seconds),
  concurrency: values.concurrency === undefined ? (on === 'embedded' ? 24 : 4) : Number(values.concurrency),
  verbose: values.verbose,
  shrink: values.shrink,
  log: (line) => console.log(line),
});
process.exitCode = result.failures.length > 0 || result.strays.length > 0 ? 1 : 0;

// Nothing of the runs is left: else it would keep this process from its end. One more way to see a leak.
setTimeout(() => {
  console.log(`LEFT BEHIND: ${process.getActiveResourcesInfo().join(', ')}`);
  process.exit(1);
}, 10_000).unref();
