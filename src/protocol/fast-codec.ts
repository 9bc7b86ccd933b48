/** Whether the fast way of a type is worth its making yet, and what to do when it gives up. */
import type { Release } from './release.js';
import { asTable, Source } from './source.js';
import { type StraightDecoder, straightDecoder } from './straight-decoder.js';
import { type StraightEncoder, straightEncoder } from './straight-encoder.js';
import { Target } from './target.js';
import type { WireType } from './wire-type.js';

/**
 * Making a program takes a millisecond and more, so a command that sends one kill goes without. After so many bytes (a value counts as
 * some more than its own) it has paid; the first message that is as long as this alone is decoded fast.
 */
const WORTH_IT = 16_384;
const PER_VALUE = 64;

/** Longer messages are left to the closures: clients send none. */
const MAX_ENCODED = 4096;

/** Shared by all encoders: they write one value at a time, from beginning to end. */
export const scratch = new Target(MAX_ENCODED);
let isScratchInUse = false;

/** The fast way of one type in one release. `undefined`: not this one, or not yet; the closures say what it is. */
export class FastCodec {
  readonly #type: WireType<unknown, unknown>;
  readonly #release: Release;
  #decoded = 0;
  #encoded = 0;
  #decoder: StraightDecoder | null | undefined;
  #encoder: StraightEncoder | null | undefined;

  constructor(type: WireType<unknown, unknown>, release: Release) {
    this.#type = type;
    this.#release = release;
  }

  /** All of `bytes`. */
  decode(bytes: Uint8Array): unknown {
    if (!this.#isDecoderWorthIt(bytes.length)) return undefined;
    const source = new Source(bytes);
    const value = this.decodeFrom(source);
    return source.at === source.end ? value : undefined;
  }

  /** For {@link decodeFrom}, item by item of a long list: texts that are the same again are read once. `null`: not this way. */
  sourceOfTable(bytes: Uint8Array): Source | null {
    if (!this.#isDecoderWorthIt(bytes.length) || this.#program === null) return null;
    const source = new Source(bytes);
    asTable(source, this.#program.places);
    return source;
  }

  get #program(): StraightDecoder | null {
    if (this.#decoder === undefined) this.#decoder = straightDecoder(this.#type, this.#release);
    return this.#decoder;
  }

  /** From where `source` is, which is then behind the value. */
  decodeFrom(source: Source, outer: Record<string, unknown> = {}): unknown {
    const program = this.#program;
    if (program === null) return undefined;
    try {
      const value = program(source, outer);
      return source.isWithin ? value : undefined;
    } catch {
      // The closures find out again what was wrong, if anything was.
      return undefined;
    }
  }

  /** Whether a value in so many bytes would be decoded here. */
  isFor(size: number): boolean {
    return this.#isDecoderWorthIt(size);
  }

  #isDecoderWorthIt(size: number): boolean {
    if (this.#decoder === null) return false;
    if (this.#decoded >= WORTH_IT) return true;
    this.#decoded += size + PER_VALUE;
    return this.#decoded >= WORTH_IT;
  }

  /** Packs into {@link scratch}, from where the bytes must be taken before anything else is packed. */
  encode(value: unknown): number | undefined {
    if (this.#encoder === null || isScratchInUse) return undefined;
    if (this.#encoder === undefined) {
      this.#encoded += PER_VALUE;
      if (this.#encoded < WORTH_IT) return undefined;
      this.#encoder = straightEncoder(this.#type, this.#release);
      if (this.#encoder === null) return undefined;
    }
    // A getter of the value could come back here.
    isScratchInUse = true;
    try {
      scratch.at = 0;
      this.#encoder(scratch, value, {});
      return scratch.at;
    } catch {
      return undefined;
    } finally {
      isScratchInUse = false;
    }
  }
}

/** A copy of what was packed last. Short ones are quick: up to 64 bytes lie in V8's own heap. */
export function takeScratch(length: number): Uint8Array {
  const { bytes } = scratch;
  if (length > 64) return bytes.slice(0, length);
  const copy = new Uint8Array(length);
  for (let i = 0; i < length; i++) copy[i] = bytes[i] as number;
  return copy;
}
