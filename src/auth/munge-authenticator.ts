/** `auth/munge` on top of a way to munged: what credentials are asked for, when a call is tried again, and what its failure means. */
import type { AuthSection } from '../protocol/auth-section.js';
import type { Authenticator, CallContext, VerifiedCredential } from '../protocol/authenticator.js';
import { untilAborted } from '../protocol/on-abort.js';
import { SlurmAuthError } from '../protocol/slurm-error.js';
import type { CallSlots } from './call-slots.js';
import { EMUNGE, EMUNGE_SUCCESS, emungeEntry } from './emunge.js';
import { mungeError } from './munge-failure.js';
import { checkUid, type MungeSocketOptions } from './munge-options.js';
import type { MungeCallPort, MungeResult, MungeSettings } from './munge-way.js';
import { pause } from './pause.js';
import { wrongPlugin } from './wrong-plugin.js';

const PLUGIN = 'auth/munge';

/** How munged is reached: through MUNGE's C library, through its socket, or as an embedded cluster's own in this process. */
export type MungeVia = 'libmunge' | 'socket' | 'in-process';

/** An {@link Authenticator} for `auth/munge` that says how it reaches munged. */
export interface MungeAuthenticator extends Authenticator {
  /** How munged is reached; null as long as that is not decided, which is up to the first credential. */
  readonly via: MungeVia | null;
  /** MUNGE can always tell. */
  verify(section: AuthSection, context: CallContext): Promise<VerifiedCredential>;
}

/** A way to munged, ready to be used. */
export interface MungeWay {
  readonly via: MungeVia;
  /** The name of its function, for errors. */
  readonly caller: string;
  /** How many calls may run at a time; all calls of this way in this thread share them. */
  readonly slots: CallSlots;
  /** Whatever has to be there before the first call. */
  open(): Promise<MungeCallPort>;
}

/** @param options checked ones. */
export function mungeAuthenticator(way: MungeWay, options: MungeSocketOptions): MungeAuthenticator {
  const settings: MungeSettings = {
    socket: options.socket ?? null,
    ttl: options.ttl ?? null,
    restrictUid: null,
  };
  const { uid } = options;
  return {
    name: PLUGIN,
    via: way.via,

    async create(payload, restrictUid, context): Promise<AuthSection> {
      const reader = uid === undefined ? restrictUid : uid;
      if (reader !== null) checkUid(way.caller, 'restrictUid', reader);
      const own = { ...settings, restrictUid: reader };
      // The caller may reuse its buffer while the call waits in the queue.
      const bytes = Buffer.from(payload);
      const credential = await persist(way, context, (calls) => calls.encode(own, bytes, context));
      return { plugin: PLUGIN, credential };
    },

    async verify(section, context): Promise<VerifiedCredential> {
      if (section.plugin !== PLUGIN) throw wrongPlugin(PLUGIN, section.plugin);
      const { credential } = section;
      if (credential === null) throw noCredential();
      const { uid, gid, payload } = await persist(way, context, (calls) =>
        calls.decode(settings, credential, context),
      );
      return { uid, gid, payload };
    },
  };
}

/** Tries and the pause between them are libslurm's (slurm 22.05, `auth_munge.c`: 20 tries, 100 ms apart). */
const MAX_TRIES = 20;
const PAUSE_MS = 100;
/** No try begins later than this after the first: on a dead socket libmunge itself spends 2.3 s per try (measured, 0.5.15). */
const RETRY_WINDOW_MS = 5_000;

/** Calls until it succeeds or until another try makes no sense; every try waits for a slot of its own. */
async function persist<Value>(
  way: MungeWay,
  context: CallContext,
  call: (calls: MungeCallPort) => Promise<MungeResult<Value>>,
): Promise<Value> {
  const { signal } = context;
  const calls = await untilAborted(signal, way.open());
  let firstBegan: number | undefined;
  for (let tries = 1; ; tries++) {
    let began = 0;
    const result = await way.slots.run(signal, () => {
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

/** A munged that is full or restarts comes back by itself; for `hung` the way itself has tried five times over already. */
function mayPass(error: SlurmAuthError): boolean {
  return error.reason === 'busy' || error.reason === 'not-running';
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
