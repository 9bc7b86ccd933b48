/**
 * The TCP segment in an IP packet. Checksums are not looked at: where they are made by the network card, captures have wrong ones.
 *
 * Source: RFC 791, 8200 (extension headers), 9293.
 */
import { formatIPv6 } from '../../protocol/address.js';
import { showEndpoint } from '../../protocol/transport.js';
import { viewOf } from './packets.js';

/** One TCP segment. */
export interface TcpSegment {
  /** `host:port`, IPv6 addresses in brackets. */
  readonly source: string;
  readonly destination: string;
  readonly sequence: number;
  readonly syn: boolean;
  readonly ack: boolean;
  readonly fin: boolean;
  readonly rst: boolean;
  /** What was captured of its data. */
  readonly payload: Uint8Array;
  /** Bytes of data it had, by its IP length. */
  readonly length: number;
}

/** The segment, `'fragment'` for a part of an IP packet that was sent in several, `null` for anything but TCP. */
export function tcpSegmentOf(ip: Uint8Array): TcpSegment | 'fragment' | null {
  const packet = (ip[0] ?? 0) >> 4 === 4 ? readIPv4(ip) : readIPv6(ip);
  return packet === null || packet === 'fragment' ? packet : readTcp(packet);
}

interface IpPacket {
  readonly source: string;
  readonly destination: string;
  readonly bytes: Uint8Array;
  /** Bytes behind the IP headers when nothing is cut off. */
  readonly length: number;
}

const TCP = 6;

function readIPv4(ip: Uint8Array): IpPacket | 'fragment' | null {
  if (ip.length < 20) return null;
  const view = viewOf(ip);
  const headerLength = ((ip[0] as number) & 15) * 4;
  if (headerLength < 20 || headerLength > ip.length || ip[9] !== TCP) return null;
  if ((view.getUint16(6) & 0x3fff) !== 0) return 'fragment'; // more to come, or not the first
  // 0 where the network card was to cut a large packet up.
  const announced = view.getUint16(2);
  const total = announced === 0 ? ip.length : announced;
  if (total < headerLength) return null;
  return {
    source: ip.subarray(12, 16).join('.'),
    destination: ip.subarray(16, 20).join('.'),
    bytes: ip.subarray(headerLength, Math.min(total, ip.length)),
    length: total - headerLength,
  };
}

const HOP_BY_HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const DESTINATION = 60;

function readIPv6(ip: Uint8Array): IpPacket | 'fragment' | null {
  if (ip.length < 40) return null;
  const announced = viewOf(ip).getUint16(4);
  // 0 for a packet above 64 KiB, whose length is in an option.
  const total = announced === 0 ? ip.length : 40 + announced;
  let next = ip[6] as number;
  let at = 40;
  // Each turn goes at least eight bytes on.
  while (next !== TCP) {
    if (next === FRAGMENT) return 'fragment';
    const skips = next === HOP_BY_HOP || next === ROUTING || next === DESTINATION;
    if ((!skips && next !== AUTHENTICATION) || at + 8 > ip.length) return null;
    const units = ip[at + 1] as number;
    next = ip[at] as number;
    at += skips ? (units + 1) * 8 : (units + 2) * 4;
  }
  if (at > total || at > ip.length) return null;
  return {
    source: formatIPv6(ip.subarray(8, 24)),
    destination: formatIPv6(ip.subarray(24, 40)),
    bytes: ip.subarray(at, Math.min(total, ip.length)),
    length: total - at,
  };
}

function readTcp({ source, destination, bytes, length }: IpPacket): TcpSegment | null {
  if (bytes.length < 20) return null;
  const view = viewOf(bytes);
  const headerLength = ((bytes[12] as number) >> 4) * 4;
  if (headerLength < 20 || headerLength > length) return null;
  const flags = bytes[13] as number;
  return {
    source: showEndpoint({ host: source, port: view.getUint16(0) }),
    destination: showEndpoint({ host: destination, port: view.getUint16(2) }),
    sequence: view.getUint32(4),
    fin: (flags & 0x01) !== 0,
    syn: (flags & 0x02) !== 0,
    rst: (flags & 0x04) !== 0,
    ack: (flags & 0x10) !== 0,
    payload: bytes.subarray(Math.min(headerLength, bytes.length)),
    length: length - headerLength,
  };
}
