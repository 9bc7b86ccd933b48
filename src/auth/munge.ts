/** `auth/munge` through MUNGE's own C library: credentials are made and decoded by the munged of this host. */
import { CallSlots } from './call-slots.js';
import { type MungeAuthenticator, mungeAuthenticator } from './munge-authenticator.js';
import { mungeCalls } from './munge-library.js';
import { checkMungeOptions, type MungeOptions } from './munge-options.js';

/**
 * Authenticates with MUNGE through its C library, as Slurm's own tools do.
 *
 * The library is loaded at the first credential; `loadMunge()` does it earlier. At most two calls run at a time in one
 * thread's copy of this module, the others queue; a call whose context ends is rejected at once wherever it is.
 * A munged that is busy or restarting is tried again for some seconds, within the deadline.
 *
 * @throws SlurmUsageError when an option is not valid.
 */
export function munge(options: MungeOptions = {}): MungeAuthenticator {
  checkMungeOptions('munge', options);
  const { library } = options;
  return mungeAuthenticator(
    { via: 'libmunge', caller: 'munge', slots, open: () => mungeCalls(library) },
    options,
  );
}

/** The slots of all MUNGE calls of this thread: two, so that two of libuv's four threads stay free whatever munged does. */
const slots = new CallSlots(2);

/** @internal For tests: slots and queue as they are now. */
export function mungeSlots(): { readonly running: number; readonly waiting: number; readonly peak: number } {
  return { running: slots.running, waiting: slots.waiting, peak: slots.peak };
}
