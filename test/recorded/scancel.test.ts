/** What scancel, scontrol and libslurm of four releases sent to a live slurmctld, and what slurmwire sends for the same: the same bytes, credential aside. */
import { describe, expect, test } from 'vitest';
import { RECORDED_CLUSTER } from '../../lab/recorded-cluster.js';
import { connect, type KillJobOptions, type SlurmClient } from '../../src/index.js';
import {
  decodeBody,
  decodeFrame,
  encodeBody,
  encodeFrame,
  type Frame,
  type MessageName,
  NO_VAL,
  payloadDigest,
  type Release,
} from '../../src/protocol/index.js';
import { JOB_STATES } from '../../src/protocol/messages/job-state.js';
import { recorded, releasesOf, sentFrames, withoutCredential, wordsOf } from './support.js';

/** The call that stands for a recorded command, by the words of that. */
type Call = (slurm: SlurmClient, words: string[]) => Promise<unknown>;

const last = (words: string[]) => words.at(-1) ?? '';
const kill =
  (signal?: string, options?: KillJobOptions): Call =>
  (slurm, words) =>
    slurm.killJob(last(words), signal, options);

const commands: [fixture: string, message: MessageName, call: Call][] = [
  ['scontrol-ping', 'REQUEST_PING', (slurm) => slurm.ping()],
  ['scancel-unknown', 'REQUEST_KILL_JOB', kill()],
  ['scancel-job', 'REQUEST_KILL_JOB', kill()],
  ['scancel-done', 'REQUEST_KILL_JOB', kill()],
  ['scancel-signal', 'REQUEST_KILL_JOB', kill('SIGURG')],
  ['scancel-batch', 'REQUEST_KILL_JOB', kill('SIGURG', { batch: true })],
  ['scancel-full', 'REQUEST_KILL_JOB', kill('URG', { full: true })],
  ['scancel-kill-batch', 'REQUEST_KILL_JOB', kill(undefined, { batch: true })],
  ['scancel-kill-full', 'REQUEST_KILL_JOB', kill(undefined, { full: true })],
  ['scancel-hurry', 'REQUEST_KILL_JOB', kill(undefined, { hurry: true })],
  ['scancel-cron', 'REQUEST_KILL_JOB', kill(undefined, { cron: true })],
  ['scancel-sibling', 'REQUEST_KILL_JOB', kill(undefined, { sibling: 'other' })],
  ['scancel-array-task', 'REQUEST_KILL_JOB', kill()],
  ['scancel-array-tasks', 'REQUEST_KILL_JOB', kill()],
  ['scancel-step', 'REQUEST_CANCEL_JOB_STEP', (slurm, words) => slurm.killJobStep(last(words))],
  ['scancel-step-ctld', 'REQUEST_CANCEL_JOB_STEP', (slurm, words) => slurm.killJobStep(last(words), 'URG')],
  ['libslurm-kill-job', 'REQUEST_KILL_JOB', (slurm, [, , job = '']) => slurm.killJob(job)],
  ['libslurm-kill-job2', 'REQUEST_KILL_JOB', (slurm, [, , job = '']) => slurm.killJob(job)],
  [
    'libslurm-kill-step',
    'REQUEST_CANCEL_JOB_STEP',
    (slurm, [, , job, step, signal]) => slurm.killJobStep(`${job}.${step}`, Number(signal)),
  ],
  ['scontrol-suspend', 'REQUEST_SUSPEND', (slurm, words) => slurm.suspend(last(words))],
  ['scontrol-resume', 'REQUEST_SUSPEND', (slurm, words) => slurm.resume(last(words))],
  ['scontrol-requeue', 'REQUEST_JOB_REQUEUE', (slurm, words) => slurm.requeue(last(words))],
  [
    'scontrol-notify',
    'REQUEST_JOB_NOTIFY',
    (slurm, [, , job = '', ...text]) => slurm.notify(job, text.join(' ')),
  ],
];

/** Where a release's own client sends something else for the same. */
const OTHERWISE: Readonly<Record<string, Release>> = {
  'libslurm-kill-job': '20.11', // CANCEL_JOB_STEP for the whole job
  'scontrol-suspend': '26.05', // zeros where no step is meant
  'scontrol-resume': '26.05',
  'scontrol-requeue': '26.05',
};

describe.each(commands)('%s', (name, message, call) => {
  const releases = releasesOf(name).filter((release) => release !== OTHERWISE[name]);
  test.each(releases)('%s', async (release) => {
    const fixture = await recorded(name, release);
    const theirs = sentFrames(fixture).filter((frame) => frame.messageName === message);
    expect(theirs.length).toBeGreaterThan(0);
    const sent = await framesOf((slurm) => call(slurm, wordsOf(fixture)), release);
    const ours = sent.filter((frame) => frame.messageName === message);
    expect(ours.length).toBe(1);
    for (const frame of theirs) expect(withoutCredential(ours[0] as Frame)).toEqual(withoutCredential(frame));
  });
});

describe('scontrol 26.05 leaves the step of the target 0, which slurmctld does not look at', () => {
  test.each([
    ['scontrol-suspend', 'REQUEST_SUSPEND', (slurm: SlurmClient, job: string) => slurm.suspend(job)],
    ['scontrol-resume', 'REQUEST_SUSPEND', (slurm: SlurmClient, job: string) => slurm.resume(job)],
    ['scontrol-requeue', 'REQUEST_JOB_REQUEUE', (slurm: SlurmClient, job: string) => slurm.requeue(job)],
  ] as const)('%s', async (name, message, call) => {
    const fixture = await recorded(name, '26.05');
    const [theirs] = sentFrames(fixture);
    const ours = (await framesOf((slurm) => call(slurm, last(wordsOf(fixture))), '26.05')).at(-1);
    const read = (frame: Frame | undefined) => decodeBody(message, '26.05', frame?.body ?? new Uint8Array());
    const stepId = { ...read(theirs).stepId, stepId: NO_VAL, stepHetComp: NO_VAL };
    expect(read(theirs).stepId).toEqual({ ...stepId, stepId: 0, stepHetComp: 0 });
    expect(read(ours)).toEqual({ ...read(theirs), stepId });
  });
});

test.each(releasesOf('scancel-ctld'))('scancel --ctld -u: KILL_JOBS by id and user, %s', async (release) => {
  const fixture = await recorded('scancel-ctld', release);
  const [theirs] = sentFrames(fixture);
  // killJobs() says KILL_JOBS_VERBOSE besides: an entry for each job, and not for failures alone.
  expect(decodeBody('REQUEST_KILL_JOBS', release, theirs?.body ?? new Uint8Array())).toMatchObject({
    jobsArray: [last(wordsOf(fixture))],
    flags: 0,
    signal: 9,
    state: JOB_STATES.JOB_END,
    userName: 'alice',
    userId: 2001,
  });
});

/** The frames a call sends to a daemon that knows no job and says yes to everything else. The look before SIGKILL to a step is left out. */
async function framesOf(call: (slurm: SlurmClient) => Promise<unknown>, release: Release): Promise<Frame[]> {
  const frames: Frame[] = [];
  const yes = encodeBody('RESPONSE_SLURM_RC', release, { returnCode: 0 });
  const no = encodeBody('RESPONSE_SLURM_RC', release, { returnCode: 2017 });
  const auth = { plugin: 'auth/munge', credential: 'a credential' } as const;
  const type = 8001;
  let body = yes;
  const slurm = await connect({
    protocol: release,
    conf: RECORDED_CLUSTER,
    auth: {
      name: 'auth/munge',
      create: async () => auth,
      verify: async () => ({ uid: 0, gid: 0, payload: payloadDigest(release, type, body) }),
    },
    transport: {
      async connect() {
        const answers: Uint8Array[] = [];
        return {
          async write(bytes) {
            const frame = decodeFrame(bytes);
            const isLook = frame.messageName === 'REQUEST_JOB_INFO_SINGLE';
            if (!isLook) frames.push(frame);
            body = isLook ? no : yes;
            answers.push(encodeFrame({ release, messageName: 'RESPONSE_SLURM_RC', auth, body }));
          },
          read: async () => answers.shift() ?? null,
          close() {},
        };
      },
    },
  });
  await call(slurm);
  await slurm.close();
  return frames;
}
