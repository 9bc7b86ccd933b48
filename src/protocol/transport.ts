/**
 * The port through which bytes come and go, as types only: `src/rpc` has the TCP implementation, `src/replay` wraps it
 * to record and replaces it to play.
 */
import type { CallContext } from './authenticator.js';

/** Where a daemon listens. */
export interface Endpoint {
  /** Host name, IPv4 or IPv6 address (without brackets). */
  readonly host: string;
  readonly port: number;
}

/** Opens connections. */
export interface Transport {
  /**
   * Opens a connection.
   *
   * @throws the system's error (`ECONNREFUSED` …) as it is: the exchange gives it its place in the call. Rejects with
   * `context.signal.reason` when the context ends first, and then leaves nothing open.
   */
  connect(endpoint: Endpoint, context: CallContext): Promise<Connection>;
}

/** One open byte stream, used for one request and one reply. */
export interface Connection {
  /** True where the stream is inside TLS. Only for what an error says; default `false`. */
  readonly isTls?: boolean;
  /** Hands the bytes over in one write. Resolves when the system took them all; rejects with the system's error. */
  write(bytes: Uint8Array): Promise<void>;
  /** The next bytes as they come, or `null` when the peer has closed. Rejects with the system's error (`ECONNRESET` …). */
  read(): Promise<Uint8Array | null>;
  /** Drops the connection at once; pending reads and writes reject. May be called twice. */
  close(): void;
}

/** `host:port`, with brackets around an IPv6 address: for people and as a map key. */
export function showEndpoint({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
