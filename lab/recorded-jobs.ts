/** The jobs that recordings are about. */
import type { LabCluster } from './lab-cluster.js';

export const SLEEP = 'sleep 1000';

/** A job of alice's on both nodes with so many steps, all of them running. */
export async function stepsJob(cluster: LabCluster, steps: number): Promise<number> {
  const srun = 'srun --overlap -N2 -n2 sleep 1000 &\n';
  const job = await alices(cluster, `${srun.repeat(steps)}sleep 1000`, ['-N2', '-n2']);
  const running = async () => {
    const argv = ['squeue', '-h', '-s', '-j', `${job}`, '-o', '%i'];
    const { stdout } = await cluster.exec(argv, { user: 'root' });
    return stdout.split('\n').filter((line) => /\.\d+$/.test(line)).length === steps;
  };
  await cluster.waitFor(running, 20_000, `${steps} steps`);
  return job;
}

/** A batch job of alice's. */
export function alices(
  cluster: LabCluster,
  script: string,
  sbatchArgs: readonly string[] = [],
): Promise<number> {
  return cluster.submit(script, { user: 'alice', sbatchArgs });
}

/** Releases sort by their names. */
export const since = ({ release }: LabCluster, first: string) => release >= first;
