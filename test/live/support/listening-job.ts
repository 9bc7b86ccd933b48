/** A job whose processes say which signals they got. */
import type { Live } from './live.js';

/** Steps write down the signals they get, by node and task; the batch shell too. Step 0 is on four nodes, step 1 on two. */
const JOB = `#!/bin/bash
trap 'echo batch USR1 >> out.$SLURM_JOB_ID' USR1
trap 'echo batch USR2 >> out.$SLURM_JOB_ID' USR2
cat > step.$SLURM_JOB_ID <<'STEP'
for s in USR1 USR2; do trap "echo $SLURM_STEP_ID.$SLURM_PROCID $s >> out.$SLURM_JOB_ID" $s; done
echo $SLURM_STEP_ID.$SLURM_PROCID >> up.$SLURM_JOB_ID
while :; do sleep 0.1; done
STEP
srun -n4 -N4 bash step.$SLURM_JOB_ID &
while [ "$(wc -l 2>/dev/null < up.$SLURM_JOB_ID)" != 4 ]; do sleep 0.1; done
srun --overlap -n2 -N2 bash step.$SLURM_JOB_ID &
while :; do sleep 0.1; done
`;

/** Starts one as alice, and waits until both its steps listen. */
export async function startListeningJob({ cluster, run, output }: Live): Promise<number> {
  const id = await run(JOB, ['-N4', '-n4', '--overcommit']);
  const isUp = async () => lines(await output(`up.${id}`)).length === 6;
  await cluster.waitFor(isUp, 30_000, 'both steps to start');
  return id;
}

export function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}
