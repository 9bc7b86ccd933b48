// Kills or signals a Slurm job:  node examples/kill.mjs JOB [SIGNAL]
// JOB is what scancel takes: 1234, 1234_7, '1234_[1-5]', 1234+1, or a step such as 1234.0
import { connect, isSlurmError } from 'slurmwire';

const [job, unixSignal = 'SIGKILL'] = process.argv.slice(2);
if (job === undefined) {
  console.error('usage: kill.mjs JOB [SIGNAL]');
  process.exit(2);
}

const slurm = await connect(); // finds slurm.conf as scancel does; opens no connection
try {
  const options = { timeoutMs: 5_000 };
  const { target, peer, elapsedMs } = job.includes('.')
    ? await slurm.killJobStep(job, unixSignal, options)
    : await slurm.killJob(job, unixSignal, options);
  console.log(`${unixSignal} for ${target}: accepted by ${peer} in ${elapsedMs.toFixed(1)} ms`);
} catch (error) {
  if (!isSlurmError(error)) throw error;
  console.error(`${error.code}: ${error.message}`);
  // Did it happen? not-sent and refused: no. unknown: it may have, so look at the job.
  console.error(`outcome: ${error.outcome}`);
  process.exitCode = 1;
} finally {
  await slurm.close();
}
