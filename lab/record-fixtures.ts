/**
 * Records the conversations of fixtures/RELEASE anew from live clusters: Slurm's own commands and its library through recording
 * proxies, and slurmwire's calls through its recorder. Run it as `npm run record-fixtures`, `-- 24.11` for one release, `-- --calls` for
 * slurmwire's own calls alone, `-- --lookups` for squeue, sinfo and scontrol show alone; look at the difference before you commit it.
 * `-- --partitions` records answers about partitions and reservations for fixtures/golden, and nothing else.
 */

import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { defaultRelease, type LabCluster, prepare, releaseNames, up } from './cluster.js';
import { LibslurmPeer, libslurmPeerPackages } from './libslurm-peer.js';
import { ensurePackages, installedVersions } from './packages.js';
import { recordCalls } from './record-calls.js';
import { recordPartitions } from './record-partitions.js';
import { alices, SLEEP, since, stepsJob } from './recorded-jobs.js';
import { Recording } from './recording.js';
import { findRelease } from './releases.js';

const checkout = fileURLToPath(new URL('../../', import.meta.url));
/** Processes do not mind it: by default it is ignored. */
const URG = { name: 'URG', number: 23 };
const BATCH_STEP = 0xfffffffb;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      calls: { type: 'boolean', default: false },
      lookups: { type: 'boolean', default: false },
      partitions: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  });
  const machine = { ...findRelease(defaultRelease), packages: libslurmPeerPackages };
  if (!values.calls && !values.lookups && !values.partitions)
    await ensurePackages(machine, { install: true, log: console.log });
  for (const release of positionals.length > 0 ? positionals : releaseNames) await record(release, values);
}

async function record(
  release: string,
  only: { readonly calls: boolean; readonly lookups: boolean; readonly partitions: boolean },
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'swl-'));
  await chmod(directory, 0o755);
  const cluster = await up({ release, nodes: 2, directory: join(directory, 'c'), log: console.log });
  try {
    if (only.partitions) {
      // 20.11.7+really20.11.4-2+deb11u1 is Slurm 20.11.4.
      const version = /(\d+\.\d+\.\d+)-/.exec(await debianVersion(release))?.[1] ?? release;
      return await recordPartitions(cluster, version, join(checkout, 'fixtures/golden'));
    }
    const target = join(checkout, 'fixtures', release);
    await mkdir(target, { recursive: true });
    const recording = new Recording(cluster, `${release} (Debian ${await debianVersion(release)})`, target);
    if (!only.calls && !only.lookups) await recordPeers(cluster, recording);
    if (!only.calls) await recordLookups(cluster, recording);
    if (!only.lookups) await recordCalls(cluster, recording);
  } finally {
    await cluster.down();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Slurm's own clients. */
async function recordPeers(cluster: LabCluster, recording: Recording): Promise<void> {
  const peer = await LibslurmPeer.build(cluster, join(checkout, 'test/live/support/libslurm-peer.c'));
  await recordSignals(cluster, recording, peer);
  await recordControl(cluster, recording);
  await recordKills(cluster, recording, peer);
}

/** Signals to a job and its steps: through slurmctld, and straight to the slurmds. The job tables in here have two jobs. */
async function recordSignals(cluster: LabCluster, recording: Recording, peer: LibslurmPeer): Promise<void> {
  const job = await stepsJob(cluster, 3);
  const held = await alices(cluster, SLEEP, ['--hold', '--job-name=held']);
  const scancel = (name: string, args: readonly string[], note: string) =>
    recording.command(name, ['scancel', ...args], note);
  const urg = ['-s', URG.name];

  await recording.command('scontrol-ping', ['scontrol', 'ping'], 'A PING to the controller.');
  await scancel('scancel-signal', [...urg, `${job}`], 'With -s scancel loads the jobs first.');
  await scancel('scancel-batch', ['-b', ...urg, `${job}`], 'The batch shell only.');
  await scancel('scancel-full', ['-f', ...urg, `${job}`], 'The batch shell and its group.');
  await scancel('scancel-step-signal', [...urg, `${job}.0`], 'A step, at its nodes.');
  await scancel('scancel-step-ctld', ['--ctld', ...urg, `${job}.0`], 'A step, through slurmctld.');

  const libslurm = (name: string, call: Parameters<LibslurmPeer['call']>[1], note: string) =>
    recording.libslurm(name, peer, call, note);
  const { number } = URG;
  await libslurm('libslurm-signal-job', ['signal_job', job, number], 'All steps of a job, at its nodes.');
  await libslurm('libslurm-signal-step', ['signal_job_step', job, 0, number], 'A step, at its nodes.');
  await libslurm('libslurm-signal-batch', ['signal_job_step', job, BATCH_STEP, number], 'The batch shell.');
  await recording.libslurm(
    'libslurm-signal-step-forwarded',
    peer,
    ['signal_job_step', job, 0, number],
    'A step, by the first of its nodes to the second.',
    { parameters: { TreeWidth: '1' } },
  );
  await libslurm('libslurm-signal-missing', ['signal_job_step', job, 7, number], 'A step that there is not.');
  await recording.libslurm(
    'libslurm-signal-denied',
    peer,
    ['signal_job_step', job, 0, number],
    "Somebody else's step: 2010 from each node.",
    { user: 'bob' },
  );
  await libslurm('libslurm-kill-step', ['kill_job_step', job, 0, number], 'A step, through slurmctld.');

  await libslurm('libslurm-terminate-step', ['terminate_job_step', job, 0], 'A step ends, at its nodes.');
  await scancel('scancel-step-kill', ['-s', 'KILL', `${job}.1`], 'A step ends, at its nodes.');
  await scancel('scancel-step', [`${job}.2`], 'A step ends, through slurmctld.');
  await scancel('scancel-filter', ['-u', 'alice', '-t', 'PENDING', '-n', 'held'], 'By user, state and name.');
  await cluster.waitForJob(held, ['CANCELLED']);
  if (since(cluster, '23.11')) {
    // A user of one's own in the filter: without it, this request can stop the controller for good.
    const filter = ['--ctld', '-u', 'alice', '-n', 'nobody', ...urg];
    await scancel('scancel-ctld-filter', filter, 'The controller picks the jobs, here none.');
  }
  await scancel('scancel-job', [`${job}`], 'A running job ends.');
  await cluster.waitForJob(job, ['CANCELLED']);
}

/** What people look at jobs, nodes and partitions with. */
async function recordLookups(cluster: LabCluster, recording: Recording): Promise<void> {
  const job = await stepsJob(cluster, 1);
  const held = await alices(cluster, SLEEP, ['--hold', '--job-name=held']);
  const look = (name: string, words: string, note: string) => recording.command(name, words.split(' '), note);
  await look('squeue', 'squeue', 'All jobs; the partitions say which are hidden.');
  await look('squeue-job', `squeue -j ${job}`, 'One job: asked for by itself.');
  await look('squeue-jobs', `squeue -j ${job},${held}`, 'Two jobs: all are loaded.');
  await look('squeue-unknown', 'squeue -j 4242', 'A job that does not exist: RC 2017.');
  await look('squeue-user', 'squeue -u alice', "One user's jobs.");
  await look('squeue-steps', 'squeue -s', 'All steps.');
  await look('squeue-node', 'squeue -w n1', 'Jobs on a node.');
  if (since(cluster, '24.05')) await look('squeue-state', 'squeue --only-job-state', 'States alone.');
  await look('sinfo', 'sinfo', 'Partitions and nodes.');
  await look('sinfo-reservations', 'sinfo -T', 'Reservations, of which there are none.');
  await look('scontrol-show-jobs', 'scontrol show job', 'All jobs.');
  await look('scontrol-show-job', `scontrol -d show job ${job}`, 'One job, with its resources.');
  await look('scontrol-show-nodes', 'scontrol show node', 'All nodes.');
  await look('scontrol-show-node', 'scontrol show node n1', 'One node: all are loaded.');
  await look('scontrol-show-partition', 'scontrol show partition', 'All partitions.');
  await look('scontrol-show-step', `scontrol show step ${job}.0`, 'One step.');
  await look('scontrol-show-config', 'scontrol show config', 'What slurmctld runs with.');
  for (const one of [job, held]) await cluster.exec(['scancel', `${one}`], { user: 'alice' });
  await cluster.waitForJob(job, ['CANCELLED']);
}

/** What operators and owners do to jobs with scontrol. */
async function recordControl(cluster: LabCluster, recording: Recording): Promise<void> {
  const job = await alices(cluster, SLEEP);
  await cluster.waitForJob(job, ['RUNNING']);
  const scontrol = (name: string, args: readonly string[], note: string, user: 'root' | 'alice') =>
    recording.command(name, ['scontrol', ...args], note, { user });
  await scontrol('scontrol-notify', ['notify', `${job}`, 'a message'], 'Text for the job.', 'alice');
  await scontrol('scontrol-suspend', ['suspend', `${job}`], 'A running job is stopped.', 'root');
  await scontrol('scontrol-resume', ['resume', `${job}`], 'It goes on.', 'root');
  await cluster.waitForJob(job, ['RUNNING']);
  await scontrol('scontrol-requeue', ['requeue', `${job}`], 'It is ended and queued again.', 'alice');
  await alices(cluster, SLEEP, ['--array=1-2', '--hold']).then(async (array) => {
    await scontrol('scontrol-suspend-array', ['suspend', `${array}`], 'An answer for each part.', 'root');
    await cluster.exec(['scancel', `${array}`], { user: 'alice' });
  });
  await cluster.exec(['scancel', `${job}`], { user: 'alice' });
}

/** Kills through slurmctld, without a look at the jobs before. */
async function recordKills(cluster: LabCluster, recording: Recording, peer: LibslurmPeer): Promise<void> {
  const scancel = (name: string, args: readonly string[], note: string) =>
    recording.command(name, ['scancel', ...args], note);
  const array = await alices(cluster, SLEEP, ['--array=1-5', '--hold']);
  await scancel('scancel-unknown', ['4242'], 'A job that does not exist: RC 2017.');
  await scancel('scancel-array-tasks', [`${array}_[2-3,5]`], 'Tasks of an array.');
  await scancel('scancel-array-task', [`${array}_1`], 'One task of an array.');
  await scancel('scancel-hurry', ['--hurry', `${array}`], 'A whole array, without staging out.');
  await scancel('scancel-done', [`${array}`], 'The same again: RC 2021, about which scancel says nothing.');
  const held = () => alices(cluster, SLEEP, ['--hold']);
  await scancel(
    'scancel-sibling',
    ['--sibling=other', `${await held()}`],
    'A sibling where there is no federation.',
  );
  await scancel(
    'scancel-kill-batch',
    ['-b', `${await held()}`],
    'SIGKILL with the flag for the batch shell.',
  );
  await scancel('scancel-kill-full', ['-f', `${await held()}`], 'SIGKILL with the flag for the whole job.');
  if (since(cluster, '23.02'))
    await scancel('scancel-cron', ['--cron', `${await held()}`], 'Of scrontab or not.');
  if (since(cluster, '23.11'))
    await scancel('scancel-ctld', ['--ctld', '-u', 'alice', `${await held()}`], 'KILL_JOBS by id and user.');
  await recording.libslurm('libslurm-kill-job', peer, ['kill_job', await held(), 9, 0], 'A pending job.');
  await recording.libslurm(
    'libslurm-kill-job2',
    peer,
    ['kill_job2', `${await held()}`, 9, 0],
    'The same by its text.',
  );
}

/** The version of the daemons' package. */
async function debianVersion(release: string): Promise<string> {
  const root = await prepare({ release });
  const versions = await installedVersions(
    [{ name: 'slurmctld', versionPrefix: '' }],
    root === '/' ? '' : root,
  );
  return versions.get('slurmctld') ?? '';
}

await main();
