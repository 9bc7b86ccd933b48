/**
 * The block format of Wireshark and newer tcpdumps: sections in either byte order, several interfaces, each with a link type and a
 * clock of its own. Blocks of other kinds are passed over.
 *
 * Source: draft-ietf-opsawg-pcapng.
 */
import { CaptureFault, type Packet, viewOf } from './packets.js';

const SECTION = 0x0a0d0d0a;
const BYTE_ORDER = 0x1a2b3c4d;
const INTERFACE = 1;
const OLD_PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;
/** Type, length, and length once more. */
const SMALLEST_BLOCK = 12;

const OPTION_RESOLUTION = 9;
const OPTION_OFFSET = 14;

interface Interface {
  readonly linkType: number;
  /** Bytes kept of each packet; 0 for all. */
  readonly snapLength: number;
  /** Microseconds of one unit of its clock. */
  readonly usPerUnit: number;
  readonly offsetSeconds: number;
}

/** True for the first bytes of such a file. */
export function isPcapng(bytes: Uint8Array): boolean {
  return bytes.length >= 12 && viewOf(bytes).getUint32(0) === SECTION && orderOf(bytes, 8) !== null;
}

/** The packets in order. A fault comes out where it stands in the file. */
export function* readPcapng(bytes: Uint8Array): Generator<Packet> {
  const view = viewOf(bytes);
  let littleEndian = true;
  let interfaces: Interface[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < SMALLEST_BLOCK) throw new CaptureFault(at, 'the last block is cut off');
    // A section's type reads the same in both orders; which one it is stands behind its length.
    if (view.getUint32(at) === SECTION) {
      const order = orderOf(bytes, at + 8);
      if (order === null) throw new CaptureFault(at + 8, 'a section without a byte order');
      littleEndian = order;
      interfaces = [];
    }
    const type = view.getUint32(at, littleEndian);
    const length = view.getUint32(at + 4, littleEndian);
    const left = bytes.length - at;
    if (length < SMALLEST_BLOCK || length % 4 !== 0) throw new CaptureFault(at, `a block of ${length} bytes`);
    if (length > left) throw new CaptureFault(at, `a block announces ${length} bytes, ${left} are left`);
    const again = view.getUint32(at + length - 4, littleEndian);
    if (again !== length)
      throw new CaptureFault(at, `a block of ${length} bytes says at its end that it has ${again}`);
    const body = new BlockBody(bytes.subarray(at + 8, at + length - 4), at + 8, littleEndian);
    if (type === INTERFACE) interfaces.push(readInterface(body));
    else {
      const packet = readPacket(type, body, interfaces);
      if (packet !== null) yield packet;
    }
    at += length;
  }
}

/** `true` for little endian, `null` where no byte order stands. */
function orderOf(bytes: Uint8Array, at: number): boolean | null {
  const view = viewOf(bytes);
  if (view.getUint32(at, true) === BYTE_ORDER) return true;
  return view.getUint32(at) === BYTE_ORDER ? false : null;
}

/** What stands between the two lengths of a block; reading past it is a fault. */
class BlockBody {
  readonly bytes: Uint8Array;
  readonly littleEndian: boolean;
  readonly #start: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, start: number, littleEndian: boolean) {
    this.bytes = bytes;
    this.littleEndian = littleEndian;
    this.#start = start;
    this.#view = viewOf(bytes);
  }

  u16(at: number): number {
    this.#check(at, 2);
    return this.#view.getUint16(at, this.littleEndian);
  }

  u32(at: number): number {
    this.#check(at, 4);
    return this.#view.getUint32(at, this.littleEndian);
  }

  slice(at: number, length: number): Uint8Array {
    this.#check(at, length);
    return this.bytes.subarray(at, at + length);
  }

  fault(at: number, message: string): CaptureFault {
    return new CaptureFault(this.#start + at, message);
  }

  #check(at: number, length: number): void {
    if (at + length > this.bytes.length)
      throw this.fault(at, `${length} bytes are needed here, the block has ${this.bytes.length - at}`);
  }
}

function readInterface(body: BlockBody): Interface {
  let usPerUnit = 1;
  let offsetSeconds = 0;
  for (let at = 8; at + 4 <= body.bytes.length; ) {
    const code = body.u16(at);
    const length = body.u16(at + 2);
    if (code === 0) break;
    const value = body.slice(at + 4, length);
    if (code === OPTION_RESOLUTION && length === 1) {
      const power = value[0] as number;
      usPerUnit = 1e6 / (power & 0x80 ? 2 ** (power & 0x7f) : 10 ** power);
    }
    if (code === OPTION_OFFSET && length === 8) {
      offsetSeconds = Number(viewOf(value).getBigInt64(0, body.littleEndian));
    }
    at += 4 + length + (-length & 3);
  }
  return { linkType: body.u16(0), snapLength: body.u32(4), usPerUnit, offsetSeconds };
}

function readPacket(type: number, body: BlockBody, interfaces: readonly Interface[]): Packet | null {
  const interfaceOf = (number: number): Interface => {
    const found = interfaces[number];
    if (found === undefined) throw body.fault(0, `a packet of interface ${number}, which is not described`);
    return found;
  };
  switch (type) {
    case ENHANCED_PACKET:
      return timedPacket(interfaceOf(body.u32(0)), body);
    case OLD_PACKET:
      return timedPacket(interfaceOf(body.u16(0)), body);
    case SIMPLE_PACKET: {
      const { linkType, snapLength } = interfaceOf(0);
      const original = body.u32(0);
      const room = body.bytes.length - 4;
      const kept = Math.min(original, room, snapLength === 0 ? room : snapLength);
      return { atUs: 0, linkType, bytes: body.slice(4, kept) };
    }
    default:
      return null;
  }
}

function timedPacket({ linkType, usPerUnit, offsetSeconds }: Interface, body: BlockBody): Packet {
  const units = body.u32(4) * 2 ** 32 + body.u32(8);
  const atUs = Math.floor(units * usPerUnit) + offsetSeconds * 1e6;
  return { atUs, linkType, bytes: body.slice(20, body.u32(12)) };
}
