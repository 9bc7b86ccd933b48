/** Checks of what callers pass in. Callers in plain JavaScript may pass anything. All throw SlurmUsageError `SLURMWIRE_BAD_OPTION`. */
import { SlurmUsageError, showValue } from '../protocol/slurm-error.js';

/** Refuses what is no object, and names that are not options: a misspelt one that is dropped would signal others than were meant. */
export function checkOptions(call: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null)
    // A text may be the token or key that an option would hold.
    throw badOption('options', typeof options === 'string' ? 'a text' : options, 'is not an object');
  const foreign = Object.keys(options).find((name) => !known.includes(name));
  if (foreign === undefined) return;
  const value = (options as Record<string, unknown>)[foreign];
  // It may come from a file, or be anything that stands in the wrong place.
  const shown = /^\P{C}{0,80}$/u.test(foreign) ? foreign : showValue(foreign);
  throw badOption(shown, value, `is no option of ${call}()`, `It has ${known.join(', ')}.`);
}

/**
 * Options as they are now. A call reads them more than once and waits in between, and a program may use its object for the next call meanwhile, with
 * another signal's flags in it.
 *
 * @param known all names that are read.
 */
export function readOnce<O extends object>(options: O, known: readonly string[]): O {
  const own: Record<string, unknown> = {};
  for (const name of known) {
    const value = (options as Record<string, unknown>)[name];
    if (value !== undefined) own[name] = value;
  }
  return own as O;
}

/** Refuses what is no uid. 0xffffffff is none: it is how C says "nobody in particular". */
export function checkUid(field: string, value: number | null | undefined): void {
  if (value === undefined || value === null) return;
  if (Number.isInteger(value) && value >= 0 && value < 0xffffffff) return;
  throw badOption(field, value, 'is not a uid');
}

/** Refuses what no timer can wait for: to Node, what is no number or above 2^31 - 1 is one millisecond. */
export function checkMilliseconds(field: string, value: number | undefined): void {
  if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= 0x7fffffff)) return;
  throw badOption(field, value, 'is not a whole number of milliseconds from 1 to 2147483647');
}

export function checkBoolean(field: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean')
    throw badOption(field, value, 'is neither true nor false');
}

/** Refuses what is no AbortSignal. By its shape: a signal may come from another realm, such as a test environment's. */
export function checkSignal(signal: unknown): void {
  if (signal === undefined) return;
  const { aborted, addEventListener } = (signal ?? {}) as Partial<AbortSignal>;
  if (typeof aborted === 'boolean' && typeof addEventListener === 'function') return;
  const hint = 'The Unix signal is the second argument; the option named signal aborts the call.';
  throw badOption('signal', signal, 'is not an AbortSignal', hint);
}

export function badOption(field: string, value: unknown, why: string, hint?: string): SlurmUsageError {
  return new SlurmUsageError(`${field} ${why}.`, { code: 'SLURMWIRE_BAD_OPTION', field, value, hint });
}
