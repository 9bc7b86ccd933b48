/**
 * Which munged this host has. munged's protocol has no question for its version and libmunge no function, so what can be known is what the
 * installed program and its package say; the daemon that runs may be older, until it is restarted.
 */
import { execFile } from 'node:child_process';

/** The first release without CVE-2026-25506, with which any local user could read the key: docs/auth.md. */
const FIRST_SAFE = [0, 5, 18] as const;
/** Where munged is, beside PATH: users have no sbin in theirs. */
const SBIN = ['/usr/sbin', '/usr/local/sbin', '/sbin', '/opt/munge/sbin'];

export interface MungeVersion {
  /** What the program says, `0.5.15`; `null` where it could not be run. */
  readonly program: string | null;
  /** What the system's packages say, `0.5.15-2+deb12u1`; `null` where they do not tell. */
  readonly package: string | null;
}

/** `safe`: has the fix. `unsafe`: is older, and nothing says that it has. `unknown`: nothing could be read. */
export function judgeMunge(version: MungeVersion): 'safe' | 'unsafe' | 'unknown' {
  const program = numbersOf(version.program ?? version.package);
  if (program === null) return 'unknown';
  if (isAtLeast(program, FIRST_SAFE)) return 'safe';
  // Debian 12 has the fix under the old number (DSA of 2026-02); a later revision of it keeps it.
  const [, update] = /^0\.5\.15-2\+deb12u(\d+)/.exec(version.package ?? '') ?? [];
  return Number(update ?? 0) >= 1 ? 'safe' : 'unsafe';
}

/** Asks the program, and Debian's or Red Hat's packages. Never rejects; ends with the signal. */
export async function findMungeVersion(
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<MungeVersion> {
  const path = [env.PATH ?? '', ...SBIN].filter((part) => part !== '').join(':');
  const ask = (command: string, args: readonly string[]) => firstLine(command, args, path, signal);
  const [program, dpkg, rpm] = await Promise.all([
    ask('munged', ['--version']),
    // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own syntax
    ask('dpkg-query', ['--show', '--showformat=${Version}', 'munge']),
    ask('rpm', ['--query', '--queryformat=%{VERSION}-%{RELEASE}', 'munge']),
  ]);
  return {
    program: /munge-(\S+)/.exec(program ?? '')?.[1] ?? null,
    package: packageIn(dpkg) ?? packageIn(rpm),
  };
}

function packageIn(line: string | null): string | null {
  return line !== null && /^\d[\w.+:~-]*$/.test(line) ? line : null;
}

function firstLine(
  command: string,
  args: readonly string[],
  path: string,
  signal: AbortSignal,
): Promise<string | null> {
  return new Promise((resolve) => {
    const options = {
      env: { PATH: path, LC_ALL: 'C' },
      signal,
      timeout: 3_000,
      killSignal: 'SIGKILL',
    } as const;
    execFile(command, args, { ...options, maxBuffer: 64 * 1024 }, (error, stdout) => {
      resolve(error === null ? (stdout.split('\n')[0] ?? '').trim() : null);
    });
  });
}

function numbersOf(text: string | null): number[] | null {
  const found = /^(?:\d+:)?(\d+)\.(\d+)(?:\.(\d+))?/.exec(text ?? '');
  return found === null ? null : found.slice(1).map((digits) => Number(digits ?? 0));
}

function isAtLeast(version: readonly number[], least: readonly number[]): boolean {
  for (const [index, number] of least.entries()) {
    const own = version[index] ?? 0;
    if (own !== number) return own > number;
  }
  return true;
}
