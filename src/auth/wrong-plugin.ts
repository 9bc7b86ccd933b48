import { SlurmAuthError } from '../protocol/slurm-error.js';

/** A reply's credential is of another method than the request's. */
export function wrongPlugin(own: string, theirs: string): SlurmAuthError {
  return new SlurmAuthError(
    `The credential to verify is one of ${theirs}, and ${own} can only check its own.`,
    {
      code: 'SLURM_PROTOCOL_AUTHENTICATION_ERROR',
      number: 1007,
      errno: 'EACCES',
      outcome: 'not-sent',
      phase: 'authenticate',
      reason: 'wrong-plugin',
      hint: 'Both sides must use the same AuthType.',
    },
  );
}
