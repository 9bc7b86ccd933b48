/** `auth/munge` by whichever way works on this machine. */

import { untilAborted } from '../protocol/on-abort.js';
import { isSlurmError } from '../protocol/slurm-error.js';
import { loadMunge, munge } from './munge.js';
import type { MungeAuthenticator } from './munge-authenticator.js';
import { checkMungeOptions, type MungeOptions } from './munge-options.js';
import { mungeSocket } from './munge-socket.js';

/**
 * Authenticates with MUNGE: through its C library, or through munged's socket where that library (or koffi, the bridge to it) cannot
 * be loaded. This is what `connect()` uses for `AuthType=auth/munge`.
 *
 * It is decided once, at the first credential, by whether the library loads and by nothing else: a munged that refuses or does not
 * answer is never asked the other way. `via` says which it is.
 *
 * @throws SlurmUsageError when an option is not valid.
 */
export function defaultMunge(options: MungeOptions = {}): MungeAuthenticator {
  checkMungeOptions('defaultMunge', options);
  const own = { ...options };
  let chosen: MungeAuthenticator | null = null;
  let choosing: Promise<MungeAuthenticator> | undefined;

  const choice = (signal: AbortSignal) => {
    choosing ??= choose(own).then((first) => {
      chosen = first;
      return first;
    });
    return untilAborted(signal, choosing);
  };
  return {
    name: 'auth/munge',
    get via() {
      return chosen?.via ?? null;
    },
    create: async (payload, restrictUid, context) => {
      if (chosen !== null) return chosen.create(payload, restrictUid, context);
      // As the payload is now, while the library is being loaded as well.
      const bytes = new Uint8Array(payload);
      return (await choice(context.signal)).create(bytes, restrictUid, context);
    },
    verify: async (section, context) => (await choice(context.signal)).verify(section, context),
  };
}

async function choose(options: MungeOptions): Promise<MungeAuthenticator> {
  try {
    await loadMunge(options.library);
    return munge(options);
  } catch (error) {
    if (!(isSlurmError(error) && error.code === 'ESLURM_AUTH_SKIP')) throw error;
    return mungeSocket(options);
  }
}
