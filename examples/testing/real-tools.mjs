// A cluster for Slurm's own commands, if there are some on this machine: they must be of the release that the cluster speaks, or older.
//   node real-tools.mjs 22.05 squeue -l
// Without a command it stays until it is interrupted, and says how to reach it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { startCluster } from 'slurmwire/testing';

const [release = '26.05', command, ...args] = process.argv.slice(2);
const cluster = await startCluster({
  release: /** @type {import('slurmwire/testing').EmbeddedCluster['release']} */ (release),
  nodes: 4,
});
cluster.submit({ name: 'stuck', nodes: 2 });
cluster.submit({ name: 'sweep', array: '0-9%2' });
if (command === undefined) {
  console.log(`export SLURM_CONF=${cluster.slurmConf}`);
  console.log('# then squeue, scontrol show job, scancel ... in another shell; ^C here ends it');
  await once(process, 'SIGINT');
} else {
  const env = { ...process.env, SLURM_CONF: cluster.slurmConf };
  const child = spawn(command, args, { env, stdio: 'inherit' });
  [process.exitCode] = await once(child, 'close');
}
await cluster.down();
