/** `auth/munge` through munged's socket, in TypeScript alone: where libmunge or the bridge to it cannot be loaded. */
import { CallSlots } from './call-slots.js';
import { type MungeAuthenticator, mungeAuthenticator } from './munge-authenticator.js';
import { checkMungeOptions, type MungeSocketOptions } from './munge-options.js';
import type { MungeCallPort } from './munge-way.js';

/**
 * Authenticates with MUNGE by speaking munged's own protocol on its Unix socket. No native code, no thread: works where libmunge
 * cannot be loaded, and a munged that hangs delays neither the event loop nor the end of the process.
 *
 * Credentials are the same as those of `munge()`; either decodes the other's. At most eight connections are open at a time in one
 * thread's copy of this module, further calls queue; a call whose context ends is rejected at once wherever it is. Tries, limits and
 * pauses are libmunge's; a munged that is busy or restarting is then tried again for some seconds, within the deadline.
 *
 * For Linux. Where munged wants a file descriptor as proof of identity (some BSDs), it refuses.
 *
 * @throws SlurmUsageError when an option is not valid.
 */
export function mungeSocket(options: MungeSocketOptions = {}): MungeAuthenticator {
  checkMungeOptions('mungeSocket', options);
  return mungeAuthenticator(
    { via: 'socket', caller: 'mungeSocket', slots, open: () => (opened ??= open()) },
    options,
  );
}

/** munged works on two requests at a time by default; the others would only wait in its backlog instead of here. */
const slots = new CallSlots(8);

/** @internal For tests: slots and queue as they are now. */
export function mungeSocketSlots(): {
  readonly running: number;
  readonly waiting: number;
  readonly peak: number;
} {
  return { running: slots.running, waiting: slots.waiting, peak: slots.peak };
}

/** Loaded by `connect()`, or by the first credential of who uses none: importing the package must not cost what is not used. */
async function open(): Promise<MungeCallPort> {
  return (await import('./munged-calls.js')).MUNGED_CALLS;
}

let opened: Promise<MungeCallPort> | undefined;
