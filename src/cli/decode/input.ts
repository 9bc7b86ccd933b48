/** What `slurmwire decode` is given, whatever it is, as frames with the place they come from. */
import type { MessageName } from '../../protocol/messages/index.js';
import {
  type Direction,
  decodeFixture,
  type Provenance,
  type RedactedConnection,
} from '../../replay/index.js';
import { isCapture, readCapture } from '../capture/read-capture.js';
import type { StreamPiece, TcpConnection, TcpStream } from '../capture/tcp-reassembly.js';
import { bytesOfHex, isText } from './hex-text.js';
import { framesOf, type PiecewiseStream, type StreamFrame } from './stream-frames.js';

/** Where a frame comes from. */
export interface FrameConnection {
  /** From 1, in the order of the input. */
  readonly index: number;
  /** Who speaks to whom: `127.0.0.1:43210 > 127.0.0.1:6817`, `client > slurmctld`. */
  readonly client: string;
  readonly server: string;
  /** What is to be said of it beside its frames: how it ended, what is missing. */
  readonly remarks: readonly string[];
}

/** A frame of the input. */
export interface InputFrame extends StreamFrame {
  /** `null` where the input is frames and nothing around them. */
  readonly connection: FrameConnection | null;
  readonly direction: Direction | null;
  /** From 1, of its connection and direction. */
  readonly index: number;
}

/** An input, taken apart. */
export interface DecodeInput {
  readonly kind: 'frames' | 'body' | 'pcap' | 'pcapng' | 'fixture';
  /** True where {@link StreamFrame.atUs} counts from 1970; false where from the start of a recording. */
  readonly hasDates: boolean;
  readonly provenance: Provenance | null;
  /** What could not be read or was left aside, each a sentence without its full stop. */
  readonly notes: readonly string[];
  readonly connections: readonly FrameConnection[];
  readonly frames: Iterable<InputFrame>;
}

export interface DecodeInputOptions {
  /** The input is the bare body of this message. */
  readonly messageName?: MessageName | undefined;
  /** Take frames of any version for frames: one is forced upon them. */
  readonly anyVersion?: boolean | undefined;
}

/**
 * Finds out what the bytes are and takes them apart.
 *
 * @throws SlurmUsageError for text that is no hex dump; SlurmProtocolError for a fixture that is none.
 */
export function readInput(bytes: Uint8Array, options: DecodeInputOptions = {}): DecodeInput {
  const { messageName, anyVersion = false } = options;
  if (messageName === undefined) {
    if (isCapture(bytes)) return captureInput(bytes, anyVersion);
    if (isFixture(bytes)) return fixtureInput(bytes, anyVersion);
  }
  const binary = isText(bytes) ? bytesOfHex(Buffer.from(bytes).toString('latin1')) : bytes;
  const isBody = messageName !== undefined;
  const base = { hasDates: false, provenance: null, connections: [] };
  if (isBody) return { ...base, kind: 'body', notes: [], frames: [bodyOf(binary)] };
  const notes = binary.length === 0 ? ['there is nothing in it'] : [];
  return { ...base, kind: 'frames', notes, frames: bareFrames(binary, anyVersion) };
}

/** A MessagePack map of a few entries whose first key is `format`. */
function isFixture(bytes: Uint8Array): boolean {
  const [first = 0] = bytes;
  return (
    first >= 0x81 && first <= 0x8f && Buffer.from(bytes.subarray(1, 8)).toString('latin1') === '\xa6format'
  );
}

const ALONE = { connection: null, direction: null, index: 1 } as const;

function bodyOf(bytes: Uint8Array): InputFrame {
  return { ...ALONE, offset: 0, atUs: 0, bytes, behindGap: [], missing: 0, isFrame: true };
}

function* bareFrames(bytes: Uint8Array, anyVersion: boolean): Generator<InputFrame> {
  const stream = { pieces: [{ at: 0, bytes, atUs: 0 }], length: bytes.length };
  let index = 0;
  for (const frame of framesOf(stream, anyVersion)) yield { ...ALONE, ...frame, index: ++index };
}

// --- captures ------------------------------------------------------------------------------------------------------

function captureInput(bytes: Uint8Array, anyVersion: boolean): DecodeInput {
  const { format, connections: all, notes } = readCapture(bytes);
  const more = [...notes];
  const found: { readonly connection: FrameConnection; readonly streams: Streams }[] = [];
  let [tls, others] = [0, 0];
  for (const captured of all) {
    const { client, server, streams } = captured;
    if (beginsWithFrame(streams['>'], anyVersion) || beginsWithFrame(streams['<'], anyVersion)) {
      const connection = { index: found.length + 1, client, server, remarks: remarksOf(captured) };
      found.push({ connection, streams });
    } else if (beginsWithTls(streams['>']) || beginsWithTls(streams['<'])) tls++;
    else if (streams['>'].pieces.length + streams['<'].pieces.length > 0) others++;
  }
  if (tls > 0) more.push(`${counted(tls, 'connection')} in TLS left out`);
  if (others > 0)
    more.push(`${counted(others, 'connection')} without a frame of Slurm's at the beginning left out`);
  if (found.length === 0) more.push('no connection with frames of Slurm in it');
  return {
    kind: format,
    hasDates: true,
    provenance: null,
    notes: more,
    connections: found.map(({ connection }) => connection),
    frames: inConnections(found, anyVersion),
  };
}

const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;

function beginsWithFrame(stream: TcpStream, anyVersion: boolean): boolean {
  for (const { isFrame } of framesOf(stream, anyVersion)) return isFrame;
  return false;
}

function beginsWithTls({ pieces: [first] }: TcpStream): boolean {
  return first?.at === 0 && first.bytes[0] === 0x16 && first.bytes[1] === 3;
}

function remarksOf({ streams, client, server }: TcpConnection): string[] {
  const remarks: string[] = [];
  for (const [direction, who] of [
    ['>', client],
    ['<', server],
  ] as const) {
    const { pieces, length, sawStart, repeated, contradicting, ending } = streams[direction];
    const missing = length - pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const say = (text: string) => remarks.push(`${direction} ${text}`);
    if (!sawStart && pieces.length > 0) say(`the capture begins in the middle of what ${who} sent`);
    if (missing > 0) say(`${missing} bytes that ${who} sent are missing in the capture`);
    if (repeated > 0) say(`${repeated} bytes were captured more than once`);
    if (contradicting > 0) say(`${contradicting} of them were not the same each time`);
    if (ending === 'reset') say(`${who} reset the connection`);
  }
  return remarks;
}

// --- fixtures ------------------------------------------------------------------------------------------------------

function fixtureInput(bytes: Uint8Array, anyVersion: boolean): DecodeInput {
  const { provenance, connections } = decodeFixture(bytes);
  const found = connections.map((recorded, i) => ({
    connection: {
      index: i + 1,
      client: 'client',
      server: recorded.endpoint,
      remarks: endingsOf(recorded),
    },
    streams: { '>': recordedStream(recorded, '>'), '<': recordedStream(recorded, '<') },
  }));
  return {
    kind: 'fixture',
    hasDates: false,
    provenance,
    notes: [],
    connections: found.map(({ connection }) => connection),
    frames: inConnections(found, anyVersion),
  };
}

function recordedStream({ events }: RedactedConnection, direction: Direction): PiecewiseStream {
  const pieces: StreamPiece[] = [];
  let length = 0;
  for (const event of events) {
    if (event.direction !== direction || event.bytes === undefined) continue;
    pieces.push({ at: length, bytes: event.bytes, atUs: event.at * 1000 });
    length += event.bytes.length;
  }
  return { pieces, length };
}

function endingsOf({ events, endpoint }: RedactedConnection): string[] {
  const isAnswered = events.some(({ direction, kind }) => direction === '<' && kind === 'data');
  return events.flatMap(({ direction, kind, at, code }) => {
    const who = direction === '>' ? 'the client' : endpoint;
    const why = code === undefined ? '' : ` (${code})`;
    if (kind === 'refused') return [`${endpoint} refused the connection${why}`];
    if (kind === 'reset') return [`${direction} ${who} reset the connection after ${at} ms${why}`];
    return kind === 'end' && direction === '<' && !isAnswered
      ? [`< ${who} closed after ${at} ms without a word`]
      : [];
  });
}

// --- both ----------------------------------------------------------------------------------------------------------

type Streams = Readonly<Record<Direction, PiecewiseStream>>;

function* inConnections(
  connections: readonly { readonly connection: FrameConnection; readonly streams: Streams }[],
  anyVersion: boolean,
): Generator<InputFrame> {
  for (const { connection, streams } of connections) {
    const frames = (['>', '<'] as const).flatMap((direction) =>
      [...framesOf(streams[direction], anyVersion)].map((frame, i) => ({
        ...frame,
        connection,
        direction,
        index: i + 1,
      })),
    );
    // A stable sort: of two at the same time the client's comes first.
    yield* frames.sort((a, b) => a.atUs - b.atUs);
  }
}
