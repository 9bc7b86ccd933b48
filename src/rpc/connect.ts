/** The door: what `import('slurmwire')` loads of the client. All behind it is loaded by the first call. */
import type { SlurmConfig } from '../config/index.js';
import type { Authenticator } from '../protocol/authenticator.js';
import type { Release } from '../protocol/release.js';
import type { Transport } from '../protocol/transport.js';
import type { SlurmClient } from './client.js';
import type { NodeAddress } from './node-addresses.js';
import type { TlsOptions } from './tls-options.js';

/** Options of {@link connect}. All optional. */
export interface ConnectOptions {
  /** Path of a slurm.conf, or one already read (`loadSlurmConfig()`). Default: found as Slurm's own tools find it. */
  readonly conf?: string | SlurmConfig | undefined;
  /** Controllers in order, `'host'` or `'host:port'` (default port 6817). Without `conf`, no slurm.conf is looked for at all, and the
   * controller is asked, before the first kill, whether there can be scrontab jobs and what a signal to a het component reaches. */
  readonly controllers?: readonly string[] | undefined;
  /** Where a node's slurmd listens, for those that neither slurm.conf nor the controller places rightly. */
  readonly nodeAddress?: NodeAddress | undefined;
  /**
   * How to prove who we are. Default, as Slurm's own tools choose: `jwt()` where SLURM_JWT is set in the environment; else by AuthType
   * `slurmAuth()` or `defaultMunge()`, the latter with slurm.conf's AuthInfo; MUNGE where there is no slurm.conf. No other way is
   * tried after a refusal.
   */
  readonly auth?: Authenticator | undefined;
  /**
   * Protocol to speak. `'auto'` (default): each controller is asked at first contact, and the newest version that both speak is used; it is asked
   * again after trouble, and every ten minutes. A release: that version and no other.
   */
  readonly protocol?: 'auto' | Release | undefined;
  /** Uid that slurmctld runs as, where no slurm.conf says it. Credentials are made for it alone, and replies must come from it. */
  readonly slurmUser?: number | undefined;
  /** Uid that slurmds run as, where slurm.conf names a user this host does not know. Default: slurm.conf's SlurmdUser, else root. */
  readonly slurmdUser?: number | undefined;
  /**
   * The whole budget of one call in milliseconds. Default: see each verb; where there are several controllers, twice SlurmctldTimeout and one
   * MessageTimeout more than that (250 s with Slurm's defaults), in which a backup can take over.
   */
  readonly timeoutMs?: number | undefined;
  /** Largest reply accepted, in bytes. Default 128 MiB; Slurm's own limit is 1 GiB. */
  readonly maxReplyBytes?: number | undefined;
  /**
   * Whether to speak TLS with all daemons. Default: what TLSType in slurm.conf says, with the CA that its TLSParameters name; `true`: TLS with
   * that CA; `false`: none. It is never tried: a ClientHello stalls a daemon that does not speak TLS. See docs/tls.md.
   */
  readonly tls?: boolean | TlsOptions | undefined;
  /** How to reach the daemons. Default TCP, or TLS as `tls` says. For recorders and players. */
  readonly transport?: Transport | undefined;
  /** Ends reading the configuration early. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A client for one cluster. Reads the configuration; opens no connection, but for one case: where there is no slurm.conf, and
 * SLURM_CONF_SERVER or a DNS SRV record `_slurmctld._tcp` names the servers of a "configless" cluster, they are asked for it, for
 * `timeoutMs` in all (default 10 s each).
 *
 * @throws SlurmUsageError for a bad option, SlurmConfigError (with file and line) for a configuration that cannot be used, SlurmAuthError
 * for a SLURM_JWT that is no token, and where `protocol` is older than the way to authenticate.
 */
export async function connect(options: ConnectOptions = {}): Promise<SlurmClient> {
  const { makeClient } = await import('./make-client.js');
  return makeClient(options);
}
