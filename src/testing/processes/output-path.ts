import { resolve } from 'node:path';
import type { Job } from '../model/job.js';

/** Where a job's output goes: `pattern` of sbatch(1) with its percent signs filled in. */
export function outputPath(job: Job, pattern: string | null): string {
  const { array, spec } = job;
  const shown = pattern ?? (array === null ? 'slurm-%j.out' : 'slurm-%A_%a.out');
  const values: Readonly<Record<string, string>> = {
    '%': '%',
    j: `${job.jobId}`,
    A: `${array?.jobId ?? job.jobId}`,
    a: `${array?.taskId ?? 0xfffffffe}`,
    x: spec.name,
    u: job.user.name,
    N: job.nodes[0] ?? '',
    n: '0',
  };
  const filled = shown.replace(/%(\d*)([%jAaxuNn])/g, (_, width: string, letter: string) =>
    (values[letter] ?? '').padStart(Number(width), '0'),
  );
  return resolve(spec.workDirectory, filled);
}
