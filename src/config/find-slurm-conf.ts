import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import { untilAborted } from '../protocol/on-abort.js';
import { SlurmConfigError, SlurmUsageError } from '../protocol/slurm-error.js';
import { ConfigErrorCode } from './config-error-code.js';

/**
 * Where Slurm's own tools look when nobody names a file, in this order: the place compiled in upstream, that of the
 * distributions' packages, that of their older packages, and the link that a configless slurmd or sackd keeps.
 */
export const SLURM_CONF_PLACES: readonly string[] = [
  '/usr/local/etc/slurm.conf',
  '/etc/slurm/slurm.conf',
  '/etc/slurm-llnl/slurm.conf',
  '/run/slurm/conf/slurm.conf',
];

export interface FindSlurmConfOptions {
  /** The file the caller names; nothing else is looked at then. */
  readonly conf?: string | undefined;
  /** Default `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Default: asks the file system. */
  readonly exists?: ((path: string) => Promise<boolean>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The absolute path of the slurm.conf in use: `conf`, else `SLURM_CONF` (set but empty counts as not set), else the first
 * of {@link SLURM_CONF_PLACES} that exists. Where libslurm looks again for 60 s when a named file is missing, this fails
 * at once.
 *
 * @throws SlurmConfigError `SLURMWIRE_CONFIG_NOT_FOUND`; SlurmUsageError `SLURMWIRE_BAD_CONF` when `conf` is no path.
 * Rejects with `signal.reason` when the signal fires.
 */
export async function findSlurmConf(options: FindSlurmConfOptions = {}): Promise<string> {
  const { conf, env = process.env, exists = isThere, signal } = options;
  signal?.throwIfAborted();
  if (conf !== undefined) {
    if (typeof conf !== 'string' || conf === '' || conf.includes('\0')) throw badConf(conf);
    return await named(conf, 'the option conf', exists, signal);
  }
  const { SLURM_CONF } = env;
  if (SLURM_CONF) return await named(SLURM_CONF, 'the environment variable SLURM_CONF', exists, signal);
  for (const place of SLURM_CONF_PLACES) {
    if (await untilAborted(signal, exists(place))) return place;
  }
  throw nowhere();
}

async function named(
  path: string,
  namedBy: string,
  exists: (path: string) => Promise<boolean>,
  signal: AbortSignal | undefined,
): Promise<string> {
  const file = resolve(path);
  if (await untilAborted(signal, exists(file))) return file;
  throw new SlurmConfigError(`slurm.conf, named by ${namedBy}, does not exist.`, {
    code: ConfigErrorCode.NOT_FOUND,
    errno: 'ENOENT',
    file,
    hint: `Correct ${namedBy}, or give connect() controllers: ['host:port'].`,
  });
}

function nowhere(): SlurmConfigError {
  return new SlurmConfigError(
    `no slurm.conf found: SLURM_CONF is not set, and none of ${SLURM_CONF_PLACES.join(', ')} exists.`,
    {
      code: ConfigErrorCode.NOT_FOUND,
      errno: 'ENOENT',
      hint: "Give connect() conf: '/path/to/slurm.conf', or controllers: ['host:port'], or set SLURM_CONF_SERVER for it.",
    },
  );
}

/** True for the error that says that there is no slurm.conf and nobody named one: the only case in which Slurm fetches one. */
export function isNowhere(error: unknown): error is SlurmConfigError {
  return (
    error instanceof SlurmConfigError && error.code === ConfigErrorCode.NOT_FOUND && error.file === undefined
  );
}

function badConf(conf: unknown): SlurmUsageError {
  return new SlurmUsageError('conf is not the path of a file.', {
    code: 'SLURMWIRE_BAD_CONF',
    field: 'conf',
    value: conf,
    hint: "Give '/path/to/slurm.conf', or leave it out to have it found.",
  });
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
