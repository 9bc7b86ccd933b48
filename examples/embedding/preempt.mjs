// A preemption with notice: SIGUSR1 to save, time to do it, and only then the end.

/**
 * Takes a job away from its user, who was promised a notice: `#SBATCH --signal` and a trap for SIGUSR1 are what jobs here have.
 *
 * A process without a handler for SIGUSR1 is ended by it: that is the signal's default. Agree on it with your users, or choose SIGCONT or SIGURG, which
 * do nothing by default.
 *
 * @param {import('slurmwire').SlurmClient} slurm
 * @param {number | string} job
 * @param {object} [options]
 * @param {number} [options.noticeMs] from SIGUSR1 to SIGTERM.
 * @param {number} [options.graceMs] from SIGTERM to SIGKILL.
 * @param {string} [options.why] for the job's output.
 * @param {AbortSignal} [options.signal] the preemption is not needed any more. Whoever was signalled stays signalled.
 * @param {(event: import('slurmwire').TerminateEvent) => void} [options.onEvent]
 * @returns {Promise<'saved' | 'terminated' | 'killed'>} what it took: the notice, SIGTERM, or SIGKILL.
 */
export async function preempt(slurm, job, options = {}) {
  const { noticeMs = 120_000, graceMs = 10_000, why, signal, onEvent = () => {} } = options;
  // A line in the job's output. That it cannot be written, for there is no script, is no reason to stop.
  if (why !== undefined && typeof job === 'number') await slurm.notify(job, why, { signal }).catch(() => {});
  const termination = slurm.terminate(job, {
    signal,
    idempotent: true,
    ladder: [
      // The shell first, since the job is over when its tasks leave and the shell has nothing to wait for.
      { signal: 'SIGUSR1', graceMs: noticeMs, to: ['batch', 'steps'] },
      { signal: 'SIGTERM', graceMs },
      { signal: 'SIGKILL' },
    ],
  });
  for await (const event of termination) onEvent(event);
  const { sent } = await termination;
  // Who leaves in time gets no further signal, so the last one tells.
  const last = sent.at(-1)?.signal;
  return last === 'SIGKILL' ? 'killed' : last === 'SIGTERM' ? 'terminated' : 'saved';
}
