import { connect, type Socket } from 'node:net';
import type { CallContext } from '../protocol/authenticator.js';
import { onAbort } from '../protocol/on-abort.js';
import type { Connection, Endpoint } from '../protocol/transport.js';
import { systemError } from './open-socket.js';

/** A connection over TCP. Rejects with the system's error, or with the reason of the context's signal, and leaves nothing open then. */
export async function openTcp(
  address: Endpoint,
  { signal }: CallContext,
  timeoutMs: number,
): Promise<Connection> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const connection: TcpConnection = new TcpConnection(address, (error) => {
      clearTimeout(timer);
      takeBack();
      if (error === null) resolve(connection);
      else {
        connection.close();
        reject(error);
      }
    });
    const timer = setTimeout(() => {
      connection.opened(systemError(`no connection within ${timeoutMs} ms (TCPTimeout)`, 'ETIMEDOUT'));
    }, timeoutMs);
    const takeBack = onAbort(signal, () => connection.opened(signal.reason));
  });
}

/** Bytes that wait to be read, above which no more are taken from the system. */
const MAX_HELD = 256 * 1024;
const READ_LENGTH = 64 * 1024;

/**
 * All connections of this thread are read through one buffer: the system fills it and it is copied from in the same turn. Not so on Windows,
 * which has the buffer before there is anything to read.
 */
const shared = process.platform === 'win32' ? null : Buffer.allocUnsafeSlow(READ_LENGTH);

interface Reader {
  readonly resolve: (bytes: Uint8Array | null) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A socket with as little around it as one request and one reply need: Node's streams would allocate 64 KiB for each read. What is inside TLS has
 * to go through them (`socket-connection.ts`). It never ends its own direction before it is closed.
 */
export class TcpConnection implements Connection {
  readonly isTls = false;
  readonly #socket: Socket;
  #tellOpened: ((error: unknown) => void) | null;
  #chunks: Uint8Array[] = [];
  #held = 0;
  #isPaused = false;
  #hasEnded = false;
  #isClosed = false;
  #failure: Error | null = null;
  #reader: Reader | null = null;

  /** @param tellOpened once, that it is open (`null`) or what was in the way; later, not in this turn. */
  constructor({ host, port }: Endpoint, tellOpened: (error: unknown) => void) {
    this.#tellOpened = tellOpened;
    this.#socket = connect({
      host,
      port,
      noDelay: true,
      // Else Node answers the peer's FIN with one of its own accord; here only close() ends anything.
      allowHalfOpen: true,
      onread: {
        buffer: shared ?? Buffer.allocUnsafeSlow(READ_LENGTH),
        callback: (length, bytes) => this.#arrived(bytes.subarray(0, length)),
      },
    });
    // These stay: an error that nobody hears ends the process.
    this.#socket.on('connect', () => this.opened(null));
    this.#socket.on('end', () => {
      this.#hasEnded = true;
      this.#tellReader();
    });
    this.#socket.on('error', (error) => {
      this.#failure ??= error;
      this.opened(error);
      this.#tellReader();
    });
    this.#socket.on('close', () => {
      this.#isClosed = true;
      if (this.#tellOpened !== null) this.opened(systemError(CLOSED, 'ECONNRESET'));
      this.#tellReader();
    });
  }

  /** It is open, or will not be. Only the first word counts. */
  opened(error: unknown): void {
    const tell = this.#tellOpened;
    this.#tellOpened = null;
    tell?.(error);
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => (error ? reject(this.#failure ?? error) : resolve()));
    });
  }

  read(): Promise<Uint8Array | null> {
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
      this.#tellReader();
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  /** @returns false where no more is to be taken for now. */
  #arrived(bytes: Uint8Array): boolean {
    // A copy: the next read of any connection overwrites these. (slice() of a Buffer would be none.)
    this.#chunks.push(new Uint8Array(bytes));
    this.#held += bytes.length;
    this.#tellReader();
    this.#isPaused = this.#held > MAX_HELD;
    return !this.#isPaused;
  }

  /** Gives who reads, if anybody does, what there is to tell: bytes, then the peer's end, then why there is no more. */
  #tellReader(): void {
    const reader = this.#reader;
    if (reader === null) return;
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      this.#held -= chunk.length;
      if (this.#isPaused && this.#held <= MAX_HELD) {
        this.#isPaused = false;
        this.#socket.resume();
      }
      reader.resolve(chunk);
    } else if (this.#hasEnded) reader.resolve(null);
    else if (this.#failure !== null || this.#isClosed)
      reader.reject(this.#failure ?? systemError(CLOSED, 'ECONNABORTED'));
    else return;
    this.#reader = null;
  }
}

const CLOSED = 'the connection was closed';
