/**
 * The examination: checks that wait only for what they need, each within its own time, told as they come in a fixed order.
 *
 * Nothing but lookups and PINGs is sent. No secret is in any finding: no credential, token, key, nor a part of one.
 */
import type { SlurmConfig } from '../../config/index.js';
import { showEndpoint } from '../../protocol/transport.js';
import { clusterFacts } from '../../rpc/cluster-facts.js';
import type { ConnectionOptions } from '../connection.js';
import { clockSkew, judgeSkew, showSkew } from './clock-skew.js';
import { locate, readConfiguration, readTransport } from './configuration.js';
import { askControllers, type InCharge } from './controllers.js';
import { type Credentials, HOST, type Host, readCredentials } from './credentials.js';
import { type Bounds, type Finding, finding } from './finding.js';
import { describeCaller } from './identity.js';
import { askNodes } from './nodes.js';
import { refusals } from './refusals.js';

export interface DoctorSetup {
  readonly options: ConnectionOptions;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** Milliseconds for each check; at most six follow one another. */
  readonly limitMs: number;
  readonly host?: Host | undefined;
}

/** What the checks found, in the order in which people read it; each part as soon as it and those before it are there. */
export async function* examine(setup: DoctorSetup): AsyncGenerator<readonly Finding[], void> {
  const { options, env, signal, limitMs, host = HOST } = setup;
  const bounds: Bounds = { limitMs, signal };
  const located = await locate(options, env, bounds);
  // A configless cluster is asked with credentials that no slurm.conf has a word in.
  const before = once(() => readCredentials(options, null, env, bounds, host));
  const configuration = readConfiguration(located, options, env, bounds, before);
  const credentials = configuration.then(({ config }) =>
    located.in === 'file' && config !== null ? readCredentials(options, config, env, bounds, host) : before(),
  );
  const transport = configuration.then(({ config }) => readTransport(config, limitMs, bounds));
  const controllers = Promise.all([configuration, credentials, transport]).then(
    ([{ config, controllers: endpoints }, { auth }, { transport: way }]) =>
      way === null
        ? { findings: [], inCharge: null }
        : askControllers(endpoints, { config, protocol: options.protocol, auth, transport: way, bounds }),
  );
  const nodes = Promise.all([configuration, credentials, transport, controllers]).then(
    ([{ config }, { auth }, { transport: way }, { inCharge }]) =>
      auth === null || way === null || inCharge === null
        ? []
        : askNodes(inCharge, { config, auth, transport: way, bounds }),
  );
  // Each is awaited below; until then a rejection, which is the user's wish to stop, is no unhandled one.
  for (const part of [configuration, credentials, transport, controllers, nodes]) part.catch(() => {});

  const { findings: ofConfiguration, config } = await configuration;
  yield ofConfiguration;
  const had = await credentials;
  yield had.findings;
  yield (await transport).findings;
  const { findings: ofControllers, inCharge } = await controllers;
  yield ofControllers;
  yield inCharge === null ? [] : aboutCluster(inCharge, config);
  yield inCharge === null ? [withoutClock()] : [aboutClock(inCharge, config, had)];
  const caller = describeCaller(had, config, inCharge);
  yield [caller.finding];
  yield await nodes;
  if (inCharge === null || had.auth === null || had.method === null) return;
  const { told, protocol } = inCharge;
  yield refusals({
    rank: caller.rank,
    reachesNodes: had.auth.reach !== 'controllers',
    method: had.method,
    protocol,
    hidesJobs: (told.privateData & PRIVATE_DATA_JOBS) !== 0,
    limitsRate: /rl_enable/i.test(told.slurmctldParams ?? ''),
    cluster: clusterFacts(told.scronParams ?? '', told.schedParams ?? ''),
  });
}

/** `PRIVATE_DATA_JOBS` of `slurm/slurm.h`, the same in 20.11 to 26.05. */
const PRIVATE_DATA_JOBS = 0x1;

function aboutCluster({ told, endpoint }: InCharge, config: SlurmConfig | null): Finding[] {
  const name = told.clusterName?.toLowerCase() ?? null;
  const own = config?.clusterName ?? null;
  if (own === null || name === null || own === name) return [];
  const summary = `${showEndpoint(endpoint)} is of cluster ${name}, and slurm.conf is of ${own}: job numbers mean other jobs there.`;
  const advice = 'Use the slurm.conf of the cluster you mean.';
  return [finding('cluster', 'problem', summary, { advice, details: { configured: own, told: name } })];
}

function withoutClock(): Finding {
  const summary =
    'Not measured: no controller told the time. A controller that refuses credentials tells none.';
  return finding('clock', 'skipped', summary);
}

function aboutClock(inCharge: InCharge, config: SlurmConfig | null, { method }: Credentials): Finding {
  const { told, askedAt, answeredAt, endpoint } = inCharge;
  const skew = clockSkew(Number(told.lastUpdate), askedAt, answeredAt);
  const lifetimeS = config?.authInfo.ttlSeconds ?? (method === 'auth/slurm' ? 60 : 300);
  const details = { ...skew, lifetimeSeconds: lifetimeS, peer: showEndpoint(endpoint) };
  const measured = `${showEndpoint(endpoint)}'s clock is ${showSkew(skew)} of this host's`;
  const verdict = judgeSkew(skew, lifetimeS * 1_000);
  if (verdict === 'same') {
    const summary = `${measured}: no difference that matters. More exactly than to a second it cannot be told, as its answer has whole seconds.`;
    return finding('clock', 'ok', summary, { details });
  }
  const advice = 'Set both clocks (NTP, chrony): credentials carry the time at which they were made.';
  const summary = `${measured}; a credential lives ${lifetimeS} s.`;
  return finding('clock', verdict === 'apart' ? 'warning' : 'problem', summary, { advice, details });
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let promise: Promise<T> | undefined;
  return () => {
    promise ??= work();
    return promise;
  };
}
