/**
 * The port through which credentials come and go, as types only: `src/auth` has the implementations,
 * `src/replay` wraps and plays them, `src/rpc` uses them. It lives in the lowest layer so that all three may look down on it.
 */
import type { AuthSection } from './auth-section.js';

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

/** One way to prove who you are to a Slurm daemon. */
export interface Authenticator {
  /** Upstream's plugin name, for example `auth/munge`. */
  readonly name: string;

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
   * @throws SlurmAuthError when it is not good; SlurmTimeoutError when the context ends first. The caller decides the outcome.
   */
  verify(section: AuthSection, context: CallContext): Promise<VerifiedCredential>;
}
