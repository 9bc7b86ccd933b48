/** killJobs against scripted controllers: bytes, entries, lookups and singles, deadlines, and who may ask for what. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  decodeBody,
  encodeBody,
  isAtLeast,
  type MessageInput,
  RELEASE_NAMES,
  type Release,
} from '../../src/protocol/index.js';
import type { JobRecord } from '../../src/protocol/messages/job-record.js';
import type { JobFilter, KilledJobs, KillJobsOptions } from '../../src/rpc/index.js';
import { Pacer } from '../../src/rpc/pacer.js';
import { fromHex, goldenReplies, releaseOfProtocol, toHex } from '../support/golden.js';
import { FakeAuth, SLURM_USER } from './support/fake-auth.js';
import { noStrayTrouble } from './support/leaks.js';
import { type Answer, answering, jobRecordsReply, rc, reply, replyOf, silence } from './support/replies.js';
import { ScriptedPeer } from './support/scripted-peer.js';
import { clientOf, expectFailure, expectUsageError } from './support/setup.js';

noStrayTrouble();

const NO_VAL = 0xfffffffe;
const ALICE = 1000;
const BOB = 1001;
const BULK = RELEASE_NAMES.filter((release) => isAtLeast(release, '23.11'));
const SINGLES = RELEASE_NAMES.filter((release) => !isAtLeast(release, '23.11'));

beforeEach(() => {
  vi.spyOn(process, 'geteuid').mockReturnValue(ALICE);
});
afterEach(() => {
  vi.restoreAllMocks();
});

type Responses = NonNullable<MessageInput<'RESPONSE_KILL_JOBS'>['jobResponses']>;
interface Response {
  readonly job: number;
  readonly number?: number;
  readonly task?: number;
  readonly het?: number;
  readonly tasks?: number[];
  readonly real?: number | null;
  readonly sibling?: string;
}

function killJobsReply(release: Release, responses: readonly Response[]): Uint8Array {
  const jobResponses = responses.map(({ job, number = 0, task, het, tasks, real, sibling }) => ({
    errorCode: number,
    errorMsg: number === 0 ? null : `said ${number}`,
    id: {
      stepId: { jobId: job, stepId: NO_VAL, stepHetComp: NO_VAL },
      arrayTaskId: task ?? NO_VAL,
      hetJobOffset: het ?? NO_VAL,
      ...(isAtLeast(release, '24.11')
        ? { arrayBitmap: tasks === undefined ? null : { size: 1001, set: tasks } }
        : {}),
    },
    realJobId: real === null ? NO_VAL : (real ?? job),
    siblingName: sibling ?? null,
  }));
  return reply('RESPONSE_KILL_JOBS', { jobResponses: jobResponses as unknown as Responses }, { release });
}

/** A job that runs, of alice, of no array and no het job, unless said otherwise. */
function job(jobId: number, own: Partial<JobRecord> = {}): Partial<JobRecord> {
  return {
    jobId,
    arrayJobId: 0,
    arrayTaskId: NO_VAL,
    arrayTaskStr: null,
    hetJobId: 0,
    hetJobOffset: 0,
    jobState: 1,
    userId: ALICE,
    name: 'sim',
    account: 'phys',
    partition: 'main',
    qos: 'normal',
    resvName: null,
    wckey: '*key',
    nodes: 'n[1-2]',
    cronspec: null,
    ...own,
  };
}

const jobInfo = (release: Release, jobs: readonly Partial<JobRecord>[]) => jobRecordsReply(jobs, { release });

interface Script {
  readonly release?: Release;
  readonly responses?: readonly Response[];
  readonly records?: readonly Partial<JobRecord>[];
  /** Number answered to KILL_JOB by id text; 0 for the others. */
  readonly singles?: Readonly<Record<string, number>>;
  readonly bulk?: Answer;
  readonly info?: Answer;
  readonly single?: Answer;
  readonly pacer?: Pacer;
}

async function controller({ release = '24.11', responses = [], records = [], singles = {}, ...own }: Script) {
  const texts: string[] = [];
  const single: Answer = async (connection, request) => {
    const { sjobId } = decodeBody('REQUEST_KILL_JOB', release, request.frame.body);
    texts.push(sjobId ?? 'null');
    await connection.send(rc(singles[sjobId ?? ''] ?? 0, { release }));
    connection.finish();
  };
  // A task by the number of its own record.
  const record: Answer = async (connection, request) => {
    const { stepId } = decodeBody('REQUEST_CANCEL_JOB_STEP', release, request.frame.body);
    expect(stepId).toMatchObject({ stepId: NO_VAL, stepHetComp: NO_VAL });
    texts.push(`#${stepId.jobId}`);
    await connection.send(rc(singles[`#${stepId.jobId}`] ?? 0, { release }));
    connection.finish();
  };
  // A look by one id, as killJob takes it: the records that id stands for.
  const look: Answer = async (connection, request) => {
    const { jobId } = decodeBody('REQUEST_JOB_INFO_SINGLE', release, request.frame.body);
    const near = records.filter((one) => [one.jobId, one.arrayJobId, one.hetJobId].includes(jobId));
    await connection.send(jobInfo(release, near));
    connection.finish();
  };
  const ofUser: Answer = async (connection, request) => {
    const { userId } = decodeBody('REQUEST_JOB_USER_INFO', release, request.frame.body);
    await connection.send(
      jobInfo(
        release,
        records.filter((one) => one.userId === userId),
      ),
    );
    connection.finish();
  };
  const peer = await ScriptedPeer.listen(
    answering(
      {
        ...(isAtLeast(release, '23.11')
          ? { REQUEST_KILL_JOBS: own.bulk ?? killJobsReply(release, responses) }
          : {}),
        REQUEST_JOB_INFO: own.info ?? jobInfo(release, records),
        REQUEST_JOB_INFO_SINGLE: look,
        REQUEST_JOB_USER_INFO: own.info ?? ofUser,
        REQUEST_KILL_JOB: own.single ?? single,
        REQUEST_CANCEL_JOB_STEP: record,
      },
      release,
    ),
  );
  const auth = new FakeAuth();
  const client = clientOf([peer.endpoint], { release, auth, ...(own.pacer && { pacer: own.pacer }) });
  const asked = () => peer.requests.filter((name) => name !== 'REQUEST_PING');
  const bulkRecord = () => {
    const sent = peer.connections.filter(({ request }) => request?.name === 'REQUEST_KILL_JOBS');
    const body = sent.at(-1)?.request?.frame.body ?? expect.fail('no KILL_JOBS was sent');
    return { body, record: decodeBody('REQUEST_KILL_JOBS', release, body) };
  };
  return { peer, client, auth, texts, asked, bulkRecord, [Symbol.asyncDispose]: () => peer.close() };
}

const brief = ({ jobs }: KilledJobs) => jobs.map((one) => `${one.target} ${one.outcome} ${one.number}`);

describe('adminComment', () => {
  it('goes with the one request for all', async () => {
    await using c = await controller({ release: '25.11', responses: [{ job: 7 }] });
    await c.client.killJobs([7], 'SIGKILL', { adminComment: 'why' });
    expect(c.bulkRecord().record.adminComment).toBe('why');
  });

  it.each<[Release, readonly string[], string]>([
    ['25.05', ['7'], 'SLURMWIRE_NOT_IN_RELEASE'],
    ['26.05', ['7', '8+1'], 'SLURMWIRE_BAD_OPTION'],
  ])('is never left out: %s %j', async (release, ids, code) => {
    await using c = await controller({ release, responses: [{ job: 7 }] });
    await expectUsageError(c.client.killJobs(ids, 'SIGKILL', { adminComment: 'why' }), {
      code,
      field: 'adminComment',
    });
    expect(c.texts).toEqual([]);
    expect(c.asked()).not.toContain('REQUEST_KILL_JOBS');
  });

  it('of one who is no administrator: refused as a whole', async () => {
    await using c = await controller({ release: '25.11', bulk: rc(2010, { release: '25.11' }) });
    const error = await c.client.killJobs([7], 'SIGKILL', { adminComment: 'why' }).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'ESLURM_USER_ID_MISSING', outcome: 'refused' });
  });

  it("is never left out for somebody else's job either", async () => {
    const responses = [{ job: 7 }, { job: 8, number: 2172 }];
    const records = [job(7), job(8, { userId: BOB })];
    await using c = await controller({ release: '25.11', responses, records });
    const killed = await c.client.killJobs([7, 8], 'SIGKILL', { adminComment: 'why' });
    expect(brief(killed)).toEqual(['7 accepted 0', '8 refused 2172']);
    expect(c.texts).toEqual([]);
  });
});

describe.each(BULK)('one KILL_JOBS in %s', (release) => {
  const quiet = release === '23.11' ? 0x0200 : 0;

  it('of ids carries them, the signal, KILL_JOBS_VERBOSE, and the own user', async () => {
    await using c = await controller({
      release,
      responses: [{ job: 7 }, { job: 8, task: 1, real: 80 }, { job: 9 }],
    });
    const killed = await c.client.killJobs([7, '8_1', '9_*', '7', { jobId: 7 }], 'SIGTERM');
    expect(c.asked()).toEqual(['REQUEST_KILL_JOBS']);
    const { body, record } = c.bulkRecord();
    expect(record.userName).not.toBeNull();
    const expected = {
      flags: 0x0800 | quiet,
      jobsArray: ['7', '8_1', '9'],
      signal: 15,
      userId: ALICE,
      userName: record.userName,
    };
    expect(toHex(body)).toBe(toHex(encodeBody('REQUEST_KILL_JOBS', release, expected)));
    expect(killed).toEqual({
      outcome: 'accepted',
      message: '3 jobs: 3 accepted.',
      jobs: [
        { target: '7', jobId: 7, outcome: 'accepted', number: 0, errno: null, code: null, message: null },
        { target: '8_1', jobId: 80, outcome: 'accepted', number: 0, errno: null, code: null, message: null },
        { target: '9', jobId: 9, outcome: 'accepted', number: 0, errno: null, code: null, message: null },
      ],
      unixSignal: 15,
      rpc: 'REQUEST_KILL_JOBS',
      userId: null,
      peer: c.peer.peer,
      protocol: release,
      rpcs: 2,
      backoffs: 0,
      elapsedMs: expect.any(Number),
    });
  });

  it('of a filter carries all of it', async () => {
    await using c = await controller({ release });
    const filter: JobFilter = {
      ids: ['4_[1-3,7%2]'],
      user: ALICE,
      account: 'PHYS',
      partition: 'Main',
      qos: 'High',
      name: 'Sim',
      state: 'SUSPENDED',
      nodes: ['n[1-3]', 'n2'],
      reservation: 'Maint',
      wckey: '*k',
    };
    await c.client.killJobs(filter, 9, { cron: true });
    expect(c.bulkRecord().record).toMatchObject({
      flags: isAtLeast(release, '24.05') ? 0x1800 : 0x0800,
      jobsArray: ['4_[1-3,7]'],
      userId: ALICE,
      account: 'phys',
      partition: 'Main',
      qos: 'high',
      jobName: 'Sim',
      state: 2,
      nodelist: 'n[1-3]',
      reservation: 'Maint',
      wckey: '*k',
    });
  });

  it('of root may mean anybody', async () => {
    vi.spyOn(process, 'geteuid').mockReturnValue(0);
    await using c = await controller({ release, responses: [{ job: 7 }] });
    expect(await c.client.killJobs({ name: 'sim' })).toMatchObject({ outcome: 'accepted', userId: null });
    expect(c.bulkRecord().record).toMatchObject({ userName: null, userId: NO_VAL, jobName: 'sim' });
    await c.client.killJobs({ user: BOB });
    expect(c.bulkRecord().record).toMatchObject({ userName: String(BOB), userId: BOB });
  });

  it('of nothing that matches: an empty list that says so', async () => {
    await using c = await controller({ release });
    expect(await c.client.killJobs({ name: 'none' })).toMatchObject({
      outcome: 'nothing-matched',
      jobs: [],
      message: 'No job matched: nothing was signalled.',
      userId: ALICE,
      peer: c.peer.peer,
    });
    expect(c.bulkRecord().record).toMatchObject({ userId: ALICE, jobName: 'none' });
  });
});

describe('the entries of a KILL_JOBS', () => {
  it('are never collapsed, and a refusal of one job rejects nothing', async () => {
    const responses = [
      { job: 999, number: 2017, real: null },
      { job: 4, number: 2017, real: null, tasks: [98, 99] },
      { job: 4, number: 2021, task: 0, real: 40 },
      { job: 4, number: 2020, tasks: [3, 4, 7], real: 4 },
      { job: 4, task: 1, real: 41 },
      { job: 5, number: 2002 },
      { job: 6, number: 2098 },
    ];
    await using c = await controller({ responses });
    const killed = await c.client.killJobs([999, '4_[0-99]', 5, 6], 'USR1');
    expect(brief(killed)).toEqual([
      '999 refused 2017',
      '4_[98-99] refused 2017',
      '4_0 refused 2021',
      '4_[3-4,7] refused 2020',
      '4_1 accepted 0',
      '5 refused 2002',
      '6 refused 2098',
    ]);
    expect(killed.outcome).toBe('partial');
    expect(killed.message).toBe('7 jobs: 1 accepted, 6 refused.');
    expect(killed.jobs.map(({ jobId }) => jobId)).toEqual([null, null, 40, 4, 41, 5, 6]);
    expect(killed.jobs[5]).toMatchObject({ code: 'ESLURM_ACCESS_DENIED' });
    expect(killed.jobs[5]?.message).toContain('said 2002');
    expect(c.asked()).toEqual(['REQUEST_KILL_JOBS']);
  });

  it.each([
    ['a job of its own', [job(7)], 'refused'],
    ['the record of an array', [job(7, { arrayJobId: 7 })], 'refused'],
    ['a het leader', [job(7, { hetJobId: 7 })], 'unknown'],
    ['no longer known', [], 'unknown'],
  ] as const)('2021 for %s', async (_, records, outcome) => {
    await using c = await controller({ responses: [{ job: 7, number: 2021 }], records });
    const killed = await c.client.killJobs({ name: 'sim' }, 'USR1');
    expect(killed).toMatchObject({ outcome, jobs: [{ target: '7', outcome, number: 2021 }] });
    expect(c.asked()).toEqual(['REQUEST_KILL_JOBS', 'REQUEST_JOB_INFO']);
    const look = c.peer.connections.at(-1)?.request?.frame.body ?? expect.fail();
    expect(decodeBody('REQUEST_JOB_INFO', '24.11', look).jobIds).toEqual([7]);
  });

  it('a look that fails leaves it unknown', async () => {
    await using c = await controller({
      responses: [{ job: 7, number: 2020 }],
      info: rc(2002, { release: '24.11' }),
    });
    expect(await c.client.killJobs({ name: 'sim' })).toMatchObject({ outcome: 'unknown' });
  });

  it('a number that nobody knows proves nothing', async () => {
    await using c = await controller({
      responses: [
        { job: 7, number: 0xffffffff },
        { job: 8, number: 98765 },
      ],
    });
    expect(brief(await c.client.killJobs([7, 8]))).toEqual(['7 unknown -1', '8 unknown 98765']);
  });

  it('a sibling cluster has the job: unknown, and it says which', async () => {
    await using c = await controller({ responses: [{ job: 7, sibling: 'east' }] });
    const { jobs } = await c.client.killJobs([7]);
    expect(jobs).toMatchObject([{ outcome: 'unknown', code: 'SLURMWIRE_REROUTED' }]);
    expect(jobs[0]?.message).toContain('"east"');
  });

  it('an id that is not mentioned: with its het leader, or unknown', async () => {
    const records = [job(5, { hetJobId: 5 }), job(6, { hetJobId: 5, hetJobOffset: 1 })];
    await using c = await controller({ responses: [{ job: 5 }], records });
    const killed = await c.client.killJobs([5, 6, 77]);
    expect(brief(killed)).toEqual(['5 accepted 0', '6 accepted 0', '77 unknown null']);
  });

  it('idempotent: what has ended does not count, and stays listed', async () => {
    const responses = [{ job: 7 }, { job: 8, number: 2021, task: 1 }, { job: 9, number: 2017, real: null }];
    await using c = await controller({ responses });
    const ids = [7, 8, 9];
    expect((await c.client.killJobs(ids)).outcome).toBe('partial');
    const killed = await c.client.killJobs(ids, 9, { idempotent: true });
    expect(killed).toMatchObject({ outcome: 'accepted', jobs: [{}, { number: 2021 }, { number: 2017 }] });
  });

  it('those of live slurmctlds of all recorded releases are read', async () => {
    const lines = goldenReplies().filter(({ name }) => name === 'RESPONSE_KILL_JOBS');
    expect(lines.length).toBeGreaterThan(5);
    for (const line of lines) {
      const release = releaseOfProtocol(line.v);
      const bulk = replyOf('RESPONSE_KILL_JOBS', fromHex(line.hex), { release });
      await using c = await controller({ release, bulk, records: [job(1), job(2, { arrayJobId: 2 })] });
      const killed = await c.client.killJobs([1, '2_[0-3]', 999999, 4], 'USR1');
      const pending = isAtLeast(release, '24.11') ? '2_[2-3]' : '2';
      expect(brief(killed), `${line.v}`).toEqual([
        '999999 refused 2017',
        `${pending} refused 2020`,
        '1 accepted 0',
        '2_0 accepted 0',
        '2_1 accepted 0',
        '3+1 accepted 0',
      ]);
    }
  });
});

describe("somebody else's jobs", () => {
  it('that the own user filter keeps out are asked for one by one', async () => {
    const responses = [
      { job: 7 },
      { job: 8, number: 2172 },
      { job: 9, number: 2172, task: 1, real: 91 },
      { job: 9, number: 2021, task: 0, real: 90 },
      { job: 9, number: 2172, real: 9 },
    ];
    const bobs = { userId: BOB };
    const records = [
      job(7),
      job(8, bobs),
      job(90, { ...bobs, arrayJobId: 9, arrayTaskId: 0, jobState: 3 }),
      job(91, { ...bobs, arrayJobId: 9, arrayTaskId: 1 }),
      job(9, { ...bobs, arrayJobId: 9, arrayTaskStr: '0xC', jobState: 0 }),
    ];
    const singles = { 8: 2002, '#91': 2002, '9_[2-3]': 2002 };
    await using c = await controller({ responses, records, singles });
    const killed = await c.client.killJobs([7, 8, 9]);
    expect(brief(killed)).toEqual([
      '7 accepted 0',
      '8 refused 2002',
      '9_[2-3] refused 2002',
      '9_0 refused 2021',
      '9_1 refused 2002',
    ]);
    expect(killed).toMatchObject({ outcome: 'partial', rpc: 'REQUEST_KILL_JOBS' });
    expect(c.bulkRecord().record).toMatchObject({ userId: ALICE, jobsArray: ['7', '8', '9'] });
    expect(c.texts.sort()).toEqual(['#91', '8', '9_[2-3]']);
  });

  it('are asked for by their ids where they are hidden from lookups, or no lookup can be had', async () => {
    for (const info of [jobInfo('24.11', []), rc(2002, { release: '24.11' })]) {
      await using c = await controller({ responses: [{ job: 8, number: 2172 }], singles: { 8: 2002 }, info });
      expect(brief(await c.client.killJobs([8]))).toEqual(['8 refused 2002']);
    }
  });

  it('beside other filters: the answer is the filter mismatch, and nothing is asked', async () => {
    await using c = await controller({ responses: [{ job: 8, number: 2172 }] });
    for (const filter of [
      { ids: [8], name: 'sim' },
      { ids: [8], user: ALICE },
    ]) {
      const { jobs } = await c.client.killJobs(filter);
      expect(jobs).toMatchObject([{ target: '8', outcome: 'refused', code: 'ESLURM_JOB_SIGNAL_FAILED' }]);
    }
    expect(c.texts).toEqual([]);
  });

  it('by a filter that names the user: a lookup and singles, never a KILL_JOBS', async () => {
    const records = [job(7), job(8, { userId: BOB }), job(9, { userId: BOB, jobState: 3 })];
    await using c = await controller({ records, singles: { 8: 2002 } });
    const killed = await c.client.killJobs({ user: BOB });
    expect(brief(killed)).toEqual(['8 refused 2002']);
    expect(killed).toMatchObject({ outcome: 'refused', rpc: 'REQUEST_KILL_JOB', userId: BOB });
    expect(c.asked()).toEqual(['REQUEST_JOB_USER_INFO', 'REQUEST_KILL_JOB']);
  });

  it('by a process whose uid is not known: ids one by one, filters only with a user', async () => {
    const { geteuid } = process;
    try {
      Object.assign(process, { geteuid: undefined });
      await using c = await controller({ records: [job(7)] });
      expect(brief(await c.client.killJobs([7]))).toEqual(['7 accepted 0']);
      expect(c.asked()).toEqual(['REQUEST_JOB_INFO', 'REQUEST_KILL_JOB']);
      const expected = { code: 'SLURMWIRE_BAD_OPTION', field: 'user' };
      await expectUsageError(c.client.killJobs({ name: 'sim' }), expected);
      expect((await c.client.killJobs({ name: 'sim', user: ALICE })).outcome).toBe('accepted');
      expect(c.asked()).not.toContain('REQUEST_KILL_JOBS');
    } finally {
      Object.assign(process, { geteuid });
    }
  });

  it('of SlurmUser, who may signal them: one KILL_JOBS without a user, as long as it is SlurmUser who asks', async () => {
    const euid = vi.spyOn(process, 'geteuid').mockReturnValue(SLURM_USER);
    await using c = await controller({ responses: [{ job: 7 }, { job: 8 }] });
    for (const which of [{ name: 'sim' }, { user: BOB }, [7, 8]]) {
      expect(await c.client.killJobs(which)).toMatchObject({ outcome: 'accepted', rpc: 'REQUEST_KILL_JOBS' });
      const { userId } = c.bulkRecord().record;
      expect(userId).toBe('user' in which ? BOB : NO_VAL);
    }
    // The same client, another uid: the next call is that of an ordinary user.
    euid.mockReturnValue(ALICE);
    await c.client.killJobs({ name: 'sim' });
    expect(c.bulkRecord().record).toMatchObject({ userId: ALICE });
  });

  it('of one who would be SlurmUser elsewhere: where SlurmUser is not known, nobody is', async () => {
    vi.spyOn(process, 'geteuid').mockReturnValue(SLURM_USER);
    await using c = await controller({ responses: [{ job: 7 }] });
    const client = clientOf([c.peer.endpoint], { release: '24.11', slurmUser: null, trusted: null });
    await client.killJobs({ name: 'sim' });
    expect(c.bulkRecord().record).toMatchObject({ userId: SLURM_USER });
  });
});

describe('what KILL_JOBS would get wrong', () => {
  it('het components are never in it', async () => {
    const records = [job(5, { hetJobId: 5 }), job(6, { hetJobId: 5, hetJobOffset: 1 }), job(14)];
    await using c = await controller({ responses: [{ job: 7 }], records, singles: { '5+9': 2017 } });
    const killed = await c.client.killJobs([7, '5+1', '5+9']);
    expect(brief(killed)).toEqual(['7 accepted 0', '5+1 accepted 0', '5+9 refused 2017']);
    expect(c.bulkRecord().record.jobsArray).toEqual(['7']);
    expect(c.texts.sort()).toEqual(['5+1', '5+9']);
  });

  it('het components whose leader is in it are not signalled again', async () => {
    const records = [job(5, { hetJobId: 5 }), job(6, { hetJobId: 5, hetJobOffset: 1 })];
    for (const [number, outcome] of [
      [0, 'accepted'],
      [2021, 'unknown'],
    ] as const) {
      await using c = await controller({
        responses: [{ job: 5, number }],
        records,
        singles: { '5+9': 2017 },
      });
      const killed = await c.client.killJobs([5, '5+1', '5+0', '5+9'], 'USR1');
      expect(brief(killed)).toEqual([
        `5 ${outcome} ${number}`,
        `5+1 ${outcome} ${number}`,
        `5+0 ${outcome} ${number}`,
        '5+9 refused 2017',
      ]);
      expect(c.texts).toEqual(['5+9']);
    }
    // Where no lookup can be had, nobody knows whether there is such a component.
    const info = rc(2002, { release: '24.11' });
    await using c = await controller({ responses: [{ job: 5 }], info });
    expect(brief(await c.client.killJobs([5, '5+1', '7+1'], 'USR1'))).toEqual([
      '5 accepted 0',
      '5+1 unknown null',
      '7+1 accepted 0',
    ]);
    expect(c.texts).toEqual(['7+1']);
  });

  it('nothing but het components: no KILL_JOBS at all', async () => {
    await using c = await controller({ singles: { '5+9': 2017 } });
    expect(await c.client.killJobs(['5+9'])).toMatchObject({ rpc: 'REQUEST_KILL_JOB', outcome: 'refused' });
    expect(c.asked()).toEqual(['REQUEST_JOB_INFO', 'REQUEST_KILL_JOB']);
  });

  it('a sibling is for singles', async () => {
    await using c = await controller({ records: [job(7)] });
    expect((await c.client.killJobs([7], 9, { sibling: 'east' })).outcome).toBe('accepted');
    expect(c.asked()).toEqual(['REQUEST_JOB_INFO', 'REQUEST_KILL_JOB']);
  });

  it('an empty list of ids is no job, whatever else is said, and nothing is asked', async () => {
    await using c = await controller({});
    for (const which of [[], { ids: [] }, { ids: [], user: ALICE, name: 'sim' }]) {
      expect(await c.client.killJobs(which)).toMatchObject({
        outcome: 'nothing-matched',
        jobs: [],
        rpc: null,
      });
    }
    expect(c.peer.connections).toHaveLength(0);
  });
});

describe('a request refused as a whole', () => {
  it.each([2136, 2137, 2139, 2141, 2144, 2145, 2146, 2149, 2173])(
    '%i: EINVAL, nothing was done',
    async (number) => {
      await using c = await controller({ bulk: rc(number, { release: '24.11' }) });
      const error = await c.client.killJobs([7]).catch((reason) => reason);
      expect(error).toMatchObject({
        name: 'SlurmServerError',
        outcome: 'refused',
        errno: 'EINVAL',
        number,
        rpc: 'REQUEST_KILL_JOBS',
        retryable: false,
      });
      expect(c.texts).toEqual([]);
    },
  );

  it.each([
    [2002, 'refused'],
    [-1, 'unknown'],
    [5003, 'unknown'],
    [0, 'unknown'],
  ] as const)('%i: %s', async (number, outcome) => {
    await using c = await controller({ bulk: rc(number, { release: '24.11' }) });
    expect(await c.client.killJobs([7]).catch((reason) => reason)).toMatchObject({ number, outcome });
  });

  it('no answer by the deadline: unknown, and may be repeated only where it does no harm', async () => {
    for (const [signal, retryable] of [
      [9, true],
      [10, false],
    ] as const) {
      await using c = await controller({ bulk: silence });
      await expectFailure(c.client.killJobs([7], signal, { timeoutMs: 300 }), {
        name: 'SlurmTimeoutError',
        code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT',
        phase: 'wait',
        outcome: 'unknown',
        retryable,
        rpc: 'REQUEST_KILL_JOBS',
        peer: c.peer.peer,
        protocol: '24.11',
      });
    }
  });
});

describe.each(SINGLES)('lookup and singles in %s', (release) => {
  it('one KILL_JOB for each that fits, pending ones first; ended and others are left alone', async () => {
    const records = [
      job(7),
      job(8, { jobState: 0, nodes: null }),
      job(9, { jobState: 4 }),
      job(10, { userId: BOB }),
      job(11, { name: 'other' }),
      job(12, { jobState: 2 | 0x10000 }),
    ];
    await using c = await controller({ release, records, singles: { 12: 2020 } });
    const killed = await c.client.killJobs({ name: 'sim' }, 'SIGTERM', { concurrency: 1 });
    expect(brief(killed)).toEqual(['8 accepted 0', '7 accepted 0', '12 refused 2020']);
    expect(c.texts).toEqual(['8', '7', '12']);
    expect(killed).toMatchObject({
      outcome: 'partial',
      rpc: 'REQUEST_KILL_JOB',
      userId: ALICE,
      unixSignal: 15,
    });
    // Of a user no more than that user's jobs are asked for.
    const body = c.peer.connections.find(({ request }) => request?.name === 'REQUEST_JOB_USER_INFO')?.request
      ?.frame.body;
    expect(decodeBody('REQUEST_JOB_USER_INFO', release, body ?? expect.fail())).toEqual({
      showFlags: 1,
      userId: ALICE,
    });
    const last = c.peer.connections.filter(({ request }) => request?.name === 'REQUEST_KILL_JOB').at(-1);
    expect(decodeBody('REQUEST_KILL_JOB', release, last?.request?.frame.body ?? expect.fail())).toMatchObject(
      {
        signal: 15,
        flags: release === '23.02' ? 0x0200 : 0,
        sibling: null,
      },
    );
  });

  it('ids: each has its entry, arrays by their records', async () => {
    const array = { arrayJobId: 4 };
    const records = [
      job(7),
      job(40, { ...array, arrayTaskId: 0, jobState: 3 }),
      job(41, { ...array, arrayTaskId: 1 }),
      job(4, { ...array, arrayTaskStr: '0x38', jobState: 0 }),
    ];
    await using c = await controller({ release, records, singles: { 999: 2017 } });
    const killed = await c.client.killJobs([999, '4_[0-4]', '4_[8-9]', 7]);
    expect(brief(killed).sort()).toEqual([
      '4_0 refused 2021',
      '4_1 accepted 0',
      '4_[2,8-9] refused 2017',
      '4_[3-4] accepted 0',
      '7 accepted 0',
      '999 refused 2017',
    ]);
    expect(c.texts.sort()).toEqual(['#41', '4_[3-4]', '7', '999']);
    // Another signal is nothing for pending tasks; that is said without asking for a range that has one number for all.
    expect(brief(await c.client.killJobs([4], 'USR1'))).toEqual([
      '4_[3-5] refused 2020',
      '4_0 refused 2021',
      '4_1 accepted 0',
    ]);
  });

  it('a scrontab job is left alone unless it is meant', async () => {
    const records = [job(7, { cronspec: '0 * * * *' }), job(8)];
    await using c = await controller({ release, records });
    for (const which of [{ name: 'sim' }, [7, 8]]) {
      const killed = await c.client.killJobs(which);
      expect(brief(killed)).toEqual(['7 refused 2098', '8 accepted 0']);
      expect(killed.jobs[0]?.code).toBe('ESLURM_CANNOT_CANCEL_CRON_JOB');
    }
    expect(c.texts).toEqual(['8', '8']);
    expect(brief(await c.client.killJobs([7], 9, { cron: true }))).toEqual(['7 accepted 0']);
  });
});

describe('lookup and singles', () => {
  const release = '22.05';

  it.each([
    [{ account: 'PHYS' }, 'yes'],
    [{ account: 'chem' }, 'no'],
    [{ qos: 'Normal' }, 'yes'],
    [{ qos: 'high' }, 'no'],
    [{ partition: 'long' }, 'yes'],
    [{ partition: 'mai' }, 'no'],
    [{ name: 'sim' }, 'yes'],
    [{ name: 'Sim' }, 'no'],
    [{ state: 'RUNNING' }, 'yes'],
    [{ state: 'PENDING' }, 'no'],
    [{ nodes: 'n[2-9]' }, 'yes'],
    [{ nodes: ['n7', 'n1'] }, 'yes'],
    [{ nodes: 'n[3-9]' }, 'no'],
    [{ reservation: 'maint' }, 'yes'],
    [{ reservation: 'other' }, 'no'],
    [{ wckey: 'key' }, 'yes'],
    [{ wckey: '*key' }, 'yes'],
    [{ wckey: '*other' }, 'no'],
    [{ user: ALICE, name: 'sim' }, 'yes'],
    [{ user: BOB }, 'no'],
    [{ name: 'sim', state: 'PENDING' }, 'no'],
  ] as [JobFilter, string][])('%j fits: %s', async (filter, fits) => {
    const records = [job(7, { partition: 'main,long', resvName: 'maint' })];
    await using c = await controller({ release, records });
    expect(brief(await c.client.killJobs(filter))).toEqual(fits === 'yes' ? ['7 accepted 0'] : []);
    const byId = await c.client.killJobs({ ids: [7], ...filter });
    expect(brief(byId)).toEqual([fits === 'yes' ? '7 accepted 0' : '7 refused 2172']);
  });

  it('a het job is asked for by its leader, a component alone by its own name', async () => {
    const records = [job(5, { hetJobId: 5 }), job(6, { hetJobId: 5, hetJobOffset: 1, name: 'part' })];
    await using c = await controller({ release, records });
    expect(brief(await c.client.killJobs({ account: 'phys' }))).toEqual(['5 accepted 0']);
    expect(brief(await c.client.killJobs({ name: 'part' }))).toEqual(['5+1 accepted 0']);
    expect(brief(await c.client.killJobs(['5+1', 6, 5]))).toEqual([
      '5+1 accepted 0',
      '6 accepted 0',
      '5 accepted 0',
    ]);
  });

  it('a component beside its leader does not get the signal twice: the answer for the leader is its own', async () => {
    const records = [
      job(5, { hetJobId: 5 }),
      job(6, { hetJobId: 5, hetJobOffset: 1 }),
      job(7, { hetJobId: 5, hetJobOffset: 2, jobState: 3 }),
    ];
    for (const [ids, texts, entries] of [
      [['5+1', 6, 5], ['5'], ['5+1 accepted 0', '6 accepted 0', '5 accepted 0']],
      [[5, '5+0'], ['5'], ['5 accepted 0', '5+0 accepted 0']],
      [
        ['5+1', 6],
        ['5+1', '6'],
        ['5+1 accepted 0', '6 accepted 0'],
      ],
      [[5, '5+2'], ['5'], ['5 accepted 0', '5+2 refused 2021']],
    ] as const) {
      await using c = await controller({ release, records });
      expect(brief(await c.client.killJobs([...ids], 'USR1'))).toEqual(entries);
      expect(c.texts.sort()).toEqual(texts);
    }
    await using c = await controller({ release, records, singles: { 5: 2002 } });
    expect(brief(await c.client.killJobs([5, '5+1']))).toEqual(['5 refused 2002', '5+1 refused 2002']);
    c.texts.length = 0;
    expect(brief(await c.client.killJobs(['5+1', '5+0'], 'USR1'))).toEqual([
      '5+1 accepted 0',
      '5+0 not-sent null',
    ]);
    expect(c.texts).toEqual(['5+1']);
    expect(brief(await c.client.killJobs(['5+1', '5+0'], 'USR1', { wholeHetJob: true }))).toEqual([
      '5+1 accepted 0',
      '5+0 accepted 0',
    ]);
    expect(c.texts).toEqual(['5+1', '5+0']);
  });

  it('a leader that is not asked for, having ended in part, does not keep its component from it', async () => {
    const records = [job(5, { hetJobId: 5, name: 'other' }), job(6, { hetJobId: 5, hetJobOffset: 1 })];
    await using c = await controller({ release, records });
    expect(brief(await c.client.killJobs({ ids: [5, 6], name: 'sim' }))).toEqual([
      '5 refused 2172',
      '6 accepted 0',
    ]);
  });

  it('tasks among those that nobody tells are not said to be unknown', async () => {
    const records = [
      job(40, { arrayJobId: 4, arrayTaskId: 0 }),
      job(4, { arrayJobId: 4, jobState: 0, arrayTaskStr: null }),
    ];
    await using c = await controller({ release, records });
    const killed = await c.client.killJobs(['4_[0-2]'], 9, { idempotent: true });
    expect(brief(killed)).toEqual(['4_0 accepted 0', '4_[1-2] not-sent null']);
    expect(killed.outcome).toBe('partial');
  });

  it('a task that keeps the number of its array is named by its task; tasks nobody tells are not asked for', async () => {
    const records = [job(4, { arrayJobId: 4, arrayTaskId: 2 }), job(5, { arrayJobId: 5, jobState: 0 })];
    await using c = await controller({ release, records });
    const killed = await c.client.killJobs({ name: 'sim' });
    expect(brief(killed)).toEqual(['5 not-sent null', '4_2 accepted 0']);
    // '4' would have been the whole array, and so would '5'.
    expect(c.texts).toEqual(['#4']);
  });

  it('trouble with one job is its entry, and the others go on', async () => {
    const single: Answer = async (connection, request) => {
      const { sjobId } = decodeBody('REQUEST_KILL_JOB', release, request.frame.body);
      if (sjobId === '8') return connection.drop();
      await connection.send(rc(0));
      connection.finish();
    };
    await using c = await controller({ release, records: [job(7), job(8), job(9)], single });
    const killed = await c.client.killJobs({ name: 'sim' });
    expect(brief(killed)).toEqual(['7 accepted 0', '8 unknown null', '9 accepted 0']);
    expect(killed).toMatchObject({ outcome: 'partial', message: '3 jobs: 2 accepted, 1 unknown.' });
  });

  it.each([1, 3, undefined])('concurrency %s is kept to', async (concurrency) => {
    let open = 0;
    let most = 0;
    const single: Answer = async (connection) => {
      most = Math.max(most, ++open);
      for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
      open -= 1;
      await connection.send(rc(0));
      connection.finish();
    };
    const records = Array.from({ length: 30 }, (_, i) => job(100 + i));
    await using c = await controller({ release, records, single });
    const killed = await c.client.killJobs({ name: 'sim' }, 9, { concurrency });
    expect(killed).toMatchObject({ outcome: 'accepted' });
    expect(killed.jobs).toHaveLength(30);
    expect(most).toBeLessThanOrEqual(concurrency ?? 8);
    expect(most).toBeGreaterThan((concurrency ?? 8) > 1 ? 1 : 0);
  });

  it('the deadline in the middle: what was sent, what was not', async () => {
    let seen = 0;
    const single: Answer = async (connection) => {
      if (++seen > 2) return;
      await connection.send(rc(0));
      connection.finish();
    };
    const records = [7, 8, 9, 10, 11].map((id) => job(id));
    await using c = await controller({ release, records, single });
    const killed = await c.client.killJobs({ name: 'sim' }, 9, { concurrency: 1, timeoutMs: 700 });
    expect(brief(killed)).toEqual([
      '7 accepted 0',
      '8 accepted 0',
      '9 unknown null',
      '10 not-sent null',
      '11 not-sent null',
    ]);
    expect(killed.outcome).toBe('partial');
    expect(killed.jobs[3]).toMatchObject({ code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT' });
    expect(killed.jobs[3]?.message).toContain('Not sent');
    expect(c.peer.count('REQUEST_KILL_JOB')).toBe(3);
  });

  it('a caller who aborts gets the same list', async () => {
    const abort = new AbortController();
    const single: Answer = () => abort.abort();
    await using c = await controller({ release, records: [job(7), job(8)], single });
    const killed = await c.client.killJobs({ name: 'sim' }, 9, { concurrency: 1, signal: abort.signal });
    expect(brief(killed)).toEqual(['7 unknown null', '8 not-sent null']);
    expect(killed.jobs[1]?.code).toBe('SLURMWIRE_ABORTED');
    expect(killed.outcome).toBe('unknown');
  });

  it.each([
    ['is refused', rc(2002), 'SlurmServerError'],
    ['is answered with success and no jobs', rc(0), 'SlurmProtocolError'],
    ['is answered with silence', silence, 'SlurmTimeoutError'],
  ] as const)('a lookup that %s: rejected, not sent', async (_, info, name) => {
    await using c = await controller({ release, info });
    const error = await c.client.killJobs([7], 9, { timeoutMs: 400 }).catch((reason) => reason);
    expect(error).toMatchObject({ name, outcome: 'not-sent', rpc: 'REQUEST_JOB_INFO' });
    expect(c.texts).toEqual([]);
  });
});

describe('the number of exchanges', () => {
  it('is one for each connection of the controller: first contact, request, look, lookup, singles', async () => {
    const records = [job(7), job(8, { userId: BOB }), job(9, { hetJobId: 9 })];
    const responses = [{ job: 7 }, { job: 8, number: 2172 }, { job: 9, number: 2021 }];
    await using c = await controller({ responses, records, singles: { 8: 2021 } });
    const first = await c.client.killJobs([7, 8, 9]);
    expect(c.peer.requests).toEqual([
      'REQUEST_PING',
      'REQUEST_KILL_JOBS',
      'REQUEST_JOB_INFO',
      'REQUEST_JOB_INFO',
      'REQUEST_KILL_JOB',
      'REQUEST_JOB_INFO_SINGLE',
    ]);
    expect(first.rpcs).toBe(6);
    // Of its own call alone, and without the contact that was made before.
    const [second, third] = await Promise.all([c.client.killJobs([7, 8, 9]), c.client.killJobs([])]);
    expect([second.rpcs, third.rpcs]).toEqual([5, 0]);
  });

  it('has those that failed, and those that were repeated when the controller said to wait', async () => {
    let seen = 0;
    const single: Answer = async (connection, request) => {
      const { sjobId } = decodeBody('REQUEST_KILL_JOB', '22.05', request.frame.body);
      if (sjobId === '8') return connection.drop();
      await connection.send(rc(seen++ === 0 ? 1804 : 0));
      connection.finish();
    };
    await using c = await controller({ release: '22.05', records: [job(7), job(8), job(9)], single });
    const killed = await c.client.killJobs({ name: 'sim' }, 9, { concurrency: 1 });
    expect(brief(killed)).toEqual(['7 accepted 0', '8 unknown null', '9 accepted 0']);
    // Contact, lookup, 7 twice, 8, contact anew after the trouble, 9.
    expect([killed.rpcs, killed.backoffs]).toEqual([7, 1]);
    expect(c.peer.connections).toHaveLength(7);
  });
});

describe('a controller that limits the rate', () => {
  /** 1804 so many times, then the answer. */
  function backingOff(times: number, release: Release, then: Uint8Array): Answer {
    let seen = 0;
    return async (connection) => {
      await connection.send(seen++ < times ? rc(1804, { release }) : then);
      connection.finish();
    };
  }

  it('is asked again: KILL_JOBS', async () => {
    const release = '24.11';
    const bulk = backingOff(2, release, killJobsReply(release, [{ job: 7 }]));
    await using c = await controller({ release, bulk });
    expect((await c.client.killJobs([7])).outcome).toBe('accepted');
    expect(c.peer.count('REQUEST_KILL_JOBS')).toBe(3);
  });

  it('is asked again: lookup and singles', async () => {
    const release = '23.02';
    const info = backingOff(1, release, jobInfo(release, [job(7), job(8)]));
    const single = backingOff(2, release, rc(0, { release }));
    await using c = await controller({ release, info, single });
    expect(brief(await c.client.killJobs({ name: 'sim' }))).toEqual(['7 accepted 0', '8 accepted 0']);
    expect(c.peer.count('REQUEST_KILL_JOB')).toBe(4);
  });

  it('for ever: refused at the deadline, and those behind it not sent', async () => {
    const release = '23.02';
    const single = backingOff(Number.POSITIVE_INFINITY, release, rc(0, { release }));
    const pacer = new Pacer(); // in real time
    await using c = await controller({ release, records: [job(7), job(8)], single, pacer });
    const killed = await c.client.killJobs({ name: 'sim' }, 9, { concurrency: 1, timeoutMs: 900 });
    expect(killed.backoffs).toBe(c.peer.count('REQUEST_KILL_JOB'));
    expect(brief(killed)).toEqual(['7 refused 1804', '8 not-sent null']);
    expect(killed.outcome).toBe('refused');
    expect(c.peer.count('REQUEST_KILL_JOB')).toBeGreaterThan(1);
  });
});

describe('bad input: nothing is sent, and the error names the field', () => {
  async function nothingSent(
    which: unknown,
    field: string,
    code: string,
    signal: unknown = 9,
    options: object = {},
  ) {
    for (const release of ['22.05', '24.11'] as const) {
      await using c = await controller({ release });
      const work = c.client.killJobs(which as JobFilter, signal as number, options as KillJobsOptions);
      await expectUsageError(work, { code, field });
      expect([c.peer.connections.length, c.auth.created.length]).toEqual([0, 0]);
    }
  }
  const BAD = 'SLURMWIRE_BAD_OPTION';

  it.each([
    [{}, 'filter'],
    [null, 'options'],
    ['7', 'options'],
    [7, 'options'],
    [{ users: 'alice' }, 'users'],
    [{ user: undefined }, 'user'],
    [{ user: ALICE, name: undefined }, 'name'],
    [{ ids: undefined }, 'ids'],
    [{ ids: 7 }, 'ids'],
    [{ ids: '7' }, 'ids'],
    [{ user: '' }, 'user'],
    [{ user: -1 }, 'user'],
    [{ user: 0xffffffff }, 'user'],
    [{ user: {} }, 'user'],
    [{ user: 'no-such-user-here' }, 'user'],
    [{ name: '' }, 'name'],
    [{ name: null }, 'name'],
    [{ account: 7 }, 'account'],
    [{ state: 'COMPLETED' }, 'state'],
    [{ state: 'running' }, 'state'],
    [{ state: 1 }, 'state'],
    [{ state: 'toString' }, 'state'],
    [{ nodes: '' }, 'nodes'],
    [{ nodes: [] }, 'nodes'],
    [{ nodes: 7 }, 'nodes'],
    [{ ids: ['5+1'], name: 'sim' }, 'ids'],
  ])('%j', async (which, field) => {
    await nothingSent(which, field, BAD);
  });

  it('more tasks than any array has, before they are counted out', async () => {
    const many = Array.from({ length: 9_000 }, () => '0-4000000').join(',');
    for (const id of [
      '7_[0-4000001]',
      '7_4000001',
      '7_[0-4000000,0-4000000]',
      `7_[${many.slice(0, 60_000 - 9)}]`,
    ])
      await nothingSent(['7_[1-2]', id], 'ids', 'SLURMWIRE_BAD_JOB_ID');
  });

  it('other things', async () => {
    await nothingSent([7, '7.0'], 'ids[1]', 'SLURMWIRE_BAD_JOB_ID');
    await nothingSent([7, undefined], 'ids[1]', 'SLURMWIRE_BAD_JOB_ID');
    await nothingSent({ ids: [null] }, 'ids[0]', 'SLURMWIRE_BAD_JOB_ID');
    await nothingSent({ nodes: 'n[1-' }, 'nodes', 'SLURMWIRE_BAD_HOSTLIST');
    await nothingSent(['sD81M80YD4HS00'], 'job', 'SLURMWIRE_NOT_IN_RELEASE');
    await nothingSent([7], 'unixSignal', 'SLURMWIRE_BAD_SIGNAL', 999);
    await nothingSent([7], 'unixSignal', 'SLURMWIRE_BAD_SIGNAL', 0);
    for (const concurrency of [0, 65, 1.5, '8', null])
      await nothingSent([7], 'concurrency', BAD, 9, { concurrency });
    await nothingSent([7], 'batch, full', BAD, 9, { batch: true, full: true });
    await nothingSent([7], 'cron', BAD, 9, { cron: 1 });
    await nothingSent([7], 'sibling', BAD, 9, { sibling: '' });
    await nothingSent([7], 'idempotent', BAD, 9, { idempotent: 'yes' });
    await nothingSent([7], 'paralel', BAD, 9, { paralel: 1 });
  });
});
