// What is to be tested: a piece of your own program. It gets its client handed in, so that a test can give it one that plays a recording.
import { isSlurmError } from 'slurmwire';

/**
 * Cancels a job and says in words what became of it.
 *
 * @param {import('slurmwire').SlurmClient} slurm
 * @param {number} job
 */
export async function cancel(slurm, job) {
  try {
    await slurm.killJob(job);
    return `job ${job} is being cancelled`;
  } catch (error) {
    if (!isSlurmError(error)) throw error;
    if (error.code === 'ESLURM_INVALID_JOB_ID') return `there is no job ${job}`;
    return `job ${job}: ${error.code}, ${error.outcome}`;
  }
}
