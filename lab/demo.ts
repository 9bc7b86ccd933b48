/**
 * `npm run demo:slurm`: a recorded kill played back with no Slurm installed, then, where the lab can run, a real one. Explains what it does.
 */
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { connect } from '../src/index.js';
import { annotate, type Fixture, play, readFixture } from '../src/replay/index.js';
import { LabError, LabUnavailableError, up } from './cluster.js';
import { RECORDED_CLUSTER } from './recorded-cluster.js';
import { runUserProgram } from './run-user-program.js';

const run = promisify(execFile);
const recording = fileURLToPath(new URL('../../fixtures/22.05/kill-job.msgpack', import.meta.url));

async function main(): Promise<void> {
  await replayRecordedKill(await readFixture(recording));
  try {
    await killForReal();
  } catch (error) {
    if (!(error instanceof LabUnavailableError)) throw error;
    say(`\n2. A real kill: not on this machine. ${error.message}`);
    say('   The recording above came from such a cluster.');
  }
}

async function replayRecordedKill(fixture: Fixture): Promise<void> {
  const { slurm: release, recordedAt } = fixture.provenance;
  say('1. A recorded kill, played back: no Slurm, no munged, no network.');
  say(
    `   Recorded from slurmctld ${release} on ${recordedAt.slice(0, 10)}; the credentials were redacted.\n`,
  );
  const { transport, auth, finish } = play(fixture);
  const slurm = await connect({ conf: RECORDED_CLUSTER, transport, auth });
  const job = Number(/\d+/.exec(fixture.provenance.client)?.[0]); // as the cluster numbered it
  const result = await slurm.killJob(job);
  await slurm.close();
  finish();
  const events = fixture.connections.at(-1)?.events ?? []; // before it the version was searched for
  const [kill, reply] = (['>', '<'] as const).map((from) =>
    Buffer.concat(events.flatMap(({ direction, bytes }) => (direction === from && bytes) || [])),
  ) as [Buffer, Buffer];
  say(`   killJob(${job}) sent these bytes, each of them as recorded:\n`);
  say(indent(annotate(kill)));
  say('\n   and slurmctld answered:\n');
  say(indent(annotate(reply)));
  say(`\n   outcome: ${result.outcome}, authenticated: ${result.authenticated}`);
}

async function killForReal(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'swl-'));
  await chmod(directory, 0o755); // for alice
  try {
    const cluster = await up({ directory: join(directory, 'c'), log: (line) => say(`   ${line}`) });
    try {
      const { users, slurmConf, controller, release } = cluster;
      say(
        `\n2. A real kill: a private Slurm ${release} on ${controller.host}:${controller.port}, taken down afterwards.`,
      );
      const script = 'echo $$ > pid\nsrun sleep 1000 &\nwait';
      const jobId = await cluster.submit(script, { user: 'alice', sbatchArgs: ['--job-name', 'stuck'] });
      await cluster.waitForJob(jobId, ['RUNNING']);
      const steps = ['squeue', '-h', '-s', '-j', `${jobId}`, '-o', '%i'];
      const hasStep = async () =>
        (await cluster.exec(steps, { user: 'alice' })).stdout.includes(`${jobId}.0`);
      await cluster.waitFor(hasStep, 20_000, 'the step to start');
      const pid = (await readFile(join(cluster.workDirectory, 'pid'), 'utf8')).trim();
      say(
        `   job ${jobId} of alice (uid ${users.alice.uid}) runs; its batch shell has pid ${pid}, its step ${jobId}.0 runs sleep.`,
      );
      const { results } = await runUserProgram({
        ...users.alice,
        conf: slurmConf,
        calls: [{ method: 'killJob', args: [jobId] }],
      });
      say(`   alice calls slurm.killJob(${jobId}):`);
      say(indent(JSON.stringify(results[0], null, 2)));
      await cluster.waitForJob(jobId, ['CANCELLED']);
      const gone = async () =>
        run('kill', ['-0', pid]).then(
          () => false,
          () => true,
        );
      await cluster.waitFor(gone, 20_000, `process ${pid} to end`);
      say(`   slurmctld calls job ${jobId} CANCELLED, and process ${pid} is gone.`);
    } finally {
      await cluster.down();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

const say = (text: string) => console.log(text);
const indent = (text: string) => text.replace(/^/gm, '   ');

main().catch((error: unknown) => {
  // What the lab says is meant for people; anything else is a defect and shows where.
  console.error(error instanceof LabError ? `demo: ${error.message}` : error);
  process.exitCode = 1;
});
