/** The ladder as people write it: `SIGINT:10s,SIGTERM:1m,SIGKILL`. */

import { showValue } from '../../protocol/slurm-error.js';
import { UNIX_SIGNALS, unixSignalNumber } from '../../protocol/unix-signal.js';
import { badOption } from '../../rpc/check-options.js';
import type { Rung, SignalledPart } from '../../rpc/index.js';
import { parseDuration } from '../connection.js';

export interface LadderOptions {
  /** Milliseconds for each rung that names none of its own; left out: the library's. */
  readonly graceMs?: number | undefined;
  /** Whom every signal but SIGKILL is for. */
  readonly to?: readonly SignalledPart[] | undefined;
}

const DEFAULT = 'SIGTERM,SIGKILL';
const FIELD = '--ladder';

/**
 * `SIGNAL[:GRACE][,SIGNAL…]`. The last rung has no grace: what follows it is the confirmation.
 *
 * @throws SlurmUsageError for what is none; the library looks at the rest.
 */
export function parseLadder(text: string = DEFAULT, { graceMs, to }: LadderOptions = {}): Rung[] {
  const parts = text.split(',').map((part) => part.trim());
  return parts.map((part, index): Rung => {
    const [signal = '', grace, ...more] = part.split(':');
    if (signal === '' || more.length > 0 || grace === '') {
      throw badOption(FIELD, text, `has the rung ${showValue(part)}, which is not SIGNAL or SIGNAL:GRACE`);
    }
    const isLast = index === parts.length - 1;
    const isKill = unixSignalNumber(signal, FIELD) === UNIX_SIGNALS.SIGKILL;
    const own = grace === undefined ? undefined : durationOf(grace, text);
    return {
      signal,
      ...(isLast && own === undefined ? {} : { graceMs: own ?? graceMs }),
      ...(to === undefined || isKill ? {} : { to }),
    };
  });
}

function durationOf(grace: string, text: string): number {
  // None at all: the next signal follows at once.
  if (/^0(ms|s|m|h)?$/.test(grace)) return 0;
  try {
    return parseDuration(grace);
  } catch {
    throw badOption(FIELD, text, `has the grace ${showValue(grace)}, which is no duration such as 30s`);
  }
}
