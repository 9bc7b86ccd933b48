import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LabUnavailableError } from './lab-error.js';
import type { DebianMirror } from './mirror.js';
import type { LabRelease } from './releases.js';

/**
 * Builds a root with a release's packages in it. Says so if the suite has not got one of them; any other
 * failure is thrown.
 */
export async function debootstrap(
  root: string,
  { release, packages }: LabRelease,
  suite: string,
  mirror: DebianMirror,
): Promise<string | undefined> {
  // Suites newer than this machine have no script of their own; sid's is what they would have.
  const script = existsSync(`/usr/share/debootstrap/scripts/${suite}`) ? suite : 'sid';
  const packageNames = packages.map(({ name }) => name).join(',');
  // Whatever happens to this process, its builders end with it, and their mounts with them.
  const guard = 'setpriv --pdeathsig=KILL -- unshare --mount --pid --fork --kill-child --mount-proc --'.split(
    ' ',
  );
  const [program = '', ...rest] = [
    ...guard,
    ...['sh', '-c', configureAndRun, 'lab', root, dpkgConfiguration],
    ...['debootstrap', '--variant=minbase', '--merged-usr', '--components=main'],
    ...['--force-check-gpg', '--keyring=/usr/share/keyrings/debian-archive-keyring.gpg'],
    ...[`--include=${packageNames}`, suite, root, mirror.url, script],
  ];
  const env = {
    ...mirror.env,
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL: 'C',
    DEBIAN_FRONTEND: 'noninteractive',
  };
  try {
    await run(program, rest, { env, cwd: '/', maxBuffer: 64 * 1024 * 1024 });
    await removeLeftovers(root);
    return undefined;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    const lines = `${stdout}\n${stderr}`.split('\n');
    const errors = [...new Set(lines.filter((line) => /^[EW]: /.test(line)).map((line) => line.slice(3)))];
    const missing = errors.find((line) => line.startsWith("Couldn't find these debs:"));
    if (missing && packages.some(({ name }) => missing.includes(` ${name}`))) {
      return `has no${missing.slice(missing.indexOf(':') + 1)}`;
    }
    const said = errors.join('; ') || lines.slice(-4).join(' / ').trim() || String(error);
    const advice = errors.some((line) => /release|retriev|download|getting|signature/i.test(line))
      ? `; it takes a Debian mirror that can be reached and has ${suite}: the machine's first apt source is asked, or SLURMWIRE_LAB_MIRROR (a URL)`
      : lastLines(join(root, 'debootstrap/debootstrap.log'), 6);
    // No cause: it repeats the command line, URL and all.
    throw new LabUnavailableError(
      withoutPasswords(`the root of Slurm ${release} cannot be built from ${mirror.url}: ${said}${advice}`),
    );
  }
}

/** The end of a file that the caller is about to remove, for an error message. */
function lastLines(file: string, count: number): string {
  if (!existsSync(file)) return '';
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  return `; its log ends with:\n${lines.slice(-count).join('\n')}`;
}

/**
 * Configures dpkg for a root that is not there yet, and goes on to the rest of the command line. Before a
 * service is started, policy-rc.d is asked; 101 means no.
 */
const configureAndRun = `set -e
umask 022
mkdir -p "$1/etc/dpkg/dpkg.cfg.d" "$1/usr/sbin"
printf %s "$2" > "$1/etc/dpkg/dpkg.cfg.d/slurmwire-lab"
printf '#!/bin/sh\\nexit 101\\n' > "$1/usr/sbin/policy-rc.d"
chmod 755 "$1/usr/sbin/policy-rc.d"
shift 2
exec "$@"
`;

/** Nothing here has to survive a power cut, and nobody reads documentation in here. */
const dpkgConfiguration = `force-unsafe-io
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/lintian/*
`;

/** Removes what debootstrap leaves that nothing here needs. */
async function removeLeftovers(root: string): Promise<void> {
  const shares = ['doc', 'man', 'info', 'locale', 'lintian'].map((name) => `usr/share/${name}`);
  for (const path of ['var/cache/apt', 'var/lib/apt/lists', ...shares]) {
    await rm(join(root, path), { recursive: true, force: true });
  }
}

/** A mirror's URL may carry a password, and errors are shown to people. */
const withoutPasswords = (text: string) => text.replace(/\/\/[^@/\s]*@/g, '//');

const run = promisify(execFile);
