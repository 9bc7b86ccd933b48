import { SlurmUsageError } from '../protocol/slurm-error.js';

/**
 * Refuses what is no uid. 0xffffffff is none: it is how C says "nobody in particular".
 *
 * @throws SlurmUsageError `SLURMWIRE_BAD_OPTION`
 */
export function checkUid(field: string, value: number | null | undefined): void {
  if (value === undefined || value === null) return;
  if (Number.isInteger(value) && value >= 0 && value < 0xffffffff) return;
  throw new SlurmUsageError(`${field} is not a uid.`, { code: 'SLURMWIRE_BAD_OPTION', field, value });
}
