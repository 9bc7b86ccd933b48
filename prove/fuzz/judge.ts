/** One execution, and whether it kept the promises: typed errors with short texts, bounded time, bounded memory. */
import { getHeapStatistics } from 'node:v8';
import { isSlurmError } from '../../src/protocol/slurm-error.js';
import { Broken, LIMITS, type Limits, type ReportFeature, type Target } from './target.js';

/** A promise that was not kept. */
export interface Verdict {
  readonly kind: 'error' | 'message' | 'broken' | 'slow' | 'memory';
  readonly what: string;
}

/** How an execution went. */
export interface Execution {
  readonly ms: number;
  readonly verdict: Verdict | null;
  /** True where the input was refused, as most are. */
  readonly refused: boolean;
}

export function limitsOf({ limits }: Target): Limits {
  return { ...LIMITS, ...limits };
}

/** Runs a target once. */
export async function execute(target: Target, input: Uint8Array, report: ReportFeature): Promise<Execution> {
  const start = performance.now();
  let thrown: unknown = NOTHING;
  try {
    const result = target.run(input, report);
    if (result instanceof Promise) await result;
  } catch (error) {
    thrown = error;
  }
  const ms = performance.now() - start;
  const verdict = thrown === NOTHING ? null : judgeThrown(target, thrown, input);
  return { ms, verdict, refused: thrown !== NOTHING };
}

const NOTHING = Symbol('nothing');

function judgeThrown(target: Target, thrown: unknown, input: Uint8Array): Verdict | null {
  if (thrown instanceof Broken) return { kind: 'broken', what: thrown.message };
  const documented = isSlurmError(thrown) || target.isDocumented?.(thrown) === true;
  if (!documented) {
    const what = thrown instanceof Error ? (thrown.stack ?? thrown.message) : `threw ${typeof thrown}`;
    return { kind: 'error', what: what.slice(0, 2000) };
  }
  executions = (executions + 1) & 63;
  const { message } = thrown as Error;
  const bad = troubleWithMessage(message, limitsOf(target).message);
  if (bad !== null) return { kind: 'message', what: `${bad}: ${JSON.stringify(message.slice(0, 300))}` };
  if (executions === 0 && isSlurmError(thrown)) {
    // What a logger does with it.
    const logged = JSON.stringify(thrown, (_, value) => (typeof value === 'bigint' ? String(value) : value));
    if (logged.length > 8 * limitsOf(target).message + 4 * input.length)
      return { kind: 'message', what: `the error as JSON has ${logged.length} characters` };
  }
  return null;
}

/** Writing an error as JSON costs as much as all the rest: it is done for one in 64. */
let executions = 0;

/** Text that a log or a terminal would suffer from, or that nobody is to read. */
function troubleWithMessage(message: string, most: number): string | null {
  if (message === '') return 'an error without words';
  if (message.length > most) return `a message of ${message.length} characters`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\0-\x08\x0b-\x1f]/.test(message)) return 'control characters in a message';
  if (/MUNGE:[A-Za-z0-9+/]{8}|eyJ[\w-]{12}/.test(message)) return 'a credential in a message';
  return null;
}

/** Slow, if it is so each of ten times, with a rest in between: once may be the machine's doing. */
export async function judgeTime(target: Target, input: Uint8Array, first: number): Promise<Verdict | null> {
  const { ms, usPerByte } = limitsOf(target);
  const most = ms + (usPerByte * input.length) / 1000;
  let least = first;
  for (let i = 0; i < 10 && least > most; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20 * i));
    least = Math.min(least, (await execute(target, input, ignore)).ms);
  }
  if (least <= most) return null;
  return {
    kind: 'slow',
    what: `${least.toFixed(0)} ms at best for ${input.length} bytes, ${most.toFixed(0)} ms are allowed`,
  };
}

/** Too much memory, if it is so twice: what is made once and kept comes once, and a collection in between hides what there was. */
export async function judgeMemory(target: Target, input: Uint8Array): Promise<Verdict | null> {
  const { bytes, bytesPerByte } = limitsOf(target);
  const most = bytes + bytesPerByte * input.length;
  const over: number[] = [];
  for (let i = 0; i < 4 && over.length < 2; i++) {
    const before = memoryInUse();
    await execute(target, input, ignore);
    const allocated = memoryInUse() - before;
    if (allocated > most) over.push(allocated);
    // Most take little, and are not run again.
    else if (i === 0) return null;
  }
  if (over.length < 2) return null;
  const least = Math.min(...over);
  const what = `${least} bytes allocated at least for ${input.length} bytes of input, ${most} are allowed`;
  return { kind: 'memory', what };
}

/** Heap and buffers of this thread, in bytes. */
function memoryInUse(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}

const ignore = () => {};
