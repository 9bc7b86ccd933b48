import type { Transport } from '../protocol/transport.js';
import { type DialOptions, dial } from './dial.js';
import { SocketConnection } from './socket-connection.js';

/** All optional. */
export interface TcpOptions extends DialOptions {}

/** TCP as Slurm's daemons want it: the whole frame at once, and never a half-close, which they take for a vanished peer. */
export function tcpTransport(options: TcpOptions = {}): Transport {
  return {
    connect: async (endpoint, context) => new SocketConnection(await dial(endpoint, context, options)),
  };
}
