import { encodeText } from './byte-text.js';
import { CodecFault } from './codec-fault.js';
import { showValue } from './slurm-error.js';

/** Writes big-endian primitives into one buffer that grows by doubling. Refuses values that do not fit their field. */
export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): void {
    checkInteger(value, 0xff);
    const at = this.#reserve(1);
    this.#view.setUint8(at, value);
  }

  u16(value: number): void {
    checkInteger(value, 0xffff);
    const at = this.#reserve(2);
    this.#view.setUint16(at, value);
  }

  u32(value: number): void {
    checkInteger(value, 0xffffffff);
    const at = this.#reserve(4);
    this.#view.setUint32(at, value);
  }

  u64(value: bigint): void {
    if (typeof value !== 'bigint' || value < 0n || value > 0xffffffffffffffffn) {
      throw new CodecFault('SLURMWIRE_BAD_VALUE', `${showValue(value)} is not a bigint from 0 to 2^64 - 1`);
    }
    const at = this.#reserve(8);
    this.#view.setBigUint64(at, value);
  }

  bigU32(value: bigint): void {
    if (typeof value !== 'bigint' || value < 0n || value > 0xffffffffn) {
      throw new CodecFault('SLURMWIRE_BAD_VALUE', `${showValue(value)} is not a bigint from 0 to 2^32 - 1`);
    }
    this.u32(Number(value));
  }

  i64(value: bigint): void {
    if (typeof value !== 'bigint' || BigInt.asIntN(64, value) !== value) {
      throw new CodecFault(
        'SLURMWIRE_BAD_VALUE',
        `${showValue(value)} is not a bigint from -2^63 to 2^63 - 1`,
      );
    }
    const at = this.#reserve(8);
    this.#view.setBigInt64(at, value);
  }

  f64(value: number): void {
    if (typeof value !== 'number') {
      throw new CodecFault('SLURMWIRE_BAD_VALUE', `${showValue(value)} is not a number`);
    }
    const at = this.#reserve(8);
    this.#view.setFloat64(at, value);
  }

  raw(bytes: Uint8Array): void {
    if (!(bytes instanceof Uint8Array))
      throw new CodecFault('SLURMWIRE_BAD_VALUE', `${showValue(bytes)} is not a Uint8Array`);
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** A string as {@link ByteReader.text} reads it. One with a NUL inside is refused: a daemon would see only its beginning. */
  text(value: string | null): void {
    if (value === null) {
      this.u32(0);
      return;
    }
    if (typeof value !== 'string') {
      throw new CodecFault('SLURMWIRE_BAD_VALUE', `${showValue(value)} is neither a string nor null`);
    }
    if (value.includes('\0'))
      throw new CodecFault('SLURMWIRE_BAD_VALUE', 'a string with a NUL inside would be cut there');
    const bytes = encodeText(value);
    this.u32(bytes.length + 1);
    this.raw(bytes);
    this.u8(0);
  }

  /** What was written so far. The writer must not be used afterwards. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Makes room. Call it before reading `#view` or `#bytes`: it may replace both. */
  #reserve(count: number): number {
    const start = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return start;
  }
}

function checkInteger(value: number, maximum: number): void {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > maximum) {
    throw new CodecFault('SLURMWIRE_BAD_VALUE', `${showValue(value)} is not an integer from 0 to ${maximum}`);
  }
}
