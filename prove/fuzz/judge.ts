/** One execution, and whether it kept the promises: typed errors with short texts, bounded time, bounded memory. */
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
  const { message } = thrown as Error;
  const bad = troubleWithMessage(message, limitsOf(target).message);
  if (bad !== null) return { kind: 'message', what: `${bad}: ${JSON.stringify(message.slice(0, 300))}` };
  if (isSlurmError(thrown)) {
    // What a logger does with it.
    const logged = JSON.stringify(thrown, (_, value) => (typeof value === 'bigint' ? String(value) : value));
    if (logged.length > 8 * limitsOf(target).message + 4 * input.length)
      return { kind: 'message', what: `the error as JSON has ${logged.length} characters` };
  }
  return null;
}

/** Text that a log or a terminal would suffer from, or that nobody is to read. */
function troubleWithMessage(message: string, most: number): string | null {
  if (message === '') return 'an error without words';
  if (message.length > most) return `a message of ${message.length} characters`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\0-\x08\x0b-\x1f]/.test(message)) return 'control characters in a message';
  if (/MUNGE:[A-Za-z0-9+/]{8}|eyJ[\w-]{12}/.test(message)) return 'a credential in a message';
  return null;
}

/** Slow, if it is so three times in a row: once may be the machine's doing. */
export async function judgeTime(target: Target, input: Uint8Array, first: number): Promise<Verdict | null> {
  const { ms, usPerByte } = limitsOf(target);
  const most = ms + (usPerByte * input.length) / 1000;
  let least = first;
  for (let i = 0; i < 3 && least > most; i++) {
    least = Math.min(least, (await execute(target, input, ignore)).ms);
  }
  if (least <= most) return null;
  return {
    kind: 'slow',
    what: `${least.toFixed(0)} ms at best for ${input.length} bytes, ${most.toFixed(0)} ms are allowed`,
  };
}

/** Too much memory, if it is so each time: what the engine allocates for itself comes once. */
export async function judgeMemory(
  target: Target,
  input: Uint8Array,
): Promise<{ readonly verdict: Verdict | null; readonly allocated: number }> {
  const { bytes, bytesPerByte } = limitsOf(target);
  const most = bytes + bytesPerByte * input.length;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 4; i++) {
    const before = process.memoryUsage();
    await execute(target, input, ignore);
    const after = process.memoryUsage();
    const allocated = after.heapUsed - before.heapUsed + after.external - before.external;
    // A collection in between hides what there was; then it counts as unknown.
    if (allocated >= 0) least = Math.min(least, allocated);
    if (least <= most) return { verdict: null, allocated: least };
  }
  if (least === Number.POSITIVE_INFINITY) return { verdict: null, allocated: 0 };
  const what = `${least} bytes allocated at least for ${input.length} bytes of input, ${most} are allowed`;
  return { verdict: { kind: 'memory', what }, allocated: least };
}

const ignore = () => {};
