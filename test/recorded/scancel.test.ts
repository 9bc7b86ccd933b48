/** What scancel and scontrol 22.05 sent to a live slurmctld, and what slurmwire sends for the same: the same bytes, credential aside. */
import { expect, test } from 'vitest';
import { RECORDED_CLUSTER } from '../../lab/recorded-cluster.js';
import { connect, type KillJobOptions, type SlurmClient } from '../../src/index.js';
import {
  decodeBody,
  decodeFrame,
  encodeBody,
  encodeFrame,
  type Frame,
  type MessageInput,
  type MessageName,
  payloadDigest,
} from '../../src/protocol/index.js';
import { recorded, sentFrames } from './support.js';

type Call = (slurm: SlurmClient) => Promise<unknown>;
const kill =
  (job: string, signal?: string, options?: KillJobOptions): Call =>
  (slurm) =>
    slurm.killJob(job, signal, options);

const commands: [fixture: string, message: MessageName, call: Call][] = [
  ['scontrol-ping', 'REQUEST_PING', (slurm) => slurm.ping()],
  ['scancel-unknown', 'REQUEST_KILL_JOB', kill('4242')],
  ['scancel-job', 'REQUEST_KILL_JOB', kill('1')],
  ['scancel-done', 'REQUEST_KILL_JOB', kill('1')],
  ['scancel-signal', 'REQUEST_KILL_JOB', kill('1', 'SIGCONT')],
  ['scancel-batch', 'REQUEST_KILL_JOB', kill('1', 'SIGCONT', { batch: true })],
  ['scancel-full', 'REQUEST_KILL_JOB', kill('1', 'CONT', { full: true })],
  ['scancel-hurry', 'REQUEST_KILL_JOB', kill('3', undefined, { hurry: true })],
  ['scancel-sibling', 'REQUEST_KILL_JOB', kill('2', undefined, { sibling: 'other' })],
  ['scancel-array-task', 'REQUEST_KILL_JOB', kill('3_1')],
  ['scancel-array-tasks', 'REQUEST_KILL_JOB', kill('3_[2-3,5]')],
  ['scancel-step', 'REQUEST_CANCEL_JOB_STEP', (slurm) => slurm.killJobStep('2.0')],
];

test.each(commands)('%s', async (name, message, call) => {
  const fixture = await recorded(name);
  expect(fixture.provenance.slurm).toContain('22.05');
  const theirs = sentFrames(fixture).filter((frame) => frame.messageName === message);
  expect(theirs.length).toBeGreaterThan(0);
  const ours = (await framesOf(call)).filter((frame) => frame.messageName === message);
  expect(ours.length).toBe(1);
  for (const frame of theirs) expect(withoutCredential(ours[0] as Frame)).toEqual(withoutCredential(frame));
});

test.each(commands)(
  '%s: decodes and encodes back, and its credential binds the digest we compute',
  async (name) => {
    for (const frame of sentFrames(await recorded(name))) {
      const { messageName, release, header, body, auth } = frame;
      expect(auth).toMatchObject({ plugin: 'auth/munge' });
      const digest = Buffer.from(payloadDigest(release, header.msgType, body)).toString('hex');
      expect(auth).toMatchObject({ credential: expect.stringContaining(digest) });
      if (messageName !== 'REQUEST_KILL_JOB' && messageName !== 'REQUEST_CANCEL_JOB_STEP') continue;
      const record = decodeBody(messageName, release, body);
      expect(encodeBody(messageName, release, record as MessageInput<typeof messageName>)).toEqual(
        Uint8Array.from(body),
      );
    }
  },
);

/** Header and body; the body length is in the header, so that a credential of another length changes nothing. */
function withoutCredential({ release, header, body }: Frame): unknown {
  return { release, header, body: Buffer.from(body).toString('hex') };
}

/** The frames a call sends to a daemon that says yes to everything. */
async function framesOf(call: Call): Promise<Frame[]> {
  const frames: Frame[] = [];
  const yes = encodeBody('RESPONSE_SLURM_RC', '22.05', { returnCode: 0 });
  const auth = { plugin: 'auth/munge', credential: 'a credential' } as const;
  const type = 8001;
  const slurm = await connect({
    conf: RECORDED_CLUSTER,
    auth: {
      name: 'auth/munge',
      create: async () => auth,
      verify: async () => ({ uid: 0, gid: 0, payload: payloadDigest('22.05', type, yes) }),
    },
    transport: {
      async connect() {
        const answers: Uint8Array[] = [];
        return {
          async write(bytes) {
            frames.push(decodeFrame(bytes));
            answers.push(
              encodeFrame({ release: '22.05', messageName: 'RESPONSE_SLURM_RC', auth, body: yes }),
            );
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
