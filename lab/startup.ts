import { accounts, makeDirectories, writeFiles } from './cluster-files.js';
import { daemonReady, freePorts, type StartedDaemon, startDaemon, whileAlive } from './daemons.js';
import { claimDirectory, type LabPaths } from './directory.js';
import { featuresOf, type LabFeatures, loopback } from './features.js';
import { createNamespace } from './namespace.js';
import { allReady } from './node-states.js';
import { type LabRecord, writeRecord } from './record.js';
import { startTlsProxy, tlsProxyName } from './tls.js';

/** What can be chosen about a new cluster. */
export interface StartOptions extends LabFeatures {
  /** How many nodes, `n1` and so on; 4 where not given. */
  readonly nodes?: number;
  /** How many dynamic nodes besides, `d1` and so on; none where not given. 22.05 and newer. */
  readonly dynamicNodes?: number;
  /** slurm.conf parameters on top of the lab's own: `{ MessageTimeout: '3' }`. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** How long all nodes may take to be idle, once the daemons run; 60 s where not given. */
  readonly timeoutMs?: number;
}

/** A release and the root directory its programs are in. */
export interface ReleaseRoot {
  readonly release: string;
  readonly root: string;
}

/**
 * Makes everything a cluster needs in a cleared directory, starts the daemons and
 * waits until all nodes are idle. When it fails, what it started is still there.
 */
export async function startCluster(
  paths: LabPaths,
  programs: { readonly controller: ReleaseRoot; readonly nodes: ReleaseRoot },
  options: StartOptions,
): Promise<LabRecord> {
  const { controller, nodes } = programs;
  claimDirectory(paths);
  const named = (prefix: string, count: number) =>
    Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`);
  const fixedNames = named('n', options.nodes ?? 4);
  const nodeNames = [...fixedNames, ...named('d', options.dynamicNodes ?? 0)];
  const [controllerPort = 0, ...nodePorts] = await freePorts(1 + nodeNames.length);
  let record: LabRecord = {
    format: 2,
    release: controller.release,
    nodeRelease: nodes.release,
    authRelease: controller.release,
    state: 'starting',
    controllerPort,
    features: featuresOf(options),
    nodes: nodeNames.map((name, index) => ({
      name,
      port: nodePorts[index] ?? 0,
      ...(index < fixedNames.length ? {} : { dynamic: true }),
    })),
    ...accounts(controller.root),
    anchors: {},
    daemons: {},
  };
  const note = (change: Partial<LabRecord>) => {
    record = { ...record, ...change };
    writeRecord(paths, record);
  };
  note({});
  makeDirectories(paths, record);
  writeFiles(paths, record, options.parameters ?? {});
  for (const { release, root } of [controller, nodes]) {
    if (record.anchors[release] !== undefined) continue;
    const anchor = await createNamespace(paths, release, root, record.nodes, loopback(record.features));
    note({ anchors: { ...record.anchors, [release]: anchor } });
  }
  const authDaemon = record.features.authSlurm ? 'sackd' : 'munged';
  const auth = startDaemon(authDaemon, paths, record);
  note({ daemons: { [authDaemon]: auth.record } });
  // First: a slurmctld without munged gives up, and without sackd no command can be run.
  await whileAlive([auth], (signal) => daemonReady(authDaemon, paths, record, signal));
  await startSlurm(paths, record, { note, also: [auth], timeoutMs: options.timeoutMs });
  if (record.features.tls) {
    note({ daemons: { ...record.daemons, [tlsProxyName]: await startTlsProxy(paths, record) } });
  }
  note({ state: 'up' });
  return record;
}

/** How Slurm's daemons are started. */
interface StartSlurmOptions {
  /** Keeps what changes in the record. */
  readonly note: (change: Partial<LabRecord>) => void;
  /** Daemons that must not end meanwhile. */
  readonly also?: readonly StartedDaemon[];
  /** How long the nodes may take; 60 s where not given. */
  readonly timeoutMs?: number | undefined;
  /** Whether there may be jobs on the nodes already. */
  readonly mayWork?: boolean;
}

/** Starts the slurmctlds and slurmds, and waits until slurmctld counts on all nodes. */
export async function startSlurm(
  paths: LabPaths,
  record: LabRecord,
  options: StartSlurmOptions,
): Promise<void> {
  const { note, also = [], timeoutMs = 60_000, mayWork = false } = options;
  const started = [...also];
  let { daemons } = record;
  const startOne = (name: string) => {
    const daemon = startDaemon(name, paths, record);
    started.push(daemon);
    daemons = { ...daemons, [name]: daemon.record };
    note({ daemons });
  };
  startOne('slurmctld');
  // A slurmd without slurmctld waits a second and more.
  await whileAlive(started, (signal) => daemonReady('slurmctld', paths, record, signal));
  if (record.features.backup) startOne('slurmctld2');
  for (const { name } of record.nodes) startOne(name);
  await whileAlive(started, async (signal) => {
    await allReady(paths, record, { timeoutMs, signal, mayWork });
    if (record.features.backup) await daemonReady('slurmctld2', paths, record, signal);
  });
}
