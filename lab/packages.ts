import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { LabUnavailableError } from './lab-error.js';
import { withLock } from './lock.js';
import type { LabPackage, LabRelease } from './releases.js';

/** How packages are looked after. */
export interface EnsurePackagesOptions {
  /** Whether missing packages may be installed; `false` makes them a `LabUnavailableError`. */
  readonly install: boolean;
  /** Told what happens, a line at a time. */
  readonly log: (line: string) => void;
}

/** What is wanted of the machine, and how to speak of it. */
interface Wanted {
  /** `Slurm 22.05` or `debootstrap`. */
  readonly what: string;
  readonly packages: readonly LabPackage[];
  /** The only Debian version that has them; any where not given. */
  readonly debian?: LabRelease['debian'];
  /** The lab's command that installs them. */
  readonly command: string;
}

/**
 * Sees to it that a release's packages are installed on the machine in a fitting version, or says why they
 * cannot be.
 */
export async function ensurePackages(release: LabRelease, options: EnsurePackagesOptions): Promise<void> {
  const { packages, debian } = release;
  const what = `Slurm ${release.release}`;
  await ensureInstalled({ what, packages, debian, command: 'npm run lab -- up' }, options);
}

/** Sees to it that this is a Debian that can build roots of other Debians, or says why it cannot. */
export async function ensureDebootstrap(options: EnsurePackagesOptions): Promise<void> {
  const { id } = await operatingSystem();
  if (id !== 'debian') {
    throw new LabUnavailableError(
      `only Debian builds the roots of other Slurm releases; this is ${id}: use a Debian machine or container`,
    );
  }
  const packages = ['debootstrap', 'debian-archive-keyring'].map((name) => ({ name, versionPrefix: '' }));
  await ensureInstalled({ what: 'debootstrap', packages, command: 'npm run lab -- prepare' }, options);
}

async function ensureInstalled(wanted: Wanted, options: EnsurePackagesOptions): Promise<void> {
  if (await isInstalled(wanted)) return;
  // Two labs coming up on a fresh machine: the second waits, then finds everything there.
  await withLock('packages', 900_000, async () => {
    const missing = await missingPackages(wanted);
    if (missing.length === 0) return;
    await install(wanted, missing, options);
    if (!(await isInstalled(wanted))) {
      throw new LabUnavailableError(`apt-get succeeded, but ${names(wanted.packages)} are not all installed`);
    }
  });
}

async function isInstalled(wanted: Wanted): Promise<boolean> {
  return (await missingPackages(wanted)).length === 0;
}

async function missingPackages(wanted: Wanted): Promise<LabPackage[]> {
  const installed = await installedVersions(wanted.packages);
  const other = wanted.packages.filter(({ name, versionPrefix }) => {
    const version = installed.get(name);
    return version !== undefined && !version.startsWith(versionPrefix);
  });
  if (other.length > 0) {
    const found = other.map(({ name }) => `${name} ${installed.get(name)}`).join(', ');
    throw new LabUnavailableError(
      `another Slurm is installed (${found}); the lab's ${wanted.what} needs Debian ${wanted.debian?.name}'s packages: remove these or use another machine`,
    );
  }
  return wanted.packages.filter(({ name }) => !installed.has(name));
}

/** The versions of those packages that are installed, on the machine or in a root. */
export async function installedVersions(
  packages: readonly LabPackage[],
  root = '',
): Promise<Map<string, string>> {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own notation
  const format = '${db:Status-Status} ${Package} ${Version}\\n';
  const show = [
    `--admindir=${root}/var/lib/dpkg`,
    '--show',
    `--showformat=${format}`,
    ...packages.map((p) => p.name),
  ];
  const output = await run('dpkg-query', show)
    // It exits 1 when a package is unknown to it, and still lists the others.
    .catch((error: { code?: unknown; stdout?: string }) => {
      if (error.code === 'ENOENT') return { stdout: '' };
      return { stdout: error.stdout ?? '' };
    });
  const versions = new Map<string, string>();
  for (const line of output.stdout.split('\n')) {
    const [status, name, version] = line.split(' ');
    if (status === 'installed' && name && version) versions.set(name, version);
  }
  return versions;
}

async function install(
  wanted: Wanted,
  missing: readonly LabPackage[],
  options: EnsurePackagesOptions,
): Promise<void> {
  const lacking = `${wanted.what} is not installed (missing: ${names(missing)})`;
  const byHand = `apt-get install --no-install-recommends ${names(missing)}`;
  const { id, version } = await operatingSystem();
  if (id !== 'debian' || (wanted.debian && version !== wanted.debian.version)) {
    const where = wanted.debian ? `Debian ${wanted.debian.version}` : 'Debian';
    throw new LabUnavailableError(
      `${lacking}, and it can be installed on ${where} only; this is ${id} ${version}`,
    );
  }
  if (process.geteuid?.() !== 0) {
    throw new LabUnavailableError(`${lacking}; as root, run "${wanted.command}" or "${byHand}"`);
  }
  if (!options.install) throw new LabUnavailableError(`${lacking}; run "${wanted.command}" or "${byHand}"`);

  options.log(`installing ${names(missing)} (apt-get, once)`);
  await apt(['update', '-q']);
  await checkCandidates(wanted, missing);
  await apt([
    ...['install', '-q', '-y', '--no-install-recommends', '-o', 'Dpkg::Options::=--force-confold'],
    ...missing.map(({ name }) => name),
  ]);
}

/**
 * Runs apt-get so that no package starts its service. The two programs through which maintainer scripts start
 * services are covered by `true`, in a mount namespace of apt-get's own. Unlike a temporary policy-rc.d, this
 * leaves nothing to restore on the machine, not even after SIGKILL, and cannot meet somebody else's
 * policy-rc.d.
 */
async function apt(args: readonly string[]): Promise<void> {
  const script = [
    'set -e',
    'for starter in /usr/sbin/invoke-rc.d /usr/bin/deb-systemd-invoke; do',
    '  if [ -e "$starter" ]; then mount --bind /bin/true "$starter"; fi',
    'done',
    'exec apt-get -o DPkg::Lock::Timeout=300 "$@"',
  ].join('\n');
  const unshare = ['--mount', '--propagation', 'private', '--', 'sh', '-c', script, 'apt-get', ...args];
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };
  try {
    await run('unshare', unshare, { env, maxBuffer: 64 * 1024 * 1024 });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    const said = lastLines(stderr || stdout, 8);
    throw new LabUnavailableError(`apt-get ${args[0]} failed: ${said || String(error)}`, { cause: error });
  }
}

/**
 * Looks before anything is installed: with backports or a local archive pinned, apt would bring another
 * Slurm.
 */
async function checkCandidates({ what }: Wanted, missing: readonly LabPackage[]): Promise<void> {
  for (const { name, versionPrefix } of missing) {
    const { stdout } = await run('apt-cache', ['policy', name], { env: { ...process.env, LC_ALL: 'C' } });
    const candidate = /Candidate: (\S+)/.exec(stdout)?.[1] ?? '(none)';
    if (candidate === '(none)' || !candidate.startsWith(versionPrefix)) {
      throw new LabUnavailableError(
        `apt offers ${name} ${candidate}, the lab's ${what} needs ${versionPrefix}*: check the machine's apt sources`,
      );
    }
  }
}

async function operatingSystem(): Promise<{ id: string; version: string }> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const value = (key: string) => new RegExp(`^${key}="?([^"\n]*)"?$`, 'm').exec(text)?.[1];
  return { id: value('ID') ?? process.platform, version: value('VERSION_ID') ?? 'of an unknown version' };
}

const run = promisify(execFile);

const names = (packages: readonly LabPackage[]) => packages.map(({ name }) => name).join(' ');

const lastLines = (text: string, count: number) => text.trim().split('\n').slice(-count).join(' / ');
