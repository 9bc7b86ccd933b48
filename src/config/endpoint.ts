import { isIPv6 } from 'node:net';
import { SlurmUsageError } from '../protocol/slurm-error.js';
import type { Endpoint } from '../protocol/transport.js';

/** SlurmctldPort where nobody says otherwise. */
export const DEFAULT_SLURMCTLD_PORT = 6817;

/** `code` of what {@link parseEndpoint} throws. */
export const BAD_ENDPOINT = 'SLURMWIRE_BAD_ENDPOINT';

export interface ParseEndpointOptions {
  /** The option the text came from, for the error: `controllers[1]`. Default `controllers`. */
  readonly field?: string | undefined;
  /** Port where the text has none. Default {@link DEFAULT_SLURMCTLD_PORT}. */
  readonly defaultPort?: number | undefined;
}

/**
 * An entry of connect()'s `controllers`: `host`, `host:port`, `10.0.0.1:6817`, `[::1]:6817`, `[::1]` or `::1`.
 *
 * @throws SlurmUsageError `SLURMWIRE_BAD_ENDPOINT`
 */
export function parseEndpoint(text: string, options: ParseEndpointOptions = {}): Endpoint {
  const { field = 'controllers', defaultPort = DEFAULT_SLURMCTLD_PORT } = options;
  const bad = (trouble: string) =>
    new SlurmUsageError(`${field} ${trouble}.`, {
      code: BAD_ENDPOINT,
      field,
      value: text,
      hint: "Give 'host', 'host:6817' or '[::1]:6817'.",
    });

  // Callers in plain JavaScript may hand over anything.
  if (typeof text !== 'string') throw bad('is not a string');
  if (text === '') throw bad('is empty');
  if (text.includes('://')) throw bad('is a URL');
  if (isIPv6(text)) return { host: text, port: defaultPort };

  const parts = /^(?:\[([^[\]]*)\]|([^:[\]]*))(?::(.*))?$/s.exec(text);
  if (parts === null) throw bad('is neither a host nor an address');
  const [, address, name = '', port] = parts;
  if (address !== undefined && !isIPv6(address)) throw bad('has no IPv6 address between its brackets');
  if (address === undefined && !isHostName(name))
    throw bad(name === '' ? 'names no host' : 'is not a host name');
  return { host: address ?? name, port: port === undefined ? defaultPort : readPort(port, bad) };
}

/**
 * True for what can be a host name or an IPv4 address. Loose on purpose (the resolver knows best), but strict enough to
 * refuse a URL, a list and a name that a terminal would act on.
 */
export function isHostName(text: string): boolean {
  return text.length <= 253 && /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_.-]*$/u.test(text);
}

function readPort(text: string, bad: (trouble: string) => SlurmUsageError): number {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw bad('has a port that is not a number from 1 to 65535');
  return port;
}
