/** What the programs of `straight-encoder.ts` write to, and how they write texts. */
import { GIVE_UP } from './program-text.js';

/** What an encoder writes to; past its end there is a RangeError. */
export class Target {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  at = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
  }
}

/** Writes ASCII without NUL; `at` is where its length goes. Returns where it ends. */
export function writeText(target: Target, at: number, text: unknown): number {
  if (typeof text !== 'string') throw GIVE_UP;
  const { bytes, view } = target;
  const { length } = text;
  if (at + 5 + length > bytes.length) throw GIVE_UP;
  view.setUint32(at, length + 1);
  let p = at + 4;
  if (length <= 64) {
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code === 0 || code > 0x7f) throw GIVE_UP;
      bytes[p++] = code;
    }
  } else {
    if (text.includes('\0') || !writeAscii(text, bytes.subarray(p, p + length))) throw GIVE_UP;
    p += length;
  }
  bytes[p] = 0;
  return p + 1;
}

/** Fills `bytes` with a text of as many UTF-16 units. False where not all of them are ASCII. */
export function writeAscii(text: string, bytes: Uint8Array): boolean {
  const { read, written } = encoder.encodeInto(text, bytes);
  // Both: two bytes of one unit may have taken the place of the last one.
  return read === bytes.length && written === bytes.length;
}

const encoder = new TextEncoder();
