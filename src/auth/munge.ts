/** `auth/munge` through MUNGE's own C library: credentials are made and decoded by the munged of this host. */
import { CallSlots } from './call-slots.js';
import { type MungeAuthenticator, mungeAuthenticator } from './munge-authenticator.js';
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
    { via: 'libmunge', caller: 'munge', slots, open: async () => (await libmunge()).mungeCalls(library) },
    options,
  );
}

/**
 * Loads libmunge ahead of its first use, for example before the process gives up privileges or changes its root.
 *
 * Not needed otherwise: {@link munge} loads it at the first credential. Loading twice costs nothing.
 *
 * @param library path or name of the shared object; default: the system's `libmunge.so.2` (macOS: `libmunge.2.dylib`).
 * @throws SlurmAuthError with code `ESLURM_AUTH_SKIP` and reason `no-library` (libmunge cannot be loaded)
 *   or `no-ffi` (koffi cannot).
 */
export async function loadMunge(library?: string): Promise<void> {
  await (await libmunge()).mungeCalls(library);
}

/** Loaded by `connect()`, or by the first credential: importing the package must not cost what is not used. */
function libmunge(): Promise<typeof import('./munge-library.js')> {
  loading ??= import('./munge-library.js');
  return loading;
}

let loading: Promise<typeof import('./munge-library.js')> | undefined;

/** The slots of all MUNGE calls of this thread: two, so that two of libuv's four threads stay free whatever munged does. */
const slots = new CallSlots(2);

/** @internal For tests: slots and queue as they are now. */
export function mungeSlots(): { readonly running: number; readonly waiting: number; readonly peak: number } {
  return { running: slots.running, waiting: slots.waiting, peak: slots.peak };
}
