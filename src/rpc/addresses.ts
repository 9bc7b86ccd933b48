/** From a host name to the addresses that are tried, in order. */
import dns, { type LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import type { AddressFamilies } from '../config/index.js';
import { untilAborted } from '../protocol/on-abort.js';

/** As `dns.lookup` with `all`: the system's resolver, so that /etc/hosts counts too. */
export type Lookup = (
  host: string,
  options: { readonly all: true; readonly family: 0 | 4 | 6; readonly verbatim: true },
) => Promise<readonly LookupAddress[]>;

/**
 * The addresses of a host. Slurm uses the first one only; trying the rest costs nothing where the first one answers.
 *
 * Not asked for with AI_ADDRCONFIG, as Slurm does: that hides names from a machine that has loopback only.
 *
 * @throws the resolver's error, with a word about the families that were not asked for. Rejects with the signal's reason.
 */
export async function addressesOf(
  host: string,
  families: AddressFamilies,
  signal: AbortSignal,
  lookup: Lookup = systemLookup,
): Promise<string[]> {
  if (isIP(host) !== 0) return [host];
  const family = families === 'ipv4' ? 4 : families === 'ipv6' ? 6 : 0;
  try {
    const found = await untilAborted(signal, lookup(host, { all: true, family, verbatim: true }));
    const inOrder = families === 'ipv4-first' ? [...found].sort((a, b) => a.family - b.family) : found;
    return [...new Set(inOrder.map(({ address }) => address))];
  } catch (error) {
    if (signal.aborted || family === 0 || !(error instanceof Error)) throw error;
    const word = family === 4 ? 'has no EnableIPv6' : 'has DisableIPv4';
    const message = `${error.message} (IPv${family} addresses only: CommunicationParameters ${word})`;
    throw Object.assign(new Error(message, { cause: error }), {
      code: (error as NodeJS.ErrnoException).code,
    });
  }
}

const systemLookup: Lookup = (host, options) =>
  new Promise((resolve, reject) => {
    dns.lookup(host, options, (error, found) => (error ? reject(error) : resolve(found)));
  });
