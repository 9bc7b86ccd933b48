/**
 * The port through which credentials come and go, as types only: `src/auth` has the implementations,
 * `src/replay` wraps and plays them, `src/rpc` uses them. It lives in the lowest layer so that all three may look down on it.
 */
import type { AuthSection } from './auth-section.js';
import type { Release } from './release.js';

/** What bounds one step of a call: how long it may still take, and the signal that ends it early. */
export interface CallContext {
  /** Milliseconds left until the call's deadline; 0 when it has passed. */
  remainingMs(): number;
  /** Fires when the deadline passes or the caller aborts; its `reason` is the error to reject with. */
  readonly signal: AbortSignal;
}

/** Who a credential says its maker is, and what it was bound to. */
export interface VerifiedCredential {
  readonly uid: number;
  readonly gid: number;
  /** The bytes that were bound into the credential: see `payload-digest.ts`. */
  readonly payload: Uint8Array;
}

/** Whom the cluster takes the maker of a credential for, as far as this side can tell. */
export interface AuthIdentity {
  /** `null` where it is not known. Give one only where it is certain: see {@link Authenticator.identity}. */
  readonly uid: number | null;
  /** User name; `null` where it is not known. */
  readonly name: string | null;
}

/** One way to prove who you are to a Slurm daemon. */
export interface Authenticator {
  /** Upstream's plugin name, for example `auth/munge`. */
  readonly name: string;

  /**
   * Who takes its credentials. `controllers`: slurmctld alone, as with auth/jwt; what would go to a slurmd is then refused with
   * `SLURMWIRE_AUTH_NOT_FOR_NODES` before anything is sent or looked up. Default `all`: slurmds too.
   */
  readonly reach?: 'all' | 'controllers' | undefined;

  /** The oldest protocol that knows the method; with an older one nothing is sent (`SLURMWIRE_NOT_IN_RELEASE`). Default: all know it. */
  readonly since?: Release | undefined;

  /**
   * Whom its credentials are about, where that is not the user of this process. Left out, it is that user.
   *
   * The uid decides whether REQUEST_KILL_JOBS may be sent, which hangs some slurmctlds when an unprivileged caller's reaches somebody
   * else's job: `null` is safe, a wrong one is not.
   *
   * @throws SlurmAuthError with outcome `not-sent`.
   */
  identity?(context: CallContext): Promise<AuthIdentity>;

  /**
   * Makes a fresh credential for one message. A credential can be decoded once per munged: never reuse one.
   *
   * @param payload what to bind into it: the digest of the message (`payload-digest.ts`).
   * @param restrictUid the only uid that may decode it, or `null` for anybody.
   * @throws SlurmAuthError with outcome `not-sent`; SlurmTimeoutError when the context ends first.
   */
  create(payload: Uint8Array, restrictUid: number | null, context: CallContext): Promise<AuthSection>;

  /**
   * Decodes and checks the credential of a reply.
   *
   * @returns `null` where the method has nothing to check a reply by, as auth/jwt: the reply then counts as one without a credential
   * (`authenticated: false`). MUNGE and auth/slurm never say so.
   * @throws SlurmAuthError when it is not good; SlurmTimeoutError when the context ends first. The caller decides the outcome.
   */
  verify(section: AuthSection, context: CallContext): Promise<VerifiedCredential | null>;
}
