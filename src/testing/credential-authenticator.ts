/** `auth/munge` for any user of an embedded cluster, in its own process: no socket, no munged. */
import { CallSlots } from '../auth/call-slots.js';
import { EMUNGE_SUCCESS } from '../auth/emunge.js';
import { type MungeAuthenticator, mungeAuthenticator } from '../auth/munge-authenticator.js';
import { checkMungeOptions, checkUid } from '../auth/munge-options.js';
import type { MungeCallPort } from '../auth/munge-way.js';
import type { CredentialStore, UserAndGroup } from './credentials.js';

/** Which user, and what else an authenticator can be told. */
export interface EmbeddedUser extends UserAndGroup {
  /** User name, where one is known. */
  readonly name?: string | undefined;
  /** Lifetime of the credentials in seconds, a whole number from 1. Default 300; at most 3600 count. */
  readonly ttlSeconds?: number | undefined;
}

/**
 * An authenticator whose credentials are those of `user`, made and checked by `store`.
 *
 * They are good for the munged socket of the same store and the other way round. Who verifies is `user` too.
 *
 * @throws SlurmUsageError when a field is not valid.
 */
export function authenticatorOf(store: CredentialStore, user: EmbeddedUser): MungeAuthenticator {
  const { uid, gid, name = null, ttlSeconds } = user;
  checkUid('authenticatorOf', 'uid', uid);
  checkUid('authenticatorOf', 'gid', gid);
  checkMungeOptions('authenticatorOf', { ttl: ttlSeconds });
  const calls = callsOf(store, { uid, gid });
  const way = {
    via: 'in-process',
    caller: 'authenticatorOf',
    slots: NO_LIMIT,
    open: async () => calls,
  } as const;
  return {
    ...mungeAuthenticator(way, { ttl: ttlSeconds }),
    identity: async () => ({ uid, name }),
  };
}

/** Nothing here waits for anything. */
const NO_LIMIT = new CallSlots(Number.POSITIVE_INFINITY);

/** munged's two calls, as one user. */
function callsOf(store: CredentialStore, user: UserAndGroup): MungeCallPort {
  const base = { speaker: null, socketErrno: null, socket: 'the embedded munged', times: null } as const;
  return {
    async encode({ ttl, restrictUid }, payload) {
      const made = store.make({ ...user, payload, restrictUid, ttlSeconds: ttl ?? undefined });
      return typeof made === 'string'
        ? { ...base, error: EMUNGE_SUCCESS, text: null, value: made }
        : { ...base, ...made, value: null };
    },
    async decode(_settings, credential) {
      const { error, text, credential: opened } = store.open(credential, user);
      if (opened === null) return { ...base, error, text, value: null };
      const { uid, gid, payload, ttlSeconds, encoded, decoded } = opened;
      const times = { ttl: ttlSeconds, encoded, decoded };
      return { ...base, error, text, times, value: { uid, gid, payload } };
    },
  };
}
