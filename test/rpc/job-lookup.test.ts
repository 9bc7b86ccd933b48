/** Which records and steps an id stands for, from answers of real and of scripted controllers. */
import { afterEach, describe, expect, test } from 'vitest';
import {
  decodeBody,
  type JobId,
  type MessageName,
  parseJobId,
  RELEASE_NAMES,
  type Release,
} from '../../src/protocol/index.js';
import { ControllerLink } from '../../src/rpc/controller-link.js';
import { Deadline } from '../../src/rpc/deadline.js';
import { jobRecords } from '../../src/rpc/job-lookup.js';
import { stepRecords } from '../../src/rpc/step-lookup.js';
import { fromHex, goldenReplies, releaseOfProtocol } from '../support/golden.js';
import { FakeSlurmds, NO_VAL } from './support/fan-out.js';
import { FakeController, world } from './support/fan-out-controller.js';
import { noStrayTrouble } from './support/leaks.js';
import { rc, replyOf } from './support/replies.js';
import { expectFailure, failureOf } from './support/setup.js';

noStrayTrouble();

let deadline: Deadline | undefined;
const context = () => {
  deadline?.dispose();
  deadline = new Deadline(20_000);
  return deadline;
};
afterEach(() => {
  deadline?.dispose();
  deadline = undefined;
});

const linkTo = (controller: FakeController) => new ControllerLink(world(controller, new FakeSlurmds()));

async function idsOf(controller: FakeController, job: JobId): Promise<number[]> {
  const records = await jobRecords(linkTo(controller), parseJobId(job), context());
  return records.map(({ jobId }) => jobId).sort((a, b) => a - b);
}

const RUNNING = { arrayJobId: 0 };
/** 100 is an array: 0 and 7 run, 9 has ended, 1 to 3 and 20 are pending in the record that is the array's own. */
const ARRAY = [
  { jobId: 101, arrayJobId: 100, arrayTaskId: 0 },
  { jobId: 107, arrayJobId: 100, arrayTaskId: 7 },
  { jobId: 109, arrayJobId: 100, arrayTaskId: 9, jobState: 3 },
  { jobId: 100, arrayJobId: 100, arrayTaskStr: '0x10000E', jobState: 0 },
];
const HET = [
  { jobId: 200, hetJobId: 200, hetJobOffset: 0 },
  { jobId: 201, hetJobId: 200, hetJobOffset: 1 },
  { jobId: 202, hetJobId: 200, hetJobOffset: 10 },
];

describe.each(RELEASE_NAMES)('in %s', (release) => {
  test.each<[JobId, number[]]>([
    [7, [7]],
    [100, [100, 101, 107, 109]],
    ['100_*', [100, 101, 107, 109]],
    ['100_7', [107]],
    ['100_0', [101]],
    // Not split off yet: the array's own record, which is pending.
    ['100_2', [100]],
    ['100_20', [100]],
    ['100_4', []],
    ['100_[0-8]', [100, 101, 107]],
    ['100_[5-9]', [107, 109]],
    ['100_[0-9:7]', [101, 107]],
    ['100_[8-20:6]', [100]],
    ['100_[4-6,8]', []],
    [107, [107]],
    ['107_7', []],
    [200, [200, 201, 202]],
    ['200+0', [200]],
    ['200+1', [201]],
    ['200+10', [202]],
    ['200+2', []],
    ['201+1', []],
    [201, [201]],
    [999, []],
    ['999_1', []],
  ])('%s stands for %j', async (job, expected) => {
    await using controller = await FakeController.start(release);
    controller.jobs = [{ jobId: 7, ...RUNNING }, ...ARRAY, ...HET];
    expect(await idsOf(controller, job)).toEqual(expected);
    expect(controller.count('REQUEST_JOB_INFO_SINGLE')).toBe(1);
  });
});

test('records of jobs that were not asked about are dropped, whatever the controller says', async () => {
  await using controller = await FakeController.start();
  controller.jobs = [{ jobId: 8, arrayJobId: 7, arrayTaskId: 3 }, { jobId: 7 }, ...HET];
  const { jobInfoReply } = await import('./support/fan-out-controller.js');
  controller.instead.set('REQUEST_JOB_INFO_SINGLE', jobInfoReply([...HET, ...ARRAY], '22.05'));
  expect(await idsOf(controller, 107)).toEqual([107]);
  expect(await idsOf(controller, 7)).toEqual([]);
  expect(await idsOf(controller, 201)).toEqual([201]);
});

interface Row {
  readonly jobId: number;
  readonly arrayJobId: number;
  readonly arrayTaskId: number;
  readonly hetJobId: number;
  readonly hetJobOffset: number;
}

/** The newest reply of each protocol that was recorded, of real controllers. */
function recorded(name: string): { release: Release; bytes: Uint8Array }[] {
  return goldenReplies()
    .filter((line) => line.case === name)
    .map((line) => ({ release: releaseOfProtocol(line.v), bytes: fromHex(line.hex) }));
}

describe('answers of real controllers', () => {
  const answerWith = async (
    name: MessageName,
    reply: MessageName,
    { release, bytes }: { release: Release; bytes: Uint8Array },
  ) => {
    const controller = await FakeController.start(release);
    controller.instead.set(name, replyOf(reply, bytes, { release }));
    return controller;
  };

  test('an array: its id, each task, and all tasks by a range', async () => {
    const replies = recorded('job-single-array');
    expect(new Set(replies.map(({ release }) => release)).size).toBeGreaterThan(5);
    for (const reply of replies) {
      await using controller = await answerWith('REQUEST_JOB_INFO_SINGLE', 'RESPONSE_JOB_INFO', reply);
      const rows: readonly Row[] = decodeBody('RESPONSE_JOB_INFO', reply.release, reply.bytes).jobs;
      const arrayJobId = rows[0]?.arrayJobId ?? 0;
      const all = rows.map(({ jobId }) => jobId).sort((a, b) => a - b);
      expect(await idsOf(controller, arrayJobId), reply.release).toEqual(all);
      expect(await idsOf(controller, `${arrayJobId}_*`)).toEqual(all);
      const split = rows.filter(({ arrayTaskId }) => arrayTaskId !== NO_VAL);
      for (const { jobId, arrayTaskId } of split) {
        expect(await idsOf(controller, `${arrayJobId}_${arrayTaskId}`)).toEqual([jobId]);
        expect(await idsOf(controller, jobId)).toEqual(jobId === arrayJobId ? all : [jobId]);
      }
      expect(await idsOf(controller, `${arrayJobId}_[0-4000000]`)).toEqual(all);
      expect(await idsOf(controller, `${arrayJobId}_3999999`)).toEqual([]);
    }
  });

  test('a het job: its leader stands for all', async () => {
    const replies = recorded('job-single-het-detail');
    expect(replies.length).toBeGreaterThan(5);
    for (const reply of replies) {
      await using controller = await answerWith('REQUEST_JOB_INFO_SINGLE', 'RESPONSE_JOB_INFO', reply);
      const rows: readonly Row[] = decodeBody('RESPONSE_JOB_INFO', reply.release, reply.bytes).jobs;
      const leader = rows[0]?.hetJobId ?? 0;
      expect(await idsOf(controller, leader), reply.release).toEqual(
        rows.map(({ jobId }) => jobId).sort((a, b) => a - b),
      );
      for (const { jobId, hetJobOffset } of rows)
        expect(await idsOf(controller, `${leader}+${hetJobOffset}`)).toEqual([jobId]);
    }
  });

  test('the steps of a job, all of them and each one', async () => {
    const replies = recorded('steps-of-job');
    expect(replies.length).toBeGreaterThan(5);
    for (const reply of replies) {
      await using controller = await answerWith('REQUEST_JOB_STEP_INFO', 'RESPONSE_JOB_STEP_INFO', reply);
      const { jobSteps } = decodeBody('RESPONSE_JOB_STEP_INFO', reply.release, reply.bytes);
      const jobId = jobSteps[0]?.stepId.jobId ?? 0;
      const link = linkTo(controller);
      expect(await stepRecords(link, jobId, NO_VAL, context()), reply.release).toEqual(jobSteps);
      for (const step of jobSteps) {
        const found = await stepRecords(link, jobId, step.stepId.stepId, context());
        expect(found).toEqual(jobSteps.filter((one) => one.stepId.stepId === step.stepId.stepId));
      }
      expect(await stepRecords(link, jobId, 4242, context())).toEqual([]);
      expect(await stepRecords(link, jobId + 1, NO_VAL, context())).toEqual([]);
    }
  });
});

// A controller answers a lookup with 1900 and nothing else if it says since when it wants to know.
test.each(RELEASE_NAMES)('the steps are asked for whenever they changed, in %s', async (release) => {
  await using controller = await FakeController.start(release);
  controller.jobs = [{ jobId: 7 }];
  await stepRecords(linkTo(controller), 7, 0, context());
  const { request } =
    controller.peer.connections.find(({ request }) => request?.name === 'REQUEST_JOB_STEP_INFO') ??
    expect.fail();
  const body = request?.frame.body ?? expect.fail();
  expect(decodeBody('REQUEST_JOB_STEP_INFO', release, body)).toMatchObject({ lastUpdate: 0n, showFlags: 1 });
});

describe('a controller that does not tell', () => {
  const lookups = [
    ['REQUEST_JOB_INFO_SINGLE', (link: ControllerLink) => jobRecords(link, parseJobId(7), context())],
    ['REQUEST_JOB_STEP_INFO', (link: ControllerLink) => stepRecords(link, 7, 0, context())],
  ] as const;

  test.each(lookups)('%s: 2017 is an empty answer', async (name, look) => {
    await using controller = await FakeController.start();
    controller.instead.set(name, rc(2017));
    expect(await look(linkTo(controller))).toEqual([]);
  });

  test.each(lookups)('%s: any other number is its error, and nothing was sent', async (name, look) => {
    await using controller = await FakeController.start('24.11');
    controller.instead.set(name, rc(2002, { release: '24.11' }));
    const error = await expectFailure(look(linkTo(controller)), {
      name: 'SlurmServerError',
      code: 'ESLURM_ACCESS_DENIED',
      phase: 'wait',
      outcome: 'not-sent',
      retryable: false,
      rpc: name,
      peer: controller.peer.peer,
      protocol: '24.11',
    });
    expect(error).toMatchObject({ number: 2002, errno: 'EPERM' });
  });

  test.each(lookups)(
    '%s: a success without an answer, and a reply of another kind, are no answer',
    async (name, look) => {
      for (const bytes of [rc(0), replyOf('RESPONSE_JOB_ID', new Uint8Array(8))]) {
        await using controller = await FakeController.start();
        controller.instead.set(name, bytes);
        expect(await failureOf(look(linkTo(controller)))).toMatchObject({
          name: 'SlurmProtocolError',
          code: 'SLURM_UNEXPECTED_MSG_ERROR',
          outcome: 'not-sent',
          rpc: name,
        });
      }
    },
  );
});
