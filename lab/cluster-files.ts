import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabPaths } from './directory.js';
import { loopback, parametersOf } from './features.js';
import { LabError, LabUnavailableError } from './lab-error.js';
import type { LabRecord } from './record.js';
import { cgroupConf, findAccount, type LabAccount, ordinaryUsers, slurmConf } from './slurm-conf.js';

/** The accounts of a cluster whose programs are in this root. */
export function accounts(root: string): Pick<LabRecord, 'users' | 'mungeAccount'> {
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

/** Makes the directories of a cluster. */
export function makeDirectories(paths: LabPaths, record: LabRecord): void {
  const { slurm } = record.users;
  make(paths.etc, 0o755, root);
  make(paths.munge, 0o755, record.mungeAccount);
  makeStateDirectories(paths, record);
  make(paths.log, 0o755, root);
  for (const name of ['slurmctld', 'slurmctld2']) {
    if (name === 'slurmctld2' && !record.features.backup) continue;
    const log = join(paths.log, `${name}.log`);
    writeFileSync(log, ''); // slurmctld may write in it, but make no files beside it
    chownSync(log, slurm.uid, slurm.gid);
  }
  make(paths.run, 0o755, slurm);
  make(paths.backupRun, 0o755, slurm);
  make(paths.runSlurm, 0o755, slurm);
  make(paths.work, 0o1777, root);
}

/** Writes a cluster's configuration and its keys. */
export function writeFiles(
  paths: LabPaths,
  record: LabRecord,
  parameters: Readonly<Record<string, string>>,
): void {
  const text = slurmConf({
    controllerPort: record.controllerPort,
    nodes: record.nodes,
    mungeSocket: paths.mungeSocket,
    slurmUser: slurmUser(record),
    stateDirectory: paths.state,
    spoolDirectory: paths.spool,
    logDirectory: paths.log,
    runDirectory: paths.run,
    backup: record.features.backup ?? false,
    address: loopback(record.features),
    parameters: parametersOf(record.features, paths, parameters),
  });
  writeReadable(paths.slurmConf, text);
  writeCgroupConf(paths, record.release);
  writeKey(join(paths.munge, 'munge.key'), 128, record.mungeAccount);
  if (record.features.jwt) writeKey(paths.jwtKey, 32, record.users.slurm);
  if (record.features.authSlurm) writeKey(paths.slurmKey, 1024, record.users.slurm);
}

/** A random key that only its owner may read; the daemons check that. */
function writeKey(file: string, bytes: number, { uid, gid }: LabAccount): void {
  writeFileSync(file, randomBytes(bytes), { mode: 0o400 });
  chownSync(file, uid, gid);
}

/** Writes cgroup.conf as a release wants it, or takes it away. */
export function writeCgroupConf(paths: LabPaths, release: string): void {
  const file = join(paths.etc, 'cgroup.conf');
  const text = cgroupConf(release);
  if (text === undefined) rmSync(file, { force: true });
  else writeReadable(file, text);
}

/** Takes away all that slurmctld and the slurmds know of jobs. They must not run. */
export function clearState(paths: LabPaths, record: LabRecord): void {
  for (const path of [paths.state, paths.spool]) rmSync(path, { recursive: true, force: true });
  makeStateDirectories(paths, record);
}

function makeStateDirectories(paths: LabPaths, record: LabRecord): void {
  make(paths.state, 0o700, record.users.slurm);
  make(paths.spool, 0o755, root);
  for (const { name } of record.nodes) make(join(paths.spool, name), 0o755, root);
}

function make(path: string, mode: number, { uid, gid }: { uid: number; gid: number }): void {
  mkdirSync(path);
  chownSync(path, uid, gid);
  chmodSync(path, mode); // after chown, and whatever the umask
}

const root = { uid: 0, gid: 0 };

function writeReadable(file: string, text: string): void {
  writeFileSync(file, text);
  chmodSync(file, 0o644); // whatever the umask
}
