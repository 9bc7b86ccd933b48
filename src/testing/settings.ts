/** What can be chosen about an embedded cluster, and what comes of it: every option looked at, every default filled in. */
import { userInfo } from 'node:os';
import { expandHostlist } from '../config/index.js';
import { isAtLeast, isRelease, RELEASE_NAMES, type Release } from '../protocol/release.js';
import { badOption, checkOptions } from '../rpc/check-options.js';
import { accepts } from './manners.js';
import type { ClusterUser } from './model/user.js';

/** A node as it is asked for. */
export interface NodeOptions {
  readonly name: string;
  /** Default 16. */
  readonly cpus?: number | undefined;
  /** Megabytes. Default 16000. */
  readonly memory?: number | undefined;
  readonly features?: string | undefined;
}

/** Slurm's rate limiter (23.02 and newer): a bucket per user. */
export interface RateLimitOptions {
  /** Requests a user may make at once (`rl_bucket_size`). Default 30. */
  readonly bucketSize?: number | undefined;
  /** Requests that come back (`rl_refill_rate`) … Default 2. */
  readonly refillRate?: number | undefined;
  /** … every so many seconds (`rl_refill_period`). Default 1. */
  readonly refillPeriodSeconds?: number | undefined;
}

/** What an embedded cluster should be like. */
export interface ClusterOptions {
  /** Release of the controllers. Default 26.05. */
  readonly release?: Release | undefined;
  /** Release of the slurmds, one the controllers' takes and no newer. Default: the same. */
  readonly nodeRelease?: Release | undefined;
  /** So many nodes, `n1` and so on; or a hostlist; or each by itself. Default 2. */
  readonly nodes?: number | string | readonly NodeOptions[] | undefined;
  /** Standby controllers. Default 0. */
  readonly backups?: number | undefined;
  /** `records`: jobs are entries of a table that signals change. `processes`: scripts and steps are real processes. Default `records`. */
  readonly jobs?: 'records' | 'processes' | undefined;
  /** Users beside root and the process's own. Default alice (2001) and bob (2002). */
  readonly users?: readonly (Omit<ClusterUser, 'gid'> & { readonly gid?: number })[] | undefined;
  /** Name of the user the controllers act as. Default root. */
  readonly slurmUser?: string | undefined;
  /** As PrivateData of slurm.conf: `jobs`, `nodes` … Default none. */
  readonly privateData?: readonly string[] | undefined;
  /** Default: no limit. */
  readonly rateLimit?: RateLimitOptions | undefined;
  /** Further parameters of slurm.conf, such as `{ KillWait: '5', TreeWidth: '4' }`. */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
  /** For slurm.conf, munged's socket, and the output of jobs. Default: a new temporary one, gone with the cluster. */
  readonly directory?: string | undefined;
  /**
   * How many entries `requests` and `signals` of the cluster keep at most, each; the oldest go first, a tenth at a time. 0: nothing is kept. For
   * clusters that run for long. Default: 100,000 requests, and all signals.
   */
  readonly logLimit?: number | undefined;
}

/** An embedded cluster's options with nothing left open. */
export interface ClusterSettings {
  readonly release: Release;
  readonly nodeRelease: Release;
  readonly nodes: readonly {
    readonly name: string;
    readonly cpus: number;
    readonly memory: number;
    readonly features: string | null;
  }[];
  readonly backups: number;
  readonly jobs: 'records' | 'processes';
  readonly users: readonly ClusterUser[];
  readonly slurmUser: ClusterUser;
  readonly privateData: ReadonlySet<string>;
  readonly rateLimit: {
    readonly bucketSize: number;
    readonly refillRate: number;
    readonly refillPeriodMs: number;
  } | null;
  readonly parameters: Readonly<Record<string, string>>;
  readonly directory: string | null;
  readonly maxRequests: number;
  readonly maxSignals: number;
}

const KNOWN: readonly (keyof ClusterOptions)[] = [
  'release',
  'nodeRelease',
  'nodes',
  'backups',
  'jobs',
  'users',
  'slurmUser',
  'privateData',
  'rateLimit',
  'parameters',
  'directory',
  'logLimit',
];

/** Requests that the log keeps unless told otherwise. */
const MAX_REQUESTS = 100_000;

/** More slurmds than one process has ports and memory for are a mistake. */
const MAX_NODES = 16_384;

/**
 * Fills in what is not given.
 *
 * @throws SlurmUsageError naming the option and its value.
 */
export function settingsOf(options: ClusterOptions = {}): ClusterSettings {
  checkOptions('startCluster', options, KNOWN);
  const { release = '26.05', backups = 0, jobs = 'records', parameters = {}, directory = null } = options;
  if (!isRelease(release)) throw badOption('release', release, `is none of ${RELEASE_NAMES.join(', ')}`);
  const { nodeRelease = release } = options;
  if (!isRelease(nodeRelease) || !accepts(release, nodeRelease)) {
    throw badOption(
      'nodeRelease',
      nodeRelease,
      `is no release of a slurmd that a slurmctld ${release} takes`,
    );
  }
  if (!Number.isInteger(backups) || backups < 0 || backups > 8)
    throw badOption('backups', backups, 'is not 0 to 8');
  if (jobs !== 'records' && jobs !== 'processes')
    throw badOption('jobs', jobs, 'is neither "records" nor "processes"');
  const { logLimit } = options;
  if (logLimit !== undefined && !(Number.isInteger(logLimit) && logLimit >= 0))
    throw badOption('logLimit', logLimit, 'is no number of entries');
  const users = usersOf(options);
  const slurmUser = users.find(({ name }) => name === (options.slurmUser ?? 'root'));
  if (slurmUser === undefined) throw badOption('slurmUser', options.slurmUser, 'is not among the users');
  return {
    release,
    nodeRelease,
    nodes: nodesOf(options.nodes ?? 2),
    backups,
    jobs,
    users,
    slurmUser,
    privateData: privateDataOf(options.privateData ?? [], parameters),
    rateLimit: rateLimitOf(options.rateLimit, release),
    parameters,
    directory,
    maxRequests: logLimit ?? MAX_REQUESTS,
    maxSignals: logLimit ?? Number.POSITIVE_INFINITY,
  };
}

/** What is hidden, whichever way it was asked for. */
function privateDataOf(asked: readonly string[], parameters: Readonly<Record<string, string>>): Set<string> {
  const entries = Object.entries(parameters).filter(([name]) => name.toLowerCase() === 'privatedata');
  const names = [...asked, ...entries.flatMap(([, value]) => value.split(','))];
  return new Set(names.map((name) => name.trim().toLowerCase()).filter((name) => name !== ''));
}

function usersOf({ users = DEFAULT_USERS }: ClusterOptions): ClusterUser[] {
  const own = userInfo();
  const all: ClusterUser[] = [{ name: 'root', uid: 0, gid: 0 }];
  if (own.uid > 0) all.push({ name: own.username, uid: own.uid, gid: own.gid });
  for (const user of users) {
    if (typeof user.name !== 'string' || user.name === '')
      throw badOption('users', user.name, 'is no name of a user');
    if (!Number.isInteger(user.uid) || user.uid < 0 || user.uid > 0xfffffffd)
      throw badOption('users', user.uid, 'is no uid');
    if (all.some(({ name, uid }) => name === user.name || uid === user.uid)) {
      if (users === DEFAULT_USERS) continue;
      throw badOption('users', user.name, 'is there twice, by name or by uid');
    }
    all.push({ ...user, gid: user.gid ?? user.uid });
  }
  return all;
}

const DEFAULT_USERS = [
  { name: 'alice', uid: 2001 },
  { name: 'bob', uid: 2002 },
];

function nodesOf(nodes: NonNullable<ClusterOptions['nodes']>): ClusterSettings['nodes'] {
  const asked: readonly NodeOptions[] =
    typeof nodes === 'number'
      ? Array.from({ length: checkedCount(nodes) }, (_, i) => ({ name: `n${i + 1}` }))
      : typeof nodes === 'string'
        ? expandHostlist(nodes, { maxHosts: MAX_NODES, field: 'nodes' }).map((name) => ({ name }))
        : nodes;
  if (asked.length === 0 || asked.length > MAX_NODES)
    throw badOption('nodes', asked.length, `is not 1 to ${MAX_NODES} nodes`);
  const names = new Set(asked.map(({ name }) => name));
  if (names.size < asked.length)
    throw badOption('nodes', asked.map(({ name }) => name).join(), 'has a name twice');
  return asked.map(({ name, cpus = 16, memory = 16_000, features = null }) => {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) throw badOption('nodes', name, 'is no name of a node');
    return { name, cpus, memory, features: features ?? null };
  });
}

function checkedCount(count: number): number {
  if (Number.isInteger(count) && count >= 1 && count <= MAX_NODES) return count;
  throw badOption('nodes', count, `is not 1 to ${MAX_NODES}`);
}

function rateLimitOf(options: RateLimitOptions | undefined, release: Release): ClusterSettings['rateLimit'] {
  if (options === undefined) return null;
  if (!isAtLeast(release, '23.02'))
    throw badOption('rateLimit', release, 'has no rate limiter; 23.02 was the first');
  const { bucketSize = 30, refillRate = 2, refillPeriodSeconds = 1 } = options;
  for (const [name, value] of Object.entries({ bucketSize, refillRate, refillPeriodSeconds })) {
    if (!Number.isFinite(value) || value <= 0) throw badOption(`rateLimit.${name}`, value, 'is not above 0');
  }
  return { bucketSize, refillRate, refillPeriodMs: refillPeriodSeconds * 1000 };
}
