/** From an endpoint to an open connection: addresses in order, and what slurm.conf says about connecting. */
import { isIP } from 'node:net';
import { pause } from '../auth/pause.js';
import type { AddressFamilies } from '../config/index.js';
import type { CallContext } from '../protocol/authenticator.js';
import { onAbort } from '../protocol/on-abort.js';
import type { Endpoint } from '../protocol/transport.js';
import { addressesOf, type Lookup } from './addresses.js';
import { badOption, checkMilliseconds } from './check-options.js';
import { systemError } from './open-socket.js';

export interface DialOptions {
  /** Milliseconds that looking up the name, and then each connect to an address, may take: slurm.conf's TCPTimeout. Default 2000. */
  readonly connectTimeoutMs?: number;
  /** Which addresses of a host name are tried: what slurm.conf's CommunicationParameters say. Default both kinds, IPv4 first. */
  readonly families?: AddressFamilies;
  /** How often a connect that said EHOSTUNREACH is repeated, 500 ms apart (host_unreach_retry_count). Default 0. */
  readonly hostUnreachRetries?: number;
  /** @internal Default the system's resolver. */
  readonly lookup?: Lookup;
}

/** Connects to one address. */
export type Open<T> = (address: Endpoint, context: CallContext, timeoutMs: number) => Promise<T>;

/** @throws SlurmUsageError `SLURMWIRE_BAD_OPTION` */
export function checkDialOptions({ connectTimeoutMs, families, hostUnreachRetries }: DialOptions): void {
  checkMilliseconds('connectTimeoutMs', connectTimeoutMs);
  if (families !== undefined && !['ipv4', 'ipv6', 'any', 'ipv4-first'].includes(families))
    throw badOption('families', families, "is not 'ipv4', 'ipv6', 'any' or 'ipv4-first'");
  if (hostUnreachRetries !== undefined && !(Number.isInteger(hostUnreachRetries) && hostUnreachRetries >= 0))
    throw badOption('hostUnreachRetries', hostUnreachRetries, 'is not a whole number from 0');
}

/** As Slurm's clients wait; only where slurm.conf asks for it. */
const HOST_UNREACH_PAUSE_MS = 500;

/**
 * What `open` makes of address of the host that takes a connection.
 *
 * Not Node's own way through several addresses (`autoSelectFamily`): that gives each but the last only 250 ms, which would make a distant
 * controller unreachable.
 *
 * @throws the system's error; AggregateError where several addresses failed. Rejects with the reason of the context's signal.
 */
export async function dial<T>(
  { host, port }: Endpoint,
  context: CallContext,
  options: DialOptions,
  open: Open<T>,
): Promise<T> {
  const { families = 'ipv4-first', connectTimeoutMs = 2000, hostUnreachRetries = 0, lookup } = options;
  const { signal } = context;
  signal.throwIfAborted();
  const failures: unknown[] = [];
  const addresses =
    isIP(host) === 0
      ? await within(connectTimeoutMs, signal, (own) => addressesOf(host, families, own, lookup))
      : [host];
  for (const address of addresses) {
    for (let retries = hostUnreachRetries; ; retries -= 1) {
      try {
        return await open({ host: address, port }, context, connectTimeoutMs);
      } catch (error) {
        signal.throwIfAborted();
        if ((error as NodeJS.ErrnoException).code !== 'EHOSTUNREACH' || retries <= 0) {
          failures.push(error);
          break;
        }
        await pause(signal, HOST_UNREACH_PAUSE_MS);
      }
    }
  }
  if (failures.length === 1) throw failures[0];
  throw new AggregateError(
    failures,
    `none of the ${failures.length} addresses of ${host} could be connected`,
  );
}

/** A name service that is silent must not take the time in which another controller could be asked. */
async function within<Result>(
  timeoutMs: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const control = new AbortController();
  const late = () =>
    control.abort(systemError(`no connection within ${timeoutMs} ms (TCPTimeout)`, 'ETIMEDOUT'));
  const timer = setTimeout(late, timeoutMs);
  const takeBack = onAbort(signal, () => control.abort(signal.reason));
  try {
    return await work(control.signal);
  } finally {
    clearTimeout(timer);
    takeBack();
  }
}
