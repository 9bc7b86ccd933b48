import { decodeText } from './byte-text.js';
import { CodecFault } from './codec-fault.js';

/** A named stretch of a message, as a decoder notes it when asked to. */
export interface Span {
  readonly path: string;
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  readonly value: unknown;
}

/** Collects spans while a decoder runs. */
export interface Trace {
  readonly path: (string | number)[];
  readonly spans: Span[];
}

/**
 * Reads big-endian primitives from one block of bytes. Every read checks the bounds first; every length from the network is
 * checked against what is left before anything is allocated for it.
 */
export class ByteReader {
  readonly bytes: Uint8Array;
  readonly trace: Trace | undefined;
  offset = 0;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, trace?: Trace) {
    this.bytes = bytes;
    this.trace = trace;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.bytes.length - this.offset;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4));
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8));
  }

  i64(): bigint {
    return this.#view.getBigInt64(this.#take(8));
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8));
  }

  /** The next `length` bytes, as a view of the same memory. */
  raw(length: number): Uint8Array {
    const start = this.#take(length);
    return this.bytes.subarray(start, start + length);
  }

  /**
   * A string: u32 length that counts a terminating NUL, then the bytes; length 0 is NULL.
   * Cut at the first NUL, as C readers do. A string without its NUL is refused, as releases since 23.02 do.
   */
  text(): string | null {
    const at = this.offset;
    const length = this.u32();
    if (length === 0) return null;
    if (length > this.remaining) {
      throw new CodecFault('SLURMWIRE_BAD_COUNT', `string of ${length} bytes, ${this.remaining} left`, at);
    }
    const bytes = this.raw(length);
    const end = bytes.indexOf(0);
    if (bytes[length - 1] !== 0)
      throw new CodecFault('SLURMWIRE_BAD_TEXT', 'string without its terminating NUL', at);
    return decodeText(bytes.subarray(0, end));
  }

  /** Refuses bytes that are left over: a decoder that leaves some has misunderstood something. */
  finish(): void {
    if (this.remaining > 0) {
      throw new CodecFault('SLURMWIRE_TRAILING_BYTES', `${this.remaining} bytes left over`, this.offset);
    }
  }

  #take(count: number): number {
    const start = this.offset;
    if (count > this.bytes.length - start) {
      throw new CodecFault(
        'SLURMWIRE_TRUNCATED',
        `needs ${count} bytes, ${this.bytes.length - start} left`,
        start,
      );
    }
    this.offset = start + count;
    return start;
  }
}
