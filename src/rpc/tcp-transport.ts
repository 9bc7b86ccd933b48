import type { Transport } from '../protocol/transport.js';
import { openSocket } from './open-socket.js';
import { SocketConnection } from './socket-connection.js';

export interface TcpOptions {
  /** Milliseconds one connect may take: slurm.conf's TCPTimeout. Default 2000. */
  readonly connectTimeoutMs?: number;
}

/** TCP as Slurm's daemons want it: the whole frame at once, and never a half-close, which they take for a vanished peer. */
export function tcpTransport({ connectTimeoutMs = 2000 }: TcpOptions = {}): Transport {
  return {
    connect: async (endpoint, context) =>
      new SocketConnection(await openSocket(endpoint, context, connectTimeoutMs)),
  };
}
