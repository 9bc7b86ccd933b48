/**
 * What is bound into a credential so that it fits one message only: a hash type, then the digest.
 *
 * Source: `hash_g_compute` and its callers; vectors produced by libslurm of every release (`fixtures/golden`).
 */
import { kt128 } from '@noble/hashes/sha3-addons.js';
import { isAtLeast, type Release } from './release.js';

const HASH_PLUGIN_NONE = 1;
const HASH_PLUGIN_K12 = 2;

/**
 * The payload for a message: since 22.05 hash type 2 and KangarooTwelve(body, message type as two big-endian bytes, 32 bytes);
 * before, hash type 1 and the message type in the byte order of the daemon's host (little-endian).
 *
 * @param body the packed body exactly as it is sent.
 */
export function payloadDigest(release: Release, msgType: number, body: Uint8Array): Uint8Array {
  if (!isAtLeast(release, '22.05')) return withoutDigest(msgType);
  return withDigest(kt128(body, { personalization: bigEndian(msgType), dkLen: DIGEST_LENGTH }));
}

function withoutDigest(msgType: number): Uint8Array {
  return Uint8Array.of(HASH_PLUGIN_NONE, msgType & 0xff, msgType >> 8);
}

function withDigest(digest: Uint8Array): Uint8Array {
  const payload = new Uint8Array(1 + digest.length);
  payload[0] = HASH_PLUGIN_K12;
  payload.set(digest, 1);
  return payload;
}

const DIGEST_LENGTH = 32;

function bigEndian(msgType: number): Uint8Array {
  return Uint8Array.of(msgType >> 8, msgType & 0xff);
}

/**
 * True when `payload` binds this message. Releases before 22.05 may leave the payload empty and servers of 22.05 use K12 also
 * when an older version is spoken, so for those versions all three forms are good.
 */
export function isPayloadOf(
  payload: Uint8Array,
  release: Release,
  msgType: number,
  body: Uint8Array,
): boolean {
  return atOnce(isPayloadOfInSlices(payload, release, msgType, body));
}

/** As {@link isPayloadOf}, yielding after every 64 KiB that were hashed. */
export function* isPayloadOfInSlices(
  payload: Uint8Array,
  release: Release,
  msgType: number,
  body: Uint8Array,
): Generator<void, boolean, void> {
  if (!isAtLeast(release, '22.05')) {
    if (sameBytes(payload, withoutDigest(msgType)) || payload.length === 0) return true;
  }
  const hash = kt128.create({ personalization: bigEndian(msgType), dkLen: DIGEST_LENGTH });
  for (let at = 0; at < body.length; at += SLICE) {
    hash.update(body.subarray(at, at + SLICE));
    if (at + SLICE < body.length) yield;
  }
  return sameBytes(payload, withDigest(hash.digest()));
}

/** Takes a few hundred microseconds. */
const SLICE = 64 * 1024;

function atOnce<T>(slices: Generator<void, T, void>): T {
  for (;;) {
    const { done, value } = slices.next();
    if (done === true) return value;
  }
}

/** Compares without stopping at the first difference. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}
