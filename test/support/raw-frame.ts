/** Frames put together by hand, so that they can be wrong; and what a daemon does with bytes. */
import { connect } from 'node:net';
import { decodeBody, decodeFrame, type Release } from '../../src/protocol/index.js';
import { headerVersionOf, isAtLeast } from '../../src/protocol/release.js';

export interface RawFrame {
  readonly release: Release;
  /** Default: that of `release`. */
  readonly version?: number;
  readonly flags?: number;
  readonly type: number;
  readonly body?: Uint8Array;
  /** Default: that of `body`. */
  readonly bodyLength?: number;
  /** Default: none, not even a plugin's number. */
  readonly auth?: Uint8Array;
}

/** Without forwarding and without an address, length word included. */
export function rawFrame(frame: RawFrame): Buffer {
  const { release, version = headerVersionOf(release), flags = 0, type } = frame;
  const { body = new Uint8Array(), bodyLength = body.length, auth = new Uint8Array() } = frame;
  const index = isAtLeast(release, '22.05') ? [] : [u16(0)];
  const head = [u16(version), u16(flags), ...index, u16(type), u32(bodyLength), Buffer.alloc(6)];
  return framed(Buffer.concat([...head, auth, body]));
}

/** With a length word in front. */
export function framed(bytes: Uint8Array): Buffer {
  return Buffer.concat([u32(bytes.length), bytes]);
}

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A string as Slurm packs it. */
export function packedText(text: string): Buffer {
  return Buffer.concat([u32(text.length + 1), Buffer.from(`${text}\0`)]);
}

/** What came of a conversation. */
export interface Told {
  /** All bytes that came. */
  readonly bytes: Buffer;
  /** How the other side ended it; `open` where it had not within the time. */
  readonly end: 'fin' | 'reset' | 'open';
}

export interface Sending {
  /** Sent one after the other, each in a turn of its own. */
  readonly chunks: readonly Uint8Array[];
  /** Milliseconds between chunks. */
  readonly pauseMs?: number;
  /** Shut down for writing right after the last chunk. */
  readonly halfClose?: boolean;
  /** Default 3000. */
  readonly limitMs?: number;
}

/** Sends bytes and waits until the other side has ended the conversation. */
export function tell(at: { host: string; port: number }, sending: Sending): Promise<Told> {
  const { chunks, pauseMs = 0, halfClose = false, limitMs = 3_000 } = sending;
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    const socket = connect({ ...at, allowHalfOpen: true, noDelay: true });
    const done = (end: Told['end']) => {
      clearTimeout(limit);
      clearTimeout(next);
      socket.destroy();
      resolve({ bytes: Buffer.concat(parts), end });
    };
    const limit = setTimeout(() => done('open'), limitMs);
    let next: NodeJS.Timeout | undefined;
    const send = (index: number) => {
      const chunk = chunks[index];
      if (chunk === undefined) return;
      // In one turn, so that nobody can answer between the two.
      if (halfClose && index === chunks.length - 1) return socket.end(chunk);
      socket.write(chunk, () => {
        next = setTimeout(() => send(index + 1), index + 1 < chunks.length ? pauseMs : 0);
      });
    };
    socket.on('connect', () => send(0));
    socket.on('data', (part) => parts.push(part));
    socket.on('end', () => done('fin'));
    socket.on('error', () => done('reset'));
  });
}

/** An answer in few words: `RC 1007 in 24.11`, `signed RC 0 in 22.05`, `HTTP`, `nothing`. */
export function words({ bytes, end }: Told): string {
  if (bytes.length === 0) return end === 'open' ? 'silence' : 'nothing';
  if (bytes.toString('latin1', 0, 5) === 'HTTP/') return 'HTTP';
  const frame = decodeFrame(bytes.subarray(0, 4 + bytes.readUInt32BE()));
  const { release, messageName, body, auth } = frame;
  const signed = auth === null ? '' : 'signed ';
  if (messageName !== 'RESPONSE_SLURM_RC') return `${signed}${messageName} in ${release}`;
  const { returnCode } = decodeBody('RESPONSE_SLURM_RC', release, body);
  return `${signed}RC ${returnCode | 0} in ${release}`;
}
