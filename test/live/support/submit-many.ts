/** Many jobs that wait, submitted as fast as the cluster takes them. */
import { expect } from 'vitest';
import { EmbeddedLab, type LiveCluster } from './embedded-lab.js';

/** Held jobs of alice, in order of their numbers. */
export async function submitMany(cluster: LiveCluster, count: number): Promise<number[]> {
  const ids =
    cluster instanceof EmbeddedLab ? await heldHere(cluster, count) : await heldByShells(cluster, count);
  expect(ids).toHaveLength(count);
  return ids.sort((a, b) => a - b);
}

/** Two shells, as root, whom no limit of requests is for: starting as many times a world for sbatch would take longer. */
async function heldByShells(cluster: LiveCluster, count: number): Promise<number[]> {
  const sbatch = "sbatch --parsable --hold --uid=alice --output=/dev/null --wrap='sleep 1'";
  const loop = `i=0; while [ $i -lt ${count / 2} ]; do ${sbatch}; i=$((i+1)); done`;
  const shell = () => cluster.exec(['sh', '-c', loop], { user: 'root' });
  const outputs = await Promise.all([shell(), shell()]);
  return outputs.flatMap(({ stdout }) => stdout.trim().split('\n').map(Number));
}

function heldHere(cluster: EmbeddedLab, count: number): Promise<number[]> {
  const submit = () => cluster.submit('sleep 1', { user: 'alice', sbatchArgs: ['--hold'] });
  return Promise.all(Array.from({ length: count }, submit));
}
