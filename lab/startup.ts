import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  daemonReady,
  freePorts,
  lastLogLines,
  type StartedDaemon,
  startDaemon,
  whileAlive,
} from './daemons.js';
import { claimDirectory, type LabPaths } from './directory.js';
import { featureParameters, featuresOf, type LabFeatures } from './features.js';
import { LabCluster, type NodeState } from './lab-cluster.js';
import { LabError, LabUnavailableError } from './lab-error.js';
import { createNamespace } from './namespace.js';
import { type LabRecord, writeRecord } from './record.js';
import { cgroupConf, findAccount, type LabAccount, ordinaryUsers, slurmConf } from './slurm-conf.js';
import { waitUntil } from './wait.js';

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

/**
 * Makes everything a cluster needs in a cleared directory, starts the daemons of the release in `root` and
 * waits until all nodes are idle. When it fails, what it started is still there.
 */
export async function startCluster(
  paths: LabPaths,
  release: string,
  root: string,
  options: StartOptions,
): Promise<LabRecord> {
  claimDirectory(paths);
  const named = (prefix: string, count: number) =>
    Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`);
  const fixedNames = named('n', options.nodes ?? 4);
  const nodeNames = [...fixedNames, ...named('d', options.dynamicNodes ?? 0)];
  const [controllerPort = 0, ...nodePorts] = await freePorts(1 + nodeNames.length);
  let record: LabRecord = {
    format: 2,
    release,
    state: 'starting',
    controllerPort,
    features: featuresOf(options),
    nodes: nodeNames.map((name, index) => ({
      name,
      port: nodePorts[index] ?? 0,
      ...(index < fixedNames.length ? {} : { dynamic: true }),
    })),
    ...accounts(root),
    anchor: null,
    daemons: {},
  };
  const note = (change: Partial<LabRecord>) => {
    record = { ...record, ...change };
    writeRecord(paths, record);
  };
  note({});
  makeDirectories(paths, record);
  writeFiles(paths, record, options.parameters ?? {});
  note({ anchor: await createNamespace(paths, root, record.nodes) });

  const started: StartedDaemon[] = [];
  const startOne = (name: string) => {
    const daemon = startDaemon(name, paths, record);
    started.push(daemon);
    note({ daemons: { ...record.daemons, [name]: daemon.record } });
  };
  // One after the other: a slurmctld without munged gives up (one with a key of its own does not need sackd, but commands do), a slurmd without slurmctld waits a second and
  // more.
  const authDaemon = record.features.authSlurm ? 'sackd' : 'munged';
  startOne(authDaemon);
  await whileAlive(started, (signal) => daemonReady(authDaemon, paths, record, signal));
  startOne('slurmctld');
  await whileAlive(started, (signal) => daemonReady('slurmctld', paths, record, signal));
  for (const name of nodeNames) startOne(name);
  await whileAlive(started, (signal) => allIdle(paths, record, options.timeoutMs ?? 60_000, signal));
  note({ state: 'up' });
  return record;
}

async function allIdle(
  paths: LabPaths,
  record: LabRecord,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const cluster = new LabCluster(paths, record, false);
  let seen: NodeState[] = [];
  const look = async () => {
    seen = await cluster.nodeStates().catch(() => []);
    return seen.length === record.nodes.length && seen.every(({ state }) => state === 'idle');
  };
  try {
    await waitUntil('all nodes to be idle', look, { timeoutMs, intervalMs: 100, signal });
  } catch (error) {
    signal.throwIfAborted();
    const states = seen.map(({ name, state }) => `${name} ${state}`).join(', ') || 'sinfo gave no answer';
    const log = lastLogLines(paths, 'slurmctld');
    throw new LabError(`${(error as Error).message} (${states}); slurmctld's log ends with:\n${log}`);
  }
}

function accounts(root: string): Pick<LabRecord, 'users' | 'mungeAccount'> {
  const file = join(root, 'etc/passwd');
  const passwd = readFileSync(file, 'utf8');
  const packaged = (name: string) => {
    const account = findAccount(passwd, name);
    if (account) return account;
    throw new LabUnavailableError(
      `${file} has no user "${name}", which Slurm's packages create: reinstall them`,
    );
  };
  const [alice, bob] = ordinaryUsers;
  if (!alice || !bob) throw new LabError('the ordinary users are missing from their table');
  const superuser = { name: 'root', uid: 0, gid: 0 };
  return {
    users: { alice, bob, slurm: packaged('slurm'), root: superuser },
    // The uid that munge has in another root is some other account's on this machine, and who reads the key
    // is root to the cluster. (slurm's uid is the same in every Debian.)
    mungeAccount: root === '/' ? packaged('munge') : superuser,
  };
}

/** By name where the machine knows it too: slurm.conf is also read outside the cluster. */
function slurmUser({ users }: LabRecord): string {
  const { name, uid } = users.slurm;
  return findAccount(readFileSync('/etc/passwd', 'utf8'), name)?.uid === uid ? name : String(uid);
}

function makeDirectories(paths: LabPaths, record: LabRecord): void {
  const { slurm } = record.users;
  const make = (path: string, mode: number, { uid, gid }: { uid: number; gid: number }) => {
    mkdirSync(path);
    chownSync(path, uid, gid);
    chmodSync(path, mode); // after chown, and whatever the umask
  };
  const root = { uid: 0, gid: 0 };
  make(paths.etc, 0o755, root);
  make(paths.munge, 0o755, record.mungeAccount);
  make(paths.state, 0o700, slurm);
  make(paths.spool, 0o755, root);
  for (const { name } of record.nodes) make(join(paths.spool, name), 0o755, root);
  make(paths.log, 0o755, root);
  const controllerLog = join(paths.log, 'slurmctld.log');
  writeFileSync(controllerLog, ''); // slurmctld may write in it, but make no files beside it
  chownSync(controllerLog, slurm.uid, slurm.gid);
  make(paths.run, 0o755, slurm);
  make(paths.runSlurm, 0o755, slurm);
  make(paths.work, 0o1777, root);
}

function writeFiles(paths: LabPaths, record: LabRecord, parameters: Readonly<Record<string, string>>): void {
  const text = slurmConf({
    controllerPort: record.controllerPort,
    nodes: record.nodes,
    mungeSocket: paths.mungeSocket,
    slurmUser: slurmUser(record),
    stateDirectory: paths.state,
    spoolDirectory: paths.spool,
    logDirectory: paths.log,
    runDirectory: paths.run,
    parameters: { ...featureParameters(record.features, paths), ...parameters },
  });
  const files = { [paths.slurmConf]: text, [join(paths.etc, 'cgroup.conf')]: cgroupConf(record.release) };
  for (const [path, content] of Object.entries(files)) {
    if (content === undefined) continue;
    writeFileSync(path, content);
    chmodSync(path, 0o644); // whatever the umask
  }
  writeKey(join(paths.munge, 'munge.key'), 128, record.mungeAccount);
  if (record.features.jwt) writeKey(paths.jwtKey, 32, record.users.slurm);
  if (record.features.authSlurm) writeKey(paths.slurmKey, 1024, record.users.slurm);
}

/** A random key that only its owner may read; the daemons check that. */
function writeKey(file: string, bytes: number, { uid, gid }: LabAccount): void {
  writeFileSync(file, randomBytes(bytes), { mode: 0o400 });
  chownSync(file, uid, gid);
}
