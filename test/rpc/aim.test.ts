/** Whom a kill reaches: one array task, one component, a scrontab job's processes and not its line; or nobody, and it says so. */
import { describe, expect, it } from 'vitest';
import { decodeBody, type MessageName, type Release } from '../../src/protocol/index.js';
import type { JobRecord } from '../../src/protocol/messages/job-record.js';
import { NO_VAL } from '../../src/protocol/sentinels.js';
import { clusterFacts } from '../../src/rpc/cluster-facts.js';
import type { KillJobOptions } from '../../src/rpc/index.js';
import { fromHex, goldenReplies } from '../support/golden.js';
import { nodeInfoReply, stepInfoReply } from './support/fan-out-controller.js';
import { type Answer, answering, jobRecordsReply, rc, replyOf, silence } from './support/replies.js';
import { ScriptedPeer } from './support/scripted-peer.js';
import { clientOf, expectUsageError, failureOf, type TestSetup } from './support/setup.js';

const [PENDING, RUNNING, CANCELLED] = [0, 1, 4];
const OPEN = { scrontab: 'open', wholeHetJob: false } as const;
const GUARDED = { scrontab: 'guarded', wholeHetJob: false } as const;
const WHOLE = { scrontab: 'none', wholeHetJob: true } as const;

interface Scene {
  readonly jobs?: readonly Partial<JobRecord>[];
  readonly steps?: readonly { jobId: number; stepId: number; nodes: string }[];
  readonly answers?: { readonly [N in MessageName]?: Answer };
  readonly setup?: TestSetup;
  readonly release?: Release;
}

async function scene({ jobs = [], steps = [], answers = {}, setup = {}, release = '22.05' }: Scene) {
  const known = jobs.length === 0 ? rc(2017, { release }) : jobRecordsReply(jobs, { release });
  const peer = await ScriptedPeer.listen(
    answering(
      {
        REQUEST_KILL_JOB: rc(0, { release }),
        REQUEST_CANCEL_JOB_STEP: rc(0, { release }),
        REQUEST_JOB_INFO_SINGLE: known,
        REQUEST_JOB_STEP_INFO: stepInfoReply(steps, release),
        REQUEST_NODE_INFO_SINGLE: nodeInfoReply([], release),
        ...answers,
      },
      release,
    ),
  );
  const client = clientOf([peer.endpoint], { release, ...setup });
  return {
    peer,
    client,
    /** What was sent after the first contact. */
    sent: () => peer.requests.filter((name) => name !== 'REQUEST_PING'),
    steps: () =>
      peer.connections
        .map(({ request }) => request?.frame)
        .filter((frame) => frame?.messageName === 'REQUEST_CANCEL_JOB_STEP')
        .map((frame) => decodeBody('REQUEST_CANCEL_JOB_STEP', release, frame?.body ?? new Uint8Array())),
    [Symbol.asyncDispose]: () => peer.close(),
  };
}

describe('one task of an array', () => {
  const running = { jobId: 12, arrayJobId: 10, arrayTaskId: 3, jobState: RUNNING };

  it('is signalled by the number of its record', async () => {
    await using on = await scene({ jobs: [running] });
    expect(await on.client.killJob('10_3', 'SIGUSR1', { batch: true })).toMatchObject({
      outcome: 'accepted',
      target: '10_3',
      rpc: 'REQUEST_CANCEL_JOB_STEP',
    });
    expect(on.sent()).toEqual(['REQUEST_JOB_INFO_SINGLE', 'REQUEST_CANCEL_JOB_STEP']);
    expect(on.steps()).toMatchObject([
      { stepId: { jobId: 12, stepId: NO_VAL, stepHetComp: NO_VAL }, signal: 10, flags: 1, sjobId: null },
    ]);
  });

  it.each([2002, 2020, 2021])('a refusal with %i is certain: it is about this task alone', async (number) => {
    await using on = await scene({ jobs: [running], answers: { REQUEST_CANCEL_JOB_STEP: rc(number) } });
    const error = await failureOf(on.client.killJob('10_3', 'SIGUSR1'));
    expect(error).toMatchObject({ number, outcome: 'refused' });
  });

  it('SIGKILL goes by the text, which reaches pending tasks too', async () => {
    await using on = await scene({ jobs: [running] });
    await on.client.killJob('10_3');
    expect(on.sent()).toEqual(['REQUEST_KILL_JOB']);
  });

  it('that is pending with others is refused without being sent: 2020 would not tell whom it is about', async () => {
    const meta = { jobId: 10, arrayJobId: 10, arrayTaskStr: '0x18', jobState: PENDING };
    await using on = await scene({ jobs: [running, meta] });
    const error = await failureOf(on.client.killJob('10_4', 'SIGUSR1'));
    expect(error).toMatchObject({
      code: 'ESLURM_TRANSITION_STATE_NO_UPDATE',
      number: 2020,
      errno: 'EAGAIN',
      outcome: 'not-sent',
      peer: on.peer.peer,
    });
    expect(on.sent()).toEqual(['REQUEST_JOB_INFO_SINGLE']);
  });

  it('that is not there is asked for by its text: the controller knows best', async () => {
    await using on = await scene({ answers: { REQUEST_KILL_JOB: rc(2017) } });
    expect(await failureOf(on.client.killJob('10_9', 'SIGUSR1'))).toMatchObject({
      number: 2017,
      outcome: 'refused',
    });
    expect(on.sent()).toEqual(['REQUEST_JOB_INFO_SINGLE', 'REQUEST_KILL_JOB']);
  });

  it('by the number of its record, which controllers up to 22.05 do not know', async () => {
    await using on = await scene({ jobs: [running], answers: { REQUEST_KILL_JOB: rc(2017) } });
    for (const options of [{}, { idempotent: true }] as const) {
      expect(await on.client.killJob(12, 'SIGUSR1', options)).toMatchObject({
        outcome: 'accepted',
        target: '12',
        rpc: 'REQUEST_CANCEL_JOB_STEP',
      });
    }
    expect(on.sent().slice(0, 3)).toEqual([
      'REQUEST_KILL_JOB',
      'REQUEST_JOB_INFO_SINGLE',
      'REQUEST_CANCEL_JOB_STEP',
    ]);
    expect(on.steps()).toMatchObject([{ stepId: { jobId: 12, stepId: NO_VAL } }, {}]);
  });

  it('by the number of its record, which they may also say has ended while it runs', async () => {
    const answers = { REQUEST_KILL_JOB: rc(2021) };
    await using on = await scene({ jobs: [running], answers });
    for (const options of [{}, { idempotent: true }] as const)
      expect(await on.client.killJob(12, 'SIGKILL', options)).toMatchObject({ outcome: 'accepted' });
    expect(on.steps()).toMatchObject([{ stepId: { jobId: 12, stepId: NO_VAL } }, {}]);
  });

  it('by the number of its record, and the look fails: no success is made of that', async () => {
    for (const number of [2017, 2021]) {
      const answers = { REQUEST_KILL_JOB: rc(number), REQUEST_JOB_INFO_SINGLE: rc(2002) };
      await using on = await scene({ answers });
      const error = await failureOf(on.client.killJob(12, 'SIGKILL', { idempotent: true }));
      expect(error).toMatchObject({ number: 2002, outcome: number === 2017 ? 'refused' : 'unknown' });
      expect(on.peer.count('REQUEST_JOB_INFO_SINGLE')).toBe(1);
    }
  });

  it('by the number of its record, which newer controllers know', async () => {
    const answers = { REQUEST_KILL_JOB: rc(2017, { release: '23.11' }) };
    await using on = await scene({ jobs: [running], answers, release: '23.11' });
    expect(await failureOf(on.client.killJob(12))).toMatchObject({ number: 2017, outcome: 'refused' });
    expect(on.sent()).toEqual(['REQUEST_KILL_JOB']);
  });

  it('that has ended, or whose number is the whole array: the answer holds, and nothing is sent again', async () => {
    for (const own of [{ jobState: CANCELLED }, { jobId: 10 }]) {
      const answers = { REQUEST_KILL_JOB: rc(2021) };
      await using on = await scene({ jobs: [{ ...running, ...own }], answers });
      const error = await failureOf(on.client.killJob(own.jobId ?? 12, 'SIGKILL'));
      expect(error).toMatchObject({ number: 2021, outcome: 'refused' });
      expect(on.peer.count('REQUEST_CANCEL_JOB_STEP')).toBe(0);
    }
  });

  it('a number that the controller does not know stays unknown, also where the look fails', async () => {
    for (const look of [rc(2017), rc(2002), jobRecordsReply([{ jobId: 12 }])]) {
      const answers = { REQUEST_KILL_JOB: rc(2017), REQUEST_JOB_INFO_SINGLE: look };
      await using on = await scene({ answers });
      expect(await failureOf(on.client.killJob(12))).toMatchObject({ number: 2017, outcome: 'refused' });
      expect(on.peer.count('REQUEST_CANCEL_JOB_STEP')).toBe(0);
    }
  });

  it('a lookup that fails: nothing was sent', async () => {
    await using on = await scene({ answers: { REQUEST_JOB_INFO_SINGLE: silence } });
    const error = await failureOf(on.client.killJob('10_3', 'SIGUSR1', { timeoutMs: 300 }));
    expect(error).toMatchObject({ outcome: 'not-sent', rpc: 'REQUEST_JOB_INFO_SINGLE' });
    expect(on.sent()).toEqual(['REQUEST_JOB_INFO_SINGLE']);
  });
});

describe('a component of a heterogeneous job', () => {
  const leader = { jobId: 10, hetJobId: 10, hetJobOffset: 0, jobState: RUNNING };
  const second = { jobId: 11, hetJobId: 10, hetJobOffset: 1, jobState: RUNNING };

  it('the leader alone cannot be meant', async () => {
    await using on = await scene({ jobs: [leader, second] });
    await expectUsageError(on.client.killJob('10+0'), {
      code: 'SLURMWIRE_WHOLE_HET_JOB',
      field: 'job',
      value: '"10+0"',
    });
    expect(on.peer.requests).toEqual([]);
    await on.client.killJob('10+0', 'SIGKILL', { wholeHetJob: true });
    await on.client.killJob(10);
    expect(on.sent()).toEqual(['REQUEST_KILL_JOB', 'REQUEST_KILL_JOB']);
  });

  it('is sent by its text where the cluster can signal it alone', async () => {
    await using on = await scene({ jobs: [second] });
    await on.client.killJob('10+1', 'SIGTERM');
    expect(on.sent()).toEqual(['REQUEST_KILL_JOB']);
  });

  it.each([['10+1'], [11]])('%s under whole_hetjob is refused unless all are meant', async (job) => {
    await using on = await scene({ jobs: [second], setup: { cluster: WHOLE } });
    await expectUsageError(on.client.killJob(job, 'SIGTERM'), {
      code: 'SLURMWIRE_WHOLE_HET_JOB',
      field: 'job',
      value: JSON.stringify(String(job)),
    });
    expect(on.sent()).toEqual(['REQUEST_JOB_INFO_SINGLE']);
    await on.client.killJob(job, 'SIGTERM', { wholeHetJob: true });
    expect(on.sent()).toEqual(['REQUEST_JOB_INFO_SINGLE', 'REQUEST_KILL_JOB']);
  });

  it("under whole_hetjob the leader's number and ordinary jobs are what they say", async () => {
    for (const [id, jobs] of [
      [10, [leader, second]],
      [7, [{ jobId: 7 }]],
    ] as const) {
      await using on = await scene({ jobs, setup: { cluster: WHOLE } });
      await on.client.killJob(id);
      expect(on.sent()).toEqual(['REQUEST_JOB_INFO_SINGLE', 'REQUEST_KILL_JOB']);
    }
  });

  it('under whole_hetjob a refusal for a component is no proof', async () => {
    const answers = { REQUEST_KILL_JOB: rc(2021) };
    await using on = await scene({ jobs: [second], setup: { cluster: WHOLE }, answers });
    const error = await failureOf(on.client.killJob(11, 'SIGTERM', { wholeHetJob: true }));
    expect(error).toMatchObject({ number: 2021, outcome: 'unknown' });
  });
});

describe('already done', () => {
  it('of a whole array that was named by its number is certain, of a het job not', async () => {
    const parts = [{ jobId: 10 }, { jobId: 12 }];
    for (const [of, outcome] of [
      ['arrayJobId', 'refused'],
      ['hetJobId', 'unknown'],
    ] as const) {
      const jobs = parts.map((job) => ({ ...job, [of]: 10, jobState: CANCELLED }));
      await using on = await scene({ jobs, answers: { REQUEST_KILL_JOB: rc(2021) } });
      expect(await failureOf(on.client.killJob(10))).toMatchObject({ number: 2021, outcome });
    }
  });
});

it('a task that is asked for by its record after a kill that may have been done: never a refusal', async () => {
  const job = { jobId: 12, arrayJobId: 10, arrayTaskId: 3, jobState: RUNNING };
  const answers = { REQUEST_KILL_JOB: rc(2017), REQUEST_CANCEL_JOB_STEP: rc(2021) };
  await using on = await scene({ jobs: [job], answers });
  await using first = await scene({
    jobs: [job],
    answers: { REQUEST_KILL_JOB: (connection) => connection.drop() },
  });
  for (const idempotent of [false, true]) {
    const client = clientOf([first.peer.endpoint, on.peer.endpoint]);
    const told = await client.killJob(12, 'SIGKILL', { idempotent }).catch((error: unknown) => error);
    expect(told).toMatchObject({ code: 'ESLURM_ALREADY_DONE', outcome: 'unknown' });
    expect(on.sent().slice(-1)).toEqual(['REQUEST_CANCEL_JOB_STEP']);
  }
});

describe('a scrontab job', () => {
  const job = { jobId: 10, cronspec: '* * * * *', jobState: RUNNING };
  const steps = [
    { jobId: 10, stepId: 0xfffffffb, nodes: 'n1' },
    { jobId: 10, stepId: 0xfffffffc, nodes: 'n1' },
    { jobId: 10, stepId: 0, nodes: 'n1' },
    { jobId: 10, stepId: 1, nodes: 'n1' },
  ];

  it.each([
    ['SIGKILL', {}, [0xfffffffb]],
    ['SIGKILL', { full: true }, [0xfffffffb]],
    ['SIGKILL', { batch: true }, [0, 1]],
    ['SIGKILL', { stepsOnly: true }, [0, 1]],
    ['SIGTERM', {}, [0, 1]],
    ['SIGTERM', { full: true }, [0xfffffffb]],
  ] as [string, KillJobOptions, number[]][])('%s %j goes to its steps', async (signal, options, expected) => {
    await using on = await scene({ jobs: [job], steps, setup: { cluster: OPEN } });
    const wanted = options.batch === true ? [0xfffffffb] : expected;
    expect(await on.client.killJob(10, signal, options)).toMatchObject({ outcome: 'accepted', target: '10' });
    expect(on.steps().map(({ stepId, flags }) => [stepId.jobId, stepId.stepId, flags])).toEqual(
      wanted.map((stepId) => [10, stepId, 0]),
    );
    expect(on.peer.count('REQUEST_KILL_JOB')).toBe(0);
  });

  it('is signalled as a whole when that is meant', async () => {
    await using on = await scene({ jobs: [job], steps, setup: { cluster: OPEN } });
    await on.client.killJob(10, 'SIGKILL', { cron: true });
    expect(on.sent()).toEqual(['REQUEST_KILL_JOB']);
  });

  it.each([
    ['SIGKILL', PENDING, 2098],
    ['SIGTERM', PENDING, 2020],
    ['SIGKILL', CANCELLED, 2021],
  ] as const)('%s in state %i: nothing is sent', async (signal, jobState, number) => {
    await using on = await scene({ jobs: [{ ...job, jobState }], setup: { cluster: OPEN } });
    const error = await failureOf(on.client.killJob(10, signal));
    expect(error).toMatchObject({ number, outcome: 'not-sent', peer: on.peer.peer });
    expect(on.sent()).toEqual(['REQUEST_JOB_INFO_SINGLE']);
    if (number !== 2021) return;
    expect(await on.client.killJob(10, signal, { idempotent: true })).toMatchObject({
      outcome: 'not-sent',
      code: 'ESLURM_ALREADY_DONE',
      number,
      target: '10',
      peer: on.peer.peer,
    });
  });

  it('without steps: nobody took the signal, and that is said', async () => {
    await using on = await scene({ jobs: [job], steps: steps.slice(0, 2), setup: { cluster: OPEN } });
    expect(await failureOf(on.client.killJob(10, 'SIGUSR1'))).toMatchObject({
      errno: 'ESRCH',
      outcome: 'not-sent',
    });
  });

  it('a step that ends meanwhile is no failure while another took it', async () => {
    for (const numbers of [
      [2017, 0],
      [0, 2017],
    ]) {
      const left = [...numbers];
      const answers: { [N in MessageName]?: Answer } = {
        REQUEST_CANCEL_JOB_STEP: (connection) => connection.send(rc(left.shift() ?? -1)),
      };
      await using on = await scene({ jobs: [job], steps, setup: { cluster: OPEN }, answers });
      expect(await on.client.killJob(10, 'SIGUSR1')).toMatchObject({ outcome: 'accepted' });
    }
  });

  it.each([
    [2017, 2017],
    [2017, 2020],
  ])(
    'the first step may have got it from a controller that died: answered %i and %i, unknown',
    async (...numbers) => {
      const left: number[] = [...numbers];
      const answers: { [N in MessageName]?: Answer } = {
        REQUEST_CANCEL_JOB_STEP: (connection) => connection.send(rc(left.shift() ?? -1)),
      };
      await using on = await scene({ jobs: [job], steps, setup: { cluster: OPEN }, answers });
      await using first = await scene({
        jobs: [job],
        steps,
        answers: { REQUEST_CANCEL_JOB_STEP: (connection) => connection.drop() },
      });
      const client = clientOf([first.peer.endpoint, on.peer.endpoint], { cluster: OPEN });
      const options = { stepsOnly: true };
      expect(await failureOf(client.killJob(10, 'SIGKILL', options))).toMatchObject({ outcome: 'unknown' });
      expect(first.steps()).toHaveLength(1);
      expect(on.steps()).toHaveLength(2);
    },
  );

  it.each([
    [[0, 2020], 'partial'],
    [[2020], 'refused'],
    [[2017, 2017], 'refused'],
  ] as [number[], string][])('steps answered %j: %s', async (numbers, outcome) => {
    const left = [...numbers];
    const answers: { [N in MessageName]?: Answer } = {
      REQUEST_CANCEL_JOB_STEP: (connection) => connection.send(rc(left.shift() ?? -1)),
    };
    await using on = await scene({ jobs: [job], steps, setup: { cluster: OPEN }, answers });
    expect(await failureOf(on.client.killJob(10, 'SIGUSR1'))).toMatchObject({ outcome });
  });

  it('steps of which some took it are listed, those that were not asked too', async () => {
    const left = [0, 2017, 2002];
    const answers: { [N in MessageName]?: Answer } = {
      REQUEST_CANCEL_JOB_STEP: (connection) => connection.send(rc(left.shift() ?? 0)),
    };
    const four = [...steps, { jobId: 10, stepId: 2, nodes: 'n1' }, { jobId: 10, stepId: 3, nodes: 'n1' }];
    await using on = await scene({ jobs: [job], steps: four, setup: { cluster: OPEN }, answers });
    const error = await failureOf(on.client.killJob(10, 'SIGUSR1'));
    expect(error).toMatchObject({ code: 'ESLURM_ACCESS_DENIED', outcome: 'partial', retryable: false });
    expect(error.parts?.map(({ target, number, outcome }) => [target, number, outcome])).toEqual([
      ['10.0', 0, 'accepted'],
      ['10.1', 2017, 'refused'],
      ['10.2', 2002, 'refused'],
      ['10.3', 2002, 'not-sent'],
    ]);
    expect(on.steps()).toHaveLength(3);
  });

  it('whose steps have all ended meanwhile is a value with idempotent', async () => {
    const answers = { REQUEST_CANCEL_JOB_STEP: rc(2017) };
    await using on = await scene({ jobs: [job], steps, setup: { cluster: OPEN }, answers });
    expect(await on.client.killJob(10, 'SIGUSR1', { idempotent: true })).toMatchObject({
      outcome: 'refused',
      code: 'ESLURM_INVALID_JOB_ID',
      target: '10',
    });
    expect(on.steps()).toHaveLength(2);
  });

  it('is left to the controller where that guards it, which releases before 23.02 do not', async () => {
    for (const [release, looks] of [
      ['22.05', 1],
      ['23.02', 0],
      ['26.05', 0],
    ] as const) {
      await using on = await scene({ jobs: [{ jobId: 10 }], setup: { cluster: GUARDED }, release });
      await on.client.killJob(10);
      expect(on.peer.count('REQUEST_JOB_INFO_SINGLE')).toBe(looks);
    }
  });

  it('other jobs are killed by their text after the look; tasks of arrays need none', async () => {
    await using on = await scene({ jobs: [{ jobId: 10 }], setup: { cluster: OPEN } });
    await on.client.killJob(10);
    await on.client.killJob('10_[1-2]');
    expect(on.sent()).toEqual(['REQUEST_JOB_INFO_SINGLE', 'REQUEST_KILL_JOB', 'REQUEST_KILL_JOB']);
  });

  it('named as an array, which a controller takes for the job', async () => {
    await using on = await scene({ jobs: [job], steps, setup: { cluster: OPEN } });
    expect(await on.client.killJob('10_*', 'SIGUSR1')).toMatchObject({ outcome: 'accepted', target: '10_*' });
    expect(on.sent()).not.toContain('REQUEST_KILL_JOB');
  });

  it.each([
    [2020, 'partial'],
    // Asked too often: of a step alone that would be worth another try.
    [1804, 'partial'],
  ])(
    'a later step answered %i: %s, and not to be repeated for those that took it',
    async (number, outcome) => {
      const release = '24.11';
      let seen = 0;
      const answers: { [N in MessageName]?: Answer } = {
        REQUEST_CANCEL_JOB_STEP: (connection) => connection.send(rc(seen++ === 0 ? 0 : number, { release })),
      };
      await using on = await scene({ jobs: [job], steps, setup: { cluster: OPEN }, answers, release });
      const error = await failureOf(on.client.killJob(10, 'SIGUSR1'));
      expect(error).toMatchObject({ number, outcome, retryable: false });
    },
  );

  it('by its sluid', async () => {
    await using on = await scene({ jobs: [job], steps, setup: { cluster: OPEN }, release: '26.05' });
    await on.client.killJob('sD81M80YD4HS00', 'SIGUSR1');
    const look = on.peer.connections.find(
      ({ request }) => request?.frame.messageName === 'REQUEST_JOB_INFO_SINGLE',
    );
    expect(
      decodeBody('REQUEST_JOB_INFO_SINGLE', '26.05', look?.request?.frame.body ?? new Uint8Array()).stepId,
    ).toMatchObject({ sluid: 0xd40688079a48e400n, jobId: NO_VAL });
    expect(on.steps()).toHaveLength(2);
  });
});

describe("SIGKILL to a het leader's step", () => {
  it.each(['24.05', '25.11', '26.05'] as const)(
    'is not sent to a controller that speaks %s',
    async (release) => {
      const jobs = [{ jobId: 10, hetJobId: 10, jobState: RUNNING }];
      await using on = await scene({ jobs, steps: [{ jobId: 10, stepId: 0, nodes: 'n1' }], release });
      // The node's address is not known, which is all this controller tells.
      const error = await failureOf(on.client.killJobStep('10.0'));
      expect(error).toMatchObject({ outcome: 'not-sent' });
      expect(on.peer.count('REQUEST_CANCEL_JOB_STEP')).toBe(0);
      expect(on.peer.count('REQUEST_JOB_STEP_INFO')).toBe(1);
    },
  );

  it('idempotent: what the look showed to have ended is a value', async () => {
    for (const [jobState, code] of [
      [CANCELLED, 'ESLURM_ALREADY_DONE'],
      [RUNNING, 'ESLURM_INVALID_JOB_ID'],
    ] as const) {
      await using on = await scene({ jobs: [{ jobId: 10, hetJobId: 10, jobState }], release: '26.05' });
      expect(await on.client.killJobStep('10.0', 'SIGKILL', { idempotent: true })).toMatchObject({
        outcome: 'not-sent',
        code,
        peer: on.peer.peer,
      });
    }
  });

  it('other signals, other components and older protocols are', async () => {
    for (const [release, hetJobId, signal] of [
      ['26.05', 10, 'SIGTERM'],
      ['26.05', 9, 'SIGKILL'],
      ['26.05', 0, 'SIGKILL'],
      ['23.11', 10, 'SIGKILL'],
    ] as const) {
      await using on = await scene({ jobs: [{ jobId: 10, hetJobId, jobState: RUNNING }], release });
      await on.client.killJobStep('10.0', signal);
      expect(on.peer.count('REQUEST_CANCEL_JOB_STEP')).toBe(1);
    }
  });
});

describe('a step named through its array or het job', () => {
  it.each([
    ['10_3.1', { arrayJobId: 10, arrayTaskId: 3 }],
    ['10+2.1', { hetJobId: 10, hetJobOffset: 2 }],
  ])('%s has the number of its own record', async (step, own) => {
    await using on = await scene({ jobs: [{ jobId: 14, ...own }] });
    expect(await on.client.killJobStep(step, 'SIGUSR1')).toMatchObject({ outcome: 'accepted', target: step });
    expect(on.steps()).toMatchObject([{ stepId: { jobId: 14, stepId: 1, stepHetComp: NO_VAL } }]);
  });

  it('of a task that shares its record with others: by then it may be another one', async () => {
    const jobs = [{ jobId: 10, arrayJobId: 10, arrayTaskStr: '0x18', jobState: PENDING }];
    await using on = await scene({ jobs });
    expect(await failureOf(on.client.killJobStep('10_3.0'))).toMatchObject({
      number: 2020,
      outcome: 'not-sent',
      peer: on.peer.peer,
    });
    expect(on.peer.count('REQUEST_CANCEL_JOB_STEP')).toBe(0);
  });

  it('that is not there', async () => {
    await using on = await scene({});
    expect(await failureOf(on.client.killJobStep('10_3.1'))).toMatchObject({
      code: 'ESLURM_INVALID_JOB_ID',
      errno: 'ESRCH',
      outcome: 'not-sent',
    });
    expect(await on.client.killJobStep('10_3.1', 'SIGKILL', { idempotent: true })).toMatchObject({
      outcome: 'not-sent',
      code: 'ESLURM_INVALID_JOB_ID',
    });
    expect(on.peer.count('REQUEST_CANCEL_JOB_STEP')).toBe(0);
  });
});

describe('what the cluster is like', () => {
  it.each([
    ['', '', 'none', false],
    ['enable', '', 'open', false],
    ['Enable,explicit_scancel', 'batch_sched_delay=0,whole_hetjob', 'guarded', true],
    ['explicit_scancel', 'whole_pack', 'none', true],
  ])('%j, %j', (scron, sched, scrontab, wholeHetJob) => {
    expect(clusterFacts(scron, sched)).toEqual({ scrontab, wholeHetJob });
  });

  /** The configuration of a live controller: no scrontab, no whole_hetjob. */
  const live = (release: Release, version: number) => {
    const line = goldenReplies().find(({ name, v }) => name === 'RESPONSE_BUILD_INFO' && v === version);
    return replyOf('RESPONSE_BUILD_INFO', fromHex(line?.hex ?? expect.fail('no golden BUILD_INFO')), {
      release,
    });
  };

  it('is asked once, also for calls side by side, and not at all where both answers are given', async () => {
    const answers = { REQUEST_BUILD_INFO: live('22.05', 38) };
    await using on = await scene({ setup: { cluster: null }, answers });
    await on.client.killJob(7, 'SIGKILL', { cron: true, wholeHetJob: true });
    expect(on.peer.count('REQUEST_BUILD_INFO')).toBe(0);
    await Promise.all([on.client.killJob(7), on.client.killJob(8), on.client.killJob(9)]);
    await on.client.killJob(10);
    expect(on.peer.count('REQUEST_BUILD_INFO')).toBe(1);
    expect(on.peer.count('REQUEST_KILL_JOB')).toBe(5);
    expect(on.peer.count('REQUEST_JOB_INFO_SINGLE')).toBe(0);
  });

  it('a controller that does not tell: every job is looked at', async () => {
    const answers = { REQUEST_BUILD_INFO: rc(2002) };
    await using on = await scene({
      jobs: [{ jobId: 7, cronspec: '@daily', jobState: PENDING }],
      setup: { cluster: null },
      answers,
    });
    expect(await failureOf(on.client.killJob(7))).toMatchObject({ number: 2098, outcome: 'not-sent' });
  });

  it('a controller that does not tell now may tell later', async () => {
    let told: Answer = rc(2002);
    const answers: { [N in MessageName]?: Answer } = {
      REQUEST_BUILD_INFO: (connection) => connection.send(told as Uint8Array),
    };
    const jobs = [{ jobId: 11, hetJobId: 10, jobState: RUNNING }];
    await using on = await scene({ jobs, setup: { cluster: null }, answers });
    await expectUsageError(on.client.killJob(11), { code: 'SLURMWIRE_WHOLE_HET_JOB', field: 'job' });
    told = live('22.05', 38);
    expect(await on.client.killJob(11)).toMatchObject({ outcome: 'accepted' });
  });

  it.each([1804, 2027])(
    'a controller that answers %i: nothing is made of that, and nothing is sent',
    async (number) => {
      const release = '24.11';
      await using on = await scene({
        setup: { cluster: null },
        answers: { REQUEST_BUILD_INFO: rc(number, { release }) },
        release,
      });
      const error = await failureOf(on.client.killJob(7));
      expect(error).toMatchObject({
        number,
        outcome: 'not-sent',
        retryable: true,
        rpc: 'REQUEST_BUILD_INFO',
      });
      expect(new Set(on.sent())).toEqual(new Set(['REQUEST_BUILD_INFO']));
    },
  );

  it('a question that fails is asked again by the next call, and nothing was sent', async () => {
    await using on = await scene({ setup: { cluster: null }, answers: { REQUEST_BUILD_INFO: silence } });
    for (const count of [1, 2]) {
      const error = await failureOf(on.client.killJob(7, 'SIGKILL', { timeoutMs: 1_500 }));
      expect(error).toMatchObject({ outcome: 'not-sent', rpc: 'REQUEST_BUILD_INFO' });
      expect(on.peer.count('REQUEST_BUILD_INFO')).toBe(count);
    }
    expect(on.peer.count('REQUEST_KILL_JOB')).toBe(0);
  });
});
