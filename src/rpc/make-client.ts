// Loaded here, though only a credential needs them: what a call needs must not be looked for on a disk once there is a client. A program may
// change its root by then, the package may have been replaced, or no file can be opened any more, which is what is to be told.
import '../auth/munge-library.js';
import '../auth/munged-calls.js';
import '../auth/sack-calls.js';
import {
  checkWorkingCluster,
  isNowhere,
  loadSlurmConfig,
  parseEndpoint,
  type SlurmConfig,
} from '../config/index.js';
import type { Authenticator } from '../protocol/authenticator.js';
import { MAX_FRAME_LENGTH } from '../protocol/frame.js';
import { isRelease, RELEASE_NAMES, type Release } from '../protocol/release.js';
import { isSlurmError, SlurmTimeoutError } from '../protocol/slurm-error.js';
import type { Endpoint } from '../protocol/transport.js';
import { checkAuthFor } from './auth-fits.js';
import { badOption, checkMilliseconds, checkOptions, checkSignal, checkUid } from './check-options.js';
import { SlurmClient } from './client.js';
import { type ClusterFacts, clusterFacts } from './cluster-facts.js';
import type { ConnectOptions, connect } from './connect.js';
import { defaultAuth } from './default-auth.js';
import { checkTls, checkTlsConfig, chooseTransport } from './tls-options.js';

const DEFAULT_MAX_REPLY_BYTES = 128 * 1024 * 1024;
/** slurm.conf's defaults, for when there is none. */
const NO_CONF = { messageTimeoutMs: 10_000, tcpTimeoutMs: 2_000, slurmctldTimeoutMs: 120_000 };

/** What {@link connect} does. */
export async function makeClient(options: ConnectOptions): Promise<SlurmClient> {
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
  if (options.nodeAddress !== undefined && typeof options.nodeAddress !== 'function')
    throw badOption('nodeAddress', options.nodeAddress, 'is not a function');
  checkMethods('transport', transport, ['connect']);
  checkAuth(options.auth);
  checkTls(options.tls, transport);
  const config = await configOf(options);
  const auth = options.auth ?? defaultAuth(process.env, config);
  // Of a release that is still to be found out, each exchange asks.
  if (isRelease(options.protocol)) checkAuthFor(auth, { release: options.protocol });
  const slurmUser = options.slurmUser ?? config?.slurmUser.uid ?? null;
  const timeouts = config ?? NO_CONF;
  const { messageTimeoutMs, slurmctldTimeoutMs } = timeouts;
  const controllers = controllersOf(options, config);
  return new SlurmClient(
    {
      controllers,
      ...protocol,
      slurmUser,
      slurmUserName: config?.slurmUser.name,
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
      auth,
      transport:
        transport ??
        (await untilTold(options.signal, chooseTransport(options.tls, config, timeouts, options.signal))),
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
  tls: 0,
  transport: 0,
  signal: 0,
} satisfies Record<keyof ConnectOptions, 0>);

async function configOf(options: ConnectOptions): Promise<SlurmConfig | null> {
  const { conf, controllers, signal } = options;
  if (typeof conf === 'object' && conf !== null) {
    // Who writes a configuration by hand, or names controllers, has said which cluster is meant.
    if (checkConfig(conf).file !== null && controllers === undefined) checkWorkingCluster(conf.clusterName);
    return conf;
  }
  if (conf === undefined && controllers !== undefined) return null;
  return await untilTold(signal, loadOrFetch(options, conf));
}

async function loadOrFetch(options: ConnectOptions, conf: string | undefined): Promise<SlurmConfig> {
  const { controllers, slurmUser, slurmdUser, signal } = options;
  const config = await loadSlurmConfig({ conf, slurmUser, slurmdUser, signal }).catch(async (error) => {
    const fetched = isNowhere(error) ? await fetchWith(options) : null;
    if (fetched === null) throw error;
    return fetched;
  });
  // Who names controllers has said which cluster is meant.
  if (controllers === undefined) checkWorkingCluster(config.clusterName);
  return config;
}

/** What reading files came to; the caller's own abort as an error of the family. */
async function untilTold<T>(signal: AbortSignal | undefined, reading: Promise<T>): Promise<T> {
  try {
    return await reading;
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

/** What the controllers of a configless cluster hand out; `null` where nobody names them. In TLS only where the option says so. */
async function fetchWith(options: ConnectOptions): Promise<SlurmConfig | null> {
  const { auth = defaultAuth(process.env, null), maxReplyBytes = DEFAULT_MAX_REPLY_BYTES } = options;
  const transport = options.transport ?? (await chooseTransport(options.tls, null, NO_CONF, options.signal));
  const { slurmUser, slurmdUser, timeoutMs, signal } = options;
  const { fetchConfig } = await import('./configless.js');
  return fetchConfig({
    setup: { auth, transport, maxReplyBytes, ...checkProtocol(options.protocol ?? 'auto') },
    slurmUser,
    slurmdUser,
    timeoutMs,
    signal,
  });
}

/** What a caller wrote by hand is looked at as closely as what a file says. */
function checkConfig(conf: SlurmConfig): SlurmConfig {
  const { controllers, slurmUser, slurmdUser, authType, authInfo, messageTimeoutMs, tcpTimeoutMs } = conf;
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
  if (typeof authType !== 'string') throw badOption('conf.authType', authType, 'is no text');
  if (typeof authInfo !== 'object' || authInfo === null) {
    throw badOption('conf.authInfo', authInfo, 'is not an object');
  }
  const families = conf.communication?.families;
  if (families !== undefined && !['ipv4', 'ipv6', 'any', 'ipv4-first'].includes(families)) {
    throw badOption('conf.communication.families', families, "is not 'ipv4', 'ipv6', 'any' or 'ipv4-first'");
  }
  for (const field of ['scronParameters', 'schedulerParameters'] as const) {
    const text = conf[field];
    if (text !== undefined && typeof text !== 'string') throw badOption(`conf.${field}`, text, 'is no text');
  }
  checkTlsConfig(conf);
  for (const [field, value] of Object.entries({ messageTimeoutMs, tcpTimeoutMs })) {
    if (value === undefined) throw badOption(`conf.${field}`, value, 'is missing');
    checkMilliseconds(`conf.${field}`, value);
  }
  const { slurmctldTimeoutMs, communication } = conf;
  for (const [field, value] of Object.entries({
    slurmctldTimeoutMs,
    'communication.hostUnreachRetries': communication?.hostUnreachRetries,
  })) {
    if (value !== undefined && !(Number.isInteger(value) && value >= 0))
      throw badOption(`conf.${field}`, value, 'is not a whole number from 0');
  }
  return conf;
}

function checkAuth(auth: Authenticator | undefined): void {
  checkMethods('auth', auth, ['create', 'verify']);
  const { reach, since, identity } = auth ?? {};
  if (reach !== undefined && reach !== 'all' && reach !== 'controllers')
    throw badOption('auth.reach', reach, "is neither 'all' nor 'controllers'");
  if (since !== undefined && !isRelease(since))
    throw badOption('auth.since', since, `is none of ${RELEASE_NAMES.join(', ')}`);
  if (identity !== undefined && typeof identity !== 'function')
    throw badOption('auth.identity', identity, 'is not a function');
}

function checkMethods(field: string, value: unknown, methods: readonly string[]): void {
  if (value === undefined) return;
  const known = (value ?? {}) as Record<string, unknown>;
  const missing = methods.find((method) => typeof known[method] !== 'function');
  if (missing === undefined) return;
  // A text may be the token or the key itself that an authenticator would keep.
  throw badOption(field, typeof value === 'string' ? 'a text' : value, `has no method ${missing}()`);
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

function checkProtocol(protocol: string): { release: Release; findsVersion: boolean } {
  if (protocol === 'auto') return { release: RELEASE_NAMES.at(-1) as Release, findsVersion: true };
  if (isRelease(protocol)) return { release: protocol, findsVersion: false };
  throw badOption('protocol', protocol, `is neither 'auto' nor one of ${RELEASE_NAMES.join(', ')}`);
}

function checkPositive(field: string, value: number | undefined): void {
  if (value === undefined || (Number.isInteger(value) && value > 0)) return;
  throw badOption(field, value, 'is not a positive whole number');
}
