import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { debootstrap } from './debootstrap.js';
import { LabError, LabReleaseGoneError, LabUnavailableError } from './lab-error.js';
import { withLock } from './lock.js';
import { debianMirror } from './mirror.js';
import { requireRoot } from './namespace.js';
import {
  type EnsurePackagesOptions,
  ensureDebootstrap,
  ensurePackages,
  installedVersions,
} from './packages.js';
import type { LabRelease } from './releases.js';

/**
 * Sees to it that a release's programs are there, and returns the root directory they are in: the machine's
 * own, or one of the cache's, which is built if it is missing or stale.
 */
export async function ensureRelease(release: LabRelease, options: EnsurePackagesOptions): Promise<string> {
  if (release.suites !== null) return ensureRoot(release, release.suites, options);
  await ensurePackages(release, options);
  requireRoot();
  return '/';
}

/** Where the roots of other releases are kept: one directory each, by the release's name. */
export function cacheDirectory(): string {
  return resolve(process.env.SLURMWIRE_LAB_CACHE || '/var/cache/slurmwire-lab');
}

/** What a finished root says about itself, in a file at its top. */
interface RootStamp {
  /** {@link recipe} of the lab that built it. */
  readonly recipe: number;
  readonly release: string;
  readonly suite: string;
  /** The versions of the release's packages. */
  readonly versions: Readonly<Record<string, string>>;
  readonly builtAt: string;
}

/** Grows when roots have to be built anew for another reason than their packages. */
const recipe = 1;

const stampName = 'slurmwire-lab.json';

async function ensureRoot(
  release: LabRelease,
  suites: readonly string[],
  options: EnsurePackagesOptions,
): Promise<string> {
  requireRoot();
  const root = join(cacheDirectory(), release.release);
  if (isCurrent(root, release)) return root;
  if (!options.install) {
    throw new LabUnavailableError(
      `the root of Slurm ${release.release} is not built; run "npm run lab -- prepare ${release.release}"`,
    );
  }
  await ensureDebootstrap(options);
  claimCache();
  const lock = `root-${createHash('sha256').update(root).digest('hex').slice(0, 24)}`;
  return withLock(lock, 900_000, async () => {
    if (isCurrent(root, release)) return root; // another one built it meanwhile
    refuseIfUsed(root);
    const workshop = join(cacheDirectory(), `.${release.release}`);
    // What a build that was cut short left: nobody else works under this name, the lock is ours.
    await rm(workshop, { recursive: true, force: true });
    // Not a root by itself: one under construction has to be open to the users that packages create.
    mkdirSync(workshop, { mode: 0o700 });
    try {
      const fresh = join(workshop, 'new');
      await build(fresh, release, suites, options.log);
      if (existsSync(root)) renameSync(root, join(workshop, 'old'));
      renameSync(fresh, root);
    } finally {
      await rm(workshop, { recursive: true, force: true });
    }
    return root;
  });
}

function isCurrent(root: string, release: LabRelease): boolean {
  const stamp = readStamp(root);
  return (
    stamp !== undefined &&
    stamp.recipe === recipe &&
    stamp.release === release.release &&
    (release.suites ?? []).includes(stamp.suite) &&
    release.packages.every(({ name, versionPrefix }) => stamp.versions[name]?.startsWith(versionPrefix))
  );
}

function readStamp(root: string): RootStamp | undefined {
  try {
    return JSON.parse(readFileSync(join(root, stampName), 'utf8'));
  } catch {
    return undefined; // missing or cut short: no root to be used
  }
}

async function build(
  root: string,
  release: LabRelease,
  suites: readonly string[],
  log: (line: string) => void,
): Promise<void> {
  const mirror = await debianMirror();
  const found: string[] = [];
  for (const suite of suites) {
    log(`building the root of Slurm ${release.release} from Debian ${suite} (debootstrap, once)`);
    const startedMs = Date.now();
    const lacking = await debootstrap(root, release, suite, mirror);
    const versions = Object.fromEntries(await installedVersions(release.packages, root));
    const fits = release.packages.every(({ name, versionPrefix }) =>
      versions[name]?.startsWith(versionPrefix),
    );
    if (fits) {
      chmodSync(root, 0o700); // it holds the set-uid programs of old Debians
      const stamp: RootStamp = {
        recipe,
        release: release.release,
        suite,
        versions,
        builtAt: new Date().toISOString(),
      };
      writeFileSync(join(root, stampName), `${JSON.stringify(stamp, null, 2)}\n`);
      const seconds = ((Date.now() - startedMs) / 1000).toFixed(0);
      log(`Slurm ${release.release} is ${versions.slurmctld} of Debian ${suite} (${seconds} s)`);
      return;
    }
    found.push(`${suite} ${lacking ?? `has slurmctld ${versions.slurmctld}`}`);
    await rm(root, { recursive: true, force: true });
  }
  throw new LabReleaseGoneError(
    `Debian has no Slurm ${release.release} any more (${found.join('; ')}): lab/releases.ts has to follow it`,
  );
}

/** Makes the cache, or takes one that nobody else can write to: root executes what is in there. */
function claimCache(): void {
  const path = cacheDirectory();
  if (!existsSync(path)) mkdirSync(path, { recursive: true, mode: 0o700 });
  const stat = lstatSync(path);
  if (!stat.isDirectory() || stat.uid !== process.geteuid?.() || (stat.mode & 0o022) !== 0) {
    throw new LabError(
      `${path} must be a directory of your own that nobody else can write to (SLURMWIRE_LAB_CACHE chooses another)`,
    );
  }
}

/** A cluster that is up lives off its root: that is not taken away from under it. */
function refuseIfUsed(root: string): void {
  if (!existsSync(root)) return;
  const usr = join(realpathSync(root), 'usr');
  const own = `/${basename(root)}/usr`;
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    let mounts: string;
    try {
      mounts = readFileSync(`/proc/${entry}/mountinfo`, 'utf8');
    } catch {
      continue; // gone meanwhile
    }
    // What is mounted is told as a path in its file system, which is the end of the path here.
    const isUser = mounts.split('\n').some((line) => {
      const [, , , source = '', point] = line.split(' ');
      return point === '/usr' && source.endsWith(own) && usr.endsWith(source);
    });
    if (!isUser) continue;
    throw new LabError(`${root} is stale, but a cluster runs in it (process ${entry}): take that down first`);
  }
}
