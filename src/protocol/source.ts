/** What the programs of `straight-decoder.ts` read from, and how they read texts. */
import { ByteReader } from './byte-reader.js';
import { decodeText } from './byte-text.js';
import type { Codec } from './compile.js';
import { GIVE_UP } from './program-text.js';

/** The whole of a block of memory, as programs read it. */
interface Memory {
  readonly buffer: ArrayBufferLike;
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** What was read from last: a body lies in the memory of its frame, and views take longer to make than a kill to be read. */
let lastMemory: Memory | undefined;
/** No more is held on to. */
const MEMORY_KEPT = 0x10000;

function memoryOf({ buffer }: Uint8Array): Memory {
  if (lastMemory?.buffer === buffer) return lastMemory;
  const memory = { buffer, bytes: new Uint8Array(buffer), view: new DataView(buffer) };
  if (buffer.byteLength <= MEMORY_KEPT) lastMemory = memory;
  return memory;
}

/**
 * What a decoder reads from. Positions are those of the memory that the bytes lie in, so a program can read behind the end of the message:
 * whoever runs one must look afterwards whether it is there ({@link isWithin}).
 */
export class Source {
  /** The memory's. */
  readonly bytes: Uint8Array;
  /** The memory's. */
  readonly view: DataView;
  readonly start: number;
  readonly end: number;
  at: number;
  readonly #message: Uint8Array;
  /** For what is left to the closures. */
  #reader: ByteReader | undefined = undefined;
  /** The text last read at each place of the program, and where its bytes are: in tables it is often the same again. */
  textAt: Int32Array | undefined = undefined;
  textSize: Int32Array | undefined = undefined;
  texts: string[] | undefined = undefined;

  constructor(message: Uint8Array) {
    const { bytes, view } = memoryOf(message);
    this.#message = message;
    this.bytes = bytes;
    this.view = view;
    this.start = message.byteOffset;
    this.end = message.byteOffset + message.length;
    this.at = message.byteOffset;
  }

  /** Whether no program went beyond the end. */
  get isWithin(): boolean {
    return this.at <= this.end;
  }

  /** Leaves a value to the closures, which know the message only. */
  readSlowly(codec: Codec, outer: Record<string, unknown>): unknown {
    this.#reader ??= new ByteReader(this.#message);
    this.#reader.offset = this.at - this.start;
    const value = codec.decode(this.#reader, outer);
    this.at = this.start + this.#reader.offset;
    return value;
  }
}

/** A text of `size` bytes, its NUL included, that begin at `at`. */
export function readText(source: Source, at: number, size: number, place: number): string {
  const { bytes } = source;
  const last = at + size - 1;
  if (last >= source.end || bytes[last] !== 0) throw GIVE_UP;
  const { textAt, textSize, texts } = source;
  if (textAt === undefined || textSize === undefined || texts === undefined) return newText(bytes, at, size);
  if (textSize[place] === size && isSameText(bytes, textAt[place] as number, at, size - 1))
    return texts[place] as string;
  const text = newText(bytes, at, size);
  textAt[place] = at;
  textSize[place] = size;
  texts[place] = text;
  return text;
}

function isSameText(bytes: Uint8Array, one: number, other: number, length: number): boolean {
  // From the end: names differ in their last digits.
  for (let i = length - 1; i >= 0; i--) if (bytes[one + i] !== bytes[other + i]) return false;
  return true;
}

/** The text whose length stands there, and moves on behind it; `undefined` where there is none that can be read. */
export function textAt(source: Source, at: number): string | null | undefined {
  const size = source.view.getUint32(at);
  const end = at + 4 + size;
  if (end > source.end || (size > 0 && source.bytes[end - 1] !== 0)) return undefined;
  source.at = end;
  return size === 0 ? null : cutText(source.bytes, at + 4, size);
}

/** Up to its first NUL; one is at its end. It is found quicker in the text than in the bytes. */
function cutText(bytes: Uint8Array, at: number, size: number): string {
  const text = decodeText(bytes.subarray(at, at + size - 1));
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

function newText(bytes: Uint8Array, at: number, size: number): string {
  if (size <= SHORT) {
    const text = (SHORT_TEXTS[size] as ShortText)(bytes, at);
    if (text !== null) return text;
  }
  return cutText(bytes, at, size);
}

/** Texts up to so many bytes are made from their bytes one by one; for longer ones a TextDecoder is quicker. */
const SHORT = 32;

/** The ASCII text whose bytes begin there, or `null` where it is none. */
type ShortText = (bytes: Uint8Array, at: number) => string | null;

/** By size, NUL included: `String.fromCharCode` is quick with as many arguments as there are characters, slow with an array of them. */
let SHORT_TEXTS: readonly ShortText[] = [];

export function makeShortTexts(): void {
  if (SHORT_TEXTS.length > 0) return;
  const made = Array.from({ length: SHORT + 1 }, (_, size) => {
    const names = Array.from({ length: Math.max(0, size - 1) }, (_, i) => `c${i}`);
    if (names.length === 0) return () => '';
    const reads = names.map((name, i) => `${name} = b[p + ${i}]`).join(', ');
    // Above 0x7f, or 0 (and then 0 - 1 is negative): not ours.
    const odd = names.map((name) => `${name} | (${name} - 1)`).join(' | ');
    const text = `const ${reads}; return ((${odd}) & -128) !== 0 ? null : String.fromCharCode(${names.join(', ')});`;
    return new Function('b', 'p', text) as ShortText;
  });
  SHORT_TEXTS = made;
}

export function asTable(source: Source, places: number): void {
  if (source.textAt !== undefined) return;
  source.textAt = new Int32Array(places);
  source.textSize = new Int32Array(places);
  source.texts = new Array<string>(places).fill('');
}
