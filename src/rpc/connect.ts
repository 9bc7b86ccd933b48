import { defaultMunge } from '../auth/index.js';
import { loadSlurmConfig, parseEndpoint, type SlurmConfig } from '../config/index.js';
import type { Authenticator } from '../protocol/authenticator.js';
import { MAX_FRAME_LENGTH } from '../protocol/frame.js';
import { isRelease, RELEASE_NAMES, type Release } from '../protocol/release.js';
import { isSlurmError, SlurmConfigError, SlurmTimeoutError } from '../protocol/slurm-error.js';
import type { Endpoint, Transport } from '../protocol/transport.js';
import { badOption, checkOptions, checkSignal, checkUid } from './check-options.js';
import { SlurmClient } from './client.js';
import { type ClusterFacts, clusterFacts } from './cluster-facts.js';
import type { NodeAddress } from './node-addresses.js';
import { tcpTransport } from './tcp-transport.js';

/** Options of {@link connect}. All optional. */
export interface ConnectOptions {
  /** Path of a slurm.conf, or one already read (`loadSlurmConfig()`). Default: found as Slurm's own tools find it. */
  readonly conf?: string | SlurmConfig | undefined;
  /** Controllers in order, `'host'` or `'host:port'` (default port 6817). Without `conf`, no slurm.conf is looked for at all, and the
   * controller is asked once, before the first kill, whether there can be scrontab jobs and what a signal to a het component reaches. */
  readonly controllers?: readonly string[] | undefined;
  /** Where a node's slurmd listens, for those that neither slurm.conf nor the controller places rightly. */
  readonly nodeAddress?: NodeAddress | undefined;
  /** How to prove who we are. Default: MUNGE with slurm.conf's AuthInfo, as `defaultMunge()` has it: through
   * libmunge, or through munged's socket where libmunge cannot be loaded. */
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
const NO_CONF = { messageTimeoutMs: 10_000, tcpTimeoutMs: 2_000, slurmctldTimeoutMs: 120_000 };

/**
 * A client for one cluster. Reads the configuration; opens no connection.
 *
 * @throws SlurmUsageError for a bad option, SlurmConfigError (with file and line) for a configuration that cannot be used.
 */
export async function connect(options: ConnectOptions = {}): Promise<SlurmClient> {
  checkOptions('connect', options, CONNECT_OPTIONS);
  const { transport, maxReplyBytes = DEFAULT_MAX_REPLY_BYTES } = options;
  const protocol = checkProtocol(options.protocol ?? 'auto');
  checkPositive('maxReplyBytes', maxReplyBytes);
  checkPositive('timeoutMs', options.timeoutMs);
  if (maxReplyBytes > MAX_FRAME_LENGTH)
    throw badOption('maxReplyBytes', maxReplyBytes, "is above Slurm's own 1 GiB");
  checkUid('slurmUser', options.slurmUser);
  checkUid('slurmdUser', options.slurmdUser);
  checkSignal(options.signal);
  checkMethods('transport', transport, ['connect']);
  checkMethods('auth', options.auth, ['create', 'verify']);
  const config = await configOf(options);
  const slurmUser = options.slurmUser ?? config?.slurmUser.uid ?? null;
  const { messageTimeoutMs, tcpTimeoutMs, slurmctldTimeoutMs } = config ?? NO_CONF;
  const controllers = controllersOf(options, config);
  return new SlurmClient(
    {
      controllers,
      ...protocol,
      slurmUser,
      trusted:
        slurmUser === null
          ? null
          : new Set([0, slurmUser, options.slurmdUser ?? config?.slurmdUser.uid ?? 0]),
      slurmdUser: options.slurmdUser ?? config?.slurmdUser.uid ?? null,
      nodes: config?.nodes,
      nodeAddress: options.nodeAddress,
      treeWidth: config?.treeWidth,
      cluster: clusterOf(config),
      messageTimeoutMs,
      // A backup takes over SlurmctldTimeout after it last heard of the primary, looks only every third of that, and has its state to read: 7 to 8 s
      // with 4 s were observed (20.11 to 26.05), and libslurm's limit of once and a half would be too short.
      takeoverMs: controllers.length > 1 ? 2 * (slurmctldTimeoutMs ?? 120_000) + messageTimeoutMs : 0,
      maxReplyBytes,
      auth: options.auth ?? defaultAuth(config),
      transport: transport ?? tcpTransport({ connectTimeoutMs: tcpTimeoutMs }),
    },
    options.timeoutMs,
  );
}

/** The names of {@link ConnectOptions}; the type checker sees to it that none is missing. */
const CONNECT_OPTIONS = Object.keys({
  conf: 0,
  controllers: 0,
  nodeAddress: 0,
  auth: 0,
  protocol: 0,
  slurmUser: 0,
  slurmdUser: 0,
  timeoutMs: 0,
  maxReplyBytes: 0,
  transport: 0,
  signal: 0,
} satisfies Record<keyof ConnectOptions, 0>);

async function configOf(options: ConnectOptions): Promise<SlurmConfig | null> {
  const { conf, controllers, slurmUser, slurmdUser, signal } = options;
  if (typeof conf === 'object' && conf !== null) return checkConfig(conf);
  if (conf === undefined && controllers !== undefined) return null;
  try {
    return await loadSlurmConfig({ conf, slurmUser, slurmdUser, signal });
  } catch (error) {
    if (signal?.aborted !== true || isSlurmError(error)) throw error;
    throw new SlurmTimeoutError('connect() was aborted while it read the configuration.', {
      code: 'SLURMWIRE_ABORTED',
      errno: 'ECANCELED',
      outcome: 'not-sent',
      phase: 'config',
      cause: error,
    });
  }
}

/** What a caller wrote by hand is looked at as closely as what a file says. */
function checkConfig(conf: SlurmConfig): SlurmConfig {
  const { controllers, slurmUser, slurmdUser, authInfo, messageTimeoutMs, tcpTimeoutMs } = conf;
  if (!Array.isArray(controllers) || controllers.length === 0) {
    throw badOption('conf.controllers', controllers, 'is not a list with at least one controller');
  }
  for (const [index, controller] of controllers.entries()) {
    const { host, port } = (controller ?? {}) as Partial<Endpoint>;
    if (typeof host !== 'string' || host === '') {
      throw badOption(`conf.controllers[${index}].host`, host, 'is no host');
    }
    if (port === undefined || !Number.isInteger(port) || port < 1 || port > 65_535) {
      throw badOption(`conf.controllers[${index}].port`, port, 'is no port');
    }
  }
  for (const [field, user] of Object.entries({ slurmUser, slurmdUser })) {
    if (typeof user?.uid !== 'number') throw badOption(`conf.${field}`, user, 'has no uid');
    checkUid(`conf.${field}.uid`, user.uid);
  }
  if (typeof authInfo !== 'object' || authInfo === null) {
    throw badOption('conf.authInfo', authInfo, 'is not an object');
  }
  for (const field of ['scronParameters', 'schedulerParameters'] as const) {
    const text = conf[field];
    if (text !== undefined && typeof text !== 'string') throw badOption(`conf.${field}`, text, 'is no text');
  }
  for (const [field, value] of Object.entries({ messageTimeoutMs, tcpTimeoutMs })) {
    if (value === undefined) throw badOption(`conf.${field}`, value, 'is missing');
    checkPositive(`conf.${field}`, value);
  }
  return conf;
}

function checkMethods(field: string, value: unknown, methods: readonly string[]): void {
  if (value === undefined) return;
  const known = (value ?? {}) as Record<string, unknown>;
  const missing = methods.find((method) => typeof known[method] !== 'function');
  if (missing !== undefined) throw badOption(field, value, `has no method ${missing}()`);
}

function clusterOf(config: SlurmConfig | null): ClusterFacts | null {
  const { scronParameters, schedulerParameters, clusterName } = config ?? {};
  if (scronParameters === undefined || schedulerParameters === undefined) return null;
  return { ...clusterFacts(scronParameters, schedulerParameters), clusterName: clusterName ?? undefined };
}

function controllersOf({ controllers }: ConnectOptions, config: SlurmConfig | null): readonly Endpoint[] {
  if (controllers === undefined) return config?.controllers ?? [];
  if (!Array.isArray(controllers) || controllers.length === 0) {
    throw badOption('controllers', controllers, "is not a list of 'host:port' with at least one entry");
  }
  return controllers.map((text, index) => parseEndpoint(text, { field: `controllers[${index}]` }));
}

function defaultAuth(config: SlurmConfig | null): Authenticator {
  if (config === null) return defaultMunge();
  const { authType, authInfo, file } = config;
  if (authType !== 'auth/munge') {
    throw new SlurmConfigError(`AuthType=${authType} is not supported by this version.`, {
      code: 'SLURMWIRE_CONFIG_AUTH_TYPE',
      errno: 'ENOTSUP',
      file: file ?? undefined,
      hint: 'Pass an Authenticator as the auth option of connect().',
    });
  }
  return defaultMunge({ socket: authInfo.socket ?? undefined, ttl: authInfo.ttlSeconds ?? undefined });
}

function checkProtocol(protocol: string): { release: Release; findsVersion: boolean } {
  if (protocol === 'auto') return { release: RELEASE_NAMES.at(-1) as Release, findsVersion: true };
  if (isRelease(protocol)) return { release: protocol, findsVersion: false };
  throw badOption('protocol', protocol, `is neither 'auto' nor one of ${RELEASE_NAMES.join(', ')}`);
}

function checkPositive(field: string, value: number | undefined): void {
  if (value === undefined || (Number.isInteger(value) && value > 0)) return;
  throw badOption(field, value, 'is not a positive whole number');
}
