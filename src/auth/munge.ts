/** `auth/munge` through MUNGE's own C library: credentials are made and decoded by the munged of this host. */
import type { AuthSection } from '../protocol/auth-section.js';
import type { Authenticator, CallContext, VerifiedCredential } from '../protocol/authenticator.js';
import { untilAborted } from '../protocol/on-abort.js';
import { SlurmAuthError, SlurmUsageError, showValue } from '../protocol/slurm-error.js';
import { CallSlots } from './call-slots.js';
import { EMUNGE, EMUNGE_SUCCESS, emungeEntry } from './emunge.js';
import type { MungeCalls, MungeResult, MungeSettings } from './munge-calls.js';
import { mungeError } from './munge-failure.js';
import { mungeCalls } from './munge-library.js';
import { pause } from './pause.js';

const PLUGIN = 'auth/munge';

/** How {@link munge} reaches munged and what it asks of it. Every field has a default. */
export interface MungeOptions {
  /**
   * Path of munged's socket, at most 107 bytes. Default: the one libmunge was built with, usually `/run/munge/munge.socket.2`.
   * Slurm's own setting is `AuthInfo=socket=…`.
   */
  readonly socket?: string | undefined;
  /**
   * Lifetime of the credentials in seconds, a whole number from 1. Default: munged's, usually 300.
   * munged shortens what is above its own maximum, usually 3600. Slurm's own setting is `AuthInfo=ttl=…`.
   */
  readonly ttl?: number | undefined;
  /**
   * The only uid that may decode the credentials (0 … 4294967294), or `null` for anybody, whatever `create` is asked for.
   * Default: what `create` is asked for.
   */
  readonly uid?: number | null | undefined;
  /** Path or name of the shared object. Default: `libmunge.so.2` (macOS: `libmunge.2.dylib`) in the system's usual places. */
  readonly library?: string | undefined;
}

/**
 * Authenticates with MUNGE through its C library, as Slurm's own tools do.
 *
 * The library is loaded at the first credential; `loadMunge()` does it earlier. At most two calls run at a time in one
 * thread's copy of this module, the others queue; a call whose context ends is rejected at once wherever it is.
 * A munged that is busy or restarting is tried again for some seconds, within the deadline.
 *
 * @throws SlurmUsageError when an option is not valid.
 */
export function munge(options: MungeOptions = {}): Authenticator {
  checkOptions(options);
  const { library } = options;
  const settings: MungeSettings = {
    socket: options.socket ?? null,
    ttl: options.ttl ?? null,
    restrictUid: null,
  };
  return {
    name: PLUGIN,

    async create(payload, restrictUid, context): Promise<AuthSection> {
      const reader = options.uid === undefined ? restrictUid : options.uid;
      if (reader !== null) checkUid('restrictUid', reader);
      const own = { ...settings, restrictUid: reader };
      // The caller may reuse its buffer while the call waits in the queue.
      const bytes = Buffer.from(payload);
      const credential = await persist(library, context, (calls) => calls.encode(own, bytes));
      return { plugin: PLUGIN, credential };
    },

    async verify(section, context): Promise<VerifiedCredential> {
      if (section.plugin !== PLUGIN) throw wrongPlugin(section.plugin);
      const { credential } = section;
      if (credential === null) throw noCredential();
      const { uid, gid, payload } = await persist(library, context, (calls) =>
        calls.decode(settings, credential),
      );
      return { uid, gid, payload };
    },
  };
}

/** The slots of all MUNGE calls of this thread: two, so that two of libuv's four threads stay free whatever munged does. */
const slots = new CallSlots(2);

/** @internal For tests: slots and queue as they are now. */
export function mungeSlots(): { readonly running: number; readonly waiting: number; readonly peak: number } {
  return { running: slots.running, waiting: slots.waiting, peak: slots.peak };
}

/** Tries and the pause between them are libslurm's (slurm 22.05, `auth_munge.c`: 20 tries, 100 ms apart). */
const MAX_TRIES = 20;
const PAUSE_MS = 100;
/** No try begins later than this after the first: on a dead socket libmunge itself spends 2.3 s per try (measured, 0.5.15). */
const RETRY_WINDOW_MS = 5_000;

/** Calls until it succeeds or until another try makes no sense; every try waits for a slot of its own. */
async function persist<Value>(
  library: string | undefined,
  context: CallContext,
  call: (calls: MungeCalls) => Promise<MungeResult<Value>>,
): Promise<Value> {
  const { signal } = context;
  const calls = await untilAborted(signal, mungeCalls(library));
  let firstBegan: number | undefined;
  for (let tries = 1; ; tries++) {
    let began = 0;
    const result = await slots.run(signal, () => {
      began = performance.now();
      firstBegan ??= began;
      return call(calls);
    });
    if (result.error === EMUNGE_SUCCESS && result.value !== null) return result.value;

    const now = performance.now();
    const elapsedMs = now - (firstBegan ?? now);
    const error = await untilAborted(signal, mungeError({ ...result, tries, elapsedMs }));
    // A try that cannot end before the deadline would only replace a telling error by a timeout.
    const nextMs = PAUSE_MS + (now - began);
    const hopeless = tries === MAX_TRIES || elapsedMs > RETRY_WINDOW_MS || context.remainingMs() <= nextMs;
    if (!mayPass(error) || hopeless) throw error;
    await pause(signal, PAUSE_MS);
  }
}

/** A munged that is full or restarts comes back by itself; for `hung` libmunge has tried five times over already. */
function mayPass(error: SlurmAuthError): boolean {
  return error.reason === 'busy' || error.reason === 'not-running';
}

function wrongPlugin(plugin: string): SlurmAuthError {
  return new SlurmAuthError(
    `The credential to verify is one of ${plugin}, and MUNGE can only decode its own.`,
    {
      code: 'SLURM_PROTOCOL_AUTHENTICATION_ERROR',
      number: 1007,
      errno: 'EACCES',
      outcome: 'not-sent',
      phase: 'authenticate',
      reason: 'wrong-plugin',
      hint: 'Both sides must use the same AuthType.',
    },
  );
}

function noCredential(): SlurmAuthError {
  const { code, number, errno } = emungeEntry(EMUNGE.BAD_CRED);
  return new SlurmAuthError('The peer names auth/munge and sent no credential.', {
    code,
    number,
    errno,
    outcome: 'not-sent',
    phase: 'authenticate',
    reason: 'no-credential',
    hint: 'Look into the log of the peer: it may have failed to make one.',
  });
}

/** Room in `sockaddr_un.sun_path` without its final NUL. */
const MAX_SOCKET_PATH = process.platform === 'linux' ? 107 : 103;

function checkOptions({ socket, ttl, uid, library }: MungeOptions): void {
  if (socket !== undefined) {
    checkPath('socket', socket);
    if (Buffer.byteLength(socket) > MAX_SOCKET_PATH) {
      throw badOption('socket', socket, `longer than the ${MAX_SOCKET_PATH} bytes a socket's path may have`);
    }
  }
  if (library !== undefined) checkPath('library', library);
  if (ttl !== undefined && !(Number.isInteger(ttl) && ttl >= 1 && ttl <= 0x7fffffff)) {
    throw badOption('ttl', ttl, 'not a whole number of seconds from 1 to 2147483647');
  }
  if (uid !== undefined && uid !== null) checkUid('uid', uid);
}

function checkPath(field: string, value: unknown): void {
  if (typeof value !== 'string' || value === '' || value.includes('\0')) {
    throw badOption(field, value, 'not a path');
  }
}

/** 0xffffffff is MUNGE's "anybody" (`MUNGE_UID_ANY`); here that is `null`, so that nobody says it by mistake. */
function checkUid(field: string, value: unknown): void {
  if (!(Number.isInteger(value) && (value as number) >= 0 && (value as number) < 0xffffffff)) {
    throw badOption(field, value, 'not a uid (0 … 4294967294, or null for anybody)');
  }
}

function badOption(field: string, value: unknown, why: string): SlurmUsageError {
  return new SlurmUsageError(`munge: ${field} is ${why}: ${showValue(value)}.`, {
    code: 'SLURMWIRE_BAD_OPTION',
    field,
    value,
  });
}
