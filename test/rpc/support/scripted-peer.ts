/** A TCP server that does what a test says, connection by connection, and remembers what it saw. */
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { decodeFrame, type Endpoint, type Frame } from '../../../src/protocol/index.js';
import { until } from './until.js';

/** One request as it arrived. */
export interface PeerRequest {
  readonly name: string | null;
  readonly bytes: Uint8Array;
  readonly frame: Frame;
}

/** The peer's end of one connection. */
export class PeerConnection {
  /** 0 for the first connection of this peer. */
  readonly index: number;
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  /** How many chunks the bytes arrived in. */
  chunks = 0;
  /** The client has half-closed or closed. */
  ended = false;
  /** The client has reset. */
  wasReset = false;
  closed = false;
  request: PeerRequest | undefined;

  constructor(socket: Socket, index: number) {
    this.#socket = socket;
    this.index = index;
    socket.on('data', (chunk: Buffer) => {
      this.chunks += 1;
      this.#received = Buffer.concat([this.#received, chunk]);
    });
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('error', () => {
      this.wasReset = true;
    });
    socket.on('close', () => {
      this.closed = true;
    });
  }

  /** Everything that arrived. */
  get received(): Buffer {
    return this.#received;
  }

  get gone(): boolean {
    return this.ended || this.closed || this.wasReset;
  }

  /** Waits until so many bytes are there (they stay in `received`). */
  async have(count: number): Promise<Buffer> {
    await until(() => this.#received.length >= count || this.gone, `${count} bytes of a request`);
    if (this.#received.length < count)
      throw new Error(`the client left after ${this.#received.length} bytes`);
    return this.#received.subarray(0, count);
  }

  /** Reads one whole request frame. */
  async readRequest(): Promise<PeerRequest> {
    const length = (await this.have(4)).readUInt32BE(0);
    const bytes = Uint8Array.from(await this.have(4 + length));
    const frame = decodeFrame(bytes);
    this.request = { name: frame.messageName, bytes, frame };
    return this.request;
  }

  /** Resolves when the system took the bytes, also when the client has gone. */
  send(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.destroyed) resolve();
      else this.#socket.write(bytes, () => resolve());
    });
  }

  /** FIN. */
  finish(): void {
    this.#socket.end();
  }

  /** RST. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Close without reading on: FIN, or RST where something is left unread. */
  drop(): void {
    this.#socket.destroy();
  }

  /** The socket itself. */
  get socket(): Socket {
    return this.#socket;
  }

  /** Takes nothing off the socket from here on. */
  stopReading(): void {
    this.#socket.pause();
  }
}

export type Script = (connection: PeerConnection) => Promise<void> | void;

export class ScriptedPeer implements AsyncDisposable {
  readonly endpoint: Endpoint;
  readonly connections: PeerConnection[] = [];
  /** What scripts threw; `close()` throws the first of them. */
  readonly #faults: unknown[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #script: Script;

  private constructor(server: Server, event: 'connection' | 'secureConnection', script: Script) {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the peer has no port');
    this.endpoint = { host: '127.0.0.1', port: address.port };
    this.#server = server;
    this.#script = script;
    // Those whose handshake is not through are no connections yet.
    server.on('connection', (socket) => this.#sockets.add(socket));
    server.on(event, (socket: Socket) => {
      const connection = new PeerConnection(socket, this.connections.length);
      this.connections.push(connection);
      void this.#play(connection);
    });
  }

  /** With `tls` the connections are those whose handshake succeeded. */
  static async listen(script: Script, tls?: TlsOptions): Promise<ScriptedPeer> {
    const manner = { allowHalfOpen: true, noDelay: true };
    const server = tls === undefined ? createServer(manner) : createTlsServer({ ...manner, ...tls });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => resolve());
    });
    return new ScriptedPeer(server, tls === undefined ? 'connection' : 'secureConnection', script);
  }

  /** What connections from now on get. */
  play(script: Script): void {
    this.#script = script;
  }

  async #play(connection: PeerConnection): Promise<void> {
    try {
      await this.#script(connection);
    } catch (error) {
      this.#faults.push(error);
    }
  }

  get peer(): string {
    return `127.0.0.1:${this.endpoint.port}`;
  }

  /** Names of the whole requests that arrived, in order of connection. */
  get requests(): (string | null)[] {
    return this.connections.flatMap(({ request }) => (request === undefined ? [] : [request.name]));
  }

  count(name: string): number {
    return this.requests.filter((request) => request === name).length;
  }

  get bytesReceived(): number {
    return this.connections.reduce((sum, { received }) => sum + received.length, 0);
  }

  /** Resolves when the client has left every connection it made. */
  allLeft(): Promise<void> {
    return until(() => this.connections.every(({ gone }) => gone), 'the client to leave');
  }

  async close(): Promise<void> {
    for (const connection of this.connections) connection.drop();
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const [fault] = this.#faults;
    if (fault !== undefined) throw fault;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** An endpoint of 127.0.0.1 where nobody listens (any more). */
export async function deadEndpoint(): Promise<Endpoint> {
  const peer = await ScriptedPeer.listen(() => {});
  await peer.close();
  return peer.endpoint;
}
