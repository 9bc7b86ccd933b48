import { setTimeout as pause } from 'node:timers/promises';
import { LabError } from './lab-error.js';

/** How long and how often to look. */
export interface WaitOptions {
  /** The deadline. */
  readonly timeoutMs: number;
  /** The pause between two looks. */
  readonly intervalMs?: number;
  /** Ends the wait at once, with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Looks until `check` gives something other than `undefined` or `false`, and returns that. After the deadline
 * it fails, saying what was waited for.
 */
export async function waitUntil<T>(
  what: string,
  check: () => T | undefined | false | Promise<T | undefined | false>,
  options: WaitOptions,
): Promise<T> {
  const { timeoutMs, intervalMs = 50, signal } = options;
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    const found = await check();
    signal?.throwIfAborted();
    if (found !== undefined && found !== false) return found;
    if (Date.now() >= deadline) throw new LabError(`waited ${timeoutMs} ms in vain for ${what}`);
    await pause(intervalMs);
  }
}
