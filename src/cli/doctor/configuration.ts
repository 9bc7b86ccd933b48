/** Which configuration is used, and why that one. */
import {
  ConfigErrorCode,
  type ConfServers,
  checkWorkingCluster,
  findConfServers,
  findSlurmConf,
  isNowhere,
  loadSlurmConfig,
  parseEndpoint,
  SLURM_CONF_PLACES,
  type SlurmConfig,
} from '../../config/index.js';
import { MAX_FRAME_LENGTH } from '../../protocol/frame.js';
import { RELEASE_NAMES, type Release } from '../../protocol/release.js';
import { isSlurmError, SlurmTimeoutError } from '../../protocol/slurm-error.js';
import { type Endpoint, showEndpoint, type Transport } from '../../protocol/transport.js';
import { fetchConfig } from '../../rpc/configless.js';
import { chooseTransport } from '../../rpc/tls-options.js';
import type { ConnectionOptions } from '../connection.js';
import type { Credentials } from './credentials.js';
import { type Bounds, bounded, type Finding, finding, troubleFinding } from './finding.js';

type Env = Readonly<Record<string, string | undefined>>;

/** Where the configuration is. */
export type Located =
  | { readonly in: 'file'; readonly file: string; readonly why: string }
  /** Nobody names a file; these servers hand the configuration out. */
  | { readonly in: 'servers'; readonly from: ConfServers }
  /** The user named the controllers, so no file is read. */
  | { readonly in: 'options' }
  | { readonly in: 'nowhere'; readonly trouble: unknown };

/** What is known after the configuration was looked at. */
export interface Configuration {
  readonly findings: readonly Finding[];
  /** `null`: there is none, or none that can be used. */
  readonly config: SlurmConfig | null;
  /** Whom to ask; empty where nobody is known. */
  readonly controllers: readonly Endpoint[];
}

const CHECK = 'configuration';
const ADVICE =
  'Name a controller (--controller host:6817) or a file (--conf), or set SLURM_CONF, or SLURM_CONF_SERVER on a configless cluster.';

/** Never rejects but where the user stops it. */
export async function locate(
  { conf, controller }: ConnectionOptions,
  env: Env,
  bounds: Bounds,
): Promise<Located> {
  if (conf === undefined && controller !== undefined) return { in: 'options' };
  try {
    const file = await bounded(bounds, ({ signal }) => findSlurmConf({ conf, env, signal }));
    const why =
      conf !== undefined
        ? 'named by --conf'
        : env.SLURM_CONF
          ? 'named by SLURM_CONF'
          : `the first that exists of ${SLURM_CONF_PLACES.join(', ')}`;
    return { in: 'file', file, why };
  } catch (trouble) {
    if (!isNowhere(trouble)) return { in: 'nowhere', trouble };
    return searchServers(trouble, env, bounds);
  }
}

async function searchServers(trouble: unknown, env: Env, bounds: Bounds): Promise<Located> {
  try {
    const from = await bounded(bounds, ({ signal }) => findConfServers({ env, signal }));
    return from === null ? { in: 'nowhere', trouble } : { in: 'servers', from };
  } catch (error) {
    // A name service that is too slow to tell has not told.
    return { in: 'nowhere', trouble: error instanceof SlurmTimeoutError ? trouble : error };
  }
}

/** Reads what was found, or asks for it. Rejects only where the user stops it. */
export async function readConfiguration(
  located: Located,
  options: ConnectionOptions,
  env: Env,
  bounds: Bounds,
  credentials: () => Promise<Credentials>,
): Promise<Configuration> {
  try {
    const named = namedControllers(options);
    switch (located.in) {
      case 'options': {
        const summary = `No slurm.conf is read, since --controller names ${count(named ?? [], 'controller')}.`;
        const advice =
          'Whom credentials are for, and who may sign answers, is then not known. Name --conf where there is one.';
        return {
          findings: [finding(CHECK, 'ok', summary, { advice })],
          config: null,
          controllers: named ?? [],
        };
      }
      case 'file': {
        const { file, why } = located;
        const config = await bounded(bounds, ({ signal }) => loadSlurmConfig({ conf: file, signal }));
        return described(config, `${file}, ${why}`, env, named);
      }
      case 'servers': {
        const { source, servers } = located.from;
        const from = `${source} (${servers.map(showEndpoint).join(', ')})`;
        return await askServers(from, options, env, bounds, credentials, named);
      }
      case 'nowhere':
        return { findings: [failed(located.trouble)], config: null, controllers: [] };
    }
  } catch (error) {
    bounds.signal.throwIfAborted();
    return { findings: [failed(error)], config: null, controllers: [] };
  }
}

/** How the daemons are reached, and what there is to say about that. */
export async function readTransport(
  config: SlurmConfig | null,
  limitMs: number,
  bounds: Bounds,
): Promise<{ readonly findings: readonly Finding[]; readonly transport: Transport | null }> {
  const { tlsType = 'tls/none' } = config ?? {};
  const timeouts = { tcpTimeoutMs: config?.tcpTimeoutMs ?? 2_000, messageTimeoutMs: limitMs };
  try {
    const transport = await bounded(bounds, ({ signal }) =>
      chooseTransport(undefined, config, timeouts, signal),
    );
    const isTls = !/^(tls\/)?none$/i.test(tlsType);
    const details = { tls: isTls, tlsType };
    const summary = isTls
      ? `TLS with all daemons (TLSType=${tlsType}); its CA can be read.`
      : 'Plain TCP: requests are protected by their credentials, and can be read on the way.';
    return { findings: [finding('tls', isTls ? 'ok' : 'note', summary, { details })], transport };
  } catch (error) {
    bounds.signal.throwIfAborted();
    const advice = 'See TLSType and TLSParameters in slurm.conf, and docs/tls.md.';
    return { findings: [troubleFinding('tls', error, { advice })], transport: null };
  }
}

async function askServers(
  from: string,
  options: ConnectionOptions,
  env: Env,
  bounds: Bounds,
  credentials: () => Promise<Credentials>,
  named: readonly Endpoint[] | null,
): Promise<Configuration> {
  const { auth } = await credentials();
  const { transport } = await readTransport(null, bounds.limitMs, bounds);
  if (auth === null || transport === null) {
    const summary = `There is no slurm.conf, and ${from} cannot be asked for it without a credential.`;
    const advice = 'See the line about credentials below.';
    return { findings: [finding(CHECK, 'problem', summary, { advice })], config: null, controllers: [] };
  }
  const { protocol = 'auto' } = options;
  const findsVersion = protocol === 'auto';
  const release = findsVersion ? (RELEASE_NAMES.at(-1) as Release) : protocol;
  const setup = { auth, transport, maxReplyBytes: MAX_FRAME_LENGTH, release, findsVersion };
  const config = await bounded(bounds, ({ signal }) =>
    fetchConfig({ setup, env, timeoutMs: bounds.limitMs, signal }),
  );
  if (config === null) return { findings: [failed(null)], config: null, controllers: [] };
  return described(config, `handed out by the servers of ${from}, since there is no file`, env, named);
}

function described(
  config: SlurmConfig,
  source: string,
  env: Env,
  named: readonly Endpoint[] | null,
): Configuration {
  const { clusterName, slurmUser, nodes } = config;
  const controllers = named ?? config.controllers;
  const cluster = clusterName === null ? 'a cluster without a name' : `cluster ${clusterName}`;
  const details = {
    file: config.file,
    clusterName,
    controllers: controllers.map(showEndpoint),
    slurmUser,
    authType: config.authType,
    nodes: nodes?.length ?? null,
  };
  const summary = `${source}: ${cluster}, ${count(controllers, 'controller')}, SlurmUser ${slurmUser.name} (uid ${slurmUser.uid}).`;
  const findings = [finding(CHECK, 'ok', summary, { details })];
  try {
    checkWorkingCluster(clusterName, env);
  } catch (error) {
    findings.push(
      troubleFinding(CHECK, error, { subject: 'SLURM_CLUSTERS', advice: 'Unset SLURM_CLUSTERS.' }),
    );
  }
  return { findings, config, controllers };
}

function failed(trouble: unknown): Finding {
  // The library's hint names options of connect(), which here are options of the command.
  const isMissing = isSlurmError(trouble) && trouble.code === ConfigErrorCode.NOT_FOUND;
  if (trouble !== null && !isMissing) return troubleFinding(CHECK, trouble, { advice: ADVICE });
  const { summary } = isMissing ? trouble : { summary: 'there is no slurm.conf.' };
  return finding(CHECK, 'problem', summary, {
    advice: ADVICE,
    details: isMissing ? { code: trouble.code, errno: trouble.errno } : {},
  });
}

function namedControllers({ controller }: ConnectionOptions): readonly Endpoint[] | null {
  return controller?.map((text) => parseEndpoint(text, { field: '--controller' })) ?? null;
}

function count(things: readonly unknown[], name: string): string {
  return `${things.length} ${name}${things.length === 1 ? '' : 's'}`;
}
