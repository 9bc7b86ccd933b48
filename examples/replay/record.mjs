// Records a kill on a real cluster:  node examples/replay/record.mjs JOB FILE
// What is written holds no credential and no token; see docs/replay.md for what else is in it.
import { connect, defaultMunge, loadSlurmConfig, tcpTransport } from 'slurmwire';
import { Recorder, writeFixture } from 'slurmwire/replay';
import { cancel } from './cancel.mjs';

const [job = '', file = 'cancel.msgpack'] = process.argv.slice(2);
const conf = await loadSlurmConfig();
const recorder = new Recorder({
  slurm: 'version of your cluster',
  daemon: 'slurmctld',
  client: `cancel ${job}`,
  recordedAt: new Date().toISOString(),
  note: 'A job is cancelled.',
});
const slurm = await connect({
  conf,
  transport: recorder.transport(tcpTransport()),
  auth: recorder.auth(defaultMunge({ socket: conf.authInfo.socket ?? undefined })),
});
console.log(await cancel(slurm, Number(job)));
await slurm.close();
await writeFixture(file, recorder.fixture());
