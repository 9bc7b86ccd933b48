/** `npm run prove:soak`: see `options.ts` for what it can be told. */
import { writeFileSync } from 'node:fs';
import { loopPart } from './loop.js';
import { HELP, readOptions, UsageError } from './options.js';
import {
  clientsPart,
  endpointsPart,
  fanOutsPart,
  killsPart,
  type PartReport,
  type PartSetup,
  terminatePart,
} from './parts.js';
import { showLoop, showReport } from './show.js';

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (options === null) {
    process.stdout.write(HELP);
    return 0;
  }
  process.stdout.write(`seed ${options.seed}, release ${options.release}, Node ${process.version}\n\n`);
  const warnings: string[] = [];
  process.on('warning', ({ name, message }) => {
    // The way objects are counted by.
    if (!message.includes('queryObjects')) warnings.push(`${name}: ${message}`);
  });
  const reports: PartReport[] = [];
  const setup: PartSetup = { ...options, until: performance.now() + options.minutes * 60_000 };
  for (const part of partsOf(setup)) {
    const report = await part();
    process.stdout.write(`${showReport(report)}\n`);
    reports.push(report);
  }
  const loops = options.parts.includes('loop')
    ? await loopPart(setup, (report) => process.stdout.write(showLoop(report)))
    : [];
  if (options.json !== undefined)
    writeFileSync(options.json, JSON.stringify({ options, reports, loops, warnings }, null, 1));
  for (const warning of new Set(warnings)) process.stdout.write(`warned: ${warning}\n`);
  const failed = reports.filter(({ soak }) => !soak.isFlat);
  for (const { soak } of failed)
    process.stdout.write(`${soak.name}: ${soak.trends.length === 0 ? 'too few samples' : 'not flat'}\n`);
  return failed.length === 0 && warnings.length === 0 ? 0 : 1;
}

function partsOf(setup: PartSetup): (() => Promise<PartReport>)[] {
  const { kills, fanOuts, clients, ways } = setup;
  const share = (all: number) => Math.ceil(all / ways.length);
  const all: Record<string, (() => Promise<PartReport>)[]> = {
    kills: ways.map((way) => () => killsPart(setup, way, share(kills))),
    'fan-outs': ways.map((way) => () => fanOutsPart(setup, way, share(fanOuts))),
    clients: [() => clientsPart(setup, clients)],
    endpoints: [() => endpointsPart(setup, clients)],
    terminate: [() => terminatePart(setup, Math.ceil(clients / 5))],
  };
  return setup.parts.flatMap((part) => all[part] ?? []);
}

/** Everything is closed by now: what keeps the process from ending was left behind. */
function mustEnd(withinMs: number): void {
  setTimeout(() => {
    process.stdout.write(`still there after the end: ${process.getActiveResourcesInfo().join(', ')}\n`);
    process.exit(1);
  }, withinMs).unref();
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
    mustEnd(15_000);
  },
  (error: unknown) => {
    if (error instanceof UsageError) {
      process.stderr.write(`${error.message}\n\n${HELP}`);
      process.exitCode = 2;
      return;
    }
    throw error;
  },
);
