/** What scancel and libslurm of four releases sent to the slurmds of a job, and what slurmwire sends for the same: the same bytes, credential aside. */
import { describe, expect, test } from 'vitest';
import type { SlurmClient } from '../../src/index.js';
import { type Frame, isAtLeast, type MessageName, type Release } from '../../src/protocol/index.js';
import type { Fixture } from '../../src/replay/index.js';
import { FakeSlurmds } from '../rpc/support/fan-out.js';
import { clientIn, FakeController } from '../rpc/support/fan-out-controller.js';
import { framesOf, recorded, releasesOf, withoutCredential, wordsOf } from './support.js';

/** Makes the recorded call with ours; a step is the third and fourth word of libslurm's, or scancel's last. */
type Call = (slurm: SlurmClient, words: string[]) => Promise<unknown>;
const BATCH_STEP = '4294967291';
const stepOf = ([, , job, step]: string[]) => `${job}.${step === BATCH_STEP ? 'batch' : step}`;
const signalOf = (words: string[]) => Number(words.at(-1));
const direct = { fanOut: 'direct' } as const;

const calls: [fixture: string, message: MessageName, call: Call][] = [
  [
    'libslurm-signal-job',
    'REQUEST_SIGNAL_TASKS',
    (slurm, words) => slurm.signalJob(words[2] ?? '', signalOf(words), direct),
  ],
  [
    'libslurm-signal-step',
    'REQUEST_SIGNAL_TASKS',
    (slurm, words) => slurm.signalJobStep(stepOf(words), signalOf(words), direct),
  ],
  [
    'libslurm-signal-denied',
    'REQUEST_SIGNAL_TASKS',
    (slurm, words) => slurm.signalJobStep(stepOf(words), signalOf(words), direct),
  ],
  [
    'libslurm-signal-batch',
    'REQUEST_SIGNAL_TASKS',
    (slurm, words) => slurm.signalJobStep(stepOf(words), signalOf(words), direct),
  ],
  [
    'libslurm-terminate-step',
    'REQUEST_TERMINATE_TASKS',
    (slurm, words) => slurm.terminateJobStep(stepOf(words), direct),
  ],
  [
    'scancel-step-signal',
    'REQUEST_SIGNAL_TASKS',
    (slurm, words) => slurm.signalJobStep(words.at(-1) ?? '', 'URG', direct),
  ],
  [
    'scancel-step-kill',
    'REQUEST_TERMINATE_TASKS',
    (slurm, words) => slurm.terminateJobStep(words.at(-1) ?? '', direct),
  ],
  [
    'libslurm-signal-step-forwarded',
    'REQUEST_SIGNAL_TASKS',
    (slurm, words) => slurm.signalJobStep(stepOf(words), signalOf(words), { fanOut: 'tree', treeWidth: 1 }),
  ],
];

describe.each(calls)('%s', (name, message, call) => {
  test.each(releasesOf(name))('%s', async (release) => {
    const fixture = await recorded(name, release);
    const theirs = sentToSlurmds(fixture);
    expect(theirs.size).toBeGreaterThan(0);
    const ours = await oursToSlurmds(call, fixture, release);
    expect([...ours.keys()].sort()).toEqual([...theirs.keys()].sort());
    for (const [node, frames] of theirs) {
      expect(ours.get(node)).toHaveLength(1);
      const [own] = ours.get(node) ?? [];
      for (const frame of frames) {
        expect(frame.messageName).toBe(message);
        expect(withoutCredential(own as Frame)).toEqual(withoutCredential(withoutSluid(frame, release)));
      }
    }
  });
});

/** 26.05 copies the sluid of the job into the step id; slurmwire leaves it 0, for there the job number decides. */
function withoutSluid(frame: Frame, release: Release): Frame {
  if (!isAtLeast(release, '26.05')) return frame;
  const body = Uint8Array.from(frame.body).fill(0, 0, 8);
  return { ...frame, body };
}

/** By node: scancel sends each message for a step twice. */
function sentToSlurmds({ connections }: Fixture): Map<string, Frame[]> {
  const byNode = new Map<string, Frame[]>();
  for (const connection of connections) {
    const [, number] = /^slurmd-(\d+)$/.exec(connection.endpoint) ?? [];
    if (number === undefined) continue;
    const node = `n${number}`;
    byNode.set(node, [...(byNode.get(node) ?? []), ...framesOf(connection, '>')]);
  }
  return byNode;
}

/** What our call sends where the recorded job runs on n1 and n2, with steps 0 and 1 on both. */
async function oursToSlurmds(call: Call, fixture: Fixture, release: Release): Promise<Map<string, Frame[]>> {
  const words = wordsOf(fixture);
  const jobId = Number(/^(\d+)/.exec((words[0] === 'scancel' ? words.at(-1) : words[2]) ?? '')?.[1]);
  await using controller = await FakeController.start(release);
  controller.jobs = [{ jobId, batchFlag: 1, batchHost: 'n1' }];
  controller.steps = [0, 1].map((stepId) => ({ jobId, stepId, nodes: 'n[1-2]' }));
  const slurmds = new FakeSlurmds();
  // Addresses as in slurm.conf, or nobody would forward; the time is the recorded cluster's.
  const nodes = ['n1', 'n2'].map((name) => ({
    name,
    hostname: name,
    address: name,
    port: 6818,
    state: null,
  }));
  const slurm = clientIn(controller, slurmds, { messageTimeoutMs: 10_000, nodes });
  await call(slurm, words);
  await slurm.close();
  expect(slurmds.faults).toEqual([]);
  // What a slurmd passed on is not the client's own: it was recorded nowhere.
  return new Map(
    slurmds.contacts.map((node) => [
      node,
      slurmds.received.filter((message) => message.node === node).map(({ frame }) => frame),
    ]),
  );
}
