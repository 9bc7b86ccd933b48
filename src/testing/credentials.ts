/**
 * The credentials of an embedded cluster: made, opened and remembered as one host's munged does, without a munged.
 *
 * Source of the rules: `enc_process_msg`, `dec_process_msg` and `replay.c` of munge 0.5.18 with its usual settings; what real ones
 * answer is compared in test/testing/munged-real.test.ts (0.5.15).
 */
import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { isIPv4 } from 'node:net';
import { EMUNGE, EMUNGE_SUCCESS, emungeEntry } from '../auth/emunge.js';
import { checkUid } from '../auth/munge-options.js';
import {
  ANY_ID,
  DEFAULT_CIPHER,
  DEFAULT_MAC,
  DEFAULT_TTL,
  DEFAULT_ZIP,
  MAX_PAYLOAD,
} from '../auth/munge-wire.js';
import { encodeText } from '../protocol/byte-text.js';
import { SlurmUsageError, showValue } from '../protocol/slurm-error.js';
import { checkKinds, MAX_REALM, type Refusal, seal, unseal } from './credential-text.js';

/** Who makes or opens a credential. */
export interface UserAndGroup {
  readonly uid: number;
  readonly gid: number;
}

/** What is particular to one host. Every field has a default. */
export interface CredentialHostOptions {
  /** Milliseconds since 1970. Default: `Date.now`. */
  readonly now?: (() => number) | undefined;
  /** How far the host's clock is ahead of `now`, in seconds; behind, if negative. Default 0. */
  readonly skewSeconds?: number | undefined;
  /** The IPv4 address that its credentials say they come from. Default `127.0.0.1`. */
  readonly address?: string | undefined;
  /** The other groups of a user, for credentials restricted to a gid. Default: nobody has any. */
  readonly groupsOf?: ((uid: number) => Iterable<number>) | undefined;
}

/** What to make a credential of. */
export interface MintRequest extends UserAndGroup {
  /** At most 1,048,576 bytes. */
  readonly payload: Uint8Array;
  /** The only uid that may open it; `null` or left out: anybody. root is no exception. */
  readonly restrictUid?: number | null | undefined;
  /** The only group whose members may open it; `null` or left out: anybody. */
  readonly restrictGid?: number | null | undefined;
  /** Lifetime; 0 or left out: 300 s. What is above 3600 s is cut to that. */
  readonly ttlSeconds?: number | undefined;
  /** `munge_cipher_t`, `munge_mac_t`, `munge_zip_t`: checked, and shown to who opens it. Default 1: AES-128, SHA-256, none. */
  readonly cipher?: number | undefined;
  readonly mac?: number | undefined;
  readonly zip?: number | undefined;
  /** At most 254 bytes. */
  readonly realm?: string | null | undefined;
}

/** What a credential says to who may open it. */
export interface OpenedCredential extends UserAndGroup {
  readonly payload: Uint8Array;
  /** `null` for anybody. */
  readonly restrictUid: number | null;
  readonly restrictGid: number | null;
  readonly cipher: number;
  readonly mac: number;
  readonly zip: number;
  readonly realm: string | null;
  /** Seconds it lives. */
  readonly ttlSeconds: number;
  /** Seconds since 1970: made and opened, each by the clock of the host that did it. */
  readonly encoded: number;
  readonly decoded: number;
  /** IPv4 address of the host that made it, 4 bytes. */
  readonly address: Uint8Array;
  /** For {@link CredentialStore.forget}. */
  readonly id: string;
}

/** What opening a credential comes to. */
export interface Opening {
  /** MUNGE's error number (`src/auth/emunge.ts`); 0 for success. */
  readonly error: number;
  /** Words about this very case, if there are any. */
  readonly text: string | null;
  /** There for success, and for an expired, rewound or replayed credential (15, 16, 17), whose content MUNGE shows as well. */
  readonly credential: OpenedCredential | null;
}

/** munged's usual settings: `MUNGE_DEFAULT_TTL`, `MUNGE_MAXIMUM_TTL`, `MUNGE_REPLAY_PURGE_SECS`, `MUNGE_SOCKET_RETRY_ATTEMPTS`. */
const USUAL_TTL = 300;
const MAX_TTL = 3_600;
const PURGE_SECONDS = 60;
const MAX_RETRIES = 5;
/** AES-128, SHA-256; and nothing is ever compressed, which munged does not do either where it would not pay. */
const USUAL_CIPHER = 4;
const USUAL_MAC = 5;
const NO_ZIP = 0;

/**
 * The munged of one host of an embedded cluster, but for its socket: a key, a clock, and the credentials that were opened here.
 *
 * A credential can be opened once per host. Slurm's daemons pass the credential of a message on to other nodes, so daemons that stand
 * for several hosts want a store each: {@link host}.
 */
export class CredentialStore {
  /** How far this host's clock is ahead, in seconds; may be changed at any time. */
  skewSeconds: number;
  readonly #key: KeyObject;
  readonly #now: () => number;
  readonly #address: Uint8Array;
  readonly #groupsOf: (uid: number) => Iterable<number>;
  /** When each credential that was opened here expires, by its id. */
  readonly #opened = new Map<string, number>();
  #purged = 0;

  /** @throws SlurmUsageError when an option is not valid. */
  constructor(options?: CredentialHostOptions);
  /** @internal */
  constructor(options: CredentialHostOptions, key: KeyObject);
  constructor(options: CredentialHostOptions = {}, key: KeyObject = createSecretKey(randomBytes(32))) {
    const { now = Date.now, skewSeconds = 0, address = '127.0.0.1', groupsOf = () => [] } = options;
    if (!Number.isFinite(skewSeconds)) throw badOption('skewSeconds', skewSeconds, 'not a number of seconds');
    if (!isIPv4(address)) throw badOption('address', address, 'not an IPv4 address');
    this.#key = key;
    this.#now = now;
    this.skewSeconds = skewSeconds;
    this.#address = Uint8Array.from(address.split('.'), Number);
    this.#groupsOf = groupsOf;
  }

  /** Another host of the same cluster: it has the same key, and remembers for itself what it opened. Its clock is the real one. */
  host(options: CredentialHostOptions = {}): CredentialStore {
    return new CredentialStore(options, this.#key);
  }

  /** How many credentials are remembered because they could be replayed. They are forgotten within a minute after they have expired. */
  get remembered(): number {
    this.#purge(this.#seconds());
    return this.#opened.size;
  }

  /**
   * Makes a credential.
   *
   * @throws SlurmUsageError for what no credential can be made of.
   */
  mint(request: MintRequest): string {
    for (const field of ['uid', 'gid', 'restrictUid', 'restrictGid'] as const) {
      const id = request[field];
      if (field === 'uid' || field === 'gid' || (id !== undefined && id !== null))
        checkUid('mint', field, id);
    }
    const { ttlSeconds } = request;
    if (ttlSeconds !== undefined && !(Number.isInteger(ttlSeconds) && ttlSeconds >= 0)) {
      throw badOption('ttlSeconds', ttlSeconds, 'not a whole number of seconds');
    }
    const made = this.make(request);
    if (typeof made === 'string') return made;
    const { summary } = emungeEntry(made.error);
    throw badOption('request', made.text, `what MUNGE would refuse: ${summary}`);
  }

  /**
   * Makes a credential, or says with which number munged refuses to.
   *
   * @param request with valid ids.
   */
  make(request: MintRequest): string | Refusal {
    const { payload, realm = null } = request;
    const kinds = checkKinds(
      orUsual(request.cipher, DEFAULT_CIPHER, USUAL_CIPHER),
      orUsual(request.mac, DEFAULT_MAC, USUAL_MAC),
      orUsual(request.zip, DEFAULT_ZIP, NO_ZIP),
    );
    if ('error' in kinds) return kinds;
    if (payload.length > MAX_PAYLOAD) {
      const text = `a payload of ${payload.length} bytes, MUNGE takes at most ${MAX_PAYLOAD}`;
      return { error: EMUNGE.BAD_LENGTH, text };
    }
    const realmLength = encodeText(realm ?? '').length;
    if (realmLength > MAX_REALM) {
      return { error: EMUNGE.BAD_REALM, text: `a realm of ${realmLength} bytes, at most ${MAX_REALM} fit` };
    }
    return seal(this.#key, {
      ...{ ...kinds, zip: NO_ZIP, realm, address: this.#address, encoded: this.#seconds() },
      ttl: Math.min(orUsual(request.ttlSeconds, DEFAULT_TTL, USUAL_TTL), MAX_TTL),
      ...{ uid: request.uid, gid: request.gid, payload },
      restrictUid: request.restrictUid ?? ANY_ID,
      restrictGid: request.restrictGid ?? ANY_ID,
    });
  }

  /**
   * Opens a credential as `by`. Whatever the text is, this does not throw.
   *
   * @param retry n for the n-th repetition of a transaction of which munged's answer was lost; a replay is then allowed.
   */
  open(text: string, by: UserAndGroup, retry = 0): Opening {
    const unsealed = unseal(this.#key, text);
    if ('error' in unsealed) return { ...unsealed, credential: null };
    const { content, id } = unsealed;
    const { encoded, restrictUid, restrictGid } = content;
    if (!this.#mayOpen(restrictUid, restrictGid, by)) {
      const text = `the credential is not for uid ${by.uid}, gid ${by.gid}`;
      return { error: EMUNGE.CRED_UNAUTHORIZED, text, credential: null };
    }
    const decoded = this.#seconds();
    const ttl = Math.min(content.ttl, MAX_TTL);
    const error =
      decoded < encoded - ttl
        ? EMUNGE.CRED_REWOUND
        : decoded > encoded + ttl
          ? EMUNGE.CRED_EXPIRED
          : this.#isReplay(id, encoded + ttl, decoded) && !(retry > 0 && retry <= MAX_RETRIES)
            ? EMUNGE.CRED_REPLAYED
            : EMUNGE_SUCCESS;
    const { cipher, mac, zip, realm, address, uid, gid, payload } = content;
    return {
      error,
      text: null,
      credential: {
        ...{ uid, gid, payload, restrictUid: orNull(restrictUid), restrictGid: orNull(restrictGid) },
        ...{ cipher, mac, zip, realm, ttlSeconds: ttl, encoded, decoded, address, id },
      },
    };
  }

  /** Takes back that a credential was opened: its content did not reach who asked for it. */
  forget({ id }: OpenedCredential): void {
    this.#opened.delete(id);
  }

  #mayOpen(restrictUid: number, restrictGid: number, { uid, gid }: UserAndGroup): boolean {
    if (restrictUid !== ANY_ID && restrictUid !== uid) return false;
    return restrictGid === ANY_ID || restrictGid === gid || [...this.#groupsOf(uid)].includes(restrictGid);
  }

  /** Remembers it if it is none. */
  #isReplay(id: string, expires: number, now: number): boolean {
    this.#purge(now);
    if (this.#opened.has(id)) return true;
    this.#opened.set(id, expires);
    return false;
  }

  /** Without a timer of its own. The clock may go back as well. */
  #purge(now: number): void {
    if (Math.abs(now - this.#purged) < PURGE_SECONDS) return;
    this.#purged = now;
    for (const [id, expires] of this.#opened) if (expires < now) this.#opened.delete(id);
  }

  #seconds(): number {
    const seconds = Math.floor(this.#now() / 1_000 + this.skewSeconds);
    // What has no place in 32 bits cannot be a time of a credential.
    return Math.min(Math.max(seconds, 0), 0xffffffff);
  }
}

function orUsual(value: number | undefined, standsFor: number, usual: number): number {
  return value === undefined || value === standsFor ? usual : value;
}

function orNull(id: number): number | null {
  return id === ANY_ID ? null : id;
}

function badOption(field: string, value: unknown, why: string): SlurmUsageError {
  return new SlurmUsageError(`CredentialStore: ${field} is ${why}: ${showValue(value)}.`, {
    code: 'SLURMWIRE_BAD_OPTION',
    field,
    value,
  });
}
