/**
 * Capture files (pcap and pcapng) as TCP connections.
 *
 * Of our own, for want of a kept one: npm's `pcap-parser` is of 2012 and `pcap-ng-parser` knows Ethernet and pcapng alone; neither
 * puts TCP together. This one is strict and bounded: it holds views into the file, and stops at the first byte that cannot be.
 */
import { ipPacketOf, isKnownLinkType } from './link-layer.js';
import { CaptureFault, type Packet } from './packets.js';
import { isPcap, readPcap } from './pcap.js';
import { isPcapng, readPcapng } from './pcapng.js';
import { MAX_CONNECTIONS, type TcpConnection, TcpReassembly } from './tcp-reassembly.js';
import { tcpSegmentOf } from './tcp-segment.js';

/** A capture file, as connections. */
export interface CapturedConnections {
  readonly format: 'pcap' | 'pcapng';
  readonly connections: readonly TcpConnection[];
  /** What could not be read or was left aside, each a sentence without its full stop. */
  readonly notes: readonly string[];
}

/** True for the bytes of a capture file. */
export function isCapture(bytes: Uint8Array): boolean {
  return isPcap(bytes) || isPcapng(bytes);
}

/** Never throws for what is in it. */
export function readCapture(bytes: Uint8Array): CapturedConnections {
  const format = isPcap(bytes) ? 'pcap' : 'pcapng';
  const reading = new Reading();
  let stopped: CaptureFault | null = null;
  try {
    for (const packet of format === 'pcap' ? readPcap(bytes) : readPcapng(bytes)) reading.add(packet);
  } catch (thrown) {
    if (!(thrown instanceof CaptureFault)) throw thrown;
    stopped = thrown;
  }
  const notes = reading.notes();
  if (stopped !== null)
    notes.push(`the file was read up to its byte ${stopped.offset} only: ${stopped.message}`);
  return { format, connections: reading.reassembly.connections(), notes };
}

class Reading {
  readonly reassembly = new TcpReassembly();
  /** Packets by link type that is not known here. */
  readonly #unknown = new Map<number, number>();
  #fragments = 0;

  add({ linkType, bytes, atUs }: Packet): void {
    if (!isKnownLinkType(linkType)) {
      this.#unknown.set(linkType, (this.#unknown.get(linkType) ?? 0) + 1);
      return;
    }
    const ip = ipPacketOf(linkType, bytes);
    const segment = ip === null ? null : tcpSegmentOf(ip);
    if (segment === 'fragment') this.#fragments++;
    else if (segment !== null) this.reassembly.add(segment, atUs);
  }

  notes(): string[] {
    const notes: string[] = [];
    const [first] = this.#unknown.keys();
    if (first !== undefined) {
      const count = [...this.#unknown.values()].reduce((sum, one) => sum + one, 0);
      const others = this.#unknown.size > 1 ? ` and ${this.#unknown.size - 1} others` : '';
      notes.push(`${count} packets of link type ${first}${others} (not known here) were left out`);
    }
    if (this.#fragments > 0)
      notes.push(`${this.#fragments} IP fragments were left out: they are not put together`);
    const { leftOut } = this.reassembly;
    if (leftOut > 0)
      notes.push(`${leftOut} packets of connections beyond the first ${MAX_CONNECTIONS} were left out`);
    return notes;
  }
}
