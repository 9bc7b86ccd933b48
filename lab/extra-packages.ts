/** Packages of a release beyond those that the lab needs itself: what is measured beside ours, say. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { prepare } from './cluster.js';
import { LabUnavailableError } from './lab-error.js';
import { lockMs, withLock } from './lock.js';
import { debianMirror } from './mirror.js';
import { ensurePackages, installedVersions } from './packages.js';
import { findRelease } from './releases.js';

/** Sees to it that packages of a release are installed where its programs are, on the machine or in its root. */
export async function ensureExtraPackages(
  release: string,
  names: readonly string[],
  log: (line: string) => void,
): Promise<void> {
  const row = findRelease(release);
  const packages = names.map((name) => ({ name, versionPrefix: `${release}.` }));
  const root = await prepare({ release, log });
  if (root === '/') {
    await ensurePackages({ ...row, packages }, { install: true, log });
    return;
  }
  await withLock(`extra-${release}`, lockMs, async () => {
    const versions = await installedVersions(packages, root);
    const missing = names.filter((name) => !versions.has(name));
    if (missing.length === 0) return;
    log(`installing ${missing.join(' ')} in the root of Slurm ${release} (apt-get, once)`);
    await install(root, missing);
  });
}

/** In a root, clusters may be running: nothing that is there is replaced. */
async function install(root: string, names: readonly string[]): Promise<void> {
  const script = [
    'set -e',
    'mount --bind /proc "$1/proc"',
    'root=$1; shift',
    'chroot "$root" apt-get -q -o Acquire::Check-Valid-Until=false update',
    'exec chroot "$root" apt-get -q -y --no-install-recommends --no-upgrade --no-remove install "$@"',
  ].join('\n');
  const argv = ['--mount', '--propagation', 'private', '--', 'sh', '-c', script, 'lab', root, ...names];
  const { env: own } = await debianMirror();
  const env = {
    ...own,
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL: 'C',
    DEBIAN_FRONTEND: 'noninteractive',
  };
  try {
    await run('unshare', argv, { env, cwd: '/', maxBuffer: 64 * 1024 * 1024 });
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    const said = stderr.trim().split('\n').slice(-4).join(' / ');
    throw new LabUnavailableError(`${names.join(' ')} cannot be installed in ${root}: ${said}`);
  }
}

const run = promisify(execFile);
