import type { Socket } from 'node:net';
import type { Connection } from '../protocol/transport.js';
import { systemError } from './open-socket.js';

/** What a kind of socket has of its own. */
export interface SocketManners {
  readonly isTls?: boolean;
  /** Makes what callers see of an error of the socket. Default: the error itself. */
  readonly translate?: (error: Error) => Error;
  /** Says good-bye before the socket is dropped; must not wait. */
  readonly farewell?: () => void;
}

const CLOSED = 'the connection was closed';

/** A connection over a socket that is ready, TLS or not. It never ends its own direction before it is closed. */
export class SocketConnection implements Connection {
  readonly isTls: boolean;
  readonly #socket: Socket;
  readonly #manners: SocketManners;
  #failure: Error | undefined;
  #ended = false;
  #isClosing = false;
  #wake: (() => void) | undefined;

  constructor(socket: Socket, manners: SocketManners = {}) {
    this.isTls = manners.isTls ?? false;
    this.#socket = socket;
    this.#manners = manners;
    if (socket.destroyed)
      this.#failure = this.#translated(socket.errored ?? systemError(CLOSED, 'ECONNABORTED'));
    socket.on('readable', () => this.#wake?.());
    socket.on('end', () => {
      this.#ended = true;
      this.#wake?.();
    });
    socket.on('error', (error) => {
      this.#failure ??= this.#translated(error);
      this.#wake?.();
    });
    socket.on('close', () => {
      this.#failure ??= systemError(CLOSED, 'ECONNABORTED');
      this.#wake?.();
    });
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) =>
        error ? reject(this.#failure ?? this.#translated(error)) : resolve(),
      );
    });
  }

  async read(): Promise<Uint8Array | null> {
    for (;;) {
      const chunk: Buffer | null = this.#socket.read();
      if (chunk !== null) return chunk;
      if (this.#ended) return null;
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    const { farewell } = this.#manners;
    if (farewell === undefined || this.#isClosing || this.#failure !== undefined) {
      this.#socket.destroy();
      return;
    }
    this.#isClosing = true;
    farewell();
    // Not in the same turn, which would take the good-bye back; and never later, whatever became of it.
    setImmediate(() => this.#socket.destroy());
  }

  #translated(error: Error): Error {
    return this.#manners.translate?.(error) ?? error;
  }
}
