/**
 * TCP connections out of captured segments: in the order of their sequence numbers, each byte once, and what is missing left out.
 * Nothing is allocated for what was announced and is not there.
 */
import type { Direction } from '../../replay/index.js';
import type { TcpSegment } from './tcp-segment.js';

/** A stretch of one direction of a connection, without a gap. */
export interface StreamPiece {
  /** Bytes since the stream began. */
  readonly at: number;
  readonly bytes: Uint8Array;
  /** When it was captured, in microseconds since 1970. */
  readonly atUs: number;
}

/** One direction of a connection. */
export interface TcpStream {
  /** In order, without overlaps. Where one does not begin at the end of the one before, bytes are missing. */
  readonly pieces: readonly StreamPiece[];
  /** Bytes it has in all, as far as the capture tells; more than the end of the last piece where the last bytes are missing. */
  readonly length: number;
  /** False where the capture began in the middle: then 0 is the first byte that was seen. */
  readonly sawStart: boolean;
  /** Bytes that came more than once. */
  readonly repeated: number;
  /** Of those, bytes that were not the same each time. Those that begin first in the stream count. */
  readonly contradicting: number;
  readonly ending: 'end' | 'reset' | null;
}

/** One connection. */
export interface TcpConnection {
  /** `host:port` of the side that connected; where the capture began later, of the side that spoke first. */
  readonly client: string;
  readonly server: string;
  readonly streams: Readonly<Record<Direction, TcpStream>>;
}

/** Connections followed in one capture: each costs memory whether or not anything was said on it. */
export const MAX_CONNECTIONS = 65_536;

/** Puts connections together. Segments may come in any order. */
export class TcpReassembly {
  /** Segments of connections beyond {@link MAX_CONNECTIONS}. */
  leftOut = 0;
  readonly #all: Conversation[] = [];
  /** The newest connection between two endpoints: ports are used again. */
  readonly #newest = new Map<string, Conversation>();

  add(segment: TcpSegment, atUs: number): void {
    const conversation = this.#conversationOf(segment);
    if (conversation === undefined) this.leftOut++;
    else conversation.side(segment.source).add(segment, atUs);
  }

  /** In the order of their first segments. */
  connections(): TcpConnection[] {
    return this.#all.map((conversation) => conversation.finish());
  }

  #conversationOf(segment: TcpSegment): Conversation | undefined {
    const { source, destination, syn, ack, sequence, length } = segment;
    const key = source < destination ? `${source} ${destination}` : `${destination} ${source}`;
    let found = this.#newest.get(key);
    if (found === undefined || (syn && !found.side(source).mayBeginWith(sequence))) {
      if (this.#all.length >= MAX_CONNECTIONS) return undefined;
      const opener = syn && ack ? destination : source;
      found = new Conversation(opener, opener === source ? destination : source);
      this.#all.push(found);
      this.#newest.set(key, found);
    }
    if (!found.knowsClient && (syn || length > 0)) found.isOpenedBy(syn && ack ? destination : source);
    return found;
  }
}

class Conversation {
  #client: string;
  #server: string;
  knowsClient = false;
  readonly #sides: Map<string, Side>;

  constructor(client: string, server: string) {
    this.#client = client;
    this.#server = server;
    this.#sides = new Map([
      [client, new Side()],
      [server, new Side()],
    ]);
  }

  side(endpoint: string): Side {
    const side = this.#sides.get(endpoint) ?? new Side();
    this.#sides.set(endpoint, side);
    return side;
  }

  isOpenedBy(endpoint: string): void {
    this.knowsClient = true;
    if (endpoint === this.#client) return;
    [this.#client, this.#server] = [this.#server, this.#client];
  }

  finish(): TcpConnection {
    const [client, server] = [this.#client, this.#server];
    return { client, server, streams: { '>': this.side(client).finish(), '<': this.side(server).finish() } };
  }
}

/** Bytes by which data may be captured before the SYN of its connection. */
const MAX_OVERTAKEN = 1 << 20;

/** What one side sent. */
class Side {
  /** Sequence number of its SYN, `null` while none was seen. */
  #initial: number | null = null;
  /** Stream position and sequence number of a byte that was met: numbers wrap around, positions do not. */
  #known: { readonly sequence: number; readonly position: number } | undefined;
  readonly #pieces: StreamPiece[] = [];
  /** Position behind the last byte, as far as segments say. */
  #end = 0;
  #ending: TcpStream['ending'] = null;

  /** False for a SYN that begins another connection between the same ports; with this side's own number it was sent again. */
  mayBeginWith(sequence: number): boolean {
    if (this.#initial !== null) return this.#initial === sequence;
    if (this.#known === undefined) return true;
    // Overtaken by the first of its data.
    const ahead = (this.#known.sequence - sequence) | 0;
    return ahead >= 0 && ahead < MAX_OVERTAKEN;
  }

  add({ sequence, syn, fin, rst, payload, length }: TcpSegment, atUs: number): void {
    if (syn) {
      this.#initial ??= sequence;
      this.#shift(sequence);
    }
    if (rst) {
      this.#ending ??= 'reset';
      return; // a number that need not fit, and no data
    }
    const first = (sequence + (syn ? 1 : 0)) >>> 0;
    const position = this.#positionOf(first);
    // A probe that keeps a connection alive sends the last byte again, or none: it says nothing about the end.
    if (length > 0 || fin) this.#end = Math.max(this.#end, position + length);
    if (payload.length > 0) this.#pieces.push({ at: position, bytes: payload, atUs });
    if (fin) this.#ending ??= 'end';
  }

  finish(): TcpStream {
    const sawStart = this.#initial !== null;
    const sorted = this.#pieces.sort((a, b) => a.at - b.at);
    const origin = sawStart ? 0 : Math.min(sorted[0]?.at ?? this.#end, this.#end);
    const { pieces, repeated, contradicting } = withoutOverlaps(sorted, origin);
    const length = Math.max(this.#end - origin, endOf(pieces.at(-1)));
    return { pieces, length, sawStart, repeated, contradicting, ending: this.#ending };
  }

  /** The byte behind a SYN is at position 0, whatever was met before. */
  #shift(initial: number): void {
    const first = (initial + 1) >>> 0;
    const wrong = this.#known === undefined ? 0 : this.#positionOf(first);
    if (wrong !== 0) {
      for (const [index, piece] of this.#pieces.entries())
        this.#pieces[index] = { ...piece, at: piece.at - wrong };
      this.#end -= wrong;
    }
    this.#known = { sequence: first, position: 0 };
  }

  #positionOf(sequence: number): number {
    this.#known ??= { sequence, position: 0 };
    // The nearer way round: at most 2 GiB ahead or behind of what was met last.
    const position = this.#known.position + ((sequence - this.#known.sequence) | 0);
    this.#known = { sequence, position };
    return position;
  }
}

const endOf = (piece: StreamPiece | undefined) => (piece === undefined ? 0 : piece.at + piece.bytes.length);

/** Each byte once; positions from `origin`. What lies before it is dropped. */
function withoutOverlaps(
  sorted: readonly StreamPiece[],
  origin: number,
): { pieces: StreamPiece[]; repeated: number; contradicting: number } {
  const pieces: StreamPiece[] = [];
  let repeated = 0;
  let contradicting = 0;
  let end = 0;
  for (const { at, bytes, atUs } of sorted) {
    const start = at - origin;
    const over = Math.min(Math.max(0, end - start), bytes.length);
    if (over > 0) {
      const inStream = start < 0 ? Math.min(-start, over) : 0;
      repeated += over - inStream;
      contradicting += differing(pieces, start + inStream, bytes.subarray(inStream, over));
    }
    if (over === bytes.length) continue;
    pieces.push({ at: start + over, bytes: over === 0 ? bytes : bytes.subarray(over), atUs });
    end = start + bytes.length;
  }
  return { pieces, repeated, contradicting };
}

/** How many of the bytes are others than what the last pieces have there. Looks back no further than those bytes reach. */
function differing(pieces: readonly StreamPiece[], start: number, bytes: Uint8Array): number {
  let count = 0;
  for (let index = pieces.length - 1; index >= 0; index--) {
    const piece = pieces[index] as StreamPiece;
    const [from, to] = [Math.max(start, piece.at), Math.min(start + bytes.length, endOf(piece))];
    for (let at = from; at < to; at++) if (piece.bytes[at - piece.at] !== bytes[at - start]) count++;
    if (piece.at <= start) break;
  }
  return count;
}
