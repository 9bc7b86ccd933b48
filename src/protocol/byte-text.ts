/**
 * Strings on the wire are bytes. They are read as UTF-8; a byte that is not part of valid UTF-8 becomes the lone surrogate
 * U+DC00 + byte (as Python's surrogateescape does), so that every string encodes back to the bytes it came from.
 */

import { CodecFault } from './codec-fault.js';

const strictDecoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

export function decodeText(bytes: Uint8Array): string {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return decodeEscaping(bytes);
  }
}

export function encodeText(text: string): Uint8Array {
  // isWellFormed (ES2024) is in Node 20; the library targets ES2023's types, hence the scan by pattern.
  return LONE_SURROGATE.test(text) ? encodeEscaped(text) : encoder.encode(text);
}

/**
 * True for a text that decoding can give. No two of these are the same bytes, while others are: two escaped bytes that make a character, and that
 * character.
 */
export function isWireText(text: string): boolean {
  if (!LONE_SURROGATE.test(text)) return true;
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    if (code >= 0xd800 && code <= 0xdfff && !(code >= 0xdc80 && code <= 0xdcff)) return false;
  }
  return decodeText(encodeEscaped(text)) === text;
}

const LONE_SURROGATE = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;

function decodeEscaping(bytes: Uint8Array): string {
  // Pieces of bounded size: a string grown a character at a time costs many times its length in memory.
  const pieces: string[] = [];
  let bad: number[] = [];
  const flush = () => {
    if (bad.length > 0) pieces.push(String.fromCharCode(...bad));
    bad = [];
  };
  let run = 0;
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    if (run < at) {
      flush();
      pieces.push(strictDecoder.decode(bytes.subarray(run, at)));
    }
    bad.push(0xdc00 + (bytes[at] as number));
    if (bad.length === 8192) flush();
    at += 1;
    run = at;
  }
  flush();
  pieces.push(strictDecoder.decode(bytes.subarray(run)));
  return pieces.join('');
}

/**
 * Length of the valid UTF-8 sequence that starts here, 0 if there is none. Checked by hand: asking the decoder, which throws,
 * takes seconds for a megabyte that a hostile peer has chosen.
 */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number;
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  // The second byte rules out overlong forms, surrogates and what lies beyond U+10FFFF.
  const second = bytes[at + 1] as number;
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  for (let i = 2; i < length; i++) if (((bytes[at + i] as number) & 0xc0) !== 0x80) return 0;
  return length;
}

function encodeEscaped(text: string): Uint8Array {
  const parts: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    if (code >= 0xdc80 && code <= 0xdcff) parts.push(code - 0xdc00);
    else if (code >= 0xd800 && code <= 0xdfff) {
      throw new CodecFault('SLURMWIRE_BAD_VALUE', `a string with the lone surrogate U+${code.toString(16)}`);
    } else parts.push(...encoder.encode(character));
  }
  return Uint8Array.from(parts);
}
