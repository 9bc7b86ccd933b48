/**
 * slurmwire's client as a process of its own, so that its time and its memory are seen alone: kills what it is told to, and says what that took.
 *
 * Started by `stage.ts`. Argument: slurm.conf, uid, gid, all of whom it runs as once its libraries are loaded.
 */
import { connect, loadMunge } from '../../src/index.js';
import { type KillRun, killAll } from './kill-run.js';

const [conf = '', uid = '', gid = ''] = process.argv.slice(2);
// The libraries may lie where only root can read.
await loadMunge();
process.setgroups?.([Number(gid)]);
process.setgid?.(Number(gid));
process.setuid?.(Number(uid));
const client = await connect({ conf });

process.on('message', (run: KillRun) => {
  killAll(run, (id) => client.killJob(id, run.signal)).then(
    (killed) => process.send?.(killed),
    (error: unknown) => {
      process.nextTick(() => {
        throw error;
      });
    },
  );
});
process.send?.('ready');
