/** explain against scripted peers: what it says of each call, and that nothing but lookups leaves. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { encodeBody, type MessageInput, type MessageName, type Release } from '../../src/protocol/index.js';
import { MESSAGES, messageType } from '../../src/protocol/messages/index.js';
import type { SlurmClient } from '../../src/rpc/client.js';
import { ControllerLink, type LinkSetup } from '../../src/rpc/controller-link.js';
import { Deadline } from '../../src/rpc/deadline.js';
import { dryRun } from '../../src/rpc/dry-run.js';
import { exchange } from '../../src/rpc/exchange.js';
import { EXPLAINABLE, type ExplainableVerb } from '../../src/rpc/explain.js';
import type { ExplainedEffect, Explanation } from '../../src/rpc/index.js';
import { JobTables } from '../../src/rpc/job-tables.js';
import { exampleOf } from '../support/description.js';
import { CALLER } from './support/fake-auth.js';
import { FakeSlurmds, NO_VAL, nodeNames } from './support/fan-out.js';
import {
  clientIn,
  FakeController,
  type FakeJob,
  type FakeStep,
  jobInfoReply,
  stepInfoReply,
} from './support/fan-out-controller.js';
import { noStrayTrouble } from './support/leaks.js';
import { rc, saying, silence } from './support/replies.js';
import { failureOf, linkSetup, transportOf } from './support/setup.js';
import { turn } from './support/until.js';

noStrayTrouble();
afterEach(() => {
  vi.restoreAllMocks();
});

const READS = [
  'REQUEST_PING',
  'REQUEST_BUILD_INFO',
  'REQUEST_JOB_INFO',
  'REQUEST_JOB_INFO_SINGLE',
  'REQUEST_JOB_USER_INFO',
  'REQUEST_JOB_STEP_INFO',
  'REQUEST_STEP_LAYOUT',
  'REQUEST_NODE_INFO',
  'REQUEST_NODE_INFO_SINGLE',
  'REQUEST_PARTITION_INFO',
  'REQUEST_RESERVATION_INFO',
];
const [EXTERN, BATCH, PENDING_STEP] = [0xfffffffc, 0xfffffffb, 0xfffffffd];
const [PENDING, RUNNING, SUSPENDED, CANCELLED] = [0, 1, 2, 4];
const [CONFIGURING, COMPLETING, SIGNALING, STAGE_OUT] = [0x4000, 0x8000, 0x400000, 0x800000];

/** A batch job on three nodes with a step on all of them and one on the last. */
const BATCH_JOB: FakeJob = { jobId: 7, batchFlag: 1, batchHost: 'n1', nodes: 'n[1-3]' };
const STEPS: FakeStep[] = [
  { jobId: 7, stepId: BATCH, nodes: 'n1' },
  { jobId: 7, stepId: EXTERN, nodes: 'n[1-3]' },
  { jobId: 7, stepId: PENDING_STEP, nodes: null },
  { jobId: 7, stepId: 0, nodes: 'n[1-3]' },
  { jobId: 7, stepId: 1, nodes: 'n3' },
];
const ALL_STEPS = [
  'signalled 7.extern step n1,n2,n3',
  'signalled 7.0 step n1,n2,n3',
  'signalled 7.1 step n3',
];

interface Given {
  readonly release?: Release;
  readonly jobs?: FakeJob[];
  readonly steps?: FakeStep[];
  readonly link?: Partial<LinkSetup>;
  readonly prepare?: (controller: FakeController) => void;
}

/** Runs it in a world in which whatever is no lookup is a fault of the test. */
async function inWorld<T>(
  { release, jobs = [BATCH_JOB], steps = STEPS, link, prepare }: Given,
  work: (client: SlurmClient, controller: FakeController) => Promise<T>,
): Promise<T> {
  await using controller = await FakeController.start(release);
  Object.assign(controller, { jobs, steps });
  prepare?.(controller);
  const slurmds = new FakeSlurmds();
  await using client = clientIn(controller, slurmds, link);
  const result = await work(client, controller);
  expect(controller.peer.requests.filter((name) => !READS.includes(name ?? ''))).toEqual([]);
  expect([slurmds.contacts, slurmds.received]).toEqual([[], []]);
  return result;
}

type Call = readonly [verb: ExplainableVerb, ...args: unknown[]];

function explain(client: SlurmClient, [verb, ...args]: Call): Promise<Explanation> {
  return (client.explain as (...all: unknown[]) => Promise<Explanation>).call(client, verb, ...args);
}

const explained = (given: Given, ...call: Call) => inWorld(given, (client) => explain(client, call));

const brief = ({ effect, target, processes, nodes, code }: ExplainedEffect) =>
  [effect, target, processes, nodes.join(), code].filter(Boolean).join(' ');
const effectsOf = async (given: Given, ...call: Call) => (await explained(given, ...call)).effects.map(brief);
const rpcsOf = ({ requests }: Explanation) => requests.map(({ rpc }) => rpc);

describe('nothing but lookups leaves', () => {
  it.each(['20.11', '22.05', '24.11', '26.05'] as const)('of all messages of %s', async (release) => {
    for (const name of Object.keys(MESSAGES) as MessageName[]) {
      if (!name.startsWith('REQUEST_') || (name === 'REQUEST_KILL_JOBS' && release < '23.11')) continue;
      const example =
        name === 'REQUEST_KILL_JOBS'
          ? { flags: 0x800, signal: 9, jobName: 'x' }
          : exampleOf(messageType(name), release);
      let body: Uint8Array;
      try {
        body = encodeBody(name, release, example as MessageInput<typeof name>);
      } catch {
        continue; // not of this release
      }
      let connections = 0;
      const transport = transportOf(async () => {
        connections += 1;
        throw Object.assign(new Error('nobody there'), { code: 'ECONNREFUSED' });
      });
      const link = new ControllerLink(linkSetup([{ host: 'c', port: 1 }], { release, transport }));
      const deadline = new Deadline(5_000);
      const dry = dryRun(link, new JobTables(link, deadline));
      const endpoint = { host: 'c', port: 1 };
      const request = { endpoint, release, name, body, flags: 0, restrictUid: null, repeatable: false };
      const answer = await exchange(dry.link.setup, request, deadline).catch(() => null);
      deadline.dispose();
      const isRead = READS.includes(name);
      expect([name, connections, dry.noted.length, answer !== null]).toEqual([
        name,
        isRead ? 1 : 0,
        isRead ? 0 : 1,
        !isRead,
      ]);
    }
  });

  const jobs: FakeJob[] = [
    { ...BATCH_JOB, userId: CALLER },
    { jobId: 10, arrayJobId: 10, arrayTaskStr: '0x1e', jobState: PENDING, userId: CALLER },
    { jobId: 12, arrayJobId: 10, arrayTaskId: 0, nodes: 'n2', userId: CALLER },
    { jobId: 20, hetJobId: 20, hetJobOffset: 0, nodes: 'n1', userId: CALLER },
    { jobId: 21, hetJobId: 20, hetJobOffset: 1, nodes: 'n2', userId: CALLER },
    { jobId: 30, cronspec: '* * * * *', batchFlag: 1, batchHost: 'n1', nodes: 'n1', userId: CALLER },
  ];
  const steps = [...STEPS, ...[12, 20, 21, 30].map((jobId) => ({ jobId, stepId: 0, nodes: 'n2' }))];
  const calls: Call[] = [
    ...[7, 10, '10_0', '10_[0-3]', '10_*', 12, 20, '20+1', 30].flatMap((job): Call[] => [
      ['killJob', job],
      ['killJob', job, 'SIGUSR1'],
      ['killJob', job, 'SIGUSR1', { batch: true, wholeHetJob: true, idempotent: true }],
      ['killJob', job, 'SIGKILL', { cron: true, wholeHetJob: true }],
      ['signalJob', job, 'SIGUSR1'],
      ['suspend', job],
      ['resume', job],
      ['requeue', job],
      ['killJobs', [job], 'SIGTERM'],
    ]),
    ...['7.0', '7.batch', '10_0.0', '20.0', '20+1.0', '30.0'].flatMap((step): Call[] => [
      ['killJobStep', step],
      ['killJobStep', step, 'SIGUSR1'],
      ['signalJobStep', step, 'SIGUSR1', { fanOut: 'tree', treeWidth: 1 }],
      ['terminateJobStep', step],
      ['kill', step, 'SIGKILL'],
    ]),
    ['notify', 7, 'hello'],
    ['killJobs', { name: 'x' }],
    ['killJobs', { user: CALLER }],
    ...[7, -10, -20, -1].flatMap((target): Call[] => [
      ['kill', target, 0, { broad: true }],
      ['kill', target, 'SIGUSR1', { broad: true }],
      ['kill', target, 'SIGKILL', { broad: true }],
    ]),
  ];
  const clusters = (['none', 'guarded', 'open'] as const).map((scrontab) => ({
    scrontab,
    wholeHetJob: scrontab === 'guarded',
  }));

  it('is called with every verb', () => {
    expect([...new Set(calls.map(([verb]) => verb))].sort()).toEqual(Object.keys(EXPLAINABLE).sort());
  });

  describe.each(['22.05', '24.11', '26.05'] as const)('of all verbs in %s', (release) => {
    it.each(clusters)('%o', async (cluster) => {
      await inWorld({ release, jobs, steps, link: { cluster } }, async (client, controller) => {
        let count = 0;
        for (const call of calls) {
          // Some have nothing to signal; what the world sees of them is what counts.
          const said = await explain(client, call).catch((error: unknown) => error);
          if ('requests' in (said as object)) {
            count += (said as Explanation).requests.length;
            expect(JSON.parse(JSON.stringify(said))).toEqual(said);
          } else expect(said).toMatchObject({ outcome: expect.stringMatching('not-sent') });
        }
        expect(count).toBeGreaterThan(calls.length / 2);
        expect(controller.count('REQUEST_PING')).toBe(1);
      });
    });
  });
});

describe('a job as a whole', () => {
  it.each<[unknown, object, string[]]>([
    ['SIGUSR1', {}, ALL_STEPS],
    ['SIGUSR1', { stepsOnly: true }, ALL_STEPS],
    ['SIGUSR1', { batch: true }, ['signalled 7.batch batch-shell n1']],
    ['SIGUSR1', { full: true }, ['signalled 7.batch batch-group n1']],
    ['SIGKILL', {}, ['ended 7 job n1,n2,n3']],
    ['SIGKILL', { full: true }, ['ended 7 job n1,n2,n3']],
    ['SIGKILL', { stepsOnly: true }, ALL_STEPS],
    ['SIGKILL', { batch: true }, ['signalled 7.batch batch-shell n1']],
  ])('%s %o', async (signal, options, expected) => {
    expect(await effectsOf({}, 'killJob', 7, signal, options)).toEqual(expected);
  });

  const NOT_NOW = 'refused 7 ESLURM_TRANSITION_STATE_NO_UPDATE';
  it.each<[what: string, FakeJob, unknown, object, string[]]>([
    [
      'without a script',
      { ...BATCH_JOB, batchFlag: 0 },
      'SIGUSR1',
      { batch: true },
      ['refused 7 ESLURM_JOB_SCRIPT_MISSING'],
    ],
    ['without a script', { ...BATCH_JOB, batchFlag: 0 }, 'SIGUSR1', { full: true }, ['nothing 7']],
    ['pending', { jobId: 7, jobState: PENDING }, 'SIGUSR1', {}, [NOT_NOW]],
    ['pending', { jobId: 7, jobState: PENDING }, 'SIGKILL', {}, ['cancelled 7']],
    ['requeued', { jobId: 7, jobState: PENDING | COMPLETING }, 'SIGKILL', { batch: true }, ['cancelled 7']],
    [
      'configuring',
      { ...BATCH_JOB, jobState: RUNNING | CONFIGURING },
      'SIGKILL',
      { stepsOnly: true },
      ['cancelled 7'],
    ],
    [
      'configuring',
      { ...BATCH_JOB, jobState: RUNNING | CONFIGURING },
      'SIGUSR1',
      { batch: true },
      ['signalled 7.batch batch-shell n1'],
    ],
    ['suspended', { ...BATCH_JOB, jobState: SUSPENDED }, 'SIGUSR1', {}, [NOT_NOW]],
    [
      'suspended',
      { ...BATCH_JOB, jobState: SUSPENDED },
      'SIGKILL',
      { stepsOnly: true },
      ['ended 7 job n1,n2,n3'],
    ],
    [
      'completing',
      { ...BATCH_JOB, jobState: CANCELLED | COMPLETING },
      'SIGKILL',
      {},
      ['refused 7 ESLURM_ALREADY_DONE'],
    ],
    [
      'staging out',
      { ...BATCH_JOB, jobState: CANCELLED | STAGE_OUT },
      'SIGKILL',
      { hurry: true },
      ['nothing 7'],
    ],
    [
      'staging out',
      { ...BATCH_JOB, jobState: CANCELLED | STAGE_OUT },
      'SIGKILL',
      {},
      ['refused 7 ESLURM_ALREADY_DONE'],
    ],
    ['being stopped', { ...BATCH_JOB, jobState: RUNNING | SIGNALING }, 'SIGCONT', {}, [NOT_NOW]],
    [
      'being stopped',
      { ...BATCH_JOB, jobState: RUNNING | SIGNALING },
      'SIGUSR1',
      { batch: true },
      ['signalled 7.batch batch-shell n1'],
    ],
    ['unknown', { jobId: 8 }, 'SIGUSR1', {}, ['refused 7 ESLURM_INVALID_JOB_ID']],
  ])('%s: %o, %s %o', async (_, job, signal, options, expected) => {
    expect(await effectsOf({ jobs: [job] }, 'killJob', 7, signal, options)).toEqual(expected);
  });

  it('without steps', async () => {
    expect(await effectsOf({ steps: [] }, 'killJob', 7, 'SIGUSR1')).toEqual(['nothing 7']);
  });

  it('tells the request as it would be packed, and the whole of an effect', async () => {
    const said = await explained({ release: '26.05' }, 'killJob', 7, 'SIGUSR1', { batch: true });
    expect(said).toMatchObject({ verb: 'killJob', protocol: '26.05', elapsedMs: expect.any(Number) });
    expect(said.requests).toMatchObject([
      {
        rpc: 'REQUEST_KILL_JOB',
        to: 'slurmctld',
        node: null,
        forwardedTo: [],
        record: { sjobId: '7', signal: 10, flags: 1, stepId: { sluid: '0' } },
      },
    ]);
    expect(said.effects).toEqual([
      {
        target: '7.batch',
        jobId: 7,
        state: 'RUNNING',
        effect: 'signalled',
        processes: 'batch-shell',
        nodes: ['n1'],
        code: null,
      },
    ]);
  });
});

describe('arrays', () => {
  const jobs: FakeJob[] = [
    { jobId: 10, arrayJobId: 10, arrayTaskStr: '0x1e', jobState: PENDING },
    { jobId: 12, arrayJobId: 10, arrayTaskId: 0, nodes: 'n2' },
    { jobId: 13, arrayJobId: 10, arrayTaskId: 5, jobState: CANCELLED },
  ];
  const steps = [{ jobId: 12, stepId: 0, nodes: 'n2' }];
  const DONE = 'refused 10_5 ESLURM_ALREADY_DONE';
  it.each<[unknown, string, string[]]>([
    ['10_[3-4]', 'SIGKILL', ['cancelled 10_[3-4]']],
    ['10_3', 'SIGKILL', ['cancelled 10_3']],
    ['10_[0,3]', 'SIGKILL', ['cancelled 10_3', 'ended 10_0 job n2']],
    ['10_[1-4:2]', 'SIGUSR1', ['refused 10_[1,3] ESLURM_TRANSITION_STATE_NO_UPDATE']],
    ['10_*', 'SIGKILL', ['cancelled 10_[1-4]', 'ended 10_0 job n2', DONE]],
    [10, 'SIGUSR1', ['refused 10_[1-4] ESLURM_TRANSITION_STATE_NO_UPDATE', 'signalled 12.0 step n2', DONE]],
    ['10_0', 'SIGUSR1', ['signalled 12.0 step n2']],
    [12, 'SIGUSR1', ['signalled 12.0 step n2']],
    ['10_9', 'SIGKILL', ['refused 10_9 ESLURM_INVALID_JOB_ID']],
    ['10_[4,7-9]', 'SIGKILL', ['cancelled 10_4', 'refused 10_[7-9] ESLURM_INVALID_JOB_ID']],
    ['10_[0-4000000000]', 'SIGKILL', ['refused 10_[0-4000000000] ESLURM_INVALID_JOB_ID']],
  ])('killJob %s %s', async (job, signal, expected) => {
    expect(await effectsOf({ jobs, steps }, 'killJob', job, signal)).toEqual(expected);
  });

  it('one task goes by its record', async () => {
    const said = await explained({ jobs, steps }, 'killJob', '10_0', 'SIGUSR1');
    expect(said.requests).toMatchObject([
      { rpc: 'REQUEST_CANCEL_JOB_STEP', record: { stepId: { jobId: 12, stepId: NO_VAL } } },
    ]);
  });

  it('each job is asked for once, and no more than eight at a time', async () => {
    const tasks = Array.from({ length: 40 }, (_, n) => ({
      jobId: 100 + n,
      arrayJobId: 100,
      arrayTaskId: n,
      nodes: 'n1',
    }));
    let [open, peak] = [0, 0];
    const given: Given = {
      jobs: tasks,
      prepare: (controller) =>
        controller.instead.set('REQUEST_JOB_STEP_INFO', async (connection) => {
          peak = Math.max(peak, ++open);
          for (let n = 0; n < 20; n++) await turn();
          open -= 1;
          await saying(stepInfoReply([], '22.05'))(connection);
        }),
    };
    await inWorld(given, async (client, controller) => {
      expect((await client.explain('killJob', 100, 'SIGUSR1')).effects).toHaveLength(40);
      expect(controller.count('REQUEST_JOB_INFO_SINGLE')).toBe(1);
      expect(controller.count('REQUEST_JOB_STEP_INFO')).toBe(40);
      expect(peak).toBeGreaterThan(1);
      expect(peak).toBeLessThanOrEqual(8);
      // Many ids: one table in place of forty lookups.
      await client.explain(
        'killJobs',
        tasks.map(({ jobId }) => jobId),
        'SIGKILL',
      );
      expect(controller.count('REQUEST_JOB_INFO_SINGLE')).toBe(1);
    });
  });
});

describe('heterogeneous jobs', () => {
  const jobs = (jobState: number): FakeJob[] => [
    { jobId: 21, hetJobId: 20, hetJobOffset: 1, nodes: 'n2', jobState },
    { jobId: 20, hetJobId: 20, hetJobOffset: 0, nodes: 'n1', jobState },
    { jobId: 22, hetJobId: 20, hetJobOffset: 2, nodes: 'n3', jobState: CANCELLED },
  ];
  const whole = { link: { cluster: { scrontab: 'none', wholeHetJob: true } as const } };
  const ALL = ['ended 20+1 job n2', 'ended 20 job n1', 'refused 20+2 ESLURM_ALREADY_DONE'];
  it.each<[unknown, object, Given, string[]]>([
    [20, {}, {}, ALL],
    ['20+0', { wholeHetJob: true }, {}, ALL],
    ['20+1', {}, {}, ['ended 20+1 job n2']],
    [21, {}, {}, ['ended 20+1 job n2']],
    ['20+1', { wholeHetJob: true }, whole, ALL],
    [21, { wholeHetJob: true }, whole, ALL],
    ['20+7', {}, {}, ['refused 20+7 ESLURM_INVALID_JOB_ID']],
  ])('killJob %s %o %o', async (job, options, given, expected) => {
    expect(await effectsOf({ jobs: jobs(RUNNING), ...given }, 'killJob', job, 'SIGKILL', options)).toEqual(
      expected,
    );
  });

  it('a component that waits cannot be signalled alone', async () => {
    for (const job of ['20+1', 21])
      expect(await effectsOf({ jobs: jobs(PENDING) }, 'killJob', job)).toEqual([
        'refused 20+1 ESLURM_NOT_WHOLE_HET_JOB',
      ]);
    expect(await effectsOf({ jobs: jobs(PENDING) }, 'killJob', 20)).toEqual([
      'cancelled 20+1',
      'cancelled 20',
      ALL[2],
    ]);
  });

  const steps = [20, 21].map((jobId) => ({ jobId, stepId: 0, nodes: `n${jobId - 19}` }));
  it('SIGKILL to the step of a leader is one to all components, or goes to its nodes', async () => {
    const given = { jobs: jobs(RUNNING), steps };
    const shared = await explained(given, 'killJobStep', '20.0');
    expect(rpcsOf(shared)).toEqual(['REQUEST_CANCEL_JOB_STEP']);
    expect(shared.effects.map(brief)).toEqual([
      'signalled 21.0 step n2',
      'signalled 20.0 step n1',
      'refused 22.0 ESLURM_ALREADY_DONE',
    ]);
    for (const [verb, ...more] of [['killJobStep'], ['kill', 'SIGKILL']] as const) {
      const apart = await explained({ ...given, release: '26.05' }, verb, '20.0', ...more);
      expect(apart.requests).toMatchObject([
        { rpc: 'REQUEST_TERMINATE_TASKS', to: 'slurmd', node: 'n1', peer: 'n1:6818' },
      ]);
      expect(apart.effects.map(brief)).toEqual(['signalled 20.0 step n1']);
    }
    expect(await effectsOf(given, 'killJobStep', '20.0', 'SIGUSR1')).toEqual(['signalled 20.0 step n1']);
  });
});

describe('scrontab jobs', () => {
  const job = { ...BATCH_JOB, cronspec: '* * * * *' };
  const on = (scrontab: 'guarded' | 'open', release: Release, more: Given = {}): Given => ({
    jobs: [job],
    release,
    link: { cluster: { scrontab, wholeHetJob: false } },
    ...more,
  });
  it('a guarded controller refuses what does not mean them', async () => {
    for (const release of ['23.02', '24.05', '26.05'] as const) {
      expect(await effectsOf(on('guarded', release), 'killJob', 7)).toEqual([
        'refused 7 ESLURM_CANNOT_CANCEL_CRON_JOB',
      ]);
      expect(await effectsOf(on('guarded', release), 'killJob', 7, 9, { cron: true })).toEqual([
        'ended 7 job n1,n2,n3',
      ]);
    }
  });
  it('elsewhere their steps are signalled', async () => {
    const said = await explained(on('open', '26.05'), 'killJob', 7, 'SIGUSR1');
    expect(rpcsOf(said)).toEqual(['REQUEST_CANCEL_JOB_STEP', 'REQUEST_CANCEL_JOB_STEP']);
    expect(said.effects.map(brief)).toEqual(ALL_STEPS.slice(1));
    expect(await effectsOf(on('open', '26.05'), 'killJob', 7)).toEqual(['signalled 7.batch step n1']);
    const shell = await explained(on('open', '26.05'), 'killJob', 7, 'SIGUSR1', { batch: true });
    expect(rpcsOf(shell)).toEqual(['REQUEST_SIGNAL_TASKS']);
    expect(shell.effects.map(brief)).toEqual(['signalled 7.batch batch-shell n1']);
  });
  it('many: those that are not meant are told as refused, unasked', async () => {
    const said = await explained(on('open', '24.11'), 'killJobs', [7]);
    expect(said.requests).toEqual([]);
    expect(said.effects.map(brief)).toEqual(['refused 7 ESLURM_CANNOT_CANCEL_CRON_JOB']);
  });
});

describe('one step', () => {
  it.each<[string, string[]]>([
    ['7.0', ['signalled 7.0 step n1,n2,n3']],
    ['7.batch', ['signalled 7.batch step n1']],
    ['7.extern', ['signalled 7.extern step n1,n2,n3']],
    ['7.9', ['refused 7.9 ESLURM_INVALID_JOB_ID']],
    ['8.0', ['refused 8.0 ESLURM_INVALID_JOB_ID']],
  ])('killJobStep %s', async (step, expected) => {
    expect(await effectsOf({}, 'killJobStep', step, 'SIGUSR1')).toEqual(expected);
  });

  it.each([
    [PENDING, 'ESLURM_TRANSITION_STATE_NO_UPDATE'],
    [SUSPENDED, 'ESLURM_TRANSITION_STATE_NO_UPDATE'],
    [CANCELLED, 'ESLURM_ALREADY_DONE'],
  ])('of a job in state %i', async (jobState, code) => {
    const jobs = [{ ...BATCH_JOB, jobState }];
    expect(await effectsOf({ jobs }, 'killJobStep', '7.0')).toEqual([`refused 7.0 ${code}`]);
  });
});

describe('straight to the slurmds', () => {
  it('all steps: the nodes that have one of the user', async () => {
    const steps = STEPS.map((step) => (step.stepId === 0 ? { ...step, nodes: 'n2' } : step));
    const said = await explained({ steps }, 'signalJob', 7, 'SIGUSR1');
    expect(said.requests.map(({ rpc, to, node, peer }) => `${rpc} ${to} ${node} ${peer}`)).toEqual([
      'REQUEST_SIGNAL_TASKS slurmd n2 n2:6818',
      'REQUEST_SIGNAL_TASKS slurmd n3 n3:6818',
    ]);
    expect(said.effects.map(brief)).toEqual([
      'signalled 7.extern step n2,n3',
      'signalled 7.0 step n2',
      'signalled 7.1 step n3',
    ]);
  });

  it.each<[Call, string[]]>([
    [['signalJobStep', '7.0', 'SIGUSR1'], ['signalled 7.0 step n1,n2,n3']],
    [['signalJobStep', '7.batch', 'SIGUSR1'], ['signalled 7.batch batch-shell n1']],
    [['terminateJobStep', '7.1'], ['signalled 7.1 step n3']],
    [['terminateJobStep', '7.batch'], ['signalled 7.batch step n1']],
  ])('%o', async (call, expected) => {
    expect(await effectsOf({}, ...call)).toEqual(expected);
  });

  it('what is suspended takes SIGKILL alone', async () => {
    const jobs = [{ ...BATCH_JOB, jobState: SUSPENDED }];
    const deaf = (code: string) => [`refused 7.0 n1,n2,n3 ${code}`];
    expect(await effectsOf({ jobs }, 'signalJobStep', '7.0', 'SIGUSR1')).toEqual(
      deaf('ESLURMD_JOB_NOTRUNNING'),
    );
    expect(await effectsOf({ jobs, release: '26.05' }, 'signalJobStep', '7.0', 'SIGUSR1')).toEqual(
      deaf('ESLURMD_STEP_NOTRUNNING'),
    );
    expect(await failureOf(effectsOf({ jobs }, 'signalJobStep', '7.batch', 'SIGUSR1'))).toMatchObject({
      code: 'ESLURM_TRANSITION_STATE_NO_UPDATE',
      outcome: 'not-sent',
    });
    expect(await effectsOf({ jobs }, 'signalJobStep', '7.0', 'SIGKILL')).toEqual([
      'signalled 7.0 step n1,n2,n3',
    ]);
    expect(await effectsOf({ jobs }, 'terminateJobStep', '7.1')).toEqual(['signalled 7.1 step n3']);
  });

  it('through the tree: one request per branch, and each node in one of them', async () => {
    const names = nodeNames(40);
    const conf = names.map((name) => ({ name, hostname: name, address: name, port: 6818, state: null }));
    const steps = [{ jobId: 7, stepId: 0, nodes: 'n[1-40]' }];
    const said = await explained(
      { steps, link: { nodes: conf, treeWidth: 4 } },
      'signalJobStep',
      '7.0',
      'SIGUSR1',
    );
    expect(said.requests).toHaveLength(4);
    expect(said.requests.flatMap(({ node, forwardedTo }) => [node, ...forwardedTo]).sort()).toEqual(
      [...names].sort(),
    );
    expect(said.effects.map(brief)).toEqual([`signalled 7.0 step ${names.join()}`]);
  });

  it('the components of a step that has several are kept apart', async () => {
    const steps = [0, 1].map((stepHetComp) => ({
      jobId: 7,
      stepId: 0,
      stepHetComp,
      nodes: `n${stepHetComp + 1}`,
    }));
    for (const verb of ['signalJobStep', 'killJobStep'] as const) {
      expect(await effectsOf({ steps }, verb, '7.0', 10)).toEqual([
        'signalled 7.0 step n1',
        'signalled 7.0 step n2',
      ]);
    }
  });

  it('a node without an address is not asked, the others are', async () => {
    const nodeAddress = (node: string) => (node === 'n2' ? null : { host: node, port: 6818 });
    const said = await explained({ link: { nodeAddress } }, 'signalJobStep', '7.0', 'SIGUSR1');
    expect(said.requests.map(({ node }) => node)).toEqual(['n1', 'n3']);
    expect(said.effects.map(brief)).toEqual([
      'signalled 7.0 step n1,n3',
      'not-sent 7.0 n2 SLURM_UNKNOWN_FORWARD_ADDR',
    ]);
  });
});

describe('many jobs', () => {
  const asCaller = () => vi.spyOn(process, 'geteuid').mockReturnValue(CALLER);
  const jobs: FakeJob[] = [
    { jobId: 7, userId: CALLER, nodes: 'n1', name: 'a' },
    { jobId: 8, userId: CALLER, jobState: CANCELLED, name: 'a' },
    { jobId: 9, userId: CALLER + 1, nodes: 'n2', name: 'a' },
    { jobId: 10, arrayJobId: 10, arrayTaskStr: '0x1e', jobState: PENDING, userId: CALLER, name: 'b' },
    { jobId: 20, hetJobId: 20, hetJobOffset: 0, nodes: 'n1', userId: CALLER, name: 'c' },
    { jobId: 21, hetJobId: 20, hetJobOffset: 1, nodes: 'n2', userId: CALLER, name: 'c' },
  ];
  const ids = [7, 8, 9, 99, '10_[3-4]', '10_9', 20];

  it.each<[Release, MessageName[]]>([
    ['24.11', ['REQUEST_KILL_JOBS', 'REQUEST_KILL_JOB']],
    [
      '22.05',
      ['REQUEST_KILL_JOB', 'REQUEST_KILL_JOB', 'REQUEST_KILL_JOB', 'REQUEST_KILL_JOB', 'REQUEST_KILL_JOB'],
    ],
  ])('ids in %s', async (release, rpcs) => {
    asCaller();
    const said = await explained({ release, jobs }, 'killJobs', ids);
    expect(rpcsOf(said)).toEqual(rpcs);
    const expected = [
      'ended 7 job n1',
      'refused 8 ESLURM_ALREADY_DONE',
      'ended 9 job n2',
      'refused 99 ESLURM_INVALID_JOB_ID',
      'cancelled 10_[3-4]',
      'refused 10_9 ESLURM_INVALID_JOB_ID',
      'ended 20 job n1',
      'ended 20+1 job n2',
    ];
    expect(said.effects.map(brief).sort()).toEqual(expected.sort());
  });

  it.each(['24.11', '22.05'] as const)('a filter in %s', async (release) => {
    asCaller();
    expect(await effectsOf({ release, jobs }, 'killJobs', { name: 'a' })).toEqual(['ended 7 job n1']);
    expect(await effectsOf({ release, jobs }, 'killJobs', { name: 'c' })).toEqual([
      'ended 20 job n1',
      'ended 20+1 job n2',
    ]);
    expect(await effectsOf({ release, jobs }, 'killJobs', { ids: [7], name: 'b' })).toEqual([
      'refused 7 ESLURM_JOB_SIGNAL_FAILED',
    ]);
    expect(await effectsOf({ release, jobs }, 'killJobs', { name: 'nobody' })).toEqual([]);
  });

  it('what is looked at twice is asked for once', async () => {
    await inWorld({ release: '24.11', jobs }, async (client, controller) => {
      await client.explain('killJobs', [7], 'SIGUSR1');
      expect(controller.count('REQUEST_JOB_INFO_SINGLE')).toBe(1);
    });
  });

  it.each(['22.05', '24.11'] as const)('nobody there, in %s', async (release) => {
    for (const [target, known] of [
      [-99, jobs],
      [-1, []],
    ] as const) {
      const error = await inWorld({ release, jobs: [...known] }, (client) =>
        failureOf(client.explain('kill', target, 9, { broad: true })),
      );
      expect(error).toMatchObject({ code: 'ESLURM_INVALID_JOB_ID', errno: 'ESRCH', outcome: 'not-sent' });
    }
  });

  it('none at all', async () => {
    expect(await explained({ jobs }, 'killJobs', [])).toMatchObject({ requests: [], effects: [] });
  });

  it('components alone', async () => {
    asCaller();
    const whole = { cluster: { scrontab: 'none', wholeHetJob: true } as const };
    expect(await effectsOf({ release: '24.11', jobs }, 'killJobs', [21])).toEqual(['ended 20+1 job n2']);
    expect(await effectsOf({ release: '24.11', jobs, link: whole }, 'killJobs', [21])).toEqual([
      'refused 20+1 ESLURM_NOT_WHOLE_HET_JOB',
    ]);
    expect(await effectsOf({ release: '24.11', jobs }, 'killJobs', [20, 21])).toEqual([
      'ended 20 job n1',
      'ended 20+1 job n2',
    ]);
  });

  it('as kill(2) has it', async () => {
    asCaller();
    const all = ['cancelled 10_[1-4]', 'ended 20 job n1', 'ended 20+1 job n2', 'ended 7 job n1'];
    expect((await effectsOf({ release: '24.11', jobs }, 'kill', -1, 9, { broad: true })).sort()).toEqual(all);
    expect(await effectsOf({ release: '24.11', jobs }, 'kill', -20, 9)).toEqual([
      'ended 20 job n1',
      'ended 20+1 job n2',
    ]);
    // Signal 0: a question, and nobody hears anything.
    const probe = await explained({ jobs }, 'kill', 7, 0);
    expect(probe).toMatchObject({
      requests: [{ rpc: 'REQUEST_CANCEL_JOB_STEP', record: { stepId: { stepId: 0xfffffff0 } } }],
      effects: [],
    });
  });
});

it.each<[Call, MessageName]>([
  [['suspend', 7], 'REQUEST_SUSPEND'],
  [['resume', 7], 'REQUEST_SUSPEND'],
  [['requeue', 7, { hold: true }], 'REQUEST_JOB_REQUEUE'],
  [['notify', 7, 'hello'], 'REQUEST_JOB_NOTIFY'],
])('%o signals nobody', async (call, rpc) => {
  const said = await explained({}, ...call);
  expect(rpcsOf(said)).toEqual([rpc]);
  expect(said.effects).toEqual([]);
});

describe('what cannot be explained', () => {
  const bad: Call[] = [
    ['killJob', 'seven'],
    ['killJob', 7, 'SIGNOPE'],
    ['killJob', 7, 9, { batch: true, full: true }],
    ['killJob', 7, 9, { bach: true }],
    ['killJob', 7, 9, 5],
    ['killJob', 7, 9, null],
    ['killJob', 7, 9, { timeoutMs: 0 }],
    ['killJob', 7, 9, { signal: 'SIGTERM' }],
    ['killJob', '20+0', 9],
    ['signalJobStep', '7.0', 10, { treeWidth: 0 }],
    ['signalJob', 99, 10],
    ['signalJobStep', '7.9', 10],
    ['killJobs', {}],
    ['kill', -1, 9],
    ['notify', 7, ''],
  ];
  it.each(bad.map((call) => [call] as const))('%o throws what the verb throws', async (call) => {
    const [verb, ...args] = call;
    await inWorld({}, async (client) => {
      const of = async (work: Promise<unknown>) => {
        const { code, outcome, errno, summary } = await failureOf(work);
        return { code, outcome, errno, summary };
      };
      const own = await of((client[verb] as (...all: unknown[]) => Promise<unknown>).apply(client, args));
      expect(await of(explain(client, call))).toEqual(own);
      expect(own.outcome).toBe('not-sent');
    });
  });

  it.each(['terminate', 'probe', 'request', 'toString', ''])('%s', async (verb) => {
    await inWorld({}, async (client) => {
      const error = await failureOf(explain(client, [verb as ExplainableVerb, 7]));
      expect(error).toMatchObject({ code: 'SLURMWIRE_BAD_OPTION', field: 'verb', outcome: 'not-sent' });
    });
  });

  it('with `idempotent`, what has ended is an effect', async () => {
    const jobs = [{ ...BATCH_JOB, jobState: CANCELLED }];
    expect(await effectsOf({ jobs }, 'signalJob', 7, 10, { idempotent: true })).toEqual([
      'not-sent 7 ESLURM_ALREADY_DONE',
    ]);
  });

  it('its one time limit ends it wherever it is, and says so', async () => {
    const slow = (name: MessageName): Given => ({
      prepare: (controller) => controller.instead.set(name, silence),
    });
    for (const [given, call] of [
      [slow('REQUEST_JOB_INFO_SINGLE'), ['signalJob', 7, 10, { timeoutMs: 200 }]],
      [slow('REQUEST_JOB_INFO_SINGLE'), ['killJob', 7, 10, { timeoutMs: 200 }]],
      [slow('REQUEST_JOB_STEP_INFO'), ['killJob', 7, 10, { timeoutMs: 200 }]],
      [slow('REQUEST_JOB_INFO'), ['killJobs', { name: 'a' }, 9, { timeoutMs: 200 }]],
      [slow('REQUEST_JOB_INFO'), ['kill', -1, 9, { broad: true, timeoutMs: 200 }]],
    ] as const) {
      const error = await inWorld(given, (client) => failureOf(explain(client, call)));
      expect(error).toMatchObject({ code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT', outcome: 'not-sent' });
    }
  });

  it('the caller may end it, and the client waits for it', async () => {
    const abort = new AbortController();
    const given: Given = {
      prepare: (controller) => controller.instead.set('REQUEST_JOB_INFO_SINGLE', () => abort.abort()),
    };
    await inWorld(given, async (client) => {
      const work = failureOf(client.explain('signalJob', 7, 10, { signal: abort.signal }));
      const closed = client.close();
      expect(await work).toMatchObject({ code: 'SLURMWIRE_ABORTED', outcome: 'not-sent' });
      await closed;
      expect(await failureOf(client.explain('killJob', 7))).toMatchObject({ code: 'SLURMWIRE_CLOSED' });
    });
  });

  it('a lookup that is refused', async () => {
    const given: Given = {
      prepare: (controller) => controller.instead.set('REQUEST_JOB_INFO_SINGLE', rc(2002)),
    };
    const error = await inWorld(given, (client) => failureOf(client.explain('killJob', 7)));
    expect(error).toMatchObject({ code: 'ESLURM_ACCESS_DENIED', outcome: 'not-sent' });
  });

  it('a sluid means its record, or its het job', async () => {
    const text = 'sD81M80YD4HS00';
    const one = 0xd40688079a48e400n;
    const record = (jobId: number, sluid: bigint, more: object) => ({
      jobId,
      nodes: `n${jobId}`,
      ...more,
      sluid,
    });
    for (const [jobs, expected] of [
      [
        [record(1, one, { arrayJobId: 1, arrayTaskId: 0 }), record(2, 5n, { arrayJobId: 1, arrayTaskId: 1 })],
        ['ended 1_0 job n1'],
      ],
      [
        [record(1, 5n, { hetJobId: 1 }), record(2, one, { hetJobId: 1, hetJobOffset: 1 })],
        ['ended 1+1 job n2'],
      ],
      [
        [record(1, one, { hetJobId: 1 }), record(2, 5n, { hetJobId: 1, hetJobOffset: 1 })],
        ['ended 1 job n1', 'ended 1+1 job n2'],
      ],
    ] as const) {
      const prepare = (controller: FakeController) =>
        controller.instead.set('REQUEST_JOB_INFO_SINGLE', jobInfoReply([...jobs], '26.05'));
      expect(await effectsOf({ release: '26.05', prepare }, 'killJob', text)).toEqual(expected);
    }
  });
});
