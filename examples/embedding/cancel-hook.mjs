// The cancel hook of a workflow engine: ends the Slurm job of a task, and may be called as often as the engine likes.
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { isSlurmError } from 'slurmwire';

/** Time to save and leave, then force. */
const LADDER = /** @type {const} */ ([{ signal: 'SIGTERM', graceMs: 30_000 }, { signal: 'SIGKILL' }]);

/**
 * Ends the job of a task and sees that it is gone. A call that was interrupted, by a crash too, is gone on with by the next one: no signal is
 * sent twice, and a grace that has begun is not begun anew.
 *
 * @param {import('slurmwire').SlurmClient} slurm
 * @param {{ id: string, jobId: string }} task
 * @param {object} options
 * @param {ReturnType<typeof fileStore>} options.store where the engine keeps what must survive it.
 * @param {AbortSignal} [options.signal] the engine is shutting down. The job is not spared by it: call again after the start.
 * @param {readonly import('slurmwire').Rung[]} [options.ladder]
 * @returns {Promise<{ status: 'gone' | 'again' | 'stuck' | 'failed', reason: string }>} `again`: call later, nothing is lost. `stuck`: not even
 * SIGKILL helped, so an administrator has to look at the nodes. `failed`: it will not succeed however often it is called.
 */
export async function cancelTask(slurm, task, { store, signal, ladder = LADDER }) {
  const resume = await store.load(task.id);
  const plan = resume === null ? { ladder } : { resume };
  // idempotent: that the job is gone already is what was wanted.
  const termination = slurm.terminate(task.jobId, { ...plan, idempotent: true, signal });
  try {
    for await (const event of termination) await store.save(task.id, event.resume);
    const { code, jobs } = await termination;
    await store.remove(task.id);
    return { status: 'gone', reason: code ?? jobs[0]?.state ?? 'ended' };
  } catch (error) {
    if (!isSlurmError(error)) throw error;
    const status = statusOf(error);
    // What is known last is in the error. Without it the termination had not begun.
    if (status === 'again' && 'resume' in error)
      await store.save(task.id, /** @type {import('slurmwire').TerminateState} */ (error.resume));
    if (status === 'failed') await store.remove(task.id);
    return { status, reason: error.message };
  }
}

/** @param {import('slurmwire').SlurmError} error */
function statusOf({ code, errno, outcome, name }) {
  if (code === 'SLURMWIRE_SURVIVORS') return 'stuck';
  // Not the user's job; or this program or its configuration is wrong.
  if (errno === 'EPERM' || name === 'SlurmUsageError' || name === 'SlurmConfigError') return 'failed';
  // Interrupted; or the network, munged, a restart: terminate() knows what it has sent, so going on is safe even after `unknown`.
  return outcome === 'refused' && errno !== 'EAGAIN' ? 'failed' : 'again';
}

/**
 * States of terminations in a directory: a file each, replaced as a whole.
 *
 * @param {string} directory
 */
export function fileStore(directory) {
  const pathOf = (/** @type {string} */ id) => `${directory}/${encodeURIComponent(id)}.json`;
  return {
    /** @param {string} id @returns {Promise<import('slurmwire').TerminateState | null>} */
    async load(id) {
      try {
        return JSON.parse(await readFile(pathOf(id), 'utf8'));
      } catch (error) {
        if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT') return null;
        throw error;
      }
    },
    /** @param {string} id @param {import('slurmwire').TerminateState} state */
    async save(id, state) {
      await writeFile(`${pathOf(id)}.new`, JSON.stringify(state));
      await rename(`${pathOf(id)}.new`, pathOf(id));
    },
    /** @param {string} id */
    remove: (id) => rm(pathOf(id), { force: true }),
  };
}
