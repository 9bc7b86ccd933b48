/** What the doctor says: one finding per thing looked at, each with what to do where something is wrong. */

import type { CallContext } from '../../protocol/authenticator.js';
import { untilAborted } from '../../protocol/on-abort.js';
import { isSlurmError, showValue } from '../../protocol/slurm-error.js';
import { Deadline } from '../../rpc/deadline.js';

/**
 * - `ok`: looked at, and well.
 * - `note`: worth knowing, nothing is wrong.
 * - `warning`: works, and should be looked at.
 * - `problem`: does not work.
 * - `skipped`: could not be looked at, since something else is wrong, or is not there to be looked at.
 */
export type Verdict = 'ok' | 'note' | 'warning' | 'problem' | 'skipped';

export interface Finding {
  /** Stable name for programs: `configuration`, `controller`, `clock` … */
  readonly check: string;
  /** Which one, where there may be several: `ctl1:6817`, a node. `null`: there is one. */
  readonly subject: string | null;
  readonly verdict: Verdict;
  /** One sentence or two. */
  readonly summary: string;
  /** What to do; never `null` for a problem or a warning. */
  readonly advice: string | null;
  /** The facts behind the sentence, under stable names. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** A finding with what is left out filled in. */
export function finding(
  check: string,
  verdict: 'problem' | 'warning',
  summary: string,
  more: FindingMore & { readonly advice: string },
): Finding;
export function finding(
  check: string,
  verdict: 'ok' | 'note' | 'skipped',
  summary: string,
  more?: FindingMore,
): Finding;
export function finding(check: string, verdict: Verdict, summary: string, more: FindingMore = {}): Finding {
  const { subject = null, advice = null, details = {} } = more;
  return { check, subject, verdict, summary, advice, details };
}

export interface FindingMore {
  readonly subject?: string | undefined;
  readonly advice?: string | undefined;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

/** The finding for something thrown. An error of the library brings its own advice. */
export function troubleFinding(
  check: string,
  error: unknown,
  { subject, advice, details }: FindingMore & { readonly advice: string },
): Finding {
  if (!isSlurmError(error)) {
    // Not an error of the family: a defect. It is shown rather than swallowed, and the other checks go on.
    const summary = `Internal error: ${error instanceof Error ? error.message : showValue(error)}`;
    return finding(check, 'problem', summary, { subject, advice: 'Please report it.', details });
  }
  const { code, errno, hint } = error;
  return finding(check, 'problem', sentenceOf(error), {
    subject,
    advice: hint ?? advice,
    details: { ...details, code, errno },
  });
}

/** The error's sentence without its hint. */
export function sentenceOf(error: { readonly message: string; readonly hint?: string | undefined }): string {
  const { message, hint } = error;
  return hint !== undefined && message.endsWith(` ${hint}`) ? message.slice(0, -hint.length - 1) : message;
}

/** How long one check may take, and the user's wish to stop. */
export interface Bounds {
  /** Milliseconds. */
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

/**
 * Runs one check within its own time: whatever it waits for, it is over then.
 *
 * @throws what the work throws; SlurmTimeoutError when the time is up.
 */
export async function bounded<T>(
  { limitMs, signal }: Bounds,
  work: (context: CallContext) => Promise<T>,
): Promise<T> {
  const deadline = new Deadline(limitMs, signal);
  try {
    return await untilAborted(deadline.signal, work(deadline));
  } finally {
    deadline.dispose();
  }
}
