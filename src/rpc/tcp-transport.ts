import { connect, type Socket } from 'node:net';
import type { CallContext } from '../protocol/authenticator.js';
import { onAbort } from '../protocol/on-abort.js';
import type { Connection, Endpoint, Transport } from '../protocol/transport.js';

export interface TcpOptions {
  /** Milliseconds one connect may take: slurm.conf's TCPTimeout. Default 2000. */
  readonly connectTimeoutMs?: number;
}

/** TCP as Slurm's daemons want it: the whole frame at once, and never a half-close, which they take for a vanished peer. */
export function tcpTransport({ connectTimeoutMs = 2000 }: TcpOptions = {}): Transport {
  return {
    connect: (endpoint, context) => openSocket(endpoint, context, connectTimeoutMs),
  };
}

async function openSocket(
  { host, port }: Endpoint,
  { signal }: CallContext,
  timeoutMs: number,
): Promise<Connection> {
  signal.throwIfAborted();
  // allowHalfOpen: else Node answers the peer's FIN with one of its own accord; here only close() ends anything.
  const socket = connect({ host, port, noDelay: true, allowHalfOpen: true });
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(connectTimeout(timeoutMs)), timeoutMs);
      const settle = (act: () => void) => {
        clearTimeout(timer);
        takeBack();
        act();
      };
      const takeBack = onAbort(signal, () => settle(() => reject(signal.reason)));
      socket.once('connect', () => settle(resolve));
      socket.once('error', (error) => settle(() => reject(error)));
    });
  } catch (error) {
    socket.on('error', () => {}); // what a dropped attempt says later concerns nobody
    socket.destroy();
    throw error;
  }
  socket.removeAllListeners('error');
  return new TcpConnection(socket);
}

function connectTimeout(timeoutMs: number): Error {
  return Object.assign(new Error(`no connection within ${timeoutMs} ms (TCPTimeout)`), { code: 'ETIMEDOUT' });
}

class TcpConnection implements Connection {
  readonly #socket: Socket;
  #failure: Error | undefined;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('readable', () => this.#wake?.());
    socket.on('end', () => {
      this.#ended = true;
      this.#wake?.();
    });
    socket.on('error', (error) => {
      this.#failure = error;
      this.#wake?.();
    });
    socket.on('close', () => {
      this.#failure ??= Object.assign(new Error('the connection was closed'), { code: 'ECONNABORTED' });
      this.#wake?.();
    });
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => (error ? reject(this.#failure ?? error) : resolve()));
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
    this.#socket.destroy();
  }
}
