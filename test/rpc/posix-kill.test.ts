/** kill(): whom each form of target stands for, what goes out for it, and that nothing does for signal 0 or for what is no target. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  decodeBody,
  isAtLeast,
  type MessageInput,
  type MessageName,
  type MessageRecord,
  RELEASE_NAMES,
  type Release,
} from '../../src/protocol/index.js';
import { parseJobId } from '../../src/protocol/job-id.js';
import type { JobRecord } from '../../src/protocol/messages/job-record.js';
import { SHOW_FLAGS } from '../../src/protocol/messages/show-flags.js';
import { NO_VAL } from '../../src/protocol/sentinels.js';
import type { KilledTarget, PosixKillOptions } from '../../src/rpc/index.js';
import { hasTasks, tasksOf } from '../../src/rpc/job-filter.js';
import { stepInfoReply } from './support/fan-out-controller.js';
import { noStrayTrouble } from './support/leaks.js';
import { type Answer, answering, jobRecordsReply, rc, reply, saying, silence } from './support/replies.js';
import { ScriptedPeer } from './support/scripted-peer.js';
import { clientOf, expectUsageError, failureOf, type TestSetup } from './support/setup.js';

noStrayTrouble();

const [PENDING, RUNNING, SUSPENDED, COMPLETE] = [0, 1, 2, 3];
const COMPLETING = 0x8000;
const [ALICE, BOB, SLURM_USER] = [1000, 1001, 64030];
/** In the order in which a controller makes its checks: the number for a job that is not the caller's. */
const NOT_OWNER = (release: Release) => (isAtLeast(release, '25.05') ? 2002 : 2010);

beforeEach(() => {
  vi.spyOn(process, 'geteuid').mockReturnValue(ALICE);
  vi.stubEnv('SLURM_JOB_ID', undefined);
  vi.stubEnv('SLURM_CLUSTER_NAME', undefined);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

interface Scene {
  readonly release?: Release;
  readonly jobs?: readonly Partial<JobRecord>[];
  readonly steps?: readonly { jobId: number; stepId: number; stepHetComp?: number; nodes: string }[];
  /** Numbers answered: to a KILL_JOB by id text, to a CANCEL_JOB_STEP and in an entry of KILL_JOBS by job number. Default 0. */
  readonly numbers?: Readonly<Record<string, number>>;
  readonly answers?: { readonly [N in MessageName]?: Answer };
  readonly setup?: TestSetup;
}

/** A slurmctld that makes the checks of the real one in the same order. */
async function scene({ release = '22.05', jobs = [], steps = [], numbers = {}, answers = {}, setup }: Scene) {
  const known = jobs.map((job) => ({
    jobState: RUNNING,
    userId: ALICE,
    batchFlag: 1,
    arrayTaskStr: null,
    ...job,
  }));
  const tell = (found: readonly Partial<JobRecord>[]) => jobRecordsReply(found, { release });
  const stepNumber = ({ jobId, stepId }: MessageRecord<'REQUEST_CANCEL_JOB_STEP'>['stepId']) => {
    const job = known.find((one) => one.jobId === jobId);
    if (job === undefined) return 2017;
    if (job.userId !== ALICE) return stepId === NO_VAL ? 2002 : NOT_OWNER(release);
    if ((job.jobState & 0xff) > SUSPENDED) return 2021;
    if (stepId !== NO_VAL && job.jobState !== RUNNING) return 2020;
    if (stepId === NO_VAL) return 0;
    return steps.some((step) => step.jobId === jobId && step.stepId === stepId) ? 0 : 2017;
  };
  const answer =
    <N extends MessageName>(name: N, make: (record: MessageRecord<N>) => Uint8Array): Answer =>
    async (connection, request) =>
      saying(make(decodeBody(name, release, request.frame.body)))(connection);
  const peer = await ScriptedPeer.listen(
    answering(
      {
        REQUEST_JOB_INFO: tell(known),
        REQUEST_JOB_INFO_SINGLE: answer('REQUEST_JOB_INFO_SINGLE', ({ jobId }) => {
          const found = known.filter((one) => [one.jobId, one.arrayJobId, one.hetJobId].includes(jobId));
          return found.length === 0 ? rc(2017, { release }) : tell(found);
        }),
        REQUEST_JOB_STEP_INFO: answer('REQUEST_JOB_STEP_INFO', ({ stepId }) =>
          stepInfoReply(
            steps.filter(
              (step) => step.jobId === stepId.jobId && [NO_VAL, step.stepId].includes(stepId.stepId),
            ),
            release,
          ),
        ),
        REQUEST_KILL_JOB: answer('REQUEST_KILL_JOB', ({ sjobId }) =>
          rc(numbers[sjobId ?? ''] ?? 0, { release }),
        ),
        REQUEST_CANCEL_JOB_STEP: answer('REQUEST_CANCEL_JOB_STEP', ({ stepId }) =>
          rc(numbers[stepId.jobId] ?? stepNumber(stepId), { release }),
        ),
        ...(isAtLeast(release, '23.11')
          ? {
              REQUEST_KILL_JOBS: answer('REQUEST_KILL_JOBS', ({ jobsArray }) =>
                killJobsReply(release, jobsArray as string[], known, numbers),
              ),
            }
          : {}),
        ...answers,
      },
      release,
    ),
  );
  const client = clientOf([peer.endpoint], { release, ...setup });
  const bodies = <N extends MessageName>(name: N): MessageRecord<N>[] =>
    peer.connections
      .filter(({ request }) => request?.name === name)
      .map(({ request }) => decodeBody(name, release, request?.frame.body ?? new Uint8Array()));
  return {
    peer,
    kill: client.kill.bind(client),
    bodies,
    /** What was sent after the first contact. */
    sent: () => peer.requests.filter((name) => name !== 'REQUEST_PING'),
    /** Every message that signals something: name, whom, signal, flags. */
    signals: () => [
      ...bodies('REQUEST_KILL_JOB').map(({ sjobId, signal, flags }) => ['text', sjobId, signal, flags]),
      ...bodies('REQUEST_CANCEL_JOB_STEP').map(({ stepId, signal, flags, sjobId, sibling }) => {
        expect([sjobId, sibling, stepId.stepHetComp]).toEqual([null, null, NO_VAL]);
        const step = stepId.stepId === NO_VAL ? 'whole' : stepId.stepId;
        return [step, stepId.jobId, signal, flags];
      }),
      ...(isAtLeast(release, '23.11')
        ? bodies('REQUEST_KILL_JOBS').map(({ jobsArray, signal }) => ['many', jobsArray.join(' '), signal])
        : []),
    ],
    [Symbol.asyncDispose]: () => peer.close(),
  };
}

/** One entry for each record that an id text stands for, as live controllers answer. */
function killJobsReply(
  release: Release,
  texts: readonly string[],
  known: readonly Partial<JobRecord>[],
  numbers: Readonly<Record<string, number>>,
): Uint8Array {
  const jobResponses = texts.flatMap((text) => {
    const id = parseJobId(text);
    const wanted = hasTasks(id) ? tasksOf(id) : null;
    const found = known.filter(
      ({ jobId, arrayJobId, arrayTaskId }) =>
        (jobId === id.jobId || arrayJobId === id.jobId) &&
        (wanted === null || arrayTaskId === NO_VAL || wanted.includes(arrayTaskId ?? 0)),
    );
    return found.map(({ jobId = 0, arrayJobId = 0, arrayTaskId = NO_VAL }) => ({
      errorCode: numbers[jobId] ?? 0,
      errorMsg: null,
      id: {
        stepId: { jobId: arrayJobId || jobId, stepId: NO_VAL, stepHetComp: NO_VAL },
        arrayTaskId,
        hetJobOffset: NO_VAL,
        ...(isAtLeast(release, '24.11') ? { arrayBitmap: null } : {}),
      },
      realJobId: jobId,
      siblingName: null,
    }));
  });
  const record = { jobResponses } as unknown as MessageInput<'RESPONSE_KILL_JOBS'>;
  return reply('RESPONSE_KILL_JOBS', record, { release });
}

const brief = ({ targets }: { targets: readonly KilledTarget[] }) =>
  targets.map(({ target, jobId, outcome, errno }) => [target, jobId, outcome, errno].join(' '));

const PROBE = 0xfffffff0;
const SIGCONT = 18;

const task = (jobId: number, arrayTaskId: number, own: Partial<JobRecord> = {}) => ({
  jobId,
  arrayJobId: 10,
  arrayTaskId,
  ...own,
});
/** Tasks 3 to 5 of array 10, pending in one record. */
const META = { jobId: 10, arrayJobId: 10, arrayTaskId: NO_VAL, arrayTaskStr: '0x38', jobState: PENDING };
const ARRAY = [META, task(11, 1), task(12, 2)];
const HET = [0, 1, 2].map((hetJobOffset) => ({ jobId: 20 + hetJobOffset, hetJobId: 20, hetJobOffset }));

describe('a positive target is one job', () => {
  it.each([
    [7, [{ jobId: 7 }], [['text', '7', 10, 0]], '7', 7],
    ['7', [{ jobId: 7, jobState: PENDING }], [['text', '7', 10, 0]], '7', 7],
    [{ jobId: 7 }, [{ jobId: 7 }], [['text', '7', 10, 0]], '7', 7],
    [11, ARRAY, [['whole', 11, 10, 0]], '11', 11],
    ['10_2', ARRAY, [['whole', 12, 10, 0]], '10_2', 12],
    ['20+1', HET, [['text', '20+1', 10, 0]], '20+1', 21],
    [21, HET, [['text', '21', 10, 0]], '21', 21],
    // The last task of an array has the array's number.
    [10, [task(10, 9)], [['whole', 10, 10, 0]], '10', 10],
  ])('%j', async (target, jobs, signals, text, jobId) => {
    await using on = await scene({ jobs });
    expect(await on.kill(target, 'SIGUSR1')).toEqual({
      outcome: 'accepted',
      target: text,
      unixSignal: 10,
      count: 1,
      targets: [
        { target: text, jobId, outcome: 'accepted', number: 0, errno: null, code: null, message: null },
      ],
      protocol: '22.05',
      elapsedMs: expect.any(Number),
    });
    expect(on.signals()).toEqual(signals);
  });

  it('by its sluid', async () => {
    const job = { jobId: 7 };
    const answers = { REQUEST_JOB_INFO_SINGLE: jobRecordsReply([job], { release: '26.05' }) };
    await using on = await scene({ release: '26.05', jobs: [job], answers });
    expect(await on.kill('sD81M80YD4HS00', 'SIGTERM')).toMatchObject({ targets: [{ jobId: 7 }] });
    expect(on.signals()).toEqual([['text', 'sD81M80YD4HS00', 15, 0]]);
    await using old = await scene({ jobs: [job] });
    await expectUsageError(old.kill('sD81M80YD4HS00', 0), { code: 'SLURMWIRE_NOT_IN_RELEASE', field: 'job' });
    expect(old.peer.requests).toEqual([]);
  });

  it.each([
    [10, ARRAY],
    ['10', [META]],
    // Which one of them is meant nobody can know: the array, or its last task.
    [10, [task(10, 9), task(11, 1, { jobState: COMPLETE })]],
    // The record of that number has been forgotten, and the task that is left has another.
    [10, [task(11, 1)]],
    [20, HET],
    [20, HET.slice(1)],
    [20, HET.slice(2)],
  ])('the number of several, %j of %j, is refused: only lookups were sent', async (target, jobs) => {
    await using on = await scene({ jobs });
    for (const signal of ['SIGKILL', 0]) {
      await expectUsageError(on.kill(target, signal), {
        code: 'SLURMWIRE_NOT_ONE_JOB',
        field: 'target',
        value: `"${target}"`,
      });
    }
    expect(on.signals()).toEqual([]);
  });

  it('a het job by its leader, when all of it is meant', async () => {
    await using on = await scene({ jobs: HET });
    const options = { wholeHetJob: true };
    expect(brief(await on.kill(20, 'SIGTERM', options))).toEqual(['20 20 accepted ']);
    expect(on.signals()).toEqual([['text', '20', 15, 0]]);
    expect(brief(await on.kill(20, 0, options))).toEqual(['20 20 accepted ']);
  });

  it('options of killJob are carried out', async () => {
    await using on = await scene({ release: '26.05', jobs: [{ jobId: 7 }, ...ARRAY] });
    for (const options of [
      { batch: true },
      { full: true },
      { stepsOnly: true, hurry: true },
      { failJob: true },
    ])
      await on.kill(7, 'SIGTERM', options);
    await on.kill(11, 'SIGTERM', { batch: true });
    expect(on.signals().map(([, , , flags]) => flags)).toEqual([0x1, 0x8, 0x24, 0x2000, 0x1]);
  });

  it.each([
    [2002, 'EPERM', 'refused', false],
    [2017, 'ESRCH', 'refused', false],
    [2020, 'EAGAIN', 'refused', true],
    [2021, 'ESRCH', 'refused', false],
    [98765, 'EIO', 'unknown', false],
  ])('a controller that says %i', async (number, errno, outcome, retryable) => {
    await using on = await scene({ jobs: [{ jobId: 7 }, ...ARRAY], numbers: { 7: number, 11: number } });
    for (const target of [7, '7', 11, '10_1']) {
      const error = await failureOf(on.kill(target, 'SIGTERM'));
      const told = target === 7 || target === '7' ? outcome : number === 98765 ? 'unknown' : 'refused';
      expect(error).toMatchObject({ name: 'SlurmServerError', number, errno, outcome: told, retryable });
    }
  });

  it.each([99, '10_9', '20+7', '99.0', -99, '10_[8-9]', '99_*'])('%s is not there', async (target) => {
    await using on = await scene({ jobs: [...ARRAY, ...HET] });
    for (const signal of ['SIGCONT', 0]) {
      if (signal !== 0 && target === '99.0') continue; // the controller says so itself
      expect(await failureOf(on.kill(target, signal))).toMatchObject({
        errno: 'ESRCH',
        code: 'ESLURM_INVALID_JOB_ID',
        number: 2017,
        outcome: 'not-sent',
        retryable: false,
      });
    }
    expect(on.signals()).toEqual([]);
  });

  it('a scrontab job is signalled by its steps', async () => {
    const setup = { cluster: { scrontab: 'open', wholeHetJob: false } } as const;
    const jobs = [{ jobId: 7, cronspec: '* * * * *' }];
    const steps = [{ jobId: 7, stepId: 3, nodes: 'n1' }];
    await using on = await scene({ release: '26.05', jobs, steps, setup });
    for (const target of [7, -7]) await on.kill(target, 'SIGTERM');
    expect(on.signals()).toEqual([
      [3, 7, 15, 0],
      [3, 7, 15, 0],
    ]);
    await on.kill(7, 'SIGTERM', { cron: true });
    expect(on.signals()[0]).toEqual(['text', '7', 15, 0x1000]);
  });
});

describe('a step', () => {
  const steps = [
    { jobId: 7, stepId: 0, nodes: 'n1' },
    { jobId: 12, stepId: 1, nodes: 'n1' },
    { jobId: 21, stepId: 2, nodes: 'n1' },
  ];
  const jobs = [{ jobId: 7 }, ...ARRAY, ...HET];

  it.each([
    ['7.0', 0, 7],
    [{ jobId: 7, stepId: 0 }, 0, 7],
    ['7.batch', 0xfffffffb, 7],
    ['10_2.1', 1, 12],
    ['20+1.2', 2, 21],
  ])('%j', async (target, stepId, jobId) => {
    await using on = await scene({ jobs, steps, numbers: { [jobId]: 0 } });
    const text = typeof target === 'string' ? target : '7.0';
    expect(await on.kill(target, 'SIGUSR2')).toMatchObject({
      outcome: 'accepted',
      target: text,
      count: 1,
      targets: [{ target: text, outcome: 'accepted', number: 0 }],
    });
    expect(on.signals()).toEqual([[stepId, jobId, 12, 0]]);
  });

  it.each([
    ['7.0', 7],
    ['7.batch', 7],
    ['10_2.1', 12],
    ['20+1.2', 21],
  ])('signal 0 to %s', async (target, jobId) => {
    await using on = await scene({ jobs, steps });
    expect(await on.kill(target, 0)).toMatchObject({ unixSignal: 0, targets: [{ target, jobId }] });
    expect(on.signals()).toEqual([[PROBE, jobId, SIGCONT, 0]]);
  });

  it('signal 0 to one that is not there', async () => {
    const gone = [
      [{ jobId: 7 }, '7.9'],
      [{ jobId: 7, jobState: PENDING }, '7.batch'],
      [{ jobId: 7, jobState: COMPLETE }, '7.0'],
      [{ jobId: 7, batchFlag: 0 }, '7.batch'],
    ] as const;
    for (const [job, target] of gone) {
      await using on = await scene({ jobs: [job], steps });
      expect(await failureOf(on.kill(target, 0))).toMatchObject({ errno: 'ESRCH', outcome: 'not-sent' });
    }
    await using on = await scene({ jobs: [{ jobId: 7, jobState: SUSPENDED }], steps });
    for (const target of ['7.batch', '7.0']) expect(await on.kill(target, 0)).toMatchObject({ count: 1 });
  });

  it("signal 0 to one of somebody else's: EPERM, there or not, and no word of operators, who may not either", async () => {
    await using on = await scene({ jobs: [{ jobId: 7, userId: BOB }], steps });
    for (const target of ['7.0', '7.99']) {
      const error = await failureOf(on.kill(target, 0));
      expect(error).toMatchObject({ errno: 'EPERM', number: 2010, outcome: 'refused', hint: undefined });
    }
  });

  it('of a het step, component by component', async () => {
    const het = [{ jobId: 7, stepId: 0, stepHetComp: 1, nodes: 'n1' }];
    await using on = await scene({ jobs, steps: het });
    expect(await on.kill({ jobId: 7, stepId: 0, stepHetComp: 1 }, 0)).toMatchObject({ count: 1 });
    expect(await failureOf(on.kill({ jobId: 7, stepId: 0, stepHetComp: 0 }, 0))).toMatchObject({
      errno: 'ESRCH',
    });
  });

  it.each(['batch', 'full', 'stepsOnly', 'hurry', 'failJob'] as const)(
    '%s beside a step is refused, not dropped',
    async (field) => {
      await using on = await scene({ release: '26.05', jobs, steps });
      for (const signal of ['SIGTERM', 0]) {
        const work = on.kill('7.0', signal, { [field]: true });
        await expectUsageError(work, { code: 'SLURMWIRE_BAD_OPTION', field, value: 'true' });
      }
      expect(on.peer.requests).toEqual([]);
      // What permits only, permits nothing here.
      await on.kill('7.0', 'SIGTERM', { [field]: false, cron: true, wholeHetJob: true, broad: true });
      expect(on.signals()).toEqual([[0, 7, 15, 0]]);
    },
  );
});

describe('signal 0', () => {
  it.each(RELEASE_NAMES)('asks a controller of %s with a step that no job has', async (release) => {
    const jobs = [
      { jobId: 7 },
      { jobId: 8, jobState: PENDING },
      { jobId: 9, jobState: SUSPENDED },
      ...ARRAY,
      ...HET,
    ];
    await using on = await scene({ release, jobs });
    for (const target of [7, 8, 9, 11, '10_1', '10_4', '20+1', -10, '10_*', '10_[1-4]', -20, -7])
      expect(await on.kill(target, 0)).toMatchObject({ outcome: 'accepted', unixSignal: 0 });
    for (const signal of ['0', -0]) expect(await on.kill(7, signal)).toMatchObject({ unixSignal: 0 });
    const asked = on.signals();
    expect(asked.map(([, jobId]) => jobId)).toEqual([7, 8, 9, 11, 11, 10, 21, 10, 10, 10, 20, 7, 7, 7]);
    for (const [step, , signal, flags] of asked) expect([step, signal, flags]).toEqual([PROBE, SIGCONT, 0]);
    const rest = new Set(on.sent().filter((name) => name !== 'REQUEST_JOB_INFO_SINGLE'));
    expect([...rest]).toEqual(['REQUEST_CANCEL_JOB_STEP']);
  });

  it('one that still completes after a requeue is there', async () => {
    await using on = await scene({ jobs: [{ jobId: 7, jobState: PENDING | COMPLETING }] });
    expect(await on.kill(7, 0)).toMatchObject({ count: 1 });
  });

  it.each([COMPLETE, COMPLETE | COMPLETING])('a job in state %i has ended', async (jobState) => {
    await using on = await scene({ jobs: [{ jobId: 7, jobState }] });
    expect(await failureOf(on.kill(7, 0))).toMatchObject({
      errno: 'ESRCH',
      code: 'ESLURM_ALREADY_DONE',
      outcome: 'not-sent',
      peer: on.peer.peer,
    });
  });

  it('a job that ended, or was forgotten, between the look and the question', async () => {
    await using on = await scene({ jobs: [{ jobId: 7 }], numbers: { 7: 2021 } });
    expect(await failureOf(on.kill(7, 0))).toMatchObject({ errno: 'ESRCH', number: 2021 });
    await using done = await scene({ jobs: [{ jobId: 7, jobState: COMPLETE }], numbers: { 7: 2017 } });
    expect(await failureOf(done.kill(7, 0))).toMatchObject({ errno: 'ESRCH', number: 2021 });
  });

  it.each(['20.11', '22.05', '24.11', '25.05', '26.05'] as const)(
    "somebody else's, on %s: EPERM, also once it has ended",
    async (release) => {
      for (const jobState of [RUNNING, PENDING, COMPLETE]) {
        await using on = await scene({ release, jobs: [{ jobId: 7, jobState, userId: BOB }] });
        const error = await failureOf(on.kill(7, 0));
        expect(error).toMatchObject({
          name: 'SlurmServerError',
          errno: 'EPERM',
          number: NOT_OWNER(release),
          outcome: 'refused',
          retryable: false,
          rpc: 'REQUEST_CANCEL_JOB_STEP',
          peer: on.peer.peer,
        });
        expect(error.hint?.includes('operators') ?? false).toBe(!isAtLeast(release, '25.05'));
      }
    },
  );

  it('handed on to a step manager: the controller had nothing against it', async () => {
    await using on = await scene({ release: '26.05', jobs: [{ jobId: 7 }], numbers: { 7: 0 } });
    expect(await on.kill(7, 0)).toMatchObject({ count: 1 });
  });

  it.each([
    [1804, 'EAGAIN', true],
    [98765, 'EIO', false],
  ])('a controller that says %i has not said yes', async (number, errno, retryable) => {
    await using on = await scene({ jobs: [{ jobId: 7 }], numbers: { 7: number } });
    expect(await failureOf(on.kill(7, 0))).toMatchObject({ number, errno, outcome: 'refused', retryable });
  });

  it.each([
    ['silence', silence, 'SlurmTimeoutError'],
    ['another reply', reply('RESPONSE_PING_SLURMD', { cpuLoad: 0, freeMem: 0n }), 'SlurmProtocolError'],
  ] as [string, Answer, string][])(
    '%s: nothing was sent that could have signalled',
    async (_, answer, name) => {
      for (const message of ['REQUEST_CANCEL_JOB_STEP', 'REQUEST_JOB_INFO_SINGLE']) {
        await using on = await scene({ jobs: [{ jobId: 7 }], answers: { [message]: answer } });
        const error = await failureOf(on.kill(7, 0, { timeoutMs: 300 }));
        expect(error).toMatchObject({ name, outcome: 'not-sent', rpc: message });
      }
    },
  );
});

describe('0 is the job this process runs in', () => {
  const inJob = (jobId: string, cluster?: string) => {
    vi.stubEnv('SLURM_JOB_ID', jobId);
    vi.stubEnv('SLURM_CLUSTER_NAME', cluster);
  };
  const HERE = { cluster: { scrontab: 'none', wholeHetJob: false, clusterName: 'here' } } as const;

  it.each([
    ['7', [{ jobId: 7 }], [['text', '7', 15, 0]], '7'],
    ['11', ARRAY, [['whole', 11, 15, 0]], '11'],
    // Whatever else its number may mean.
    ['10', [task(10, 9), task(11, 1), task(12, 2, { jobState: COMPLETE })], [['whole', 10, 15, 0]], '10'],
    ['20', HET, [['text', '20', 15, 0]], '20'],
    ['21', HET, [['text', '20', 15, 0]], '20'],
  ])('SLURM_JOB_ID=%s', async (jobId, jobs, signals, named) => {
    inJob(jobId);
    await using on = await scene({ jobs });
    for (const target of [0, '0', -0]) {
      expect(await on.kill(target, 0)).toMatchObject({ target: '0', targets: [{ target: named }] });
    }
    await on.kill(0, 'SIGTERM');
    expect(on.signals().filter(([step]) => step !== PROBE)).toEqual(signals);
  });

  it('in no job', async () => {
    await using on = await scene({});
    for (const signal of ['SIGTERM', 0]) {
      expect(await failureOf(on.kill(0, signal))).toMatchObject({
        name: 'SlurmUsageError',
        code: 'SLURMWIRE_NOT_IN_A_JOB',
        errno: 'ESRCH',
        outcome: 'not-sent',
        field: 'target',
      });
    }
    expect(on.peer.requests).toEqual([]);
  });

  it.each(['', 'x', '-7', '0', '7_*', '7_1', '7_[1-3]', '7+1', '7.0', '1.5', ' 7', 'sD81M80YD4HS00'])(
    'SLURM_JOB_ID=%j is no job: 0 and -1 are refused',
    async (jobId) => {
      inJob(jobId);
      await using on = await scene({ release: '26.05', jobs: [{ jobId: 7 }] });
      for (const target of [0, -1]) {
        const expected = {
          code: 'SLURMWIRE_BAD_JOB_ID',
          field: 'SLURM_JOB_ID',
          value: JSON.stringify(jobId),
        };
        await expectUsageError(on.kill(target, 'SIGTERM', { broad: true }), expected);
      }
      expect(on.peer.requests).toEqual([]);
      expect(await on.kill(7, 'SIGTERM')).toMatchObject({ count: 1 });
    },
  );

  it('a job of another cluster is not the one of that number here', async () => {
    inJob('7', 'there');
    await using on = await scene({ jobs: [{ jobId: 7 }], setup: HERE });
    for (const signal of ['SIGKILL', 0]) {
      expect(await failureOf(on.kill(0, signal))).toMatchObject({
        code: 'SLURMWIRE_NOT_IN_A_JOB',
        errno: 'ESRCH',
      });
    }
    expect(on.peer.requests).toEqual([]);
    expect(brief(await on.kill(-1, 0, { broad: true }))).toEqual(['7 7 accepted ']);
    for (const name of ['here', 'HERE', '', undefined]) {
      inJob('7', name);
      expect(await on.kill(0, 0)).toMatchObject({ count: 1 });
    }
  });

  it('that has ended, or stands for no task yet', async () => {
    inJob('10');
    for (const [jobs, code] of [
      [[], 'ESLURM_INVALID_JOB_ID'],
      [[META], 'ESLURM_INVALID_JOB_ID'],
      [[{ jobId: 10, jobState: COMPLETE }], 'ESLURM_ALREADY_DONE'],
    ] as const) {
      await using on = await scene({ jobs });
      expect(await failureOf(on.kill(0, 0))).toMatchObject({ code, errno: 'ESRCH', outcome: 'not-sent' });
    }
  });
});

describe('below -1 is a group', () => {
  const bulk = RELEASE_NAMES.filter((release) => isAtLeast(release, '23.11'));

  it.each(bulk)('of %s: one request', async (release) => {
    await using on = await scene({ release, jobs: ARRAY });
    expect(await on.kill(-10, 'SIGUSR1')).toMatchObject({ outcome: 'accepted', target: '-10', count: 3 });
    // Not 10, which would be all of it.
    expect(brief(await on.kill('10_*', 'SIGUSR1'))[0]).toBe('10_[3-5] 10 accepted ');
    expect(await on.kill('10_[1-2]', 'SIGUSR1')).toMatchObject({ target: '10_[1-2]' });
    expect(on.signals()).toEqual([
      ['many', '10', 10],
      ['many', '10', 10],
      ['many', '10_[1-2]', 10],
    ]);
  });

  it('one by one where the release has no such request; pending tasks take SIGKILL only', async () => {
    await using on = await scene({ jobs: ARRAY });
    const killed = await on.kill('-10', 'SIGUSR1');
    expect(killed).toMatchObject({ outcome: 'partial', count: 2, target: '-10' });
    expect(brief(killed)).toEqual(['10_[3-5] 10 refused EAGAIN', '10_1 11 accepted ', '10_2 12 accepted ']);
    const ended = await on.kill(-10, 'SIGKILL');
    expect(brief(ended)).toEqual(['10_[3-5] 10 accepted ', '10_1 11 accepted ', '10_2 12 accepted ']);
    expect(ended).toMatchObject({ outcome: 'accepted', count: 3 });
  });

  it('those that have ended are listed and take nothing away from success', async () => {
    const jobs = [task(11, 1, { jobState: COMPLETE }), task(12, 2), task(10, 9)];
    await using on = await scene({ jobs });
    for (const signal of ['SIGTERM', 0]) {
      const killed = await on.kill(-10, signal);
      expect(killed).toMatchObject({ outcome: 'accepted', count: 2 });
      expect(brief(killed)).toEqual(['10_1 11 refused ESRCH', '10_2 12 accepted ', '10_9 10 accepted ']);
    }
  });

  it('all have ended', async () => {
    const jobs = [task(11, 1, { jobState: COMPLETE }), task(10, 2, { jobState: COMPLETE })];
    await using on = await scene({ jobs });
    for (const signal of ['SIGTERM', 0]) {
      const error = await failureOf(on.kill(-10, signal));
      expect(error).toMatchObject({
        errno: 'ESRCH',
        code: 'ESLURM_ALREADY_DONE',
        number: 2021,
        outcome: 'refused',
      });
      expect(error.parts).toEqual(
        ['10_1', '10_2'].map((target) => ({
          target,
          number: 2021,
          code: 'ESLURM_ALREADY_DONE',
          message: 'The job has finished already.',
          outcome: 'refused',
        })),
      );
    }
  });

  it('signal 0 to tasks: those that were named, and which there are not', async () => {
    await using on = await scene({ jobs: ARRAY });
    const killed = await on.kill('10_[2-4,77]', 0);
    expect(killed).toMatchObject({ outcome: 'partial', count: 2 });
    expect(brief(killed)).toEqual(['10_[3-4] 10 accepted ', '10_2 12 accepted ', '10_77  refused ESRCH']);
    expect(on.signals()).toHaveLength(1);
  });

  it('signal 0 asks once for all, for one that still goes on; another may have ended since', async () => {
    const jobs = [task(11, 1, { jobState: COMPLETE }), task(12, 2), task(13, 3)];
    await using on = await scene({ jobs, numbers: { 12: 2021 } });
    expect(brief(await on.kill(-10, 0))).toEqual([
      '10_1 11 refused ESRCH',
      '10_2 12 refused ESRCH',
      '10_3 13 accepted ',
    ]);
    expect(on.signals()).toEqual([[PROBE, 12, SIGCONT, 0]]);
  });

  it("signal 0 to somebody else's", async () => {
    await using on = await scene({ jobs: ARRAY.map((job) => ({ ...job, userId: BOB })) });
    expect(await failureOf(on.kill(-10, 0))).toMatchObject({ errno: 'EPERM', outcome: 'refused' });
  });

  it('a heterogeneous job is one target, by its leader', async () => {
    await using on = await scene({ jobs: HET });
    expect(brief(await on.kill(-20, 'SIGTERM'))).toEqual(['20 20 accepted ']);
    expect(on.signals()).toEqual([['text', '20', 15, 0]]);
    expect(brief(await on.kill(-20, 0))).toEqual(['20 20 accepted ']);
  });

  it.each([
    [-7, [{ jobId: 7 }], ['text', '7', 15, 0], '7 7 accepted '],
    [-11, ARRAY, ['whole', 11, 15, 0], '10_1 11 accepted '],
    [-21, HET, ['text', '20+1', 15, 0], '20+1 21 accepted '],
    [-10, [task(10, 9)], ['whole', 10, 15, 0], '10_9 10 accepted '],
  ])('%i may be a group of one', async (target, jobs, signal, entry) => {
    for (const release of ['22.05', '26.05'] as const) {
      await using on = await scene({ release, jobs });
      const killed = await on.kill(target, 'SIGTERM');
      expect(killed).toMatchObject({ outcome: 'accepted', target: String(target) });
      expect(brief(killed)).toEqual([entry]);
      expect(on.signals().filter(([, , number]) => number === 15)).toEqual([signal]);
    }
  });

  it.each([
    [{ 11: 2002, 12: 2021 }, 'EPERM', 2002, 'refused', false],
    [{ 11: 2021, 12: 2017 }, 'ESRCH', 2021, 'refused', false],
    [{ 11: 2020, 12: 2021 }, 'EAGAIN', 2020, 'refused', true],
    [{ 11: 2002, 12: 2020 }, 'EPERM', 2002, 'refused', false],
    [{ 11: 2002, 12: 98765 }, 'EIO', 98765, 'unknown', false],
  ])('nobody took it: %j is %s', async (numbers, errno, number, outcome, retryable) => {
    await using on = await scene({ jobs: [task(11, 1), task(12, 2)], numbers });
    const error = await failureOf(on.kill(-10, 'SIGTERM'));
    expect(error).toMatchObject({ name: 'SlurmServerError', errno, number, outcome, retryable });
    expect(error.parts?.map((part) => [part.target, part.number])).toEqual([
      ['10_1', numbers[11]],
      ['10_2', numbers[12]],
    ]);
  });

  it('one took it, another is not known: partial', async () => {
    await using on = await scene({ jobs: [task(11, 1), task(12, 2)], numbers: { 11: 98765 } });
    const killed = await on.kill(-10, 'SIGTERM');
    expect(killed).toMatchObject({ outcome: 'partial', count: 1 });
    expect(brief(killed)).toEqual(['10_1 11 unknown EIO', '10_2 12 accepted ']);
  });

  it('time is up in the middle: what was taken is told, and what was not', async () => {
    const answers: { [N in MessageName]?: Answer } = {
      REQUEST_CANCEL_JOB_STEP: async (connection, request) => {
        const { stepId } = decodeBody('REQUEST_CANCEL_JOB_STEP', '22.05', request.frame.body);
        if (stepId.jobId === 11) await saying(rc(0))(connection);
      },
    };
    await using on = await scene({ jobs: [task(11, 1), task(12, 2)], answers });
    const killed = await on.kill(-10, 'SIGTERM', { timeoutMs: 500 });
    expect(killed).toMatchObject({ outcome: 'partial', count: 1 });
    expect(brief(killed)).toEqual(['10_1 11 accepted ', '10_2 12 unknown ETIMEDOUT']);
  });

  it('time is up and nobody is known to have taken it', async () => {
    await using on = await scene({
      jobs: [task(11, 1), task(12, 2)],
      answers: { REQUEST_CANCEL_JOB_STEP: silence },
    });
    const error = await failureOf(on.kill(-10, 'SIGTERM', { timeoutMs: 500 }));
    expect(error).toMatchObject({
      name: 'SlurmTimeoutError',
      errno: 'ETIMEDOUT',
      outcome: 'unknown',
      retryable: false,
    });
    expect(error.parts).toMatchObject([{ outcome: 'unknown' }, { outcome: 'unknown' }]);
  });

  it('aborted', async () => {
    const abort = new AbortController();
    const answers = { REQUEST_CANCEL_JOB_STEP: () => abort.abort() };
    await using on = await scene({ jobs: [task(11, 1), task(12, 2)], answers });
    const error = await failureOf(on.kill(-10, 'SIGTERM', { signal: abort.signal }));
    expect(error).toMatchObject({ name: 'SlurmTimeoutError', code: 'SLURMWIRE_ABORTED', errno: 'ECANCELED' });
    expect(error.outcome).toBe('unknown');
  });

  it('a controller that went away is no missing job', async () => {
    await using on = await scene({ jobs: ARRAY });
    await on.kill(-10, 0);
    await on.peer.close();
    const error = await failureOf(on.kill(-10, 'SIGTERM'));
    expect(error).toMatchObject({ name: 'SlurmConnectionError', errno: 'ECONNREFUSED', outcome: 'not-sent' });
  });
});

describe('-1 is everything', () => {
  const jobs = [
    { jobId: 7 },
    { jobId: 8, jobState: PENDING },
    { jobId: 9, jobState: COMPLETE },
    ...ARRAY,
    ...HET,
    { jobId: 30, userId: BOB },
  ];
  const OWN = '7 8 10_[3-5] 10_1 10_2 20';

  it.each([undefined, false, 'yes', 1, null])('without broad (%j) nothing is sent', async (broad) => {
    await using on = await scene({ jobs });
    for (const target of [-1, '-1']) {
      const work = on.kill(target, 'SIGTERM', { broad } as PosixKillOptions);
      await expectUsageError(work, { code: 'SLURMWIRE_BAD_OPTION', field: 'broad' });
    }
    expect(on.peer.requests).toEqual([]);
  });

  it("the caller's own that have not ended, each record once", async () => {
    await using on = await scene({ release: '26.05', jobs });
    const killed = await on.kill(-1, 'SIGTERM', { broad: true });
    expect(killed).toMatchObject({ outcome: 'accepted', target: '-1', count: 6 });
    // Tasks of one array in one text, answered one by one.
    expect(on.signals()).toEqual([['many', '7 8 10_[1-5] 20', 15]]);
    expect(on.bodies('REQUEST_KILL_JOBS')).toMatchObject([{ userId: ALICE }]);
    expect(on.bodies('REQUEST_JOB_INFO')).toMatchObject([{ showFlags: SHOW_FLAGS.SHOW_ALL }]);
  });

  it('one by one where there is no request for many', async () => {
    await using on = await scene({ jobs });
    const killed = await on.kill('-1', 'SIGTERM', { broad: true });
    expect(killed).toMatchObject({ outcome: 'partial', count: 5 });
    expect(
      on
        .signals()
        .map(([, text]) => String(text))
        .sort(),
    ).toEqual(['11', '12', '20', '7', '8']);
  });

  it('signal 0 only counts', async () => {
    await using on = await scene({ jobs });
    const killed = await on.kill(-1, 0, { broad: true });
    expect(killed.targets.map(({ target }) => target).join(' ')).toBe(OWN);
    expect(killed).toMatchObject({ count: 6, unixSignal: 0, outcome: 'accepted' });
    expect(on.sent()).toEqual(['REQUEST_JOB_INFO']);
  });

  it.each([0, SLURM_USER])("uid %i means everybody's", async (uid) => {
    vi.mocked(process.geteuid as () => number).mockReturnValue(uid);
    await using on = await scene({ jobs });
    const killed = await on.kill(-1, 0, { broad: true });
    expect(killed.targets.map(({ target }) => target).join(' ')).toBe(`${OWN} 30`);
  });

  it.each([
    ['7', '8 10_[1-5] 20', '8 10_[3-5] 10_1 10_2 20'],
    ['11', '7 8 10_[2-5] 20', '7 8 10_[3-5] 10_2 20'],
    // No component of the own het job either: under whole_hetjob it would be all of it.
    ['20', '7 8 10_[1-5]', '7 8 10_[3-5] 10_1 10_2'],
    ['22', '7 8 10_[1-5]', '7 8 10_[3-5] 10_1 10_2'],
    ['99', '7 8 10_[1-5] 20', OWN],
  ])('but the job this process runs in, %s', async (jobId, sent, left) => {
    vi.stubEnv('SLURM_JOB_ID', jobId);
    await using on = await scene({ release: '26.05', jobs });
    expect(await on.kill(-1, 'SIGKILL', { broad: true })).toMatchObject({ outcome: 'accepted' });
    expect(on.signals()).toEqual([['many', sent, 9]]);
    const { targets } = await on.kill(-1, 0, { broad: true });
    expect(targets.map(({ target }) => target).join(' ')).toBe(left);
  });

  it('nothing is left: ESRCH', async () => {
    vi.stubEnv('SLURM_JOB_ID', '7');
    await using on = await scene({ jobs: [{ jobId: 7 }, { jobId: 30, userId: BOB }] });
    for (const signal of ['SIGKILL', 0]) {
      expect(await failureOf(on.kill(-1, signal, { broad: true }))).toMatchObject({
        errno: 'ESRCH',
        outcome: 'not-sent',
      });
    }
    expect(new Set(on.sent())).toEqual(new Set(['REQUEST_JOB_INFO']));
  });

  it('components whose leader is not there any more', async () => {
    const [leader, ...components] = HET;
    await using on = await scene({ jobs: [{ ...leader, jobState: COMPLETE }, ...components] });
    await on.kill(-1, 'SIGTERM', { broad: true });
    expect(on.signals().map(([, text]) => text)).toEqual(['20+1', '20+2']);
  });

  it('scrontab jobs are signalled as by killJob, unless they are meant as such', async () => {
    const setup = { cluster: { scrontab: 'open', wholeHetJob: false } } as const;
    const cron = [
      { jobId: 5, cronspec: '@daily', jobState: PENDING },
      { jobId: 6, cronspec: '@daily' },
      { jobId: 7 },
    ];
    const steps = [{ jobId: 6, stepId: 0, nodes: 'n1' }];
    await using on = await scene({ release: '26.05', jobs: cron, steps, setup });
    const killed = await on.kill(-1, 'SIGTERM', { broad: true });
    // No request for many: it would switch the line off where the controller does not guard it.
    expect(on.signals()).toEqual([
      ['text', '7', 15, 0],
      [0, 6, 15, 0],
    ]);
    expect(brief(killed)).toEqual(['7 7 accepted ', '5 5 not-sent EAGAIN', '6 6 accepted ']);
    await on.kill(-1, 'SIGTERM', { broad: true, cron: true });
    expect(on.signals().at(-1)).toEqual(['many', '5 6 7', 15]);
  });

  it('a lookup that fails: nothing was sent', async () => {
    await using on = await scene({ answers: { REQUEST_JOB_INFO: silence } });
    const error = await failureOf(on.kill(-1, 'SIGTERM', { broad: true, timeoutMs: 300 }));
    expect(error).toMatchObject({ name: 'SlurmTimeoutError', outcome: 'not-sent' });
  });
});

describe('what is no target, no signal or no option', () => {
  it.each([
    [Number.NaN],
    [1.5],
    [-1.5],
    // Between 0 and -1: neither the own job nor everybody's.
    [-0.5],
    [Number.POSITIVE_INFINITY],
    [Number.NEGATIVE_INFINITY],
    [0xfffffffe],
    [-0xfffffffe],
    [-(2 ** 40)],
    [''],
    ['-0'],
    ['00'],
    ['-01'],
    ['-'],
    ['-1_2'],
    [' 7'],
    ['7 '],
    ['+7'],
    ['1e3'],
    ['0x7'],
    ['all'],
    [null],
    [undefined],
    [true],
    [7n],
    [[7]],
    [{}],
    [{ jobId: 0 }],
    [{ jobId: -1 }],
    [{ jobId: '7' }],
    [() => 7],
  ])('target %s', async (target) => {
    await using on = await scene({ jobs: [{ jobId: 7 }] });
    for (const signal of ['SIGKILL', 0]) {
      const work = on.kill(target as never, signal, { broad: true });
      await expectUsageError(work, { code: 'SLURMWIRE_BAD_JOB_ID', field: 'target' });
    }
    expect(on.peer.requests).toEqual([]);
  });

  it('is named as it was given', async () => {
    await using on = await scene({});
    for (const target of [-0xfffffffe, -1.5, -0.5]) {
      const expected = { code: 'SLURMWIRE_BAD_JOB_ID', field: 'target', value: String(target) };
      await expectUsageError(on.kill(target, 9, { broad: true }), expected);
    }
  });

  it.each([
    ['7.x'],
    ['7.'],
    ['.0'],
    ['-7.0'],
    ['7_*.0'],
    ['7.4294967290'],
    [{ jobId: 7, stepId: undefined }],
  ])('step %j', async (target) => {
    await using on = await scene({ jobs: [{ jobId: 7 }] });
    const error = await failureOf(on.kill(target as never, 'SIGKILL'));
    expect(error).toMatchObject({ name: 'SlurmUsageError', errno: 'EINVAL', field: 'target' });
    expect(on.peer.requests).toEqual([]);
  });

  it('-2^31 is a number like others', async () => {
    await using on = await scene({});
    expect(await failureOf(on.kill(-(2 ** 31), 0))).toMatchObject({ errno: 'ESRCH' });
    expect(on.bodies('REQUEST_JOB_INFO_SINGLE')).toMatchObject([{ jobId: 2 ** 31 }]);
  });

  it.each([
    [-1],
    [65],
    [256],
    [1.5],
    [Number.NaN],
    ['00'],
    ['-0'],
    [''],
    ['SIGNULL'],
    ['EXIT'],
    [null],
    [undefined],
    [false],
    [0n],
  ])('signal %s comes first: EINVAL whatever the target', async (signal) => {
    await using on = await scene({});
    for (const target of [7, -1, 0, Number.NaN]) {
      const work = on.kill(target, signal as never);
      await expectUsageError(work, { code: 'SLURMWIRE_BAD_SIGNAL', field: 'unixSignal' });
    }
    expect(on.peer.requests).toEqual([]);
  });

  it.each([
    [{ broad: 'yes' }, 'broad'],
    [{ batch: 1 }, 'batch'],
    [{ batch: true, full: true }, 'batch, full'],
    [{ idempotent: true }, 'idempotent'],
    [{ sibling: 'b' }, 'sibling'],
    [{ Broad: true }, 'Broad'],
    [{ signal: 'SIGTERM' }, 'signal'],
    [{ timeoutMs: 0 }, 'timeoutMs'],
  ])('options %j', async (options, field) => {
    await using on = await scene({ jobs: [{ jobId: 7 }] });
    for (const target of [7, '7.0', -7, -1]) {
      const work = on.kill(target, 'SIGTERM', options as PosixKillOptions);
      await expectUsageError(work, { code: 'SLURMWIRE_BAD_OPTION', field });
    }
    expect(on.peer.requests).toEqual([]);
  });

  it('failJob in a release that has none', async () => {
    await using on = await scene({ jobs: [{ jobId: 7 }] });
    for (const signal of ['SIGKILL', 0])
      await expectUsageError(on.kill(7, signal, { failJob: true }), {
        code: 'SLURMWIRE_NOT_IN_RELEASE',
        field: 'failJob',
      });
    expect(on.peer.requests).toEqual([]);
  });

  it('broad beside another target permits what is not asked for', async () => {
    await using on = await scene({ jobs: [{ jobId: 7 }, { jobId: 8 }] });
    expect(await on.kill(7, 'SIGTERM', { broad: true })).toMatchObject({ count: 1 });
    expect(on.signals()).toEqual([['text', '7', 15, 0]]);
  });
});
