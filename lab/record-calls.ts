/** Records what slurmwire says, a conversation for each of its verbs: mostly as alice, with the version searched for as in any first call. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { SlurmClient } from '../src/index.js';
import type { LabCluster } from './lab-cluster.js';
import { alices, SLEEP, since, stepsJob } from './recorded-jobs.js';
import type { Recording, RecordOptions } from './recording.js';
import type { UserCall } from './user-program.js';

/** A job number that no cluster of ours comes to. */
const NO_JOB = 4242;
/** Processes do not mind it: by default it is ignored. */
const URG = 'SIGURG';

export async function recordCalls(cluster: LabCluster, recording: Recording): Promise<void> {
  const calls = new Calls(recording);
  await calls.record('ping', 'ping', [], 'A PING.');
  await recordRunning(cluster, calls);
  await recordPending(cluster, calls);
  await recordControl(cluster, calls);
}

/** What is done to a running job with three steps on two nodes, down to its end. */
async function recordRunning(cluster: LabCluster, calls: Calls): Promise<void> {
  const job = await stepsJob(cluster, 3);
  const step = (number: number | string) => `${job}.${number}`;
  await calls.record('probe', 'probe', [step(0)], 'A step: a look at the job and one at its steps.');
  await calls.record(
    'explain',
    'explain',
    ['killJob', job, URG],
    'What would get the signal: lookups alone.',
  );
  await calls.record('signal-job', 'signalJob', [job, URG], 'All steps of a job, at its nodes.');
  await calls.record('signal-job-step', 'signalJobStep', [step(0), URG], 'A step, at its nodes.');
  await calls.record('signal-job-step-batch', 'signalJobStep', [step('batch'), URG], 'The batch shell.');
  await calls.record('kill-zero', 'kill', [job, 0], 'A job: whether it may be signalled.');
  await calls.record('kill', 'kill', [job, URG], 'A job, looked at before.');
  await calls.record('kill-job-step', 'killJobStep', [step(0)], 'A step ends, through slurmctld.');
  await calls.record('terminate-job-step', 'terminateJobStep', [step(1)], 'A step ends, at its nodes.');

  await calls.record(
    'kill-job',
    'killJob',
    [job],
    'A running job with a step ends: first contact, the kill.',
  );
  await cluster.waitForJob(job, ['CANCELLED']);
  const done = 'A finished job: RC 2021, then a look at how many records it has.';
  await calls.record('kill-job-done', 'killJob', [job], done);
}

/** What is done to pending jobs, and to what is not there or not alice's. */
async function recordPending(cluster: LabCluster, calls: Calls): Promise<void> {
  const held = () => alices(cluster, SLEEP, ['--hold']);
  await calls.record('kill-job-unknown', 'killJob', [NO_JOB], 'A job that does not exist: RC 2017.');
  const bobs = await cluster.submit(SLEEP, { user: 'bob', sbatchArgs: ['--hold'] });
  await calls.record('kill-job-denied', 'killJob', [bobs], "Somebody else's job: RC 2002.");
  // One after the other: where several requests are under way, their order is not told by what was asked.
  const inTurn = { concurrency: 1 };
  const jobs = [await held(), await held(), NO_JOB];
  await calls.record('kill-jobs', 'killJobs', [jobs, 'SIGKILL', inTurn], 'Two jobs, and one there is not.');
  await calls.record(
    'terminate',
    'terminate',
    [await held()],
    'A look, SIGKILL, and a look that it is gone.',
  );
  const none = 0xfffffffe; // NO_VAL: the id text says which job
  const stepId = { jobId: none, stepId: none, stepHetComp: none };
  const kill = { stepId, sjobId: `${await held()}`, signal: 9, flags: 0 };
  await calls.record('request', 'request', ['REQUEST_KILL_JOB', kill], 'The low-level door.');
}

/** What else is done to a running job. Before 26.05 its owner may not suspend it. */
async function recordControl(cluster: LabCluster, calls: Calls): Promise<void> {
  const job = await alices(cluster, 'touch begun.$SLURM_JOB_ID; sleep 1000');
  const begun = join(cluster.workDirectory, `begun.${job}`);
  await cluster.waitFor(() => existsSync(begun), 20_000, 'the script to begin');
  const user = since(cluster, '26.05') ? 'alice' : 'slurm';
  await calls.record('notify', 'notify', [job, 'a message'], 'Text for the job.');
  await calls.record('suspend', 'suspend', [job], 'A running job is stopped.', { user });
  await calls.record('resume', 'resume', [job], 'It goes on.', { user });
  await calls.record('requeue', 'requeue', [job, { hold: true }], 'It is ended, queued again and held.');
  await cluster.exec(['scancel', `${job}`], { user: 'alice' });
}

/** Calls that the type checker looks at before a daemon does. */
class Calls {
  readonly #recording: Recording;

  constructor(recording: Recording) {
    this.#recording = recording;
  }

  record<M extends UserCall['method']>(
    name: string,
    method: M,
    args: Parameters<SlurmClient[M]>,
    note: string,
    options?: Pick<RecordOptions, 'user'>,
  ): Promise<void> {
    return this.#recording.call(name, { method, args }, note, options);
  }
}
