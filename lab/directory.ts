import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
} from 'node:fs';
import { rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { LabError } from './lab-error.js';

/** Where everything of one cluster lies; all of it below `root`. */
export interface LabPaths {
  readonly root: string;
  /** `lab.json`: what runs here. Its presence makes the directory a lab's. */
  readonly record: string;
  readonly slurmConf: string;
  readonly etc: string;
  readonly munge: string;
  readonly mungeSocket: string;
  /** The key that JSON web tokens are signed with. */
  readonly jwtKey: string;
  /** The key of auth/slurm: the daemons look for it beside slurm.conf. */
  readonly slurmKey: string;
  /** What is `/run/slurm` inside, where the daemons' own sockets are. */
  readonly runSlurm: string;
  readonly sackSocket: string;
  readonly state: string;
  readonly spool: string;
  readonly log: string;
  readonly run: string;
  /** What `run` is to the second slurmctld. */
  readonly backupRun: string;
  /** World-writable: where commands and jobs run and leave their output. */
  readonly work: string;
  /** The name of the mark, which tells this cluster's processes from all others. */
  readonly mark: string;
}

/** The fixed directory of a release's cluster, so that later commands find it. */
export function defaultDirectory(release: string): string {
  const { SLURMWIRE_LAB_DIR } = process.env;
  return join(SLURMWIRE_LAB_DIR || ownBase(), release);
}

/** The paths of a cluster in `directory`, which need not exist. */
export function labPaths(directory: string): LabPaths {
  const root = canonical(resolve(directory));
  const munge = join(root, 'munge');
  const etc = join(root, 'etc');
  const runSlurm = join(root, 'run-slurm');
  return {
    root,
    record: join(root, 'lab.json'),
    slurmConf: join(etc, 'slurm.conf'),
    etc,
    munge,
    mungeSocket: join(munge, 'munge.socket'),
    jwtKey: join(etc, 'jwt_hs256.key'),
    slurmKey: join(etc, 'slurm.key'),
    runSlurm,
    sackSocket: join(runSlurm, 'sack.socket'),
    state: join(root, 'state'),
    spool: join(root, 'spool'),
    log: join(root, 'log'),
    run: join(root, 'run'),
    backupRun: join(root, 'backup-run'),
    work: join(root, 'work'),
    mark: `slurmwire-lab-${createHash('sha256').update(root).digest('hex').slice(0, 24)}`,
  };
}

/**
 * Makes the directory, or takes an empty one. Refused: one that holds something else, one that others can
 * write to, one that ordinary users cannot reach, one whose path is too long for the sockets in it.
 */
export function claimDirectory(paths: LabPaths): void {
  checkPath(paths);
  makeReachable(paths.root);
  checkOwn(paths.root);
  if (dirname(paths.root) === canonical(ownBase())) checkOwn(dirname(paths.root));
  if (!isOurs(paths) && readdirSync(paths.root).length > 0) {
    throw new LabError(`${paths.root} holds something that is not a lab; choose an empty directory`);
  }
  chmodSync(paths.root, 0o755);
}

/** Makes the directory and those above it where they are missing, for ordinary users to enter. */
function makeReachable(path: string): void {
  const parent = dirname(path);
  if (parent !== path) {
    makeReachable(parent);
    if ((lstatSync(parent).mode & 0o001) === 0) {
      throw new LabError(`ordinary users cannot enter ${parent}; put the lab elsewhere (SLURMWIRE_LAB_DIR)`);
    }
  }
  if (!existsSync(path)) {
    mkdirSync(path);
    chmodSync(path, 0o755); // whatever the umask
  }
}

/** Whether the directory is a lab's. */
export function isOurs(paths: LabPaths): boolean {
  return existsSync(paths.record);
}

/**
 * Removes a lab's directory, and the default directory above it if that is empty then; `false` if it is not
 * there. Another directory is left alone.
 */
export async function removeDirectory(paths: LabPaths): Promise<boolean> {
  if (!existsSync(paths.root)) return false;
  if (!isOurs(paths)) {
    if (readdirSync(paths.root).length === 0) return false;
    throw new LabError(`${paths.root} is not a lab's directory; nothing was removed`);
  }
  const mounts = mountsBelow(paths.root);
  if (mounts.length > 0) throw new LabError(`something is mounted at ${mounts[0]}; nothing was removed`);
  // The record goes last: a removal that is cut short can be taken up again.
  for (const entry of readdirSync(paths.root)) {
    if (entry !== basename(paths.record)) await rm(join(paths.root, entry), { recursive: true, force: true });
  }
  await rm(paths.record);
  await rmdir(paths.root);
  if (dirname(paths.root) === canonical(ownBase())) await rmdir(dirname(paths.root)).catch(() => {});
  return true;
}

const ownBase = () => join(tmpdir(), `slurmwire-lab-${process.geteuid?.() ?? 0}`);

/** The kernel's limit on the path of a Unix socket (`sun_path`, without its final NUL). */
const socketPathBytes = 107;

function checkPath(paths: LabPaths): void {
  // slurm.conf has no way of quoting what separates its words, lists and patterns.
  if (!/^[\w./+@-]+$/.test(paths.root)) {
    throw new LabError(`${paths.root} has characters slurm.conf cannot carry in a path; choose a plain one`);
  }
  // A slurmstepd listens on SPOOL/NODE_JOB.STEP; the largest job id has 8 digits, the special steps' have 10.
  const longest = [paths.mungeSocket, join(paths.spool, 'n99', 'n99_67043328.4294967295')];
  for (const path of longest) {
    const excess = Buffer.byteLength(path) - socketPathBytes;
    if (excess > 0) {
      throw new LabError(
        `${paths.root} is ${excess} bytes too long: sockets in it (${path}) may have ${socketPathBytes} at most`,
      );
    }
  }
}

/** The default directory has a name anyone can guess, in a directory where anyone can make it first. */
function checkOwn(path: string): void {
  const stat = lstatSync(path);
  if (!stat.isDirectory() || stat.uid !== process.geteuid?.() || (stat.mode & 0o022) !== 0) {
    throw new LabError(`${path} must be a directory of your own that nobody else can write to`);
  }
}

/** The path with symbolic links resolved as far as it exists: one directory, one mark. */
function canonical(path: string): string {
  if (existsSync(path) || path === dirname(path)) return realpathSync(path);
  return join(canonical(dirname(path)), basename(path));
}

function mountsBelow(root: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .map((point) =>
      point.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    )
    .filter((point) => point === root || point.startsWith(`${root}/`));
}
