/**
 * Network addresses inside messages. Slurm packs the already network-ordered socket fields through its big-endian writer, so on
 * little-endian hosts the IPv4 address and every port stand byte-reversed; IPv6 addresses do not.
 *
 * Source: observed on slurmctld and slurmd 22.05 (`0002 0100007f beab` is 127.0.0.1 port 43966), same layout in all versions.
 */
import type { ByteReader } from './byte-reader.js';
import type { ByteWriter } from './byte-writer.js';
import { CodecFault, within } from './codec-fault.js';
import { showValue } from './slurm-error.js';
import { WireType } from './wire-type.js';

/** Address family of no address. */
export const AF_UNSPEC = 0;
/** Address family of IPv4. */
export const AF_INET = 2;
/** Address family of IPv6, with Linux's number. */
export const AF_INET6 = 10;

/** An IPv4 or IPv6 socket address, or just a family (0 for none), for which nothing more is on the wire. */
export type Address =
  | { readonly family: typeof AF_INET | typeof AF_INET6; readonly address: string; readonly port: number }
  | { readonly family: number };

/** No address. */
export const NO_ADDRESS: Address = { family: AF_UNSPEC };

export const address = new WireType<Address>({ kind: 'address' });

export function readAddress(reader: ByteReader): Address {
  const family = reader.u16();
  if (family === AF_INET) {
    const bytes = reader.raw(4);
    return { family, address: [...bytes].reverse().join('.'), port: swap16(reader.u16()) };
  }
  if (family === AF_INET6) {
    const at = reader.offset;
    const length = reader.u32();
    if (length !== 16) throw new CodecFault('SLURMWIRE_BAD_COUNT', `an IPv6 address of ${length} bytes`, at);
    return { family, address: formatIPv6(reader.raw(16)), port: swap16(reader.u16()) };
  }
  return { family };
}

export function writeAddress(writer: ByteWriter, value: Address): void {
  if (typeof value !== 'object' || value === null) {
    throw new CodecFault('SLURMWIRE_BAD_VALUE', `${showValue(value)} is not an address`);
  }
  const { family, address, port, ...unknown } = value as {
    family: number;
    address?: string;
    port?: number;
  };
  for (const name of Object.keys(unknown)) {
    throw within(new CodecFault('SLURMWIRE_BAD_VALUE', 'there is no such field'), name);
  }
  writer.u16(family);
  if (family !== AF_INET && family !== AF_INET6) {
    if (address === undefined && port === undefined) return;
    throw new CodecFault('SLURMWIRE_BAD_VALUE', `family ${family} has neither address nor port on the wire`);
  }
  if (address === undefined || port === undefined) {
    throw new CodecFault('SLURMWIRE_FIELD_MISSING', 'an address of family 2 or 10 needs address and port');
  }
  if (family === AF_INET) writer.raw(parseIPv4(address).reverse());
  else {
    const bytes = parseIPv6(address);
    writer.u32(bytes.length);
    writer.raw(bytes);
  }
  if (!Number.isInteger(port) || port < 0 || port > 0xffff) {
    throw new CodecFault('SLURMWIRE_BAD_VALUE', `${showValue(port)} is not a port`);
  }
  writer.u16(swap16(port));
}

function swap16(value: number): number {
  return ((value & 0xff) << 8) | (value >> 8);
}

function parseIPv4(text: string): Uint8Array {
  const parts = typeof text === 'string' ? text.split('.') : [];
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) {
    throw new CodecFault('SLURMWIRE_BAD_VALUE', `${showValue(text)} is not an IPv4 address`);
  }
  return Uint8Array.from(parts, Number);
}

function parseIPv6(text: string): Uint8Array {
  const bad = () => new CodecFault('SLURMWIRE_BAD_VALUE', `${showValue(text)} is not an IPv6 address`);
  if (typeof text !== 'string') throw bad();
  const halves = text.split('::');
  if (halves.length > 2) throw bad();
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const gap = 8 - head.length - tail.length;
  if (halves.length === 1 ? gap !== 0 : gap < 1) throw bad();
  const groups = [...head, ...Array<string>(gap).fill('0'), ...tail];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) throw bad();
  return Uint8Array.from(
    groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]),
  );
}

/** As RFC 5952 wants it: lower case, the longest run of two or more zero groups shortened. */
/** 16 bytes as RFC 5952 writes them. */
export function formatIPv6(bytes: Uint8Array): string {
  const groups = Array.from(
    { length: 8 },
    (_, i) => ((bytes[2 * i] as number) << 8) | (bytes[2 * i + 1] as number),
  );
  let [best, bestLength] = [-1, 1];
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > bestLength) [best, bestLength] = [start, length];
  }
  const hex = (part: number[]) => part.map((group) => group.toString(16)).join(':');
  return best < 0 ? hex(groups) : `${hex(groups.slice(0, best))}::${hex(groups.slice(best + bestLength))}`;
}
