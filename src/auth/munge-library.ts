/**
 * Finding and loading MUNGE's C library, lazily and once.
 *
 * Koffi is imported at the first use (here, and in testing/peer-credentials.ts): a machine on which it cannot be loaded can still
 * import the package and use another way to authenticate.
 */
import { SlurmAuthError } from '../protocol/slurm-error.js';
import { MungeCalls } from './munge-calls.js';

/** Names tried when no path is given; the system's loader searches its usual places. */
const LIBRARY_NAMES: readonly string[] =
  process.platform === 'darwin'
    ? [
        'libmunge.2.dylib',
        'libmunge.dylib',
        '/opt/homebrew/lib/libmunge.2.dylib',
        '/usr/local/lib/libmunge.2.dylib',
      ]
    : ['libmunge.so.2'];

/** Loads in progress or done, by the path asked for. Failures are forgotten, so that installing the library helps at once. */
const loaded = new Map<string, Promise<MungeCalls>>();

/** @internal The library's calls, loading it first if need be. */
export function mungeCalls(library?: string): Promise<MungeCalls> {
  const key = library ?? '';
  const known = loaded.get(key);
  if (known !== undefined) return known;
  const loading = load(library === undefined ? LIBRARY_NAMES : [library]);
  loaded.set(key, loading);
  loading.catch(() => loaded.delete(key));
  return loading;
}

async function load(names: readonly string[]): Promise<MungeCalls> {
  let koffi: typeof import('koffi');
  try {
    koffi = await import('koffi');
  } catch (cause) {
    throw unusable(
      'no-ffi',
      `koffi, the bridge to C libraries, cannot be loaded on ${process.platform}-${process.arch}`,
      'Install the package with its optional dependencies, or authenticate without them: mungeSocket().',
      cause,
    );
  }
  const causes: unknown[] = [];
  for (const name of names) {
    try {
      return new MungeCalls(koffi, koffi.load(name));
    } catch (cause) {
      causes.push(cause);
    }
  }
  throw unusable(
    'no-library',
    `The MUNGE library cannot be loaded (tried ${names.join(', ')})`,
    'Install it (Debian and Ubuntu have it in package libmunge2, RHEL and its kin in munge-libs), or authenticate without it: mungeSocket().',
    causes.length === 1 ? causes[0] : new AggregateError(causes, 'no candidate could be loaded'),
  );
}

/** Upstream's name for "this plugin cannot be used here" (slurm_errno.h, 6008) serves both. */
function unusable(
  reason: 'no-ffi' | 'no-library',
  summary: string,
  hint: string,
  cause: unknown,
): SlurmAuthError {
  return new SlurmAuthError(`${summary}.`, {
    code: 'ESLURM_AUTH_SKIP',
    number: 6008,
    errno: 'ENOENT',
    outcome: 'not-sent',
    phase: 'authenticate',
    reason,
    hint,
    cause,
  });
}
