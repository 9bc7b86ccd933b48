/** Commands that do the same to each of several jobs and steps: bounded, in order, with one exit code for all. */
import { Limiter } from '../rpc/limiter.js';
import { parseTarget } from '../rpc/target.js';
import { EXIT, exitCodeOf, failureDocument, failureLines } from './failure.js';
import type { Output } from './output.js';

/** What became of one target. */
export type TargetResult<T> =
  | { readonly target: string; readonly value: T; readonly error?: undefined }
  | { readonly target: string; readonly value?: undefined; readonly error: unknown };

/** Refuses what is no job or step before anything is sent for any of them. @throws SlurmUsageError */
export function checkTargets(targets: readonly string[]): void {
  for (const target of targets) parseTarget(target);
}

/** In the order of the targets; one that fails does not keep the others from being done. */
export function forEachTarget<T>(
  targets: readonly string[],
  concurrency: number,
  work: (target: string) => Promise<T>,
): Promise<TargetResult<T>[]> {
  const limiter = new Limiter(concurrency);
  return Promise.all(
    targets.map((target) =>
      limiter.run(() =>
        work(target).then(
          (value) => ({ target, value }),
          (error: unknown) => ({ target, error }),
        ),
      ),
    ),
  );
}

/**
 * One exit code for many: that of all where they agree; `partial` where some were done; else the worst, and what may have been done is worse than
 * what was not.
 */
export function exitCodeOfAll(codes: readonly number[]): number {
  const [first = EXIT.done] = codes;
  if (codes.every((code) => code === first)) return first;
  const worst = SEVERITY.find((code) => codes.includes(code));
  if (worst === EXIT.bug) return worst;
  if (codes.includes(EXIT.done) || codes.includes(EXIT.partial)) return EXIT.partial;
  return worst ?? EXIT.bug;
}

const SEVERITY: readonly number[] = [
  EXIT.bug,
  EXIT.partial,
  EXIT.unknown,
  EXIT.unconfirmed,
  EXIT.refused,
  EXIT.notSent,
  EXIT.usage,
];

export function exitCodeOfResults(results: readonly TargetResult<unknown>[]): number {
  return exitCodeOfAll(results.map((one) => ('error' in one ? exitCodeOf(one.error) : EXIT.done)));
}

/** For `--json`: the result as it is, or the error under its name. */
export function targetDocument<T>({ target, value, error }: TargetResult<T>): unknown {
  return error === undefined ? { target, result: value } : { target, error: failureDocument(error) };
}

/** The lines about one that failed, on stderr, as every failure is told. */
export function noteFailure(output: Output, who: string, { target, error }: TargetResult<unknown>): void {
  for (const [index, line] of failureLines(error).entries()) {
    output.note(index === 0 ? `${who}: ${target}: ${output.paintNote('red', line)}` : line);
  }
}
