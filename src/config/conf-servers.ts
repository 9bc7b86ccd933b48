/** Who is asked for a configuration where there is no slurm.conf ("configless"): SLURM_CONF_SERVER, else the DNS. */
import { isSlurmError, SlurmConfigError } from '../protocol/slurm-error.js';
import type { Endpoint } from '../protocol/transport.js';
import { ConfigErrorCode } from './config-error-code.js';
import { parseEndpoint } from './endpoint.js';
import { type FindSrvOptions, findSrv } from './find-srv.js';

export interface ConfServers {
  /** Where the list came from, for people: `SLURM_CONF_SERVER`, or the name of the SRV record. */
  readonly source: string;
  /** At least one, in the order in which to ask. */
  readonly servers: readonly Endpoint[];
}

export interface FindConfServersOptions extends FindSrvOptions {
  /** Default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/**
 * The servers of SLURM_CONF_SERVER (set but empty counts as not set), else those of the DNS SRV record; `null` where there is neither.
 *
 * @throws SlurmConfigError `SLURMWIRE_CONFIG_VALUE`. Rejects with `signal.reason` when the signal fires.
 */
export async function findConfServers(options: FindConfServersOptions = {}): Promise<ConfServers | null> {
  const { env = process.env } = options;
  const { SLURM_CONF_SERVER: named } = env;
  if (named) return { source: 'SLURM_CONF_SERVER', servers: onOnePort(readConfServers(named)) };
  const record = await findSrv(options);
  return record === null ? null : { source: record.name, servers: onOnePort(record.targets) };
}

/** `fetch_config()` upstream, all releases: all controllers of a cluster listen on the same port, so the first entry's is taken for all. */
function onOnePort(servers: readonly Endpoint[]): Endpoint[] {
  const port = servers[0]?.port ?? 0;
  return servers.map(({ host }) => ({ host, port }));
}

/** Entries of one variable; a list longer than this names no controllers. */
const MAX_SERVERS = 64;

/** `host`, `host:port`, `[::1]:port` or `[::1]`, separated by commas; the default port is 6817. */
function readConfServers(text: string): Endpoint[] {
  const entries = text.split(',').filter((entry) => entry.trim() !== '');
  const bad = (trouble: string, cause?: unknown) =>
    new SlurmConfigError(`the environment variable SLURM_CONF_SERVER ${trouble}`, {
      code: ConfigErrorCode.VALUE,
      hint: "Give it 'host', 'host:6817' or '[::1]:6817', several separated by commas.",
      cause,
    });
  if (entries.length === 0) throw bad('names no server.');
  if (entries.length > MAX_SERVERS) throw bad(`names more than ${MAX_SERVERS} servers.`);
  return entries.map((entry, index) => {
    try {
      return parseEndpoint(entry.trim(), { field: `entry ${index + 1}` });
    } catch (cause) {
      if (!isSlurmError(cause)) throw cause;
      throw bad(`is not usable: ${cause.summary}`, cause);
    }
  });
}
