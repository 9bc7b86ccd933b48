/** What a daemon makes of a whole frame before it does anything: who sent it, what it says, or why it is refused. */
import { decodeBody } from '../protocol/body.js';
import { decodeFrame, type Frame, LENGTH_WORD } from '../protocol/frame.js';
import { isMessageName, type MessageName, type MessageRecord } from '../protocol/messages/index.js';
import { isPayloadOf } from '../protocol/payload-digest.js';
import { isAtLeast, type Release, releaseOfHeaderVersion } from '../protocol/release.js';
import { SlurmProtocolError } from '../protocol/slurm-error.js';
import type { CredentialStore, OpenedCredential, UserAndGroup } from './credentials.js';
import type { Rejection } from './manners.js';

/** Shortest frame there can be: a header of the oldest version without anything. */
export const MIN_HEADER_LENGTH = 12;

/** SLURM_AUTH_NOBODY. */
const NOBODY = 99;

/** A request that the daemon is to execute: well-formed, and of a known caller. */
export interface WireRequest {
  readonly name: MessageName;
  /** What decoding the body gave. */
  readonly record: unknown;
  /** Protocol of the request, and of its answer. */
  readonly release: Release;
  readonly uid: number;
  readonly gid: number;
  readonly frame: Frame;
  /** The whole frame as it came. */
  readonly bytes: Uint8Array;
}

/** A message as far as it could be opened. */
export type Opened = {
  readonly release: Release | null;
  /** The header is there, whatever comes behind it. */
  readonly frame: Frame | null;
} & (
  | { readonly name: string | null; readonly uid: number | null; readonly rejection: Rejection }
  | {
      readonly name: MessageName;
      readonly uid: number;
      readonly rejection: null;
      readonly request: WireRequest;
    }
);

/** Who opens it. */
export interface Opener {
  /** Release of the daemon. */
  readonly own: Release;
  readonly user: UserAndGroup;
  readonly credentials: CredentialStore;
}

/** Opens a frame. Its credential is spent by that. Whatever the bytes are, this does not throw. */
export function openRequest(bytes: Uint8Array, by: Opener): Opened {
  const none = { name: null, uid: null, frame: null };
  const release = versionOf(bytes);
  if (release === null) return { ...none, release, rejection: 'version' };
  let frame: Frame;
  try {
    frame = decodeFrame(bytes);
  } catch (error) {
    return { ...none, release, rejection: undecodable(error) };
  }
  const { messageName, auth, body, header } = frame;
  const unknown = { name: messageName, uid: null, release, frame };
  if (auth === null) return { ...unknown, rejection: 'no-credential' };
  if (auth.plugin !== 'auth/munge') return { ...unknown, rejection: 'auth-section' };
  const who = identify(auth.credential, by);
  if (who === null) return { ...unknown, rejection: 'credential' };
  const known = { name: messageName, uid: who.uid, release, frame };
  // No release asks for a digest; what is there has to be right.
  const isBound = who.payload.length === 0 || isPayloadOf(who.payload, release, header.msgType, body);
  if (!isBound || messageName === null) return { ...known, rejection: 'body' };
  if (!isMessageName(messageName)) return { ...known, rejection: 'not-served' };
  try {
    const record = decodeFront(messageName, release, body);
    const { uid, gid } = who;
    const request = { name: messageName, record, release, uid, gid, frame, bytes };
    return { name: messageName, uid, release, frame, rejection: null, request };
  } catch (error) {
    if (!(error instanceof SlurmProtocolError)) throw error;
    return { ...known, rejection: 'body' };
  }
}

/** Its header's version; `null` where that is none of a release. */
function versionOf(bytes: Uint8Array): Release | null {
  return releaseOfHeaderVersion(new DataView(bytes.buffer, bytes.byteOffset).getUint16(LENGTH_WORD));
}

function undecodable(error: unknown): Rejection {
  if (!(error instanceof SlurmProtocolError)) throw error;
  const [part] = error.fieldPath.split('/');
  if (part === 'auth') return 'auth-section';
  return part === 'body' ? 'body' : 'header';
}

/** As the daemons do: what stands behind a body is not looked at. */
function decodeFront<N extends MessageName>(name: N, release: Release, body: Uint8Array): MessageRecord<N> {
  try {
    return decodeBody(name, release, body);
  } catch (error) {
    if (!(error instanceof SlurmProtocolError) || error.code !== 'SLURMWIRE_TRAILING_BYTES') throw error;
    return decodeBody(name, release, body.subarray(0, error.offset));
  }
}

/** `null` where there is no credential, or it is not good. */
function identify(text: string | null, { own, user, credentials }: Opener): OpenedCredential | null {
  const { error, credential } = credentials.open(text ?? '', user);
  // Since 23.02 SLURM_AUTH_NOBODY is nobody's uid.
  const isNobody = credential?.uid === NOBODY || credential?.gid === NOBODY;
  return error !== 0 || (isNobody && isAtLeast(own, '23.02')) ? null : credential;
}
