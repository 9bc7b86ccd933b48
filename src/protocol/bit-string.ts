/**
 * Bit strings as text: `0x`, then one upper-case hex digit per four bits, most significant first; bit 0 is the least significant bit
 * of the last digit. The text is there for 0 bits too.
 *
 * Source: `pack_bit_str_hex`, the same in 20.11 to 26.11; checked against bytes of Slurm's own library and of live daemons.
 */
import type { ByteReader } from './byte-reader.js';
import type { ByteWriter } from './byte-writer.js';
import { CodecFault, within } from './codec-fault.js';
import { NO_VAL } from './sentinels.js';
import { showValue } from './slurm-error.js';
import type { BitString } from './wire-type.js';

export function readBitString(reader: ByteReader): BitString | null {
  const at = reader.offset;
  const size = reader.u32();
  if (size === NO_VAL) return null;
  const digits = Math.ceil(size / 4);
  const textSize = 4 + '0x'.length + digits + 1;
  if (textSize > reader.remaining) {
    throw new CodecFault('SLURMWIRE_BAD_COUNT', `${size} bits, ${reader.remaining} bytes left`, at);
  }
  const start = reader.offset;
  const text = reader.text();
  // Not only the text up to its first NUL: what may stand behind one would not come back.
  const isWhole = reader.offset - start === textSize;
  if (text === null || !isWhole || text.length !== digits + 2 || !/^0x[0-9A-F]*$/.test(text)) {
    throw new CodecFault('SLURMWIRE_BAD_TEXT', `${size} bits written as ${showValue(text)}`, at);
  }
  const set: number[] = [];
  for (let i = text.length - 1, bit = 0; i >= 2; i--, bit += 4) {
    const nibble = Number.parseInt(text[i] as string, 16);
    for (let k = 0; k < 4; k++) if ((nibble & (1 << k)) !== 0) set.push(bit + k);
  }
  if ((set.at(-1) ?? -1) >= size) {
    throw new CodecFault('SLURMWIRE_BAD_TEXT', `bit ${set.at(-1)} of ${size}`, at);
  }
  return { size, set };
}

export function writeBitString(writer: ByteWriter, value: BitString | null): void {
  if (value === null) {
    writer.u32(NO_VAL);
    return;
  }
  if (typeof value !== 'object' || !Array.isArray(value.set)) {
    throw new CodecFault('SLURMWIRE_BAD_VALUE', `${showValue(value)} is not a bit string`);
  }
  const { size, set, ...unknown } = value;
  for (const name of Object.keys(unknown)) {
    throw within(new CodecFault('SLURMWIRE_BAD_VALUE', 'there is no such field'), name);
  }
  if (!Number.isInteger(size) || size < 0 || size > MAX_SIZE) {
    throw within(
      new CodecFault('SLURMWIRE_BAD_VALUE', `${showValue(size)} is not an integer from 0 to ${MAX_SIZE}`),
      'size',
    );
  }
  const nibbles = new Array<number>(Math.ceil(size / 4)).fill(0);
  let before = -1;
  for (let i = 0; i < set.length; i++) {
    const bit = set[i] as number;
    if (!Number.isInteger(bit) || bit <= before || bit >= size) {
      const why = `${showValue(bit)} is not a bit from ${before + 1} to ${size - 1}`;
      throw within(within(new CodecFault('SLURMWIRE_BAD_VALUE', why), i), 'set');
    }
    const at = nibbles.length - 1 - (bit >> 2);
    nibbles[at] = (nibbles[at] as number) | (1 << (bit & 3));
    before = bit;
  }
  writer.u32(size);
  writer.text(`0x${nibbles.map((nibble) => nibble.toString(16)).join('')}`.toUpperCase().replace('X', 'x'));
}

/** Far more than any node table or array, and little enough that the text fits a string. */
const MAX_SIZE = 2 ** 26;
