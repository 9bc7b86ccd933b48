/** probe: what there is, whose it is, and what only the server knows. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { RELEASE_NAMES, type Release } from '../../src/protocol/index.js';
import { SLURM_USER } from './support/fake-auth.js';
import type { FakeJob, FakeStep } from './support/fan-out-controller.js';
import { noStrayTrouble } from './support/leaks.js';
import { clientOf, expectUsageError, failureOf } from './support/setup.js';
import { STATE, TerminateWorld } from './support/terminate-world.js';

noStrayTrouble();
afterEach(() => {
  vi.restoreAllMocks();
});

const [ALICE, BOB] = [1000, 1001];
const { PENDING, RUNNING, SUSPENDED, COMPLETED, CANCELLED, COMPLETING } = STATE;
type Target = Parameters<ReturnType<typeof clientOf>['probe']>[0];

interface Given {
  readonly jobs?: FakeJob[];
  readonly steps?: FakeStep[];
  readonly uid?: number;
  readonly release?: Release;
}

async function probeIn({ jobs = [], steps = [], uid = ALICE, release = '22.05' }: Given, target: Target) {
  vi.spyOn(process, 'geteuid').mockReturnValue(uid);
  await using world = await TerminateWorld.start(release);
  world.jobs = jobs;
  world.steps = steps;
  const found = await clientOf([world.peer.endpoint], { release }).probe(target);
  expect(world.arrived, 'a probe signals nothing').toEqual([]);
  return { ...found, requests: world.peer.requests.filter((name) => name !== 'REQUEST_PING') };
}

describe.each(RELEASE_NAMES)('in %s', (release) => {
  test('a running job of mine', async () => {
    const found = await probeIn(
      { release, jobs: [{ jobId: 7, userId: ALICE, batchFlag: 1, restartCnt: 2 }] },
      7,
    );
    expect(found).toMatchObject({
      target: '7',
      exists: true,
      mayBeHidden: false,
      mine: true,
      maySignal: true,
      state: 'RUNNING',
      flags: [],
      protocol: release,
      requests: ['REQUEST_JOB_INFO_SINGLE'],
    });
    expect(found.jobs).toEqual([
      {
        target: '7',
        jobId: 7,
        arrayJobId: null,
        arrayTasks: [],
        hetJobId: null,
        hetJobOffset: null,
        userId: ALICE,
        mine: true,
        state: 'RUNNING',
        flags: [],
        cron: false,
        batch: true,
        restarts: 2,
        nodes: 'n[1-2]',
      },
    ]);
    expect(found).not.toHaveProperty('steps');
    expect(found.elapsedMs).toBeGreaterThan(0);
  });
});

test.each<[string, number, string, string[]]>([
  ['pending', PENDING, 'PENDING', []],
  ['suspended', SUSPENDED, 'SUSPENDED', []],
  ['finished', COMPLETED, 'COMPLETED', []],
  ['completing', CANCELLED | COMPLETING, 'CANCELLED', ['COMPLETING']],
  ['requeued and completing', PENDING | COMPLETING, 'PENDING', ['COMPLETING']],
  ['configuring', RUNNING | 0x4000, 'RUNNING', ['CONFIGURING']],
])('%s: base state and flags told apart', async (_, jobState, state, flags) => {
  const found = await probeIn({ jobs: [{ jobId: 7, jobState }] }, 7);
  expect(found).toMatchObject({ exists: true, state, flags, jobs: [{ state, flags }] });
});

describe('whose it is', () => {
  test.each([
    ['the owner', ALICE, true, true],
    ['somebody else, who may be an operator', BOB, false, null],
    ['root', 0, false, true],
    ['SlurmUser', SLURM_USER, false, true],
  ])('%s', async (_, uid, mine, maySignal) => {
    const found = await probeIn({ uid, jobs: [{ jobId: 7, userId: ALICE }] }, 7);
    expect(found).toMatchObject({ mine, maySignal, jobs: [{ mine, userId: ALICE }] });
  });

  test('nobody knows', async () => {
    const { geteuid } = process;
    await using world = await TerminateWorld.start();
    try {
      Object.assign(process, { geteuid: undefined });
      const found = await clientOf([world.peer.endpoint]).probe(7);
      expect(found).toMatchObject({ exists: true, mine: null, maySignal: null, jobs: [{ mine: null }] });
    } finally {
      Object.assign(process, { geteuid });
    }
  });

  test.each([
    ['an ordinary user', BOB, true],
    ['root, from whom nothing is hidden', 0, false],
  ])('no such job, for %s: a value', async (_, uid, mayBeHidden) => {
    const found = await probeIn({ uid }, 7);
    expect(found).toMatchObject({
      exists: false,
      mayBeHidden,
      mine: null,
      maySignal: null,
      state: null,
      flags: [],
      jobs: [],
    });
  });
});

test('an array: a record for each task that has one, and one for the pending tasks', async () => {
  const array = [
    { jobId: 101, arrayJobId: 100, arrayTaskId: 0 },
    { jobId: 100, arrayJobId: 100, arrayTaskStr: '0x16', jobState: PENDING },
  ];
  const found = await probeIn({ jobs: array }, 100);
  expect(found.state).toBeNull();
  expect(found.jobs).toMatchObject([
    { target: '100_0', jobId: 101, arrayJobId: 100, arrayTasks: [0], state: 'RUNNING' },
    { target: '100_[1-2,4]', jobId: 100, arrayJobId: 100, arrayTasks: [1, 2, 4], state: 'PENDING' },
  ]);
  expect(await probeIn({ jobs: array }, '100_2')).toMatchObject({ exists: true, state: 'PENDING' });
  expect(await probeIn({ jobs: array }, '100_3')).toMatchObject({ exists: false });
});

test('a heterogeneous job: its components', async () => {
  const het = [0, 1].map((offset) => ({ jobId: 200 + offset, hetJobId: 200, hetJobOffset: offset }));
  const found = await probeIn({ jobs: het }, 200);
  expect(found).toMatchObject({ state: 'RUNNING', mine: true });
  expect(found.jobs).toMatchObject([
    { target: '200+0', jobId: 200, hetJobId: 200, hetJobOffset: 0 },
    { target: '200+1', jobId: 201, hetJobId: 200, hetJobOffset: 1 },
  ]);
});

test('a scrontab job', async () => {
  const found = await probeIn({ jobs: [{ jobId: 7, cronspec: '0 * * * *' }] }, 7);
  expect(found.jobs).toMatchObject([{ cron: true }]);
});

describe('steps', () => {
  const jobs = [{ jobId: 7, batchFlag: 1, batchHost: 'n1' }];
  const steps = [
    { jobId: 7, stepId: 0, nodes: 'n[1-2]' },
    { jobId: 7, stepId: 0xfffffffc, nodes: 'n[1-4]' },
    { jobId: 8, stepId: 3, nodes: 'n9' },
  ];

  test.each<[Target, object[]]>([
    ['7.0', [{ target: '7.0', jobId: 7, stepHetComp: null, nodes: 'n[1-2]' }]],
    [{ jobId: 7, stepId: 'extern' }, [{ target: '7.extern', nodes: 'n[1-4]' }]],
    ['7.batch', [{ target: '7.batch', jobId: 7, state: 'RUNNING', nodes: 'n1' }]],
  ])('%j', async (target, expected) => {
    const found = await probeIn({ jobs, steps }, target);
    expect(found).toMatchObject({ exists: true, mine: true, maySignal: true, steps: expected });
    expect(found.jobs).toHaveLength(1);
  });

  test.each<[string, Target, FakeJob[], boolean]>([
    ['another number', '7.1', jobs, false],
    ['no batch script', '7.batch', [{ jobId: 7 }], false],
    ['the script has not begun', '7.batch', [{ ...jobs[0], jobId: 7, jobState: PENDING }], false],
    ['the script has ended', '7.batch', [{ ...jobs[0], jobId: 7, jobState: COMPLETED }], false],
    ['no such job', '9.0', jobs, true],
    ['an array has no steps, its tasks have', '7.3', [{ jobId: 8, arrayJobId: 7, arrayTaskId: 1 }], true],
  ])('%s: does not exist', async (_, target, known, mayBeHidden) => {
    const found = await probeIn({ jobs: known, steps }, target);
    expect(found).toMatchObject({ exists: false, mayBeHidden, maySignal: null, state: null, steps: [] });
  });

  test('of an array task; components of a het step, all and one', async () => {
    const given = {
      jobs: [{ jobId: 8, arrayJobId: 7, arrayTaskId: 1 }],
      steps: [0, 1].map((stepHetComp) => ({ jobId: 8, stepId: 3, stepHetComp, nodes: `n${stepHetComp}` })),
    };
    expect((await probeIn(given, '7_1.3')).steps).toMatchObject([
      { target: '8.3+0', stepHetComp: 0 },
      { target: '8.3+1', stepHetComp: 1 },
    ]);
    expect((await probeIn(given, { jobId: 8, stepId: 3, stepHetComp: 1 })).steps).toMatchObject([
      { nodes: 'n1' },
    ]);
  });
});

describe('trouble rejects', () => {
  test.each([
    ['a lost answer', 'close', 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT'],
    ['a refusal', 2002, 'ESLURM_ACCESS_DENIED'],
  ] as const)('%s', async (_, verdict, code) => {
    await using world = await TerminateWorld.start();
    world.onLook = () => verdict;
    const error = await failureOf(clientOf([world.peer.endpoint]).probe(7));
    expect(error).toMatchObject({ code, outcome: 'not-sent' });
  });

  test('what is no job or step, and a sluid', async () => {
    const client = clientOf([{ host: '127.0.0.1', port: 1 }]);
    const cases: [Target, string][] = [
      ['x', 'SLURMWIRE_BAD_JOB_ID'],
      [0, 'SLURMWIRE_BAD_JOB_ID'],
      [null as never, 'SLURMWIRE_BAD_JOB_ID'],
      ['sD81M80YD4HS00', 'SLURMWIRE_BAD_JOB_ID'],
      ['7.', 'SLURMWIRE_BAD_STEP_ID'],
      [{ jobId: 7, stepId: -1 }, 'SLURMWIRE_BAD_STEP_ID'],
    ];
    for (const [target, code] of cases)
      await expectUsageError(client.probe(target), { code, field: 'target' });
  });
});
