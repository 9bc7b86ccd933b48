import { munge } from '../auth/index.js';
import { loadSlurmConfig, parseEndpoint, type SlurmConfig } from '../config/index.js';
import type { Authenticator } from '../protocol/authenticator.js';
import { isRelease, RELEASE_NAMES, type Release } from '../protocol/release.js';
import { SlurmConfigError, SlurmUsageError } from '../protocol/slurm-error.js';
import type { Endpoint, Transport } from '../protocol/transport.js';
import { checkUid } from './check-uid.js';
import { SlurmClient } from './client.js';
import { tcpTransport } from './tcp-transport.js';

/** Options of {@link connect}. All optional. */
export interface ConnectOptions {
  /** Path of a slurm.conf, or one already read (`loadSlurmConfig()`). Default: found as Slurm's own tools find it. */
  readonly conf?: string | SlurmConfig | undefined;
  /** Controllers in order, `'host'` or `'host:port'` (default port 6817). Without `conf`, no slurm.conf is looked for at all. */
  readonly controllers?: readonly string[] | undefined;
  /** How to prove who we are. Default: MUNGE through libmunge, with slurm.conf's AuthInfo. */
  readonly auth?: Authenticator | undefined;
  /** Protocol to speak. `'auto'` (default) is `'22.05'` in this version, which 22.05, 23.02 and 23.11 understand. */
  readonly protocol?: 'auto' | Release | undefined;
  /** Uid that slurmctld runs as, where no slurm.conf says it. Credentials are made for it alone, and replies must come from it. */
  readonly slurmUser?: number | undefined;
  /** The whole budget of one call in milliseconds. Default: see each verb. */
  readonly timeoutMs?: number | undefined;
  /** Largest reply accepted, in bytes. Default 128 MiB; Slurm's own limit is 1 GiB. */
  readonly maxReplyBytes?: number | undefined;
  /** How to reach the daemons. Default TCP. For recorders and players. */
  readonly transport?: Transport | undefined;
  /** Ends reading the configuration early. */
  readonly signal?: AbortSignal | undefined;
}

const DEFAULT_MAX_REPLY_BYTES = 128 * 1024 * 1024;
/** slurm.conf's defaults, for when there is none. */
const NO_CONF = { messageTimeoutMs: 10_000, tcpTimeoutMs: 2_000 };

/**
 * A client for one cluster. Reads the configuration; opens no connection.
 *
 * @throws SlurmUsageError for a bad option, SlurmConfigError (with file and line) for a configuration that cannot be used.
 */
export async function connect(options: ConnectOptions = {}): Promise<SlurmClient> {
  const { transport, maxReplyBytes = DEFAULT_MAX_REPLY_BYTES } = options;
  const release = chooseRelease(options.protocol ?? 'auto');
  checkPositive('maxReplyBytes', maxReplyBytes);
  checkPositive('timeoutMs', options.timeoutMs);
  checkUid('slurmUser', options.slurmUser);
  const config = await configOf(options);
  const slurmUser = options.slurmUser ?? config?.slurmUser.uid ?? null;
  const { messageTimeoutMs, tcpTimeoutMs } = config ?? NO_CONF;
  return new SlurmClient(
    {
      controllers: controllersOf(options, config),
      release,
      slurmUser,
      trusted: slurmUser === null ? null : new Set([0, slurmUser, config?.slurmdUser.uid ?? 0]),
      messageTimeoutMs,
      maxReplyBytes,
      auth: options.auth ?? defaultAuth(config),
      transport: transport ?? tcpTransport({ connectTimeoutMs: tcpTimeoutMs }),
    },
    options.timeoutMs,
  );
}

async function configOf({
  conf,
  controllers,
  slurmUser,
  signal,
}: ConnectOptions): Promise<SlurmConfig | null> {
  if (typeof conf === 'object' && conf !== null) return conf;
  if (conf === undefined && controllers !== undefined) return null;
  return loadSlurmConfig({ conf, slurmUser, signal });
}

function controllersOf({ controllers }: ConnectOptions, config: SlurmConfig | null): readonly Endpoint[] {
  if (controllers === undefined) return config?.controllers ?? [];
  if (!Array.isArray(controllers) || controllers.length === 0) {
    throw badOption('controllers', controllers, "is not a list of 'host:port' with at least one entry");
  }
  return controllers.map((text, index) => parseEndpoint(text, { field: `controllers[${index}]` }));
}

function defaultAuth(config: SlurmConfig | null): Authenticator {
  if (config === null) return munge();
  const { authType, authInfo, file } = config;
  if (authType !== 'auth/munge') {
    throw new SlurmConfigError(`AuthType=${authType} is not supported by this version.`, {
      code: 'SLURMWIRE_CONFIG_AUTH_TYPE',
      errno: 'ENOTSUP',
      file: file ?? undefined,
      hint: 'Pass an Authenticator as the auth option of connect().',
    });
  }
  return munge({ socket: authInfo.socket ?? undefined, ttl: authInfo.ttlSeconds ?? undefined });
}

function chooseRelease(protocol: string): Release {
  if (protocol === 'auto') return '22.05';
  if (isRelease(protocol)) return protocol;
  throw badOption('protocol', protocol, `is neither 'auto' nor one of ${RELEASE_NAMES.join(', ')}`);
}

function checkPositive(field: string, value: number | undefined): void {
  if (value === undefined || (Number.isInteger(value) && value > 0)) return;
  throw badOption(field, value, 'is not a positive whole number');
}

function badOption(field: string, value: unknown, why: string): SlurmUsageError {
  return new SlurmUsageError(`${field} ${why}.`, { code: 'SLURMWIRE_BAD_OPTION', field, value });
}
