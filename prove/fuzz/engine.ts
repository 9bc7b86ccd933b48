/** The loop: take an input that reached something, change it, run it, keep it if it reached more, and judge it in any case. */
import { Corpus, minimised } from './corpus.js';
import { Coverage } from './coverage.js';
import { execute, judgeMemory, judgeTime, limitsOf, type Verdict } from './judge.js';
import { type Material, mutate } from './mutate.js';
import { Random } from './random.js';
import type { Target } from './target.js';

/** A promise that the code did not keep, and the input that shows it. */
export interface Finding extends Verdict {
  readonly target: string;
  readonly input: Uint8Array;
}

/** How far a run is. */
export interface Progress {
  readonly executions: number;
  /** Inputs that the target took without an error. */
  readonly taken: number;
  readonly seconds: number;
  readonly corpus: number;
  readonly places: number;
  readonly placesLoaded: number;
  readonly features: number;
  readonly slowestMs: number;
  readonly findings: number;
}

export interface RunOptions {
  readonly seed: string;
  /** Ends after so many executions … */
  readonly executions?: number;
  /** … or so many seconds, whichever is first. */
  readonly seconds?: number;
  /** Inputs to begin with beside the target's own. */
  readonly corpus?: readonly Uint8Array[];
  /** Words that stand in the code. */
  readonly literals?: Iterable<string | number>;
  /** False: inputs are changed and run, but what they reach is not looked at. To show what it is worth. */
  readonly guided?: boolean;
  /** Before each execution: where a watcher finds the input when it never ends. */
  readonly note?: (input: Uint8Array) => void;
  /** About once a second. */
  readonly onProgress?: (progress: Progress) => void;
  /** Asked about once a second: whether to end now. */
  readonly isStopped?: () => boolean;
  /** Stops at this many findings; default 20. */
  readonly maxFindings?: number;
}

export interface RunResult {
  readonly progress: Progress;
  readonly findings: readonly Finding[];
  /** All inputs that reached something new, in the order found. */
  readonly corpus: readonly Uint8Array[];
  /** Counters of each loaded file that never ran. */
  readonly gaps: Readonly<Record<string, readonly number[]>>;
}

/** Of the inputs that reach nothing new, one in so many has its memory measured. */
const MEASURE_ONE_IN = 2048;
/** Milliseconds from which on an input has its memory measured anyway. */
const SUSPICIOUS_MS = 8;

export async function fuzz(target: Target, options: RunOptions): Promise<RunResult> {
  const { guided = true, maxFindings = 20, note = () => {} } = options;
  const random = new Random(`${options.seed} ${target.name}`);
  const coverage = new Coverage();
  const corpus = new Corpus();
  const findings = new Map<string, Finding>();
  const start = performance.now();
  const end = start + (options.seconds ?? Number.POSITIVE_INFINITY) * 1000;
  const most = options.executions ?? Number.POSITIVE_INFINITY;
  const slow = limitsOf(target);
  let executions = 0;
  let taken = 0;
  let slowestMs = 0;

  const found = (verdict: Verdict, input: Uint8Array) => {
    const key = `${verdict.kind} ${keyOf(verdict.what)}`;
    const known = findings.get(key);
    if (known === undefined || known.input.length > input.length)
      findings.set(key, { ...verdict, target: target.name, input });
  };
  const run = async (input: Uint8Array, isSeed: boolean): Promise<void> => {
    note(input);
    coverage.begin();
    const { ms, verdict, refused } = await execute(target, input, coverage.feature);
    executions++;
    if (!refused) taken++;
    if (ms > slowestMs) slowestMs = ms;
    if (verdict !== null) found((await withStack(target, input)) ?? verdict, input);
    const news = guided || isSeed ? coverage.learn() : 0;
    if (ms > slow.ms + (slow.usPerByte * input.length) / 1000) {
      const tooSlow = await judgeTime(target, input, ms);
      if (tooSlow !== null) found(tooSlow, input);
    }
    if (news > 0 || ms > SUSPICIOUS_MS || executions % MEASURE_ONE_IN === 0) {
      const tooMuch = await judgeMemory(target, input);
      if (tooMuch !== null) found(tooMuch, input);
    }
    if (news > 0 && verdict === null) {
      corpus.add({ bytes: input, found: news, fields: target.fields?.(input) ?? [] });
    }
  };
  const progress = (): Progress => ({
    executions,
    taken,
    seconds: (performance.now() - start) / 1000,
    corpus: corpus.entries.length,
    places: coverage.places,
    placesLoaded: coverage.placesLoaded,
    features: coverage.features,
    slowestMs,
    findings: findings.size,
  });

  Error.stackTraceLimit = 0;
  for (const seed of target.seeds()) {
    if (executions >= most) break;
    await run(Uint8Array.from(seed), true);
  }
  for (const input of options.corpus ?? []) {
    if (executions >= most) break;
    await run(input, true);
  }
  if (corpus.entries.length === 0)
    corpus.add({ bytes: new Uint8Array(target.prefix ?? 0), found: 1, fields: [] });

  const dictionary = wordsOf(target, options.literals ?? []);
  let told = start;
  while (executions < most && findings.size < maxFindings) {
    const entry = corpus.choose(random);
    const material: Material = {
      random,
      dictionary,
      other: () => random.pick(corpus.entries).bytes,
      fields: entry.fields,
      prefix: target.prefix ?? 0,
      maxLength: target.maxLength ?? 1 << 16,
      isText: target.isText === true,
    };
    // Several from one entry: choosing costs more than changing.
    for (let i = 0; i < 16 && executions < most; i++) {
      const input = mutate(entry.bytes, material);
      target.repair?.(input, random);
      await run(input, false);
    }
    const now = performance.now();
    if (now >= end) break;
    if (now - told > 1000) {
      told = now;
      options.onProgress?.(progress());
      // Timers and messages get their turn.
      await new Promise((resolve) => setImmediate(resolve));
      if (options.isStopped?.()) break;
    }
  }
  Error.stackTraceLimit = 10;
  return {
    progress: progress(),
    findings: [...findings.values()],
    corpus: corpus.entries.map(({ bytes }) => bytes),
    gaps: coverage.gaps(),
  };
}

/** Stack traces cost a third of the time, so there are none but for what is to be reported. */
async function withStack(target: Target, input: Uint8Array): Promise<Verdict | null> {
  Error.stackTraceLimit = 10;
  const { verdict } = await execute(target, input, () => {});
  Error.stackTraceLimit = 0;
  return verdict;
}

/** The same fault, whatever numbers stand in its words. */
function keyOf(what: string): string {
  return what.replaceAll(/"[^"]*"|\d+/g, '#').slice(0, 300);
}

/** What the target names, and what stands in the code, as bytes: numbers as 16 and 32 bits. */
function wordsOf(target: Target, literals: Iterable<string | number>): Uint8Array[] {
  const words = new Map<string, Uint8Array>();
  const add = (word: Uint8Array) => words.set(Buffer.from(word).toString('latin1'), word);
  const addText = (text: string) => {
    if (text !== '') add(Uint8Array.from(Buffer.from(text)));
  };
  for (const text of target.dictionary ?? []) addText(text);
  for (const literal of literals) {
    if (typeof literal === 'string') addText(literal);
    else if (Number.isInteger(literal) && literal > 16 && literal <= 0xffffffff) {
      const word = new Uint8Array(4);
      new DataView(word.buffer).setUint32(0, literal);
      if (literal <= 0xffff) add(word.slice(2));
      add(word);
      if (target.isText) addText(String(literal));
    }
  }
  return [...words.values()];
}

/** The inputs of a corpus that are needed to reach what it reaches. */
export async function minimise(target: Target, inputs: readonly Uint8Array[]): Promise<Uint8Array[]> {
  const coverage = new Coverage();
  return minimised(inputs, async (input) => {
    coverage.begin();
    await execute(target, input, coverage.feature);
    return coverage.signature();
  });
}
