/**
 * The classic capture format of libpcap, both byte orders, micro- and nanoseconds.
 *
 * Source: draft-ietf-opsawg-pcap; what tcpdump 4.99 writes.
 */
import { CaptureFault, type Packet, viewOf } from './packets.js';

const MICROSECONDS = 0xa1b2c3d4;
const NANOSECONDS = 0xa1b23c4d;
const FILE_HEADER = 24;
const RECORD_HEADER = 16;

interface Layout {
  readonly littleEndian: boolean;
  readonly unitsPerUs: number;
}

/** True for the first bytes of such a file. */
export function isPcap(bytes: Uint8Array): boolean {
  return layoutOf(bytes) !== null;
}

/** The packets in order. A fault comes out where it stands in the file. */
export function* readPcap(bytes: Uint8Array): Generator<Packet> {
  const layout = layoutOf(bytes);
  if (layout === null) throw new CaptureFault(0, 'this is no pcap file');
  if (bytes.length < FILE_HEADER) throw new CaptureFault(bytes.length, 'the file header is cut off');
  const { littleEndian, unitsPerUs } = layout;
  const view = viewOf(bytes);
  const major = view.getUint16(4, littleEndian);
  if (major !== 2) throw new CaptureFault(4, `pcap version ${major} is not 2`);
  // The upper half says how long a frame check sequence is; the IP length tells where a packet ends anyway.
  const linkType = view.getUint32(20, littleEndian) & 0xffff;
  for (let at = FILE_HEADER; at < bytes.length; ) {
    if (bytes.length - at < RECORD_HEADER) throw new CaptureFault(at, 'the last record header is cut off');
    const seconds = view.getUint32(at, littleEndian);
    const fraction = view.getUint32(at + 4, littleEndian);
    const captured = view.getUint32(at + 8, littleEndian);
    const left = bytes.length - at - RECORD_HEADER;
    if (captured > left) {
      throw new CaptureFault(at, `a record announces ${captured} bytes, ${left} are left`);
    }
    const start = at + RECORD_HEADER;
    at = start + captured;
    const atUs = seconds * 1e6 + Math.floor(fraction / unitsPerUs);
    yield { atUs, linkType, bytes: bytes.subarray(start, at) };
  }
}

function layoutOf(bytes: Uint8Array): Layout | null {
  if (bytes.length < 4) return null;
  for (const littleEndian of [true, false]) {
    const magic = viewOf(bytes).getUint32(0, littleEndian);
    if (magic === MICROSECONDS) return { littleEndian, unitsPerUs: 1 };
    if (magic === NANOSECONDS) return { littleEndian, unitsPerUs: 1000 };
  }
  return null;
}
