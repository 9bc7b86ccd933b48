/** The DNS SRV record of a cluster's controllers. */
import { Resolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { hostname as systemHostname } from 'node:os';
import { onAbort, untilAborted } from '../protocol/on-abort.js';
import type { Endpoint } from '../protocol/transport.js';

/** What upstream asks for (`slurm_resolv.c`), in the search domains of the resolver. */
const SRV_NAME = '_slurmctld._tcp';

/** One entry as node:dns has it. */
export interface SrvEntry {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
}

export interface FindSrvOptions {
  readonly signal?: AbortSignal | undefined;
  /** @internal Default the system's name servers. */
  readonly resolveSrv?: ((name: string) => Promise<readonly SrvEntry[]>) | undefined;
  /** @internal Text of resolv.conf; default that of the system, `''` where there is none. */
  readonly resolvConf?: string | undefined;
  /** @internal Default the system's. */
  readonly hostname?: string | undefined;
  /** @internal Default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

export interface SrvRecord {
  /** The whole name that was found. */
  readonly name: string;
  /** Lowest priority number first. The weight counts for nothing, as upstream. */
  readonly targets: readonly Endpoint[];
}

/** As many as SLURM_CONF_SERVER may name. A record with more names no controllers, and each may take its time to be silent. */
const MAX_TARGETS = 64;

/** Times one name server is asked, and for how long each time. */
const TRIES = 2;
const TRY_MS = 2000;

/**
 * The first search domain's record, or `null` where none has one, for whatever reason: a name service that does not answer is no reason to
 * call a missing slurm.conf anything else.
 *
 * Rejects with `signal.reason` when the signal fires.
 */
export async function findSrv(options: FindSrvOptions = {}): Promise<SrvRecord | null> {
  const { signal } = options;
  signal?.throwIfAborted();
  const resolvConf = options.resolvConf ?? (await untilAborted(signal, systemResolvConf()));
  const domains = searchDomains(resolvConf, options);
  const { resolveSrv, stop } = options.resolveSrv
    ? { resolveSrv: options.resolveSrv, stop: () => {} }
    : systemResolver(signal);
  try {
    // The name has fewer dots than upstream's resolver wants of one that is tried as it is first.
    for (const name of [...domains.map((domain) => `${SRV_NAME}.${domain}`), SRV_NAME]) {
      const found = await untilAborted(signal, resolveSrv(name)).catch(() => []);
      signal?.throwIfAborted();
      const targets = targetsOf(found);
      if (targets.length > 0) return { name, targets };
    }
    return null;
  } finally {
    stop();
  }
}

function targetsOf(entries: readonly SrvEntry[]): Endpoint[] {
  return (
    [...entries]
      // A record without a target says that there is no such service.
      .filter(({ name, port }) => name !== '' && name !== '.' && port > 0)
      .sort((a, b) => a.priority - b.priority)
      .slice(0, MAX_TARGETS)
      .map(({ name, port }) => ({ host: name, port }))
  );
}

function systemResolver(signal: AbortSignal | undefined) {
  const resolver = new Resolver({ timeout: TRY_MS, tries: TRIES });
  const takeBack = signal === undefined ? () => {} : onAbort(signal, () => resolver.cancel());
  return { resolveSrv: (name: string) => resolver.resolveSrv(name), stop: takeBack };
}

/** resolv.conf(5): LOCALDOMAIN, else the last `search` or `domain` line, else what follows the first dot of the host's own name. */
function searchDomains(resolvConf: string, options: FindSrvOptions): string[] {
  const { LOCALDOMAIN } = options.env ?? process.env;
  const line = resolvConf.split('\n').findLast((text) => /^(search|domain)[ \t]/.test(text));
  const [, ownDomain = ''] = /\.(.*)/.exec(options.hostname ?? systemHostname()) ?? [];
  const text = LOCALDOMAIN || (line === undefined ? ownDomain : line.replace(/^\w+/, ''));
  const domains = text
    .split(/[ \t\r]+/)
    .map((domain) => domain.replace(/\.+$/, ''))
    .filter((domain) => /^[\w.-]{1,253}$/.test(domain));
  return domains.slice(0, MAX_DOMAINS);
}

/** glibc took six for long; newer ones take any number, which nobody needs. */
const MAX_DOMAINS = 16;

async function systemResolvConf(): Promise<string> {
  return await readFile('/etc/resolv.conf', 'utf8').catch(() => '');
}
