/**
 * The fast way of the codec: a declaration written out as straight-line JavaScript for one release, the whole record as one object
 * literal, every offset a sum. Several times faster than the closures of `compile.ts`, which say what is right.
 *
 * It reads and writes what is good and common. At anything else, whatever is wrong with it or only rare, it gives up, and the closures
 * do the work from the beginning: so there is one place that judges, and the errors are its own, path and offset included.
 *
 * What is put into the text of a program: names of declared fields, which must be plain identifiers, and numbers of this file. Nothing
 * that came from the network or from a caller. Where programs must not be made from text, there is no fast way.
 */

import { NO_ADDRESS } from './address.js';
import { ByteReader } from './byte-reader.js';
import { decodeText } from './byte-text.js';
import { type Codec, caseIn, codecOf, isSameValue, placesOf, type Slot } from './compile.js';
import type { Release } from './release.js';
import { NO_VAL } from './sentinels.js';
import type { CountField, Spec, WireType } from './wire-type.js';

type AnyType = WireType<unknown, unknown>;
type Fields = Record<string, unknown>;

/** Reads a value at `source.at` and moves on. Throws whatever it likes where the closures must have a look. */
export type StraightDecoder = (source: Source, outer: Fields) => unknown;
/** Writes a value at `target.at` and moves on. Throws whatever it likes where the closures must have a look. */
export type StraightEncoder = (target: Target, value: unknown, outer: Fields) => void;

/** Not for us. Made once, without a stack: it never gets out of the codec. */
const GIVE_UP: unknown = Object.freeze({ giveUp: true });

/** The decoder of `type` in `release`, or `null` where programs must not be made from text. */
export function straightDecoder(type: AnyType, release: Release): StraightDecoder | null {
  return made(() => new DecoderText(release).program(type)) as StraightDecoder | null;
}

/** The encoder of `type` in `release`, or `null` where programs must not be made from text. */
export function straightEncoder(type: AnyType, release: Release): StraightEncoder | null {
  return made(() => new EncoderText(release).program(type)) as StraightEncoder | null;
}

/** A content security policy, or Node's `--disallow-code-generation-from-strings`, refuses with an EvalError. */
function made(make: () => unknown): unknown {
  try {
    return make();
  } catch {
    // CodecFault: a type without a form in this release, of which the closures say so.
    return null;
  }
}

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
  readSlowly(codec: Codec, outer: Fields): unknown {
    this.#reader ??= new ByteReader(this.#message);
    this.#reader.offset = this.at - this.start;
    const value = codec.decode(this.#reader, outer);
    this.at = this.start + this.#reader.offset;
    return value;
  }
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

/** From so many items on, a list is a table. */
const TABLE = 8;
/** Texts up to so many bytes are made from their bytes one by one; for longer ones a TextDecoder is quicker. */
const SHORT = 32;

/** A text of `size` bytes, its NUL included, that begin at `at`. */
function readText(source: Source, at: number, size: number, place: number): string {
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

function newText(bytes: Uint8Array, at: number, size: number): string {
  if (size <= SHORT) {
    const text = (SHORT_TEXTS[size] as ShortText)(bytes, at);
    if (text !== null) return text;
  }
  return cutText(bytes, at, size);
}

/** The ASCII text whose bytes begin there, or `null` where it is none. */
type ShortText = (bytes: Uint8Array, at: number) => string | null;

/** By size, NUL included: `String.fromCharCode` is quick with as many arguments as there are characters, slow with an array of them. */
let SHORT_TEXTS: readonly ShortText[] = [];

function makeShortTexts(): void {
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

function asTable(source: Source, places: number): void {
  if (source.textAt !== undefined) return;
  source.textAt = new Int32Array(places);
  source.textSize = new Int32Array(places);
  source.texts = new Array<string>(places).fill('');
}

/** Writes ASCII without NUL; `at` is where its length goes. Returns where it ends. */
function writeText(target: Target, at: number, text: unknown): number {
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

/** What both texts have in common: functions, one a struct, and the values that they refer to. */
abstract class ProgramText {
  protected readonly release: Release;
  readonly #functions: string[] = [];
  readonly #names = new Map<Spec, string>();
  readonly #values: unknown[] = [];
  #variables = 0;

  constructor(release: Release) {
    this.release = release;
  }

  /** A value as text: plain ones as themselves, all others as the name of a constant. */
  protected value(value: unknown): string {
    if (value === undefined || value === null || typeof value === 'boolean') return String(value);
    if (typeof value === 'number' && Number.isSafeInteger(value) && !Object.is(value, -0))
      return String(value);
    if (typeof value === 'bigint') return `${value}n`;
    let at = this.#values.indexOf(value);
    if (at < 0) at = this.#values.push(value) - 1;
    return `k${at}`;
  }

  protected variable(): string {
    return `x${this.#variables++}`;
  }

  /** The name of the function of a struct, which is written if need be. */
  protected functionOf(spec: Extract<Spec, { kind: 'struct' }>): string {
    const known = this.#names.get(spec);
    if (known !== undefined) return known;
    const name = `f${this.#names.size}`;
    this.#names.set(spec, name);
    this.#functions.push(this.writeStruct(name, spec));
    return name;
  }

  protected abstract writeStruct(name: string, spec: Extract<Spec, { kind: 'struct' }>): string;

  protected make(last: string): unknown {
    const constants = this.#values.map((_, i) => `const k${i} = k[${i}];`).join('\n');
    return new Function('k', `'use strict';\n${constants}\n${this.#functions.join('\n')}\nreturn ${last};`)(
      this.#values,
    );
  }
}

class DecoderText extends ProgramText {
  #lines: string[] = [];
  /** How far the next field is from `p`. */
  #ahead = 0;
  #places = 0;
  readonly #placesHolder = { count: 0 };

  program(type: AnyType): unknown {
    makeShortTexts();
    const name = this.#whole(type);
    this.#placesHolder.count = this.#places;
    return this.make(name);
  }

  /** The function of a type, of which a struct has one anyway. */
  #whole(type: AnyType): string {
    const { spec } = type;
    if (spec.kind === 'struct') return this.functionOf(spec);
    this.#read(spec, 'r', 'o', codecOf(type, this.release));
    this.#flush();
    const body = this.#lines.join('\n');
    return `function (s, o) {\nconst v = s.view;\nlet p = s.at, n = 0, r;\n${body}\ns.at = p;\nreturn r;\n}`;
  }

  protected writeStruct(name: string, spec: Extract<Spec, { kind: 'struct' }>): string {
    const [lines, ahead] = [this.#lines, this.#ahead];
    this.#lines = [];
    this.#ahead = 0;
    const { slots, carried, derived } = placesOf(spec, this.release);
    // All keys first, with what stands for "not there": what the closures do too.
    const literal = slots.map(
      ({ name: key, field }) => `${identifier(key)}: ${this.value(field.fallback?.value)}`,
    );
    this.#lines.push(`const r = { ${literal.join(', ')} };`);
    for (const slot of carried) this.#field(slot);
    this.#flush();
    for (const { name: key, field } of derived) {
      this.#lines.push(
        `if (r.${identifier(key)} === undefined) r.${key} = ${this.value(field.fallback?.derive)}(r);`,
      );
    }
    const body = this.#lines.join('\n');
    this.#lines = lines;
    this.#ahead = ahead;
    return `function ${name}(s, o) {\nconst v = s.view;\nlet p = s.at, n = 0;\n${body}\ns.at = p;\nreturn r;\n}`;
  }

  #field({ name, field, codec, place }: Slot & { codec: Codec }): void {
    const conditions = [field.condition, place]
      .filter((condition) => condition !== undefined)
      .map((condition) => `${this.value(condition)}(r, o) !== false`);
    if (conditions.length > 0) {
      this.#flush();
      this.#lines.push(`if (${conditions.join(' && ')}) {`);
    }
    this.#read(field.spec, `r.${identifier(name)}`, 'r', codec);
    if (conditions.length > 0) {
      this.#flush();
      this.#lines.push('}');
    }
  }

  /** Where the next `size` bytes are. */
  #take(size: number): string {
    const at = this.#ahead === 0 ? 'p' : `p + ${this.#ahead}`;
    this.#ahead += size;
    return at;
  }

  #flush(): void {
    if (this.#ahead > 0) this.#lines.push(`p += ${this.#ahead};`);
    this.#ahead = 0;
  }

  #read(spec: Spec, to: string, own: string, codec: Codec): void {
    const push = (line: string) => this.#lines.push(line);
    switch (spec.kind) {
      case 'u8':
        push(`${to} = v.getUint8(${this.#take(1)});`);
        return;
      case 'bool':
        push(`${to} = v.getUint8(${this.#take(1)}) !== 0;`);
        return;
      case 'u16':
        push(`${to} = v.getUint16(${this.#take(2)});`);
        return;
      case 'u32':
        push(`${to} = v.getUint32(${this.#take(4)});`);
        return;
      case 'bigU32':
        push(`${to} = (n = v.getUint32(${this.#take(4)})) === 0 ? 0n : BigInt(n);`);
        return;
      case 'u64':
      case 'i64': {
        // Mostly zeros, for which no bigint need be made.
        const [high, low] = [this.#take(4), this.#take(4)];
        const get = spec.kind === 'u64' ? 'getBigUint64' : 'getBigInt64';
        push(`${to} = (v.getUint32(${high}) | v.getUint32(${low})) === 0 ? 0n : v.${get}(${high});`);
        return;
      }
      case 'double':
        push(`${to} = v.getFloat64(${this.#take(8)});`);
        return;
      case 'text':
        this.#flush();
        push(`if ((n = v.getUint32(p)) === 0) { ${to} = null; p += 4; }`);
        push(`else { ${to} = ${this.value(readText)}(s, p + 4, n, ${this.#places++}); p += 4 + n; }`);
        return;
      case 'struct': {
        this.#flush();
        push(`s.at = p; ${to} = ${this.functionOf(spec)}(s, ${own}); p = s.at;`);
        return;
      }
      case 'list':
        this.#list(spec, to, own);
        return;
      case 'optional': {
        this.#flush();
        push(spec.width === 'u8' ? 'n = v.getUint8(p++);' : 'n = v.getUint16(p); p += 2;');
        push(`if (n === 0) ${to} = null; else {`);
        this.#read(spec.item.spec, to, own, codecOf(spec.item, this.release));
        this.#flush();
        push('}');
        return;
      }
      case 'unlessNoVal':
        this.#flush();
        push(`if (v.getUint32(p) === ${NO_VAL}) { ${to} = null; p += 4; } else {`);
        this.#read(spec.item.spec, to, own, codecOf(spec.item, this.release));
        this.#flush();
        push('}');
        return;
      case 'atMostOne': {
        const item = this.variable();
        push(`let ${item};`);
        this.#read(spec.item.spec, item, own, codecOf(spec.item, this.release));
        push(`${to} = ${item} === null ? [] : [${item}];`);
        return;
      }
      case 'versions': {
        const held = caseIn(spec, this.release);
        this.#read(held.spec, to, own, codecOf(held, this.release));
        return;
      }
      case 'bitString':
        this.#flush();
        push(`if (v.getUint32(p) === ${NO_VAL}) { ${to} = null; p += 4; } else {`);
        this.#slowly(to, own, codec);
        push('}');
        return;
      case 'address':
        this.#flush();
        push(`if ((n = v.getUint16(p)) !== 2 && n !== 10) { ${to} = { family: n }; p += 2; } else {`);
        this.#slowly(to, own, codec);
        push('}');
        return;
      case 'rest':
      case 'dependent':
      case 'undescribed':
        this.#flush();
        this.#slowly(to, own, codec);
    }
  }

  #slowly(to: string, own: string, codec: Codec): void {
    this.#lines.push(`s.at = p; ${to} = s.readSlowly(${this.value(codec)}, ${own}); p = s.at;`);
  }

  #list(spec: Extract<Spec, { kind: 'list' }>, to: string, own: string): void {
    this.#flush();
    const push = (line: string) => this.#lines.push(line);
    const [items, item, i, length] = [this.variable(), this.variable(), this.variable(), this.variable()];
    const itemCodec = codecOf(spec.item, this.release);
    const minItem = Math.max(1, itemCodec.minSize);
    push(`const ${length} = ${this.#count(spec.count, own)};`);
    if (spec.nullable) push(`if (${length} === ${NO_VAL}) ${to} = null; else {`);
    else push('{');
    push(`if (!(${length} >= 0 && ${length} * ${minItem} <= s.end - p)) throw ${this.value(GIVE_UP)};`);
    push(`if (${length} >= ${TABLE}) ${this.value(asTable)}(s, ${this.value(this.#placesHolder)}.count);`);
    push(`const ${items} = [];`);
    push(`for (let ${i} = 0; ${i} < ${length}; ${i}++) {`);
    push(`let ${item};`);
    this.#read(spec.item.spec, item, own, itemCodec);
    this.#flush();
    push(`${items}.push(${item});`);
    push('}');
    push(`${to} = ${items};`);
    push('}');
  }

  #count(count: 'u16' | 'u32' | CountField, own: string): string {
    if (count === 'u16') return 'v.getUint16((p += 2) - 2)';
    if (count === 'u32') return 'v.getUint32((p += 4) - 4)';
    return `${own}.${identifier(count.field)} - ${this.value(count.unlisted)}(${own})`;
  }
}

class EncoderText extends ProgramText {
  #lines: string[] = [];
  #ahead = 0;

  program(type: AnyType): unknown {
    return this.make(this.#whole(type));
  }

  /** The function of a type, of which a struct has one anyway. */
  #whole({ spec }: AnyType): string {
    if (spec.kind === 'struct') return this.functionOf(spec);
    this.#write(spec, 'x', 'o');
    this.#flush();
    const body = this.#lines.join('\n');
    return `function (s, x, o) {\nconst v = s.view;\nlet p = s.at, n;\n${body}\ns.at = p;\n}`;
  }

  protected writeStruct(name: string, spec: Extract<Spec, { kind: 'struct' }>): string {
    const [lines, ahead] = [this.#lines, this.#ahead];
    this.#lines = [];
    this.#ahead = 0;
    const { slots, carried, absent, derived } = placesOf(spec, this.release);
    const giveUp = `throw ${this.value(GIVE_UP)};`;
    const push = (line: string) => this.#lines.push(line);
    push(`if (typeof x !== 'object' || x === null || Array.isArray(x)) ${giveUp}`);
    const cases = slots.map(({ name: key }) => `case '${identifier(key)}':`).join(' ');
    push(`for (const key in x) switch (key) { ${cases === '' ? '' : `${cases} break;`} default: ${giveUp} }`);
    for (const [i, { name: key, field }] of slots.entries()) {
      push(`let g${i} = x.${identifier(key)};`);
      if (field.fallback?.value !== undefined)
        push(`if (g${i} === undefined) g${i} = ${this.value(field.fallback.value)};`);
    }
    push(`const r = { ${slots.map(({ name: key }, i) => `${key}: g${i}`).join(', ')} };`);
    for (const { name: key, field } of derived) {
      push(`if (r.${key} === undefined) r.${key} = ${this.value(field.fallback?.derive)}(r);`);
    }
    for (const { name: key, field } of absent) this.#refuseUnlessFallback(key, field);
    for (const { name: key, field, place } of carried) {
      if (place !== undefined) {
        this.#flush();
        push(`if (${this.value(place)}(r, o) !== false) {`);
      }
      if (field.condition !== undefined) {
        this.#flush();
        push(`if (${this.value(field.condition)}(r, o) === false) {`);
        this.#refuseUnlessFallback(key, field);
        push('} else {');
      }
      this.#write(field.spec, `r.${key}`, 'r');
      if (field.condition !== undefined) {
        this.#flush();
        push('}');
      }
      if (place !== undefined) {
        this.#flush();
        push('}');
      }
    }
    this.#flush();
    const body = this.#lines.join('\n');
    this.#lines = lines;
    this.#ahead = ahead;
    return `function ${name}(s, x, o) {\nconst v = s.view;\nlet p = s.at, n;\n${body}\ns.at = p;\n}`;
  }

  #refuseUnlessFallback(key: string, { fallback }: AnyType): void {
    const value =
      fallback?.derive === undefined ? this.value(fallback?.value) : `${this.value(fallback.derive)}(r)`;
    if (value === 'undefined') return;
    this.#lines.push(
      `if (!Object.is(r.${key}, n = ${value}) && n !== undefined && !${this.value(isSameValue)}(r.${key}, n)) throw ${this.value(GIVE_UP)};`,
    );
  }

  #take(size: number): string {
    const at = this.#ahead === 0 ? 'p' : `p + ${this.#ahead}`;
    this.#ahead += size;
    return at;
  }

  #flush(): void {
    if (this.#ahead > 0) this.#lines.push(`p += ${this.#ahead};`);
    this.#ahead = 0;
  }

  #write(spec: Spec, from: string, own: string): void {
    const push = (line: string) => this.#lines.push(line);
    const unless = (good: string) => push(`if (!(${good})) throw ${this.value(GIVE_UP)};`);
    switch (spec.kind) {
      case 'u8':
      case 'u16':
      case 'u32': {
        const bits = Number(spec.kind.slice(1));
        push(`n = ${from};`);
        unless(`typeof n === 'number' && n >>> 0 === n${bits === 32 ? '' : ` && n < ${2 ** bits}`}`);
        push(`v.setUint${bits}(${this.#take(bits / 8)}, n);`);
        return;
      }
      case 'bool':
        push(`n = ${from};`);
        unless(`typeof n === 'boolean'`);
        push(`v.setUint8(${this.#take(1)}, n ? 1 : 0);`);
        return;
      case 'u64':
        push(`n = ${from};`);
        unless(`typeof n === 'bigint' && BigInt.asUintN(64, n) === n`);
        push(`v.setBigUint64(${this.#take(8)}, n);`);
        return;
      case 'i64':
        push(`n = ${from};`);
        unless(`typeof n === 'bigint' && BigInt.asIntN(64, n) === n`);
        push(`v.setBigInt64(${this.#take(8)}, n);`);
        return;
      case 'bigU32':
        push(`n = ${from};`);
        unless(`typeof n === 'bigint' && BigInt.asUintN(32, n) === n`);
        push(`v.setUint32(${this.#take(4)}, Number(n));`);
        return;
      case 'double':
        push(`n = ${from};`);
        unless(`typeof n === 'number'`);
        push(`v.setFloat64(${this.#take(8)}, n);`);
        return;
      case 'text':
        this.#flush();
        push(
          `if ((n = ${from}) === null) { v.setUint32(p, 0); p += 4; } else p = ${this.value(writeText)}(s, p, n);`,
        );
        return;
      case 'struct':
        this.#flush();
        push(`s.at = p; ${this.functionOf(spec)}(s, ${from}, ${own}); p = s.at;`);
        return;
      case 'list': {
        if (typeof spec.count !== 'string') {
          this.#never();
          return;
        }
        const [items, i] = [this.variable(), this.variable()];
        this.#flush();
        push(`const ${items} = ${from};`);
        if (spec.nullable) push(`if (${items} === null) { v.setUint32(p, ${NO_VAL}); p += 4; } else {`);
        else push('{');
        const bits = Number(spec.count.slice(1));
        unless(`Array.isArray(${items}) && ${items}.length < ${2 ** bits}`);
        push(`v.setUint${bits}(p, ${items}.length); p += ${bits / 8};`);
        push(`for (let ${i} = 0; ${i} < ${items}.length; ${i}++) {`);
        this.#write(spec.item.spec, `${items}[${i}]`, own);
        this.#flush();
        push('} }');
        return;
      }
      case 'optional': {
        this.#flush();
        const bits = Number(spec.width.slice(1));
        const value = this.variable();
        push(`const ${value} = ${from};`);
        push(`v.setUint${bits}(p, ${value} === null ? 0 : ${spec.present}); p += ${bits / 8};`);
        push(`if (${value} !== null) {`);
        this.#write(spec.item.spec, value, own);
        this.#flush();
        push('}');
        return;
      }
      case 'versions': {
        this.#write(caseIn(spec, this.release).spec, from, own);
        return;
      }
      case 'bitString':
        this.#flush();
        push(`if (${from} === null) { v.setUint32(p, ${NO_VAL}); p += 4; } else {`);
        this.#never();
        push('}');
        return;
      case 'address':
        this.#flush();
        push(`if (${from} === ${this.value(NO_ADDRESS)}) { v.setUint16(p, 0); p += 2; } else {`);
        this.#never();
        push('}');
        return;
      case 'unlessNoVal':
        this.#flush();
        push(`if (${from} === null) { v.setUint32(p, ${NO_VAL}); p += 4; } else {`);
        this.#never();
        push('}');
        return;
      case 'rest':
      case 'atMostOne':
      case 'dependent':
      case 'undescribed':
        this.#never();
    }
  }

  /** Too rare in what clients send. */
  #never(): void {
    this.#lines.push(`throw ${this.value(GIVE_UP)};`);
  }
}

/** What is put into a text as a name. */
function identifier(name: string): string {
  if (!/^[a-z][A-Za-z0-9]*$/.test(name)) throw new TypeError(`field ${name} is no plain identifier`);
  return name;
}
