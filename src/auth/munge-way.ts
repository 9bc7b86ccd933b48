/** What the two ways to munged, libmunge and the socket, have in common: what goes in and what comes back. */
import type { CallContext } from '../protocol/authenticator.js';

/** A way to reach munged. */
export interface MungeCallPort {
  /** Makes a credential; `payload` must not change meanwhile. A refusal is a result, not a rejection. */
  encode(settings: MungeSettings, payload: Buffer, context: CallContext): Promise<MungeResult<string>>;
  /** Decodes a credential. A refusal is a result, not a rejection. */
  decode(
    settings: MungeSettings,
    credential: string,
    context: CallContext,
  ): Promise<MungeResult<DecodedCredential>>;
}

/** What a call asks of munged; `null` leaves MUNGE's default. */
export interface MungeSettings {
  readonly socket: string | null;
  /** Seconds. */
  readonly ttl: number | null;
  readonly restrictUid: number | null;
}

/** What there is to say about a call that failed. */
export interface MungeTrouble {
  /** MUNGE's error number, 0 for success. */
  readonly error: number;
  /** Words about the error, if any. */
  readonly text: string | null;
  /** Whose words they are; null for our own. */
  readonly speaker: 'libmunge' | 'munged' | null;
  /** How the exchange with munged ended, for `EMUNGE_SOCKET` where it is known other than from the words. */
  readonly socketErrno: string | null;
  /** Path of munged's socket, as it was used. */
  readonly socket: string;
  /** The times in a decoded credential, also in one that is refused for them; null when it could not be read. */
  readonly times: CredentialTimes | null;
}

/** What a call brings back. */
export interface MungeResult<Value> extends MungeTrouble {
  /** What was asked for; null when there is none. */
  readonly value: Value | null;
}

/** When a credential was made and decoded, each by the clock of the host that did it. */
export interface CredentialTimes {
  /** Seconds the credential lives. */
  readonly ttl: number;
  /** Seconds since 1970. */
  readonly encoded: number;
  /** Seconds since 1970. */
  readonly decoded: number;
}

/** What munged says about a credential. */
export interface DecodedCredential {
  readonly uid: number;
  readonly gid: number;
  readonly payload: Uint8Array;
}
