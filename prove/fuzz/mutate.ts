/**
 * Changes inputs, a few steps at a time. Beside AFL's steps (bits, arithmetic, blocks, splices) there are those that know what a
 * message looks like: big-endian numbers, lengths before what they count, strings with their lengths, numbers written as text.
 */
import type { Random } from './random.js';

/** What mutations are made with. */
export interface Material {
  readonly random: Random;
  /** Words of the formats: names, keywords, magic numbers. */
  readonly dictionary: readonly Uint8Array[];
  /** Another input of the corpus. */
  other(): Uint8Array;
  /** Where fields begin in the input that is changed, where that is known. */
  readonly fields: readonly number[];
  /** Bytes at the front that say how the rest is to be read; changed seldom, and never in number. */
  readonly prefix: number;
  readonly maxLength: number;
  readonly isText: boolean;
}

/** A changed copy of `input`, never the same object. */
export function mutate(input: Uint8Array, material: Material): Uint8Array {
  const { random, prefix, maxLength } = material;
  const scratch = new Scratch(input, prefix, maxLength);
  const steps = 1 << random.below(5);
  for (let i = 0; i < steps; i++) {
    if (prefix > 0 && random.oneIn(24)) changePrefix(scratch, material);
    else if (material.isText && !random.oneIn(4)) random.pick(TEXT_STEPS)(scratch, material);
    else random.pick(STEPS)(scratch, material);
  }
  return scratch.copy();
}

type Step = (scratch: Scratch, material: Material) => void;

/** Bytes that grow and shrink in place. */
class Scratch {
  bytes: Uint8Array;
  length: number;
  view: DataView;
  readonly prefix: number;
  readonly max: number;

  constructor(input: Uint8Array, prefix: number, max: number) {
    this.bytes = new Uint8Array(Math.max(64, input.length * 2));
    this.bytes.set(input);
    this.length = input.length;
    this.view = new DataView(this.bytes.buffer);
    this.prefix = prefix;
    this.max = max;
    while (this.length < prefix) this.length++;
  }

  get room(): number {
    return this.max - this.length;
  }

  copy(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }

  /** Replaces `removed` bytes from `at` on. */
  splice(at: number, removed: number, inserted: Uint8Array): void {
    const extra = inserted.length - removed;
    if (this.length + extra > this.max) return;
    if (this.length + extra > this.bytes.length) {
      const larger = new Uint8Array((this.length + extra) * 2);
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
      this.view = new DataView(larger.buffer);
    }
    this.bytes.copyWithin(at + inserted.length, at + removed, this.length);
    this.bytes.set(inserted, at);
    this.length += extra;
  }
}

/** A place behind the prefix where `width` bytes are; -1 where there is none. Often the beginning of a field. */
function place({ length, prefix }: Scratch, { random, fields }: Material, width: number): number {
  const last = length - width;
  if (last < prefix) return -1;
  if (fields.length > 0 && !random.oneIn(3)) {
    const at = random.pick(fields);
    if (at >= prefix && at <= last) return at;
  }
  return prefix + random.below(last - prefix + 1);
}

function changePrefix({ bytes, prefix }: Scratch, { random }: Material): void {
  const at = random.below(prefix);
  const old = bytes[at] as number;
  bytes[at] = random.oneIn(2) ? random.u32() : old + (random.oneIn(2) ? 1 : -1);
}

/** Sentinels, limits, and counts that are just too large. */
const INTERESTING = [
  0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 64, 100, 127, 128, 200, 255, 256, 512, 1000, 1024, 4096, 8001, 9001,
  0x7fff, 0x8000, 0xfffd, 0xfffe, 0xffff, 0x10000, 0x10001, 0xfffff, 0x100000, 0x1000000, 0x3fffffff,
  0x40000000, 0x40000001, 0x7fffffff, 0x80000000, 0xfffffff0, 0xfffffffa, 0xfffffffb, 0xfffffffc, 0xfffffffd,
  0xfffffffe, 0xffffffff,
];

const INTERESTING_64 = [
  0n,
  1n,
  0xfffffffdn,
  0xfffffffen,
  0xffffffffn,
  0x100000000n,
  0x7fffffffffffffffn,
  0x8000000000000000n,
  0xfffffffffffffffdn,
  0xfffffffffffffffen,
  0xffffffffffffffffn,
  1_700_000_000n,
  8_640_000_000_000_001n,
];

const STEPS: readonly Step[] = [
  function flipBit(scratch, material) {
    const at = place(scratch, material, 1);
    if (at >= 0) scratch.bytes[at] = (scratch.bytes[at] as number) ^ (1 << material.random.below(8));
  },
  function setByte(scratch, material) {
    const at = place(scratch, material, 1);
    if (at >= 0) scratch.bytes[at] = material.random.u32();
  },
  function setInterestingByte(scratch, material) {
    const at = place(scratch, material, 1);
    if (at >= 0) scratch.bytes[at] = material.random.pick(INTERESTING);
  },
  function add8(scratch, material) {
    const at = place(scratch, material, 1);
    if (at >= 0) scratch.bytes[at] = (scratch.bytes[at] as number) + material.random.below(71) - 35;
  },
  function add16(scratch, material) {
    const at = place(scratch, material, 2);
    if (at >= 0) scratch.view.setUint16(at, scratch.view.getUint16(at) + material.random.below(71) - 35);
  },
  function add32(scratch, material) {
    const at = place(scratch, material, 4);
    if (at >= 0) scratch.view.setUint32(at, scratch.view.getUint32(at) + material.random.below(71) - 35);
  },
  function set16(scratch, material) {
    const at = place(scratch, material, 2);
    const little = material.random.oneIn(4);
    if (at >= 0) scratch.view.setUint16(at, material.random.pick(INTERESTING), little);
  },
  function set32(scratch, material) {
    const at = place(scratch, material, 4);
    const little = material.random.oneIn(4);
    if (at >= 0) scratch.view.setUint32(at, material.random.pick(INTERESTING), little);
  },
  function set64(scratch, material) {
    const at = place(scratch, material, 8);
    if (at >= 0) scratch.view.setBigUint64(at, material.random.pick(INTERESTING_64));
  },
  function countWhatIsLeft(scratch, material) {
    const at = place(scratch, material, 4);
    if (at < 0) return;
    const left = scratch.length - at - 4;
    const share = [1, 1, 2, 4, 8, 16][material.random.below(6)] as number;
    scratch.view.setUint32(at, Math.max(0, Math.floor(left / share) + material.random.below(5) - 2));
  },
  function changeLength(scratch, material) {
    const at = lengthWord(scratch, material);
    if (at >= 0) scratch.view.setUint32(at, scratch.view.getUint32(at) + material.random.below(9) - 4);
  },
  function replaceCounted(scratch, material) {
    const at = lengthWord(scratch, material);
    if (at < 0) return;
    const length = scratch.view.getUint32(at);
    const word = material.random.pick(material.dictionary);
    if (word === undefined || length > scratch.length - at - 4) return;
    const text = new Uint8Array(word.length + 1);
    text.set(word);
    scratch.splice(at + 4, length, text);
    if (at + 4 <= scratch.length) scratch.view.setUint32(at, text.length);
  },
  remove,
  remove,
  function insertRandom(scratch, { random }) {
    const at = scratch.prefix + random.below(scratch.length - scratch.prefix + 1);
    const fresh = new Uint8Array(1 + random.below(1 << random.below(8)));
    const value = random.u32();
    for (let i = 0; i < fresh.length; i++) fresh[i] = value & 1 ? random.u32() : value >>> 8;
    scratch.splice(at, 0, fresh);
  },
  insertWord,
  overwriteWord,
  copyWithin,
  function duplicate(scratch, material) {
    const { random } = material;
    const at = place(scratch, material, 1);
    if (at < 0) return;
    const size = 1 + random.below(Math.min(scratch.length - at, 256));
    scratch.splice(at, 0, scratch.bytes.slice(at, at + size));
  },
  repeatOften,
  crossOver,
  crossOver,
  function truncate(scratch, material) {
    const at = place(scratch, material, 1);
    if (at >= 0 && material.random.oneIn(4)) scratch.length = at;
  },
];

/** A u32 that could be the length of what follows it: found by looking on from a random place. */
function lengthWord(scratch: Scratch, material: Material): number {
  const start = place(scratch, material, 4);
  if (start < 0) return -1;
  for (let at = start; at < Math.min(start + 16, scratch.length - 3); at++) {
    const value = scratch.view.getUint32(at);
    if (value > 0 && value <= scratch.length - at - 4) return at;
  }
  return start;
}

function remove(scratch: Scratch, material: Material): void {
  const { random } = material;
  const at = place(scratch, material, 1);
  if (at < 0) return;
  const size = 1 + random.below(Math.min(scratch.length - at, random.oneIn(8) ? scratch.length : 16));
  scratch.splice(at, size, NOTHING);
}

function insertWord(scratch: Scratch, { random, dictionary }: Material): void {
  if (dictionary.length === 0) return;
  scratch.splice(
    scratch.prefix + random.below(scratch.length - scratch.prefix + 1),
    0,
    random.pick(dictionary),
  );
}

function overwriteWord(scratch: Scratch, material: Material): void {
  if (material.dictionary.length === 0) return;
  const word = material.random.pick(material.dictionary);
  const at = place(scratch, material, word.length);
  if (at >= 0) scratch.bytes.set(word, at);
}

function copyWithin(scratch: Scratch, material: Material): void {
  const { random } = material;
  const [from, to] = [place(scratch, material, 1), place(scratch, material, 1)];
  if (from < 0 || to < 0) return;
  const size = 1 + random.below(Math.min(64, scratch.length - Math.max(from, to)));
  scratch.bytes.copyWithin(to, from, from + size);
}

/** What is quadratic shows only in long inputs. */
function repeatOften(scratch: Scratch, material: Material): void {
  const { random } = material;
  if (!random.oneIn(8)) return;
  const at = place(scratch, material, 1);
  if (at < 0) return;
  const size = 1 + random.below(Math.min(scratch.length - at, 48));
  const times = Math.min(1 << random.below(13), Math.floor(scratch.room / size));
  if (times < 1) return;
  const piece = scratch.bytes.slice(at, at + size);
  const many = new Uint8Array(size * times);
  for (let i = 0; i < times; i++) many.set(piece, i * size);
  scratch.splice(at, 0, many);
}

function crossOver(scratch: Scratch, material: Material): void {
  const { random } = material;
  const other = material.other();
  const start = scratch.prefix;
  if (other.length <= start) return;
  const from = start + random.below(other.length - start);
  const size = 1 + random.below(other.length - from);
  const at = start + random.below(scratch.length - start + 1);
  const removed = random.oneIn(2) ? 0 : Math.min(size, scratch.length - at);
  scratch.splice(at, removed, other.subarray(from, from + size));
}

const NOTHING = new Uint8Array(0);

const TEXT_STEPS: readonly Step[] = [
  function changeNumber(scratch, material) {
    const { random } = material;
    const start = place(scratch, material, 1);
    if (start < 0) return;
    for (let at = start; at < scratch.length; at++) {
      if (!isDigit(scratch.bytes[at])) continue;
      let end = at;
      while (end < scratch.length && isDigit(scratch.bytes[end])) end++;
      const old = Buffer.from(scratch.bytes.subarray(at, end)).toString('latin1');
      scratch.splice(at, end - at, Buffer.from(random.pick(NUMBERS)(old, random)));
      return;
    }
  },
  function setCharacter(scratch, material) {
    const at = place(scratch, material, 1);
    if (at >= 0) scratch.bytes[at] = CHARACTERS.charCodeAt(material.random.below(CHARACTERS.length));
  },
  function insertCharacter(scratch, { random }) {
    const at = scratch.prefix + random.below(scratch.length - scratch.prefix + 1);
    scratch.splice(at, 0, Uint8Array.of(CHARACTERS.charCodeAt(random.below(CHARACTERS.length))));
  },
  insertWord,
  insertWord,
  overwriteWord,
  remove,
  copyWithin,
  repeatOften,
  crossOver,
];

const isDigit = (byte: number | undefined) => byte !== undefined && byte >= 0x30 && byte <= 0x39;

const NUMBERS: readonly ((old: string, random: Random) => string)[] = [
  (_, random) => String(random.below(10)),
  (_, random) => String(random.below(100_000)),
  (_, random) => String(random.pick(INTERESTING)),
  (_, random) => String(random.pick(INTERESTING_64)),
  (old) => `0${old}`,
  (old) => `${old}0`,
  (old) => `${old}${old}`.slice(0, 300),
  (old) => String(BigInt(old.slice(0, 40)) + 1n),
  (old) => String(BigInt(old.slice(0, 40)) - 1n),
];

const CHARACTERS =
  '0123456789[]{}()-,.:;_=+*%#"\'\\/@$^|<>?!~ \t\n\rabcdefghijklmnopqrstuvwxyzABCDEFXYZ\0\x7f\x80\xff\xc3';
