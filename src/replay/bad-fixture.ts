import { SlurmProtocolError } from '../protocol/slurm-error.js';

/** The error for bytes or records that are no fixture. */
export function badFixture(fieldPath: string, why: string, cause?: unknown): SlurmProtocolError {
  return new SlurmProtocolError(`not a slurmwire fixture: ${why}`, {
    code: 'SLURMWIRE_BAD_FIXTURE',
    errno: 'EPROTO',
    outcome: 'not-sent',
    fieldPath,
    cause,
  });
}
