// A mass cancel with progress. Job ids on stdin, one a line; what is left to do goes to stdout, in the same form:
//   squeue -h -o %A -u alice | node examples/embedding/mass-cancel.mjs > left.txt
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { connect, isSlurmError } from 'slurmwire';

/**
 * Ends jobs, however many: ids are read as they are needed, and nothing is kept of those that are done.
 *
 * @param {import('slurmwire').SlurmClient} slurm
 * @param {Iterable<string> | AsyncIterable<string>} ids
 * @param {object} [options]
 * @param {number} [options.batch] ids per call: one request from Slurm 23.11 on, paced single ones before.
 * @param {AbortSignal} [options.signal]
 * @param {(id: string, why: string) => void} [options.onLeft] told of each id that is to be done again: nothing, or nobody knows what, became of it.
 * @param {(id: string, why: string) => void} [options.onRefused] told of each that will not be done: not ours, and the like.
 * @yields after each call, what has become of all so far. When the cluster cannot be asked any more, the rest is left without being tried.
 */
export async function* massCancel(slurm, ids, { batch = 500, signal, onLeft, onRefused } = {}) {
  const progress = { done: 0, refused: 0, left: 0, requests: 0, trouble: '' };
  for await (const some of batches(ids, batch)) {
    if (signal?.aborted) progress.trouble = 'stopped';
    if (progress.trouble === '') {
      try {
        // idempotent: jobs that have ended meanwhile are done.
        const { jobs, rpcs } = await slurm.killJobs(some, 'SIGKILL', { idempotent: true, signal });
        progress.requests += rpcs;
        for (const { target, outcome, errno, message } of jobs) {
          if (outcome === 'accepted' || errno === 'ESRCH') progress.done += 1;
          else if (outcome === 'refused' && errno !== 'EAGAIN') {
            progress.refused += 1;
            onRefused?.(target, message ?? '');
          } else {
            progress.left += 1;
            onLeft?.(target, message ?? '');
          }
        }
        yield { ...progress };
        continue;
      } catch (error) {
        // Of the call as a whole: no controller, no credentials, or an answer that did not come. SIGKILL may be repeated, so all are left.
        if (!isSlurmError(error)) throw error;
        progress.trouble = error.message;
      }
    }
    progress.left += some.length;
    for (const id of some) onLeft?.(id, progress.trouble);
    yield { ...progress };
  }
}

/** @template T @param {Iterable<T> | AsyncIterable<T>} items @param {number} size @returns {AsyncGenerator<T[]>} */
async function* batches(items, size) {
  let some = [];
  for await (const item of items) {
    if (some.push(item) < size) continue;
    yield some;
    some = [];
  }
  if (some.length > 0) yield some;
}

async function main() {
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  const slurm = await connect();
  try {
    const onLeft = (/** @type {string} */ id) => void process.stdout.write(`${id}\n`);
    const onRefused = (/** @type {string} */ id, /** @type {string} */ why) => console.error(`${id}: ${why}`);
    const lines = createInterface({ input: process.stdin });
    for await (const progress of massCancel(slurm, lines, { signal: stop.signal, onLeft, onRefused })) {
      const { done, refused, left, trouble } = progress;
      console.error(`${done} done, ${refused} refused, ${left} left ${trouble}`);
      process.exitCode = left > 0 ? 1 : 0;
    }
  } finally {
    await slurm.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
