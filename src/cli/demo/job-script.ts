/** The job of the demonstration: a batch shell and two steps on every node. One step saves and leaves at SIGTERM, the other will not hear of it. */

/** Its steps by name, and what becomes of them at SIGTERM. */
export const STEPS = {
  solver: 'saves its work and leaves at SIGTERM',
  stuck: 'will not hear of SIGTERM',
} as const;

/** Every process writes a line that ends in `ready` once it can be signalled. */
export function scriptFor(nodes: number): string {
  return `#!/bin/sh
trap 'echo "batch shell: got SIGTERM, waiting for my steps"' TERM
srun -J solver -N${nodes} sh -c '
  exec 2>/dev/null
  trap "echo solver on $SLURMD_NODENAME: got SIGTERM, saved my work, goodbye; exit 0" TERM
  echo solver on $SLURMD_NODENAME ready
  while :; do sleep 0.1; done' &
srun -J stuck -N${nodes} sh -c '
  exec 2>/dev/null
  trap "echo stuck on $SLURMD_NODENAME: got SIGTERM, not now" TERM
  echo stuck on $SLURMD_NODENAME ready
  while :; do sleep 0.1; done' &
echo batch shell ready
until wait; do :; done
`;
}
