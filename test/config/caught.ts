import { SlurmConfigError } from '../../src/protocol/slurm-error.js';

/** What a promise rejects with; fails when it does not reject. */
export async function caught(work: Promise<unknown>): Promise<unknown> {
  const nothing = Symbol('nothing');
  const error = await work.then(
    () => nothing,
    (reason: unknown) => reason,
  );
  if (error === nothing) throw new Error('expected a rejection, but it resolved');
  return error;
}

/** The SlurmConfigError a promise rejects with; anything else is thrown on. */
export async function configError(work: Promise<unknown>): Promise<SlurmConfigError> {
  const error = await caught(work);
  if (error instanceof SlurmConfigError) return error;
  throw error;
}
