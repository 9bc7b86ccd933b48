/**
 * slurmwire's client as a process of its own, so that its time and its memory are seen alone: kills what it is told to, and says what that took.
 *
 * Started by `kill-client.ts`. Argument: slurm.conf, uid, gid, all of whom it runs as once its libraries are loaded.
 */
import { connect, loadMunge } from '../../src/index.js';
import { type Killed, type KillRun, round } from './kill-run.js';

const [conf = '', uid = '', gid = ''] = process.argv.slice(2);
// The libraries may lie where only root can read.
await loadMunge();
process.setgroups?.([Number(gid)]);
process.setgid?.(Number(gid));
process.setuid?.(Number(uid));
const client = await connect({ conf });

process.on('message', (run: KillRun) => {
  kill(run).then(
    (killed) => process.send?.(killed),
    (error: unknown) => {
      process.nextTick(() => {
        throw error;
      });
    },
  );
});
process.send?.('ready');

async function kill({ ids, warmUp, atATime, pauseMs, signal }: KillRun): Promise<Killed> {
  const latencies = new Array<number>(ids.length).fill(0);
  let failed = 0;
  let failure: unknown;
  let next = 0;
  const some = async (end: number) => {
    while (next < end) {
      const index = next++;
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      const beganAt = performance.now();
      try {
        await client.killJob(ids[index] ?? 0, signal);
      } catch (error) {
        failure ??= error;
        failed += 1;
      }
      latencies[index] = performance.now() - beganAt;
    }
  };
  const all = (end: number) => Promise.all(Array.from({ length: atATime }, () => some(end)));
  await all(warmUp);
  failed = 0;
  const cpuBefore = process.cpuUsage();
  const beganAt = performance.now();
  await all(ids.length);
  const seconds = (performance.now() - beganAt) / 1e3;
  const cpu = process.cpuUsage(cpuBefore);
  if (failure !== undefined) console.error(failure);
  return {
    kills: ids.length - warmUp,
    failed,
    seconds,
    userSeconds: cpu.user / 1e6,
    systemSeconds: cpu.system / 1e6,
    latencies: latencies.slice(warmUp).map((ms) => round(ms * 1e3)),
  };
}
