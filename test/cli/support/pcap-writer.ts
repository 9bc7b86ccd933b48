/** Capture files made of TCP segments, in every format and link layer that `decode` reads. */
import { formatIPv6 } from '../../../src/protocol/address.js';

export interface Segment {
  /** `>` from the client. */
  readonly direction: '>' | '<';
  readonly sequence: number;
  readonly flags?: string;
  readonly payload?: Uint8Array;
}

export type Format = 'pcap' | 'pcap-be' | 'pcap-nano' | 'pcap-nano-be' | 'pcapng' | 'pcapng-be';
export type Link =
  | 'ethernet'
  | 'vlan'
  | 'qinq'
  | 'sll'
  | 'sll-vlan'
  | 'sll2'
  | 'null'
  | 'null-be'
  | 'loop'
  | 'raw'
  | 'ipv4/ipv6';

export interface CaptureOptions {
  readonly format?: Format;
  readonly link?: Link;
  readonly ip?: 4 | 6 | '6-extended';
  /** Bytes kept of each packet. */
  readonly snapLength?: number;
  readonly clientPort?: number;
}

export const LINK_TYPES: Readonly<Record<Link, (ip: 4 | 6) => number>> = {
  ethernet: () => 1,
  vlan: () => 1,
  qinq: () => 1,
  sll: () => 113,
  'sll-vlan': () => 113,
  sll2: () => 276,
  null: () => 0,
  'null-be': () => 0,
  loop: () => 108,
  raw: () => 101,
  'ipv4/ipv6': (ip) => (ip === 4 ? 228 : 229),
};

/** The whole of a conversation, each item a segment of its own. */
export function conversation(
  items: readonly { direction: '>' | '<'; payload: Uint8Array }[],
  initial = { '>': 1000, '<': 5000 },
): Segment[] {
  const next = { ...initial };
  const take = (direction: '>' | '<', length: number) => {
    const sequence = next[direction];
    next[direction] = (sequence + length) >>> 0;
    return sequence;
  };
  return [
    { direction: '>', sequence: take('>', 1), flags: 'S' },
    { direction: '<', sequence: take('<', 1), flags: 'SA' },
    ...items.map(({ direction, payload }) => ({
      direction,
      sequence: take(direction, payload.length),
      flags: 'A',
      payload,
    })),
    { direction: '<', sequence: take('<', 1), flags: 'FA' },
    { direction: '>', sequence: take('>', 1), flags: 'FA' },
  ];
}

export const START_US = 1_700_000_000_123_456;

/** A capture file. Packet i was captured i milliseconds after {@link START_US}. */
export function captureOf(segments: readonly Segment[], options: CaptureOptions = {}): Buffer {
  const { format = 'pcap', link = 'ethernet', ip = 4, snapLength = 262_144, clientPort = 40_000 } = options;
  const version = ip === 4 ? 4 : 6;
  const packets = segments.map((segment) => linked(link, version, ipPacket(segment, ip, clientPort)));
  return fileOf(packets, { format, linkType: LINK_TYPES[link](version), snapLength });
}

export function fileOf(
  packets: readonly Uint8Array[],
  { format, linkType, snapLength = 262_144 }: { format: Format; linkType: number; snapLength?: number },
): Buffer {
  const isLittle = !format.endsWith('-be');
  const number = (value: number, size: 2 | 4) => {
    const bytes = Buffer.alloc(size);
    if (isLittle) bytes.writeUIntLE(value >>> 0, 0, size);
    else bytes.writeUIntBE(value >>> 0, 0, size);
    return bytes;
  };
  const u16 = (value: number) => number(value, 2);
  const u32 = (value: number) => number(value, 4);
  if (format.startsWith('pcapng')) {
    const block = (type: number, ...body: Uint8Array[]) => {
      const content = Buffer.concat(body);
      const padded = Buffer.concat([content, Buffer.alloc(-content.length & 3)]);
      return Buffer.concat([u32(type), u32(12 + padded.length), padded, u32(12 + padded.length)]);
    };
    const nanoseconds = [u16(9), u16(1), Buffer.from([9, 0, 0, 0]), u16(0), u16(0)];
    return Buffer.concat([
      block(0x0a0d0d0a, u32(0x1a2b3c4d), u16(1), u16(0), u32(0xffffffff), u32(0xffffffff)),
      block(1, u16(linkType), u16(0), u32(snapLength), ...nanoseconds),
      block(5, u32(0), u32(0), u32(0)), // statistics: passed over
      ...packets.map((packet, i) => {
        const ns = BigInt(START_US + i * 1000) * 1000n;
        const kept = packet.subarray(0, snapLength);
        return block(
          6,
          u32(0),
          u32(Number(ns >> 32n)),
          u32(Number(ns & 0xffffffffn)),
          u32(kept.length),
          u32(packet.length),
          kept,
        );
      }),
    ]);
  }
  const isNano = format.includes('nano');
  return Buffer.concat([
    u32(isNano ? 0xa1b23c4d : 0xa1b2c3d4),
    u16(2),
    u16(4),
    u32(0),
    u32(0),
    u32(snapLength),
    u32(linkType),
    ...packets.flatMap((packet, i) => {
      const us = START_US + i * 1000;
      const kept = packet.subarray(0, snapLength);
      return [
        u32(Math.floor(us / 1e6)),
        u32((us % 1e6) * (isNano ? 1000 : 1)),
        u32(kept.length),
        u32(packet.length),
        kept,
      ];
    }),
  ]);
}

const IPV6 = {
  '>': Buffer.from('20010db8000000000000000000000001', 'hex'),
  '<': Buffer.from('20010db8000000000000000000000002', 'hex'),
};
const IPV4 = { '>': Buffer.from([10, 0, 0, 1]), '<': Buffer.from([10, 0, 0, 2]) };
export const SERVER_PORT = 6817;

/** `host:port` of both sides. */
export function endsOf({ ip = 4, clientPort = 40_000 }: CaptureOptions = {}): {
  client: string;
  server: string;
} {
  const show = (direction: '>' | '<') =>
    ip === 4 ? IPV4[direction].join('.') : `[${formatIPv6(IPV6[direction])}]`;
  return { client: `${show('>')}:${clientPort}`, server: `${show('<')}:${SERVER_PORT}` };
}

function ipPacket(
  { direction, sequence, flags = 'A', payload = Buffer.alloc(0) }: Segment,
  ip: 4 | 6 | '6-extended',
  clientPort: number,
): Buffer {
  const tcp = Buffer.alloc(24);
  tcp.writeUInt16BE(direction === '>' ? clientPort : SERVER_PORT, 0);
  tcp.writeUInt16BE(direction === '>' ? SERVER_PORT : clientPort, 2);
  tcp.writeUInt32BE(sequence >>> 0, 4);
  tcp[12] = 6 << 4; // with four bytes of options
  tcp[13] = [...flags].reduce((bits, flag) => bits | ({ F: 1, S: 2, R: 4, A: 16 }[flag] ?? 0), 0);
  const content = Buffer.concat([tcp, payload]);
  const back = direction === '>' ? '<' : '>';
  if (ip === 4) {
    const head = Buffer.alloc(20);
    head[0] = 0x45;
    head.writeUInt16BE(20 + content.length, 2);
    head.writeUInt16BE(0x4000, 6);
    head[9] = 6;
    return Buffer.concat([head.subarray(0, 12), IPV4[direction], IPV4[back], content]);
  }
  const extensions =
    ip === 6
      ? Buffer.alloc(0)
      : Buffer.concat([Buffer.from([60, 0, 1, 4, 0, 0, 0, 0]), Buffer.from([6, 1]), Buffer.alloc(14)]);
  const head = Buffer.alloc(8);
  head[0] = 0x60;
  head.writeUInt16BE(extensions.length + content.length, 4);
  head[6] = ip === 6 ? 6 : 0;
  return Buffer.concat([head, IPV6[direction], IPV6[back], extensions, content]);
}

function linked(link: Link, ip: 4 | 6, packet: Buffer): Buffer {
  const type = ip === 4 ? '0800' : '86dd';
  const family = ip === 4 ? 2 : 30;
  const before: Record<Link, string> = {
    ethernet: `${'00'.repeat(12)}${type}`,
    vlan: `${'00'.repeat(12)}81000064${type}`,
    qinq: `${'00'.repeat(12)}88a8006481000065${type}`,
    sll: `0000030400060000000000000000${type}`,
    'sll-vlan': `000003040006000000000000000081000064${type}`,
    sll2: `${type}000000000001030400060000000000000000`,
    null: `${family.toString(16).padStart(2, '0')}000000`,
    'null-be': `000000${family.toString(16).padStart(2, '0')}`,
    loop: `000000${family.toString(16).padStart(2, '0')}`,
    raw: '',
    'ipv4/ipv6': '',
  };
  // Short Ethernet frames are padded: the IP length tells where the packet ends.
  const padding =
    link === 'ethernet' && packet.length < 46 ? Buffer.alloc(46 - packet.length) : Buffer.alloc(0);
  return Buffer.concat([Buffer.from(before[link], 'hex'), packet, padding]);
}
