/** Finds what looks like a live credential in any bytes, whatever they are part of. */
import { placeholderLength, type SecretKind } from './placeholder.js';

/** Something that looks like a credential or token that still works. The secret itself is not in it. */
export interface LiveSecret {
  /** Where it begins, in bytes. */
  readonly offset: number;
  readonly kind: SecretKind;
}

/** A stretch that looks like a secret, or like the beginning of one. */
export interface SecretRange {
  readonly kind: SecretKind;
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** Characters behind the prefix from which on a text counts as live. No MUNGE credential or signed JWT is nearly as short. */
const LIVE = 32;

/**
 * Live-looking secrets: `MUNGE:` with 32 or more characters of base64 behind it, and `eyJ` (base64 of `{"`, the start of every
 * JWT) with as many. The texts that redaction puts in their place are none.
 *
 * It reads bytes as they stand: in a fixture file a credential may be split over chunks, so `encodeFixture` and `decodeFixture`
 * look at the joined bytes of each direction.
 */
export function findLiveSecrets(bytes: Uint8Array): LiveSecret[] {
  return secretRanges(bytes, LIVE).map(({ start, kind }) => ({ offset: start, kind }));
}

/**
 * Stretches that look like secrets, in order; those of one kind may overlap those of the other.
 *
 * @param atLeast characters that have to follow the prefix. For masking it is 1: what a cut has left of a credential goes too.
 */
export function secretRanges(bytes: Uint8Array, atLeast: number): SecretRange[] {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const ranges = [...mungeRanges(view, atLeast), ...jwtRanges(view, atLeast)];
  return ranges.sort((a, b) => a.start - b.start);
}

/** Characters from which on a run counts as the rest of a credential. Shorter ones are names, and of no use to anybody. */
const REST = 24;

/** Masks, in place, what may be the rest of a credential whose beginning is not here. From `start` to the end. */
export function maskRuns(bytes: Uint8Array, start: number): void {
  for (let at = start; at < bytes.length; at++) {
    const end = runEnd(bytes, at, JWT_TEXT);
    if (end - at >= REST) bytes.fill(0x78, at, end);
    at = end;
  }
}

const MUNGE = Buffer.from('MUNGE:');
const JWT = Buffer.from('eyJ');

function* mungeRanges(bytes: Buffer, atLeast: number): Generator<SecretRange> {
  // One character on and not behind the run: in `MUNGE:abcMUNGE:def` the second prefix is part of the first one's run.
  for (let at = bytes.indexOf(MUNGE); at >= 0; at = bytes.indexOf(MUNGE, at + 1)) {
    const from = at + MUNGE.length;
    const end = runEnd(bytes, from, BASE64);
    if (end - from < atLeast || placeholderLength(bytes, at) > 0) continue;
    yield { kind: 'munge', start: at, end: bytes[end] === 0x3a ? end + 1 : end };
  }
}

function* jwtRanges(bytes: Buffer, atLeast: number): Generator<SecretRange> {
  let at = bytes.indexOf(JWT);
  while (at >= 0) {
    const end = runEnd(bytes, at + JWT.length, JWT_TEXT);
    if (end - at - JWT.length >= atLeast) yield { kind: 'jwt', start: at, end };
    at = bytes.indexOf(JWT, end);
  }
}

const BASE64 = tableOf('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=');
const JWT_TEXT = tableOf('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_.');

function tableOf(characters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const character of characters) table[character.charCodeAt(0)] = 1;
  return table;
}

function runEnd(bytes: Uint8Array, from: number, table: Uint8Array): number {
  let end = from;
  while (end < bytes.length && table[bytes[end] as number] === 1) end++;
  return end;
}
