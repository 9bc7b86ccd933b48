/**
 * The messages on a SACK socket, where auth/slurm's credentials are made and checked. Pure functions of bytes, both directions.
 *
 * Request: u16 version (for the log only, not counted in the length), u32 length of what follows with itself, u32 number, arguments.
 * Reply to a create: the token as a string; to a verify: u32, 0 for good. Then the daemon closes.
 *
 * Source: `sack_create`, `sack_verify` and the daemons' side of them in 23.11 to 26.05; observed on 24.11 and 26.05.
 */
import { ByteReader } from '../protocol/byte-reader.js';
import { ByteWriter } from '../protocol/byte-writer.js';
import { CodecFault } from '../protocol/codec-fault.js';
import { MAX_TOKEN_LENGTH } from './jwt-text.js';

const SACK_CREATE = 64001;
const SACK_VERIFY = 64002;
/** Stands for "anybody" (`SLURM_AUTH_UID_ANY`); here that is `null`. */
const ANY_UID = 0xffffffff;
/** Version, length, number. */
const HEADER_BYTES = 10;
/** Bytes of the version, which the length does not count. */
const UNCOUNTED = 2;
/** More than any request of ours: a token and its frame. */
export const MAX_SACK_REQUEST = MAX_TOKEN_LENGTH + 64;
/** More than any reply: a token with its NUL, and its length. */
export const MAX_SACK_REPLY = 4 + MAX_TOKEN_LENGTH + 1;

/** What a client asks. */
export type SackRequest = {
  /** Protocol version as in a message header. */
  readonly version: number;
} & (
  | {
      readonly rpc: 'create';
      /** The only uid that may verify the token, `null` for anybody. */
      readonly restrictUid: number | null;
      readonly payload: Uint8Array;
    }
  | { readonly rpc: 'verify'; readonly token: string }
);

export function encodeSackRequest(request: SackRequest): Uint8Array {
  const body = new ByteWriter(256);
  if (request.rpc === 'create') {
    body.u32(SACK_CREATE);
    body.u32(request.restrictUid ?? ANY_UID);
    body.u32(request.payload.length);
    body.raw(request.payload);
  } else {
    body.u32(SACK_VERIFY);
    body.text(request.token);
  }
  const packed = body.finish();
  const writer = new ByteWriter(HEADER_BYTES + packed.length);
  writer.u16(request.version);
  writer.u32(4 + packed.length);
  writer.raw(packed);
  return writer.finish();
}

/** A whole request; `null` while more bytes have to come. @throws CodecFault for what can be none. */
export function decodeSackRequest(bytes: Uint8Array): SackRequest | null {
  if (bytes.length < HEADER_BYTES) return null;
  const reader = new ByteReader(bytes);
  const version = reader.u16();
  const length = reader.u32();
  if (length < HEADER_BYTES - UNCOUNTED || length > MAX_SACK_REQUEST) {
    throw new CodecFault('SLURMWIRE_BAD_LENGTH', `a request of ${length} bytes`, UNCOUNTED);
  }
  if (bytes.length < UNCOUNTED + length) return null;
  const rpc = reader.u32();
  const request = readArguments(rpc, version, reader);
  reader.finish();
  return request;
}

function readArguments(rpc: number, version: number, reader: ByteReader): SackRequest {
  if (rpc === SACK_CREATE) {
    const uid = reader.u32();
    const restrictUid = uid === ANY_UID ? null : uid;
    return { version, rpc: 'create', restrictUid, payload: Uint8Array.from(reader.raw(reader.u32())) };
  }
  if (rpc === SACK_VERIFY) {
    const token = reader.text();
    if (token === null)
      throw new CodecFault('SLURMWIRE_BAD_VALUE', 'a verify without a token', reader.offset);
    return { version, rpc: 'verify', token };
  }
  throw new CodecFault('SLURMWIRE_UNKNOWN_TYPE', `request ${rpc} is not known`, UNCOUNTED + 4);
}

/** The answer to a create. */
export function encodeCreated(token: string): Uint8Array {
  const writer = new ByteWriter(token.length + 5);
  writer.text(token);
  return writer.finish();
}

/** The token of a whole answer to a create; `null` while more bytes have to come. @throws CodecFault for what can be none. */
export function decodeCreated(bytes: Uint8Array): string | null {
  if (bytes.length < 4) return null;
  const reader = new ByteReader(bytes);
  const length = reader.u32();
  if (length < 2 || length > MAX_TOKEN_LENGTH + 1) {
    throw new CodecFault('SLURMWIRE_BAD_LENGTH', `a token of ${length} bytes`, 0);
  }
  if (reader.remaining < length) return null;
  reader.offset = 0;
  const token = reader.text() as string; // its length is not 0
  reader.finish();
  // A token is ASCII, so a NUL before the last byte shows.
  if (token.length !== length - 1)
    throw new CodecFault('SLURMWIRE_BAD_TEXT', 'a token with other bytes in it', 4);
  return token;
}

/** The answer to a verify. */
export function encodeVerified(result: number): Uint8Array {
  const writer = new ByteWriter(4);
  writer.u32(result);
  return writer.finish();
}

/** The result of a whole answer to a verify, 0 for good; `null` while more bytes have to come. @throws CodecFault for what can be none. */
export function decodeVerified(bytes: Uint8Array): number | null {
  if (bytes.length < 4) return null;
  const reader = new ByteReader(bytes);
  const result = reader.u32();
  reader.finish();
  return result;
}
