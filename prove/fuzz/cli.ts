/**
 * `npm run prove:fuzz`: hostile bytes for every decoder, guided by what they reach.
 *
 * ```
 * --executions N   in all, shared among the targets by weight     --seconds N    for the whole run, the same for each target
 * --target NAME    only this one; may be given several times      --seed TEXT    same seed, same inputs (default: the date)
 * --jobs N         threads (default: processors)                  --save         writes fixtures/corpus/
 * --fresh          without the corpus that is kept                --list         names of the targets
 * --gaps           lines of the compiled code that a target loaded and never ran, by file
 * ```
 *
 * The exit code is 1 when a promise was broken; the inputs are in `build/fuzz-findings/`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import type { Finding, Progress, RunResult } from './engine.js';
import { type Prepared, prepare } from './prepare.js';
import { readCorpus, writeCorpus } from './store.js';
import { TARGETS } from './targets/index.js';
import { NOTE_HEADER, type WorkerOrder, type WorkerWord } from './worker.js';

/** An execution that takes longer than this has no end. */
const HANG_MS = 20_000;
const NOTE_BYTES = 4 << 20;

const { values: given } = parseArgs({
  options: {
    executions: { type: 'string' },
    seconds: { type: 'string' },
    target: { type: 'string', multiple: true },
    seed: { type: 'string' },
    jobs: { type: 'string' },
    save: { type: 'boolean', default: false },
    fresh: { type: 'boolean', default: false },
    gaps: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});

async function main(): Promise<void> {
  const names = given.target ?? Object.keys(TARGETS);
  const seed = given.seed ?? new Date().toISOString().slice(0, 10);
  const jobs = Number(given.jobs ?? availableParallelism());
  const executions = given.executions === undefined ? null : Number(given.executions);
  const seconds = given.seconds === undefined ? (executions === null ? 60 : null) : Number(given.seconds);
  for (const name of names) if (!Object.hasOwn(TARGETS, name)) throw new Error(`there is no target ${name}`);

  const build = fileURLToPath(new URL('../..', import.meta.url));
  const prepared = prepare(build);
  const weights = new Map<string, number>();
  for (const name of names) weights.set(name, (await TARGETS[name]?.())?.weight ?? 1);
  const all = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  console.log(`seed ${seed}, ${jobs} threads, Node ${process.versions.node}`);

  const start = performance.now();
  const results: Result[] = [];
  const waiting = [...names];
  // Ctrl-C ends it early: what was found until then is reported.
  process.once('SIGINT', () => {
    waiting.length = 0;
    for (const stop of running) stop();
  });
  await Promise.all(
    Array.from({ length: Math.max(1, jobs) }, async () => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
        const share = (weights.get(name) ?? 1) / all;
        const order = {
          target: name,
          seed,
          executions: executions === null ? null : Math.ceil(executions * share),
          seconds: seconds === null ? null : (seconds * jobs) / names.length,
          corpus: given.fresh ? [] : readCorpus(name),
          literals: prepared.literals,
          save: given.save,
        };
        const result = await runInWorker(order, prepared);
        results.push(result);
        console.log(lineOf(result));
        if (given.gaps) for (const line of gapsOf(result, prepared)) console.log(line);
        if (given.save && result.corpus.length > 0) {
          const bytes = writeCorpus(name, result.corpus);
          console.log(`  ${result.corpus.length} inputs kept, ${bytes} bytes`);
        }
      }
    }),
  );

  const total = results.reduce((sum, { progress }) => sum + progress.executions, 0);
  const elapsed = (performance.now() - start) / 1000;
  console.log(`${total} executions in ${elapsed.toFixed(0)} s, ${Math.round(total / elapsed)} per second`);
  const findings = results.flatMap((result) => result.findings);
  for (const finding of findings) report(finding, build);
  console.log(findings.length === 0 ? 'no promise was broken' : `${findings.length} promises were broken`);
  if (findings.length > 0) process.exitCode = 1;
}

/** How to end each worker that runs now. */
const running = new Set<() => void>();

/** Milliseconds between two signs of life of a long run. */
const TOLD_MS = 60_000;

interface Result {
  readonly target: string;
  readonly progress: Progress;
  readonly findings: readonly Finding[];
  readonly corpus: readonly Uint8Array[];
  readonly gaps: RunResult['gaps'];
}

const NO_PROGRESS: Progress = {
  executions: 0,
  taken: 0,
  seconds: 0,
  corpus: 0,
  places: 0,
  placesLoaded: 0,
  features: 0,
  slowestMs: 0,
  findings: 0,
};

/** Runs a target in a thread of its own, so that a hang or a lack of memory ends that thread and no more. */
function runInWorker(order: Omit<WorkerOrder, 'note'>, { directory }: Prepared): Promise<Result> {
  const note = new SharedArrayBuffer(NOTE_HEADER + NOTE_BYTES);
  const head = new Int32Array(note, 0, 2);
  const { target } = order;
  return new Promise((resolve, reject) => {
    const url = pathToFileURL(join(directory, 'prove', 'fuzz', 'worker.js'));
    const worker = new Worker(url, {
      workerData: { ...order, note },
      resourceLimits: { maxOldGenerationSizeMb: 2048, maxYoungGenerationSizeMb: 128 },
    });
    let progress = NO_PROGRESS;
    const stop = () => worker.postMessage('stop');
    running.add(stop);
    const tell = setInterval(() => {
      console.log(`  … ${lineOf({ target, progress, findings: [], corpus: [], gaps: {} })}`);
    }, TOLD_MS);
    let isMinimising = false;
    let [count, since] = [0, performance.now()];
    const watch = setInterval(() => {
      const now = Atomics.load(head, 1);
      if (now !== count) [count, since] = [now, performance.now()];
      // Before the first execution it loads, behind the last it makes the corpus small.
      else if (now > 0 && performance.now() - since > HANG_MS && !isMinimising)
        fail('slow', 'it does not end');
    }, 500);
    const end = (result: Result) => {
      clearInterval(watch);
      clearInterval(tell);
      running.delete(stop);
      worker.terminate().then(() => resolve(result), reject);
    };
    const fail = (kind: Finding['kind'], what: string) => {
      const input = new Uint8Array(note.slice(NOTE_HEADER, NOTE_HEADER + Atomics.load(head, 0)));
      end({ target, progress, findings: [{ kind, what, target, input }], corpus: [], gaps: {} });
    };
    worker.on('message', (word: WorkerWord) => {
      progress = word.progress;
      isMinimising ||= word.kind === 'minimising';
      if (word.kind === 'done') end({ ...word, target });
    });
    worker.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') fail('memory', error.message);
      else if (progress === NO_PROGRESS) reject(error);
      else fail('error', error.stack ?? error.message);
    });
  });
}

function* gapsOf({ gaps }: Result, { lines }: Prepared): Generator<string> {
  for (const [file, missed] of Object.entries(gaps)) {
    const all = lines[file] ?? [];
    const where = [...new Set(missed.map((i) => all[i] ?? 0))].sort((a, b) => a - b);
    if (missed.length > 0)
      yield `  ${file}: ${all.length - missed.length} of ${all.length}, not ${where.join(' ')}`;
  }
}

function lineOf({ target, progress, findings }: Result): string {
  const { executions, seconds, taken, corpus, places, placesLoaded, features, slowestMs } = progress;
  const cells = [
    target.padEnd(16),
    `${executions} executions`.padStart(20),
    `${Math.round(executions / seconds)}/s`.padStart(9),
    `${((100 * taken) / Math.max(1, executions)).toFixed(0)} % taken`.padStart(12),
    `${places}/${placesLoaded} places`.padStart(18),
    `${features} features`.padStart(16),
    `${corpus} inputs`.padStart(13),
    `slowest ${slowestMs.toFixed(0)} ms`,
    findings.length === 0 ? '' : `${findings.length} FINDINGS`,
  ];
  return cells.join('  ').trimEnd();
}

function report({ target, kind, what, input }: Finding, build: string): void {
  const directory = join(build, 'fuzz-findings');
  mkdirSync(directory, { recursive: true });
  const name = `${target}-${kind}-${hashName(input)}`;
  writeFileSync(join(directory, name), input);
  console.log(`\n${target}: ${kind}, ${input.length} bytes of input in build/fuzz-findings/${name}`);
  console.log(`  ${what.replaceAll('\n', '\n  ')}`);
  if (input.length <= 256) console.log(`  ${Buffer.from(input).toString('hex')}`);
}

function hashName(input: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of input) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

if (given.list) console.log(Object.keys(TARGETS).join('\n'));
else await main();
