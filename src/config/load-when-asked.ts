/** {@link loadSlurmConfig} for those who import the package: the readers of slurm.conf are loaded by the first call. */
import type { LoadSlurmConfigOptions } from './load-slurm-config.js';
import type { SlurmConfig } from './slurm-config.js';

/**
 * Finds the slurm.conf in use as Slurm's own tools do, reads it with its includes, and looks up its users.
 *
 * @throws SlurmConfigError with one of `ConfigErrorCode`, and with file and line where a line is to blame;
 * SlurmUsageError for an option that cannot be meant. Rejects with `signal.reason` when the signal fires.
 */
export async function loadSlurmConfig(options: LoadSlurmConfigOptions = {}): Promise<SlurmConfig> {
  return (await import('./load-slurm-config.js')).loadSlurmConfig(options);
}
