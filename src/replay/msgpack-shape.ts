import { badFixture } from './bad-fixture.js';

/** A fixture's records and lists are five deep. */
const MAX_DEPTH = 8;

/**
 * Walks MessagePack without building anything, so that the decoder behind it never believes a count that the bytes cannot
 * hold: it makes an array of the announced length before it reads the first item.
 *
 * @throws SlurmProtocolError `SLURMWIRE_BAD_FIXTURE` for anything but one whole value of bounded depth, without extension types.
 */
export function checkShape(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  /** Values that are still to come in each open list or record. */
  const open = [1];
  let at = 0;

  const take = (count: number): number => {
    const start = at;
    if (count > bytes.length - at)
      throw badFixture('', `it ends inside a value that begins at byte ${start}`);
    at += count;
    return start;
  };
  const unsigned = (width: number): number => {
    const start = take(width);
    return width === 1 ? view.getUint8(start) : width === 2 ? view.getUint16(start) : view.getUint32(start);
  };
  const enter = (values: number): void => {
    if (values > bytes.length - at)
      throw badFixture('', `${values} values are announced, ${bytes.length - at} bytes are left`);
    if (open.length >= MAX_DEPTH) throw badFixture('', `nested deeper than ${MAX_DEPTH}`);
    open.push(values);
  };

  while (open.length > 0) {
    const left = open.pop() as number;
    if (left === 0) continue;
    open.push(left - 1);
    const type = unsigned(1);
    if (type <= 0x7f || type >= 0xe0 || type === 0xc0 || type === 0xc2 || type === 0xc3) continue;
    if (type <= 0x8f) enter(2 * (type & 0x0f));
    else if (type <= 0x9f) enter(type & 0x0f);
    else if (type <= 0xbf) take(type & 0x1f);
    else if (type >= 0xc4 && type <= 0xc6) take(unsigned(1 << (type - 0xc4)));
    else if (type >= 0xca && type <= 0xd3) take(SCALARS[type - 0xca] as number);
    else if (type >= 0xd9 && type <= 0xdb) take(unsigned(1 << (type - 0xd9)));
    else if (type === 0xdc || type === 0xdd) enter(unsigned(type === 0xdc ? 2 : 4));
    else if (type === 0xde || type === 0xdf) enter(2 * unsigned(type === 0xde ? 2 : 4));
    else throw badFixture('', `byte ${at - 1} (0x${type.toString(16)}) begins no value that a fixture has`);
  }
  if (at < bytes.length) throw badFixture('', `${bytes.length - at} bytes left over`);
}

/** Bytes behind 0xca (float32) to 0xd3 (int64). */
const SCALARS = [4, 8, 1, 2, 4, 8, 1, 2, 4, 8];
