/**
 * From a captured packet to its IP packet.
 *
 * Source: the link-layer header types of tcpdump.org (`LINKTYPE_…`), seen in captures of tcpdump 4.99 where a test says so.
 */
import { viewOf } from './packets.js';

/** Name and way to the IP packet, by `LINKTYPE_…` number. */
const LINK_TYPES: ReadonlyMap<number, (bytes: Uint8Array) => Uint8Array | null> = new Map([
  [0, afterFamily], // NULL: the family in the byte order of the capturing host
  [1, (bytes) => afterEtherType(bytes, 12)], // ETHERNET
  [12, rawIp], // RAW of some BSDs
  [14, rawIp], // RAW of OpenBSD
  [101, rawIp], // RAW
  [108, afterFamily], // LOOP
  [113, (bytes) => afterEtherType(bytes, 14)], // LINUX_SLL
  [228, rawIp], // IPV4
  [229, rawIp], // IPV6
  [276, (bytes) => afterProtocol(bytes, 0, 20)], // LINUX_SLL2
]);

/** True for a link type that {@link ipPacketOf} knows. */
export function isKnownLinkType(linkType: number): boolean {
  return LINK_TYPES.has(linkType);
}

/** The IP packet in a packet of a known link type, or `null` where it holds something else (ARP …) or was cut off before. */
export function ipPacketOf(linkType: number, bytes: Uint8Array): Uint8Array | null {
  const ip = LINK_TYPES.get(linkType)?.(bytes) ?? null;
  return ip === null ? null : rawIp(ip);
}

function rawIp(bytes: Uint8Array): Uint8Array | null {
  const version = (bytes[0] ?? 0) >> 4;
  return version === 4 || version === 6 ? bytes : null;
}

/** AF_INET is 2 everywhere, AF_INET6 10, 24, 28 or 30; either byte order. The IP version decides in the end. */
const FAMILIES: ReadonlySet<number> = new Set([2, 10, 24, 28, 30]);

function afterFamily(bytes: Uint8Array): Uint8Array | null {
  if (bytes.length < 4) return null;
  const view = viewOf(bytes);
  return FAMILIES.has(view.getUint32(0)) || FAMILIES.has(view.getUint32(0, true)) ? bytes.subarray(4) : null;
}

const IP = new Set([0x0800, 0x86dd]);
/** 802.1Q, 802.1ad, and the number that was used before it. */
const VLAN = new Set([0x8100, 0x88a8, 0x9100]);

/** What an EtherType at `at` says follows, VLAN tags skipped. */
function afterEtherType(bytes: Uint8Array, at: number): Uint8Array | null {
  return afterProtocol(bytes, at, at + 2);
}

function afterProtocol(bytes: Uint8Array, typeAt: number, headerEnd: number): Uint8Array | null {
  const view = viewOf(bytes);
  let at = typeAt;
  let end = headerEnd;
  while (at + 2 <= bytes.length && VLAN.has(view.getUint16(at))) {
    at = end + 2;
    end = at + 2;
  }
  return at + 2 <= bytes.length && end <= bytes.length && IP.has(view.getUint16(at))
    ? bytes.subarray(end)
    : null;
}
