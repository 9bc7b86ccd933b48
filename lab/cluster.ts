import { claimDirectory, defaultDirectory, type LabPaths, labPaths } from './directory.js';
import { checkFeatures, featuresOf } from './features.js';
import { LabCluster } from './lab-cluster.js';
import { LabError, LabPortTakenError } from './lab-error.js';
import { lockMs, withLock } from './lock.js';
import { requireRoot } from './namespace.js';
import type { NodeState } from './node-states.js';
import { findMembers, isPaused, isRunning } from './processes.js';
import { anchorOf, type LabRecord, readRecord } from './record.js';
import { ensureRelease } from './release-root.js';
import { defaultRelease, findRelease } from './releases.js';
import { type StartOptions, startCluster } from './startup.js';
import { clearDirectory } from './teardown.js';

export type { LabController } from './daemons.js';
export { defaultDirectory } from './directory.js';
export type { ExecOptions, ExecResult } from './exec.js';
export type { LabFeatures, RateLimit } from './features.js';
export {
  LabCluster,
  type SubmitOptions,
  type TokenOptions,
} from './lab-cluster.js';
export { LabError, LabReleaseGoneError, LabUnavailableError } from './lab-error.js';
export type { NodeState } from './node-states.js';
export type { ProcessRecord } from './processes.js';
export type { LabUser } from './record.js';
export { defaultRelease, releaseNames } from './releases.js';
export type { LabAccount, LabNode } from './slurm-conf.js';
export type { StartOptions } from './startup.js';
export type { SwitchOptions } from './switch-release.js';
export { type DownResult, down } from './teardown.js';

/** What can be chosen about `up`. */
export interface UpOptions extends StartOptions {
  /** The Slurm release, `22.05` where not given. */
  readonly release?: string;
  /** Another release for the slurmds, one that `release` accepts; the same where not given. */
  readonly nodeRelease?: string;
  /** An empty or missing directory for the cluster alone; the release's fixed one where not given. */
  readonly directory?: string;
  /** Whether missing packages may be installed, and a missing root built; yes where not given. */
  readonly install?: boolean;
  /** Told what happens, a line at a time. */
  readonly log?: (line: string) => void;
}

/**
 * Starts a private Slurm cluster on loopback and waits until all its nodes are idle; one that runs in the
 * directory already is returned as it is. What a crashed cluster left there is cleared first.
 */
export async function up(options: UpOptions = {}): Promise<LabCluster> {
  const { install = true, log = () => {} } = options;
  const release = findRelease(options.release ?? defaultRelease);
  checkFeatures(options, release.release);
  const nodeRelease = findRelease(options.nodeRelease ?? release.release);
  if (nodeRelease !== release && !release.accepts.includes(nodeRelease.release)) {
    const accepted = release.accepts.join(', ') || 'none';
    throw new LabError(
      `a slurmctld ${release.release} takes no slurmds ${nodeRelease.release}; of the lab's other releases: ${accepted}`,
    );
  }
  checkFeatures(options, nodeRelease.release);
  const programs = {
    controller: { release: release.release, root: await ensureRelease(release, { install, log }) },
    nodes: { release: nodeRelease.release, root: await ensureRelease(nodeRelease, { install, log }) },
  };
  const paths = labPaths(options.directory ?? defaultDirectory(release.release));
  return withLock(paths.mark, lockMs, async () => {
    const running = readRecord(paths);
    if (running && isUp(paths, running)) {
      if (running.release === release.release) {
        refuseOtherFeatures(paths, running, options);
        return new LabCluster(paths, running, true);
      }
      throw new LabError(`Slurm ${running.release} is running in ${paths.root}; stop it first`);
    }
    claimDirectory(paths);
    if (await clearDirectory(paths)) log(`cleared what an earlier cluster left in ${paths.root}`);
    for (let attempt = 1; ; attempt++) {
      try {
        return new LabCluster(paths, await startCluster(paths, programs, options), false);
      } catch (error) {
        await clearDirectory(paths);
        if (!(error instanceof LabPortTakenError) || attempt === 3) throw error;
        log('a chosen port was taken meanwhile; starting again with others');
      }
    }
  });
}

/** A running cluster is taken only if it has what is asked for. */
function refuseOtherFeatures(paths: LabPaths, running: LabRecord, options: UpOptions): void {
  const has: Readonly<Record<string, unknown>> = { ...running.features };
  if (options.nodeRelease !== undefined && options.nodeRelease !== running.nodeRelease) {
    throw new LabError(`the slurmds in ${paths.root} are of Slurm ${running.nodeRelease}; stop them first`);
  }
  const lacking = Object.entries(featuresOf(options)).find(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(has[name]),
  );
  if (lacking)
    throw new LabError(`the cluster in ${paths.root} runs without this ${lacking[0]}; stop it first`);
}

/** What can be chosen about `prepare`. */
export type PrepareOptions = Pick<UpOptions, 'release' | 'install' | 'log'>;

/**
 * Sees to it that a release's programs are there, as `up` does, and starts nothing. Returns the root directory
 * they are in: `/` for the machine's own.
 */
export async function prepare(options: PrepareOptions = {}): Promise<string> {
  const { release = defaultRelease, install = true, log = () => {} } = options;
  return ensureRelease(findRelease(release), { install, log });
}

/** How a cluster is. */
export interface LabStatus {
  readonly directory: string;
  /** Whether `up` finished and all daemons run, paused ones included. */
  readonly running: boolean;
  readonly release: string | null;
  readonly daemons: readonly { name: string; pid: number; state: 'running' | 'paused' | 'dead' }[];
  /** What sinfo says of the nodes; empty where it cannot be asked. */
  readonly nodes: readonly NodeState[];
  /** How many processes belong to the cluster now, jobs included. */
  readonly processes: number;
}

/** Looks at the cluster in a directory; there need not be one. */
export async function status(directory: string): Promise<LabStatus> {
  requireRoot();
  const paths = labPaths(directory);
  const record = readRecord(paths);
  const daemons = Object.entries(record?.daemons ?? {}).map(([name, process]) => {
    const state = !isRunning(process, paths.mark) ? 'dead' : isPaused(process) ? 'paused' : 'running';
    return { name, pid: process.pid, state } as const;
  });
  const answers = (...names: string[]) =>
    daemons.some(({ name, state }) => names.includes(name) && state === 'running');
  const canAsk = record && answers('munged', 'sackd') && answers('slurmctld', 'slurmctld2');
  return {
    directory: paths.root,
    running: record !== undefined && isUp(paths, record),
    release: record?.release ?? null,
    daemons,
    nodes: canAsk ? await new LabCluster(paths, record, true).nodeStates().catch(() => []) : [],
    processes: findMembers(paths.mark).length,
  };
}

/** The cluster that runs in a directory. */
export function attach(directory: string): LabCluster {
  requireRoot();
  const paths = labPaths(directory);
  const record = readRecord(paths);
  if (!record || !isAnchored(paths, record)) throw new LabError(`no cluster is running in ${paths.root}`);
  return new LabCluster(paths, record, true);
}

function isUp(paths: LabPaths, record: LabRecord): boolean {
  const daemons = Object.values(record.daemons);
  return (
    record.state === 'up' &&
    isAnchored(paths, record) &&
    daemons.every((daemon) => isRunning(daemon, paths.mark))
  );
}

function isAnchored(paths: LabPaths, record: LabRecord): boolean {
  const anchor = anchorOf(record);
  return anchor !== undefined && isRunning(anchor, paths.mark);
}
