import type { Transport } from '../protocol/transport.js';
import { checkOptions } from './check-options.js';
import { checkDialOptions, type DialOptions, dial } from './dial.js';
import { openTcp } from './tcp-connection.js';

/** All optional. */
export interface TcpOptions extends DialOptions {}

const TCP_OPTIONS = Object.keys({
  connectTimeoutMs: 0,
  families: 0,
  hostUnreachRetries: 0,
  lookup: 0,
} satisfies Record<keyof TcpOptions, 0>);

/**
 * TCP as Slurm's daemons want it: the whole frame at once, and never a half-close, which they take for a vanished peer.
 *
 * @throws SlurmUsageError `SLURMWIRE_BAD_OPTION`
 */
export function tcpTransport(options: TcpOptions = {}): Transport {
  checkOptions('tcpTransport', options, TCP_OPTIONS);
  checkDialOptions(options);
  return {
    connect: (endpoint, context) => dial(endpoint, context, options, openTcp),
  };
}
