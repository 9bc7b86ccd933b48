/** signalJob, signalJobStep, terminateJobStep: who gets which message, and what the answers come to. */
import { describe, expect, test } from 'vitest';
import type { ConfNode } from '../../src/config/index.js';
import {
  decodeBody,
  encodeBody,
  type MessageName,
  RELEASE_NAMES,
  type Release,
  SlurmConfigError,
  type SlurmError,
} from '../../src/protocol/index.js';
import type { NodeResult } from '../../src/protocol/node-result.js';
import type { SlurmClient } from '../../src/rpc/client.js';
import type { LinkSetup } from '../../src/rpc/controller-link.js';
import { tcpTransport } from '../../src/rpc/tcp-transport.js';
import { goldenLines, releaseOfProtocol, toHex } from '../support/golden.js';
import { badCredential, FakeAuth, SLURM_USER, SLURMD_USER } from './support/fake-auth.js';
import { FakeSlurmds, NO_VAL, nodeNames, outcomes, slurmdAnswer } from './support/fan-out.js';
import {
  clientIn,
  FakeController,
  type FakeJob,
  type FakeStep,
  stepInfoReply,
  taken,
} from './support/fan-out-controller.js';
import { leavesNothing, noStrayTrouble } from './support/leaks.js';
import { rc, saying, silence } from './support/replies.js';
import { deadEndpoint, ScriptedPeer } from './support/scripted-peer.js';
import { expectUsageError, failureOf } from './support/setup.js';
import { turn, until } from './support/until.js';

noStrayTrouble();

const [EXTERN, BATCH, INTERACTIVE, PENDING_STEP] = [0xfffffffc, 0xfffffffb, 0xfffffffa, 0xfffffffd];
const [PENDING, SUSPENDED, COMPLETE, CANCELLED] = [0, 2, 3, 4];
const [KILL_JOB_BATCH, KILL_STEPS_ONLY] = [1, 4];

interface World {
  readonly controller: FakeController;
  readonly slurmds: FakeSlurmds;
  readonly client: SlurmClient;
}

interface Given {
  readonly release?: Release;
  readonly jobs?: FakeJob[];
  readonly steps?: FakeStep[];
  readonly link?: Partial<LinkSetup>;
}

async function inWorld<T>(given: Given, work: (world: World) => Promise<T>): Promise<T> {
  await using controller = await FakeController.start(given.release);
  controller.jobs = given.jobs ?? [{ jobId: 7 }];
  controller.steps = given.steps ?? [{ jobId: 7, stepId: 0, nodes: 'n[1-3]' }];
  const slurmds = new FakeSlurmds();
  const client = clientIn(controller, slurmds, given.link);
  const result = await work({ controller, slurmds, client });
  await client.close();
  expect(slurmds.faults).toEqual([]);
  expect(slurmds.open).toBe(0);
  return result;
}

/** Node, step and flags of each message, in the order of nodes. */
function messages(slurmds: FakeSlurmds): string[] {
  return slurmds.received
    .map(({ node, frame }) => {
      const { stepId, flags } = decodeBody('REQUEST_SIGNAL_TASKS', frame.release, frame.body);
      const comp = stepId.stepHetComp === NO_VAL ? '' : ` comp ${stepId.stepHetComp}`;
      const step = stepId.stepId === NO_VAL ? '*' : stepId.stepId;
      return `${node}: ${stepId.jobId}.${step}${comp} flags ${flags}`;
    })
    .sort();
}

/** Lines of slurm.conf that say what the resolver of these tests says. */
const confNodes = (count: number): ConfNode[] =>
  nodeNames(count).map((name) => ({ name, hostname: name, address: name, port: 6818, state: null }));

const sentNothing = ({ slurmds }: World) => expect([slurmds.contacts, slurmds.received]).toEqual([[], []]);

function expectNodes(error: SlurmError, expected: string[]): readonly NodeResult[] {
  const nodes = (error as SlurmError & { nodes?: readonly NodeResult[] }).nodes ?? [];
  expect(outcomes(nodes)).toEqual(expected);
  return nodes;
}

test.each(['n[1-', 'n[0-99999]', 'a b\u0007'])(
  "a step whose nodes are %j: the fault is the controller's, not the caller's, and nothing is sent",
  async (nodes) => {
    await inWorld({ steps: [{ jobId: 7, stepId: 0, nodes }] }, async (world) => {
      for (const call of [world.client.signalJob(7, 15), world.client.signalJobStep('7.0', 15)]) {
        const error = await failureOf(call);
        expect(error).toMatchObject({
          name: 'SlurmProtocolError',
          code: 'SLURMWIRE_BAD_TEXT',
          errno: 'EPROTO',
          outcome: 'not-sent',
        });
        expect(error.message).not.toContain('\u0007');
      }
      sentNothing(world);
    });
  },
);

test.each(['n[1-2]', 'n1,n2', '', 'n['])('a batch host %j is refused alike', async (batchHost) => {
  await inWorld({ jobs: [{ jobId: 7, batchFlag: 1, batchHost }] }, async (world) => {
    const error = await failureOf(world.client.signalJobStep('7.batch', 15));
    expect(error).toMatchObject({ code: 'SLURMWIRE_BAD_TEXT', outcome: 'not-sent' });
    sentNothing(world);
  });
});

describe.each(RELEASE_NAMES)('the bytes in %s', (release) => {
  const golden = (name: MessageName, which: string): string => {
    const line = goldenLines('signalling').find(
      (one) => releaseOfProtocol(one.v) === release && one.name === name && one.case === which,
    );
    if (line === undefined) throw new Error(`no golden ${name} ${which} in ${release}`);
    return line.hex;
  };

  test.each([
    ['REQUEST_SIGNAL_TASKS', 'typical-1', (client: SlurmClient) => client.signalJobStep('7.0', 'SIGUSR1')],
    ['REQUEST_SIGNAL_TASKS', 'typical-2', (client: SlurmClient) => client.signalJobStep('4711.batch', 9)],
    ['REQUEST_TERMINATE_TASKS', 'typical-1', (client: SlurmClient) => client.terminateJobStep('7.0')],
    ['REQUEST_TERMINATE_TASKS', 'typical-2', (client: SlurmClient) => client.terminateJobStep('4711.batch')],
  ] as const)("%s %s are those of Slurm's own library", async (name, which, call) => {
    const jobs = [{ jobId: 7 }, { jobId: 4711, batchFlag: 1, batchHost: 'n1' }];
    const steps = [{ jobId: 7, stepId: 0, nodes: 'n1' }];
    await inWorld({ release, jobs, steps }, async ({ client, slurmds }) => {
      const result = await call(client);
      expect(result).toMatchObject({ outcome: 'accepted', rpc: name, protocol: release });
      expect(slurmds.received.map(({ node, frame }) => [node, frame.messageName, frame.release])).toEqual([
        ['n1', name, release],
      ]);
      expect(toHex(slurmds.received[0]?.frame.body ?? new Uint8Array())).toBe(golden(name, which));
    });
  });

  test('signalJob: all steps of the job, the sluid not sent', async () => {
    await inWorld({ release }, async ({ client, slurmds }) => {
      const result = await client.signalJob(7, 'TERM');
      expect(result).toMatchObject({
        outcome: 'accepted',
        target: '7',
        unixSignal: 15,
        rpc: 'REQUEST_SIGNAL_TASKS',
        protocol: release,
      });
      expect(outcomes(result.nodes)).toEqual(['n1 accepted', 'n2 accepted', 'n3 accepted']);
      expect(result.nodes.map(({ target }) => target)).toEqual(['7', '7', '7']);
      expect(result.elapsedMs).toBeGreaterThan(0);
      const stepId = { sluid: 0n, jobId: 7, stepId: NO_VAL, stepHetComp: NO_VAL };
      expect(taken(slurmds, 'n2')).toEqual([{ stepId, flags: KILL_STEPS_ONLY, signal: 15 }]);
    });
  });
});

describe('who gets it', () => {
  test('each node once, however often the controller tells of it', async () => {
    for (const [verb, target] of [
      ['signalJob', 7],
      ['signalJobStep', '7.0'],
      ['signalJobStep', '7.batch'],
    ] as const) {
      await using controller = await FakeController.start('22.05');
      const slurmds = new FakeSlurmds();
      const job = { jobId: 7, batchFlag: 1, batchHost: 'n1', nodes: 'n[1-2]' };
      controller.jobs = [job, job];
      controller.steps = [
        { jobId: 7, stepId: 0, nodes: 'n[1-2],n1' },
        { jobId: 7, stepId: 0, nodes: 'n[1-3]' },
      ];
      await clientIn(controller, slurmds)[verb](target as never, 'SIGUSR1');
      for (const node of ['n1', 'n2', 'n3'])
        expect(slurmds.timesOf(node), `${verb} ${target} ${node}`).toBeLessThanOrEqual(1);
      expect(slurmds.timesOf('n1')).toBe(1);
    }
  });

  const steps: FakeStep[] = [
    { jobId: 7, stepId: 0, nodes: 'n[1-2]' },
    { jobId: 7, stepId: 1, nodes: 'n[2-3]' },
    { jobId: 7, stepId: INTERACTIVE, nodes: 'n4' },
    { jobId: 7, stepId: EXTERN, nodes: 'n[1-6]' },
    { jobId: 7, stepId: BATCH, nodes: 'n5' },
    { jobId: 7, stepId: PENDING_STEP, nodes: 'n6' },
    { jobId: 7, stepId: 2, nodes: null },
  ];

  test('signalJob: each node that has a step of the user once, however many it has', async () => {
    await inWorld({ steps }, async ({ client, slurmds, controller }) => {
      await client.signalJob(7, 10);
      expect(messages(slurmds)).toEqual(nodeNames(4).map((node) => `${node}: 7.* flags 4`));
      expect(controller.peer.requests).toEqual([
        'REQUEST_PING',
        'REQUEST_JOB_INFO_SINGLE',
        'REQUEST_JOB_STEP_INFO',
      ]);
    });
  });

  test.each([
    ['7.0', ['n1: 7.0 flags 0', 'n2: 7.0 flags 0'], '7.0'],
    ['7.1', ['n2: 7.1 flags 0', 'n3: 7.1 flags 0'], '7.1'],
    ['7.interactive', [`n4: 7.${INTERACTIVE} flags 0`], '7.interactive'],
    ['7.extern', nodeNames(6).map((node) => `${node}: 7.${EXTERN} flags 0`), '7.extern'],
  ])('signalJobStep %s: its nodes', async (step, expected, target) => {
    await inWorld({ steps }, async ({ client, slurmds }) => {
      const result = await client.signalJobStep(step, 'USR2');
      expect(messages(slurmds)).toEqual(expected);
      expect(result.target).toBe(step);
      expect(new Set(result.nodes.map((node) => node.target))).toEqual(new Set([target]));
    });
  });

  test.each(['signalJobStep', 'terminateJobStep'] as const)(
    '%s of the batch step: the batch host alone',
    async (verb) => {
      const jobs = [{ jobId: 7, batchFlag: 1, batchHost: 'n9' }];
      await inWorld({ jobs, steps }, async ({ client, slurmds, controller }) => {
        const result =
          verb === 'signalJobStep' ? await client[verb]('7.batch', 10) : await client[verb]('7.batch');
        expect(messages(slurmds)).toEqual([`n9: 7.${BATCH} flags ${KILL_JOB_BATCH}`]);
        expect(result.nodes).toMatchObject([{ node: 'n9', target: '7.batch', outcome: 'accepted' }]);
        expect(controller.count('REQUEST_JOB_STEP_INFO')).toBe(0);
      });
    },
  );

  test.each(['signalJobStep', 'terminateJobStep'] as const)(
    '%s of a het step: each component by its own number',
    async (verb) => {
      const het = [0, 1, 2].map((stepHetComp) => ({
        jobId: 7,
        stepId: 3,
        stepHetComp,
        nodes: `n[${stepHetComp + 1}-${stepHetComp + 2}]`,
      }));
      await inWorld({ steps: het }, async ({ client, slurmds }) => {
        const call = (step: Parameters<SlurmClient['terminateJobStep']>[0]) =>
          verb === 'signalJobStep' ? client[verb](step, 10) : client[verb](step);
        const all = await call('7.3');
        expect(messages(slurmds)).toEqual([
          'n1: 7.3 comp 0 flags 0',
          'n2: 7.3 comp 0 flags 0',
          'n2: 7.3 comp 1 flags 0',
          'n3: 7.3 comp 1 flags 0',
          'n3: 7.3 comp 2 flags 0',
          'n4: 7.3 comp 2 flags 0',
        ]);
        expect(all.nodes.length).toBe(6);
        slurmds.received.length = 0;
        // One component is named: it alone.
        await call({ jobId: 7, stepId: 3, stepHetComp: 1 });
        expect(messages(slurmds)).toEqual(['n2: 7.3 comp 1 flags 0', 'n3: 7.3 comp 1 flags 0']);
        slurmds.received.length = 0;
        expect(await failureOf(call({ jobId: 7, stepId: 3, stepHetComp: 5 }))).toMatchObject({
          code: 'ESLURM_INVALID_JOB_ID',
          errno: 'ESRCH',
          outcome: 'not-sent',
        });
        expect(slurmds.received).toEqual([]);
      });
    },
  );

  const jobs: FakeJob[] = [
    { jobId: 101, arrayJobId: 100, arrayTaskId: 1 },
    { jobId: 102, arrayJobId: 100, arrayTaskId: 2 },
    { jobId: 103, arrayJobId: 100, arrayTaskId: 3, jobState: COMPLETE },
    { jobId: 100, arrayJobId: 100, arrayTaskStr: '0x30', jobState: PENDING },
    { jobId: 200, hetJobId: 200, hetJobOffset: 0 },
    { jobId: 201, hetJobId: 200, hetJobOffset: 1, jobState: SUSPENDED },
    { jobId: 202, hetJobId: 200, hetJobOffset: 2, jobState: CANCELLED },
  ];
  const allSteps = jobs.flatMap(({ jobId }) => [{ jobId, stepId: 0, nodes: `n${jobId}` }]);

  test.each([
    [100, [101, 102]],
    ['100_*', [101, 102]],
    ['100_[1-5]', [101, 102]],
    ['100_2', [102]],
    [102, [102]],
    [200, [200, 201]],
    ['200+1', [201]],
    [201, [201]],
  ])('signalJob %s: the parts that run, by their own numbers', async (job, expected) => {
    await inWorld({ jobs, steps: allSteps }, async ({ client, slurmds }) => {
      const result = await client.signalJob(job, 9);
      expect(messages(slurmds)).toEqual(expected.map((id) => `n${id}: ${id}.* flags 4`));
      expect(result.target).toBe(String(job));
      expect(result.nodes.map(({ target }) => target).sort()).toEqual(expected.map(String));
    });
  });

  test('signalJob of a suspended part: each step is asked for itself, for "all steps" is answered with 0 and does nothing', async () => {
    await inWorld({ jobs, steps: allSteps }, async ({ client, slurmds }) => {
      await client.signalJob(200, 10);
      expect(messages(slurmds)).toEqual(['n200: 200.* flags 4', 'n201: 201.0 flags 0']);
    });
  });

  test.each([
    ['100_2.0', 102],
    ['102.0', 102],
    ['200.0', 200],
    ['200+1.0', 201],
    ['201.0', 201],
  ])('signalJobStep %s: the step of that part', async (step, id) => {
    await inWorld({ jobs, steps: allSteps }, async ({ client, slurmds }) => {
      const result = await client.signalJobStep(step, 10);
      expect(messages(slurmds)).toEqual([`n${id}: ${id}.0 flags 0`]);
      expect(result).toMatchObject({ target: step, nodes: [{ target: `${id}.0` }] });
    });
  });

  test('the steps of many parts are looked up some at a time, and all lookups end with the call', async () => {
    const many = Array.from({ length: 30 }, (_, i) => ({ jobId: 301 + i, arrayJobId: 300, arrayTaskId: i }));
    await inWorld({ jobs: many }, async ({ client, slurmds, controller }) => {
      let [running, peak, asked] = [0, 0, 0];
      controller.instead.set('REQUEST_JOB_STEP_INFO', async (connection, { frame }) => {
        const { jobId } = decodeBody('REQUEST_JOB_STEP_INFO', frame.release, frame.body).stepId;
        running += 1;
        asked += 1;
        peak = Math.max(peak, running);
        await until(() => running === 8 || asked === many.length, '8 lookups at a time');
        for (let i = 0; i < 3; i++) await turn();
        running -= 1;
        await saying(stepInfoReply([{ jobId, stepId: 0, nodes: `n${jobId}` }], frame.release))(connection);
      });
      const result = await client.signalJob(300, 10);
      expect(result.nodes.map(({ node }) => node)).toEqual(many.map(({ jobId }) => `n${jobId}`));
      expect(peak).toBe(8);

      // One that is refused ends the call, and those that hang with it.
      controller.instead.set('REQUEST_JOB_STEP_INFO', async (connection, { frame }) => {
        const { jobId } = decodeBody('REQUEST_JOB_STEP_INFO', frame.release, frame.body).stepId;
        if (jobId === 303) return saying(rc(2002))(connection);
        await until(() => connection.gone, 'the client to leave');
        connection.drop();
      });
      slurmds.received.length = 0;
      await leavesNothing(async () => {
        expect(await failureOf(client.signalJob(300, 10))).toMatchObject({
          code: 'ESLURM_ACCESS_DENIED',
          outcome: 'not-sent',
        });
      });
      expect(slurmds.received).toEqual([]);
      await controller.peer.allLeft();
    });
  });

  test('many parts share one limit of connections', async () => {
    const many = Array.from({ length: 12 }, (_, i) => ({ jobId: 301 + i, arrayJobId: 300, arrayTaskId: i }));
    const their = many.map(({ jobId }) => ({ jobId, stepId: 0, nodes: 'n[1-20]' }));
    await inWorld({ jobs: many, steps: their }, async ({ client, slurmds }) => {
      slurmds.beforeAnswer = () => new Promise((resolve) => setImmediate(resolve));
      const result = await client.signalJob(300, 10);
      expect(result.nodes.length).toBe(240);
      expect(slurmds.received.length).toBe(240);
      expect(slurmds.peak).toBe(64);
    });
  });
});

describe('nothing to signal', () => {
  const verbs = {
    signalJob: (client: SlurmClient, job: string) => client.signalJob(job, 10),
    signalJobStep: (client: SlurmClient, job: string) => client.signalJobStep(`${job}.0`, 10),
    terminateJobStep: (client: SlurmClient, job: string) => client.terminateJobStep(`${job}.0`),
    'the batch step': (client: SlurmClient, job: string) => client.signalJobStep(`${job}.batch`, 10),
  };
  const cases: Record<string, [Given, code: string, errno: string, number: number]> = {
    'an unknown job': [{ jobs: [] }, 'ESLURM_INVALID_JOB_ID', 'ESRCH', 2017],
    'a pending job': [{ jobs: [{ jobId: 7, jobState: PENDING }] }, 'ESLURM_JOB_PENDING', 'EAGAIN', 2024],
    'a finished job': [{ jobs: [{ jobId: 7, jobState: COMPLETE }] }, 'ESLURM_ALREADY_DONE', 'ESRCH', 2021],
    // 0x8000: completing.
    'a job that is being ended': [
      { jobs: [{ jobId: 7, jobState: 0x8000 | CANCELLED }] },
      'ESLURM_ALREADY_DONE',
      'ESRCH',
      2021,
    ],
  };
  for (const [what, [given, code, errno, number]] of Object.entries(cases)) {
    test.each(Object.keys(verbs) as (keyof typeof verbs)[])(`${what}: %s`, async (verb) => {
      await inWorld(given, async (world) => {
        const error = await failureOf(verbs[verb](world.client, '7'));
        expect(error).toMatchObject({ name: 'SlurmServerError', code, errno, number, outcome: 'not-sent' });
        expect(error.message).toContain('Nothing was signalled');
        sentNothing(world);
      });
    });
  }

  test('an array task that has not been split off is pending, not unknown', async () => {
    const jobs = [{ jobId: 100, arrayJobId: 100, arrayTaskStr: '0x30', jobState: PENDING }];
    await inWorld({ jobs, steps: [] }, async (world) => {
      for (const job of ['100_4', '100_[5-9]'])
        expect(await failureOf(world.client.signalJob(job, 10))).toMatchObject({
          code: 'ESLURM_JOB_PENDING',
        });
      expect(await failureOf(world.client.signalJobStep('100_4.0', 10))).toMatchObject({
        code: 'ESLURM_JOB_PENDING',
      });
      expect(await failureOf(world.client.signalJob('100_3', 10))).toMatchObject({
        code: 'ESLURM_INVALID_JOB_ID',
      });
      sentNothing(world);
    });
  });

  test.each([
    ['no steps', []],
    ['the batch step alone', [{ jobId: 7, stepId: BATCH, nodes: 'n1' }]],
    [
      'extern and pending steps alone',
      [
        { jobId: 7, stepId: EXTERN, nodes: 'n1' },
        { jobId: 7, stepId: PENDING_STEP, nodes: 'n1' },
      ],
    ],
    ['a step without nodes', [{ jobId: 7, stepId: 0, nodes: null }]],
    ['a step with an empty list of nodes', [{ jobId: 7, stepId: 0, nodes: '' }]],
  ])('%s: ESRCH', async (_, steps: FakeStep[]) => {
    await inWorld({ steps }, async (world) => {
      for (const call of [
        () => world.client.signalJob(7, 10),
        () => world.client.signalJobStep('7.0', 10),
        () => world.client.terminateJobStep('7.0'),
      ]) {
        expect(await failureOf(call())).toMatchObject({
          code: 'ESLURM_INVALID_JOB_ID',
          number: 2017,
          errno: 'ESRCH',
          outcome: 'not-sent',
        });
      }
      sentNothing(world);
    });
  });

  test('the batch step of a suspended job, to which a slurmd says 0 whatever becomes of the signal', async () => {
    const jobs = [{ jobId: 7, jobState: SUSPENDED, batchFlag: 1, batchHost: 'n1' }];
    await inWorld({ jobs }, async (world) => {
      expect(await failureOf(world.client.signalJobStep('7.batch', 10))).toMatchObject({
        number: 2020,
        errno: 'EAGAIN',
        outcome: 'not-sent',
      });
      sentNothing(world);
      for (const kill of [world.client.signalJobStep('7.batch', 9), world.client.terminateJobStep('7.batch')])
        expect(await kill).toMatchObject({ outcome: 'accepted' });
    });
  });

  test.each([[{ jobId: 7, batchFlag: 0, batchHost: 'n1' }], [{ jobId: 7, batchFlag: 1, batchHost: null }]])(
    'the batch step of a job without one: %j',
    async (job) => {
      await inWorld({ jobs: [job] }, async (world) => {
        const error = await failureOf(world.client.signalJobStep('7.batch', 10));
        expect(error).toMatchObject({
          code: 'ESLURM_JOB_SCRIPT_MISSING',
          number: 2009,
          errno: 'ESRCH',
          outcome: 'not-sent',
        });
        sentNothing(world);
      });
    },
  );
});

describe('what the answers come to', () => {
  test('a node that does not know the step any more, while another took it', async () => {
    await inWorld({}, async ({ client, slurmds }) => {
      slurmds.set('n2', { kind: 'rc', code: 2017 });
      for (const call of [
        () => client.signalJob(7, 10),
        () => client.signalJobStep('7.0', 10),
        () => client.terminateJobStep('7.0'),
      ]) {
        const result = await call();
        expect(result.outcome).toBe('accepted');
        expect(outcomes(result.nodes)).toEqual(['n1 accepted', 'n2 refused', 'n3 accepted']);
      }
    });
  });

  test('no node knows it', async () => {
    await inWorld({}, async ({ client, slurmds }) => {
      for (const node of nodeNames(3)) slurmds.set(node, { kind: 'rc', code: 2017 });
      const error = await failureOf(client.signalJobStep('7.0', 10));
      expect(error).toMatchObject({
        code: 'ESLURM_INVALID_JOB_ID',
        number: 2017,
        errno: 'ESRCH',
        outcome: 'refused',
        retryable: false,
      });
      expectNodes(error, ['n1 refused', 'n2 refused', 'n3 refused']);
    });
  });

  describe('a part of which no node knows the step, while another part took it', () => {
    const jobs: FakeJob[] = [1, 2, 3].map((task) => ({
      jobId: 100 + task,
      arrayJobId: 100,
      arrayTaskId: task,
    }));
    const steps = jobs.map(({ jobId }) => ({ jobId, stepId: 0, nodes: `n[${jobId}-${jobId + 10}]` }));
    const goneFrom = (slurmds: FakeSlurmds, jobId: number) => {
      for (let i = 0; i <= 10; i++) slurmds.set(`n${jobId + i}`, { kind: 'rc', code: 2017 });
    };
    const apart = jobs.map(({ jobId }) => ({ jobId, stepId: 0, nodes: `n${jobId},n${jobId}0` }));

    test('has ended: the call resolves, and the result names it', async () => {
      await inWorld({ jobs, steps: apart }, async ({ client, slurmds, controller }) => {
        for (const node of ['n102', 'n1020']) slurmds.set(node, { kind: 'rc', code: 2017 });
        // It ended while the signal was on its way.
        slurmds.beforeAnswer = () => {
          controller.steps = apart.filter(({ jobId }) => jobId !== 102);
        };
        const result = await client.signalJob(100, 10);
        expect(result.outcome).toBe('accepted');
        expect(result.ended).toEqual(['102']);
        expect(result.nodes.map(({ target, node, outcome }) => [target, node, outcome])).toEqual([
          ['101', 'n101', 'accepted'],
          ['101', 'n1010', 'accepted'],
          ['102', 'n102', 'refused'],
          ['102', 'n1020', 'refused'],
          ['103', 'n103', 'accepted'],
          ['103', 'n1030', 'accepted'],
        ]);
        // One look more, at that part.
        expect(controller.count('REQUEST_JOB_STEP_INFO')).toBe(4);
      });
    });

    test.each<[string, (controller: FakeController) => void]>([
      ['is still there', () => {}],
      ['cannot be looked up', ({ instead }) => instead.set('REQUEST_JOB_STEP_INFO', rc(2002))],
    ])('%s: the call fails, and says why', async (_, then) => {
      await inWorld({ jobs, steps: apart }, async ({ client, slurmds, controller }) => {
        for (const node of ['n102', 'n1020']) slurmds.set(node, { kind: 'rc', code: 2017 });
        slurmds.beforeAnswer = () => then(controller);
        const error = await failureOf(client.signalJob(100, 10));
        expect(error).toMatchObject({
          name: 'SlurmServerError',
          code: 'ESLURM_INVALID_JOB_ID',
          errno: 'ESRCH',
          outcome: 'partial',
          retryable: false,
        });
        expect(error.message).toContain('100: 2 of 6 nodes did not take it: n[102,1020] of 102 refused');
        expect(error.message).toContain('The controller still has it');
      });
    });

    test('and a node of another part was not reached: that is what the call fails for', async () => {
      await inWorld({ jobs, steps: apart }, async ({ client, slurmds, controller }) => {
        for (const node of ['n102', 'n1020']) slurmds.set(node, { kind: 'rc', code: 2017 });
        slurmds.set('n1030', { kind: 'down' });
        const error = await failureOf(client.signalJob(100, 9));
        expect(error).toMatchObject({
          name: 'SlurmConnectionError',
          errno: 'ECONNREFUSED',
          outcome: 'partial',
          retryable: true,
        });
        expect(error.message).toContain('1 of 6 nodes did not take it: n1030 of 103 not reached');
        expect(controller.count('REQUEST_JOB_STEP_INFO')).toBe(3);
      });
    });

    test('all parts: there is nothing to signal', async () => {
      await inWorld({ jobs, steps }, async ({ client, slurmds, controller }) => {
        for (const { jobId } of jobs) goneFrom(slurmds, jobId);
        expect(await failureOf(client.signalJob(100, 10))).toMatchObject({
          code: 'ESLURM_INVALID_JOB_ID',
          errno: 'ESRCH',
          outcome: 'refused',
        });
        expect(controller.count('REQUEST_JOB_STEP_INFO')).toBe(3);
      });
    });

    test('one component of a het step', async () => {
      const het = [0, 1].map((stepHetComp) => ({
        jobId: 7,
        stepId: 3,
        stepHetComp,
        nodes: `n${stepHetComp}`,
      }));
      await inWorld({ steps: het }, async ({ client, slurmds, controller }) => {
        slurmds.set('n1', { kind: 'rc', code: 2017 });
        expect(await failureOf(client.signalJobStep('7.3', 10))).toMatchObject({ outcome: 'partial' });
        slurmds.beforeAnswer = () => {
          controller.steps = het.slice(0, 1);
        };
        expect(await client.signalJobStep('7.3', 10)).toMatchObject({ outcome: 'accepted', ended: ['7.3'] });
      });
    });
  });

  describe("an error that is nobody else's", () => {
    test('the deadline: SlurmTimeoutError', async () => {
      await inWorld({}, async ({ client, slurmds }) => {
        for (const node of nodeNames(3)) slurmds.set(node, { kind: 'hang' });
        const error = await failureOf(client.terminateJobStep('7.0', { timeoutMs: 1_000 }));
        expect(error).toMatchObject({
          name: 'SlurmTimeoutError',
          code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT',
          errno: 'ETIMEDOUT',
          outcome: 'unknown',
          retryable: true,
          phase: 'wait',
        });
        expect(error.message).toContain('7.0: 3 of 3 nodes did not take it: n[1-3] may have got it');
      });
    });

    test('the caller: SlurmTimeoutError, not to be tried again', async () => {
      await inWorld({}, async ({ client, slurmds }) => {
        const abort = new AbortController();
        slurmds.set('n2', { kind: 'hang' });
        slurmds.beforeAnswer = () => abort.abort();
        const error = await failureOf(client.terminateJobStep('7.0', { signal: abort.signal }));
        expect(error).toMatchObject({
          name: 'SlurmTimeoutError',
          code: 'SLURMWIRE_ABORTED',
          errno: 'ECANCELED',
          retryable: false,
        });
      });
    });

    test('an answer that the message cannot have: SlurmProtocolError', async () => {
      await inWorld({}, async ({ client, slurmds }) => {
        const body = encodeBody('RESPONSE_PING_SLURMD', '22.05', { cpuLoad: 0, freeMem: 0n });
        const answer = () => slurmdAnswer('22.05', 'RESPONSE_PING_SLURMD', body);
        slurmds.set('n2', { kind: 'says', answer });
        expect(await failureOf(client.signalJobStep('7.0', 10))).toMatchObject({
          name: 'SlurmProtocolError',
          code: 'SLURM_UNEXPECTED_MSG_ERROR',
          errno: 'EPROTO',
          outcome: 'partial',
        });
      });
    });

    test("what only a forwarder told: the network's, with the errno of its number", async () => {
      const steps = [{ jobId: 7, stepId: 0, nodes: 'n[1-40]' }];
      const link = { nodes: confNodes(40), treeWidth: 2 };
      await inWorld({ steps, link }, async ({ client, slurmds }) => {
        slurmds.set('n40', { kind: 'down' });
        const error = await failureOf(client.terminateJobStep('7.0'));
        expect(error).toMatchObject({
          name: 'SlurmConnectionError',
          code: 'SLURM_COMMUNICATIONS_CONNECTION_ERROR',
          errno: 'EHOSTUNREACH',
          number: 1001,
          outcome: 'partial',
          retryable: true,
        });
        slurmds.set('n40', { kind: 'reset' });
        expect(await failureOf(client.signalJobStep('7.0', 10))).toMatchObject({
          name: 'SlurmConnectionError',
          code: 'ECONNRESET',
          errno: 'ECONNRESET',
          retryable: false,
        });
      });
    });

    test("an authenticator's configuration, after some nodes took it: never not-sent", async () => {
      const auth = new FakeAuth();
      await inWorld({ link: { auth } }, async ({ client }) => {
        // After those for the PING, two lookups and a node.
        let asked = 0;
        auth.beforeCreate = () => {
          asked += 1;
          if (asked > 4)
            throw new SlurmConfigError('no key.', { code: 'SLURMWIRE_CONFIG_VALUE', file: '/etc/key' });
        };
        const error = await failureOf(client.signalJobStep('7.0', 10));
        expect(error).toMatchObject({
          name: 'SlurmAuthError',
          code: 'SLURMWIRE_CONFIG_VALUE',
          outcome: 'partial',
        });
        expectNodes(error, ['n1 accepted', 'n2 not-sent', 'n3 not-sent']);
      });
    });

    test('munged: SlurmAuthError, nothing sent', async () => {
      const auth = new FakeAuth();
      await inWorld({ link: { auth } }, async ({ client, slurmds }) => {
        // After those for the PING and two lookups.
        auth.beforeCreate = () => {
          if (auth.created.length >= 3) throw badCredential('EMUNGE_SOCKET');
        };
        const error = await failureOf(client.signalJobStep('7.0', 10));
        expect(error).toMatchObject({ name: 'SlurmAuthError', code: 'EMUNGE_SOCKET', outcome: 'not-sent' });
        expect(slurmds.contacts).toEqual([]);
        expectNodes(error, ['n1 not-sent', 'n2 not-sent', 'n3 not-sent']);
      });
    });
  });

  const down = { kind: 'down' } as const;
  const lost = { kind: 'close' } as const;
  const answer = (code: number) => ({ kind: 'rc', code }) as const;

  test.each([
    [
      'some refused',
      [answer(0), answer(2010), answer(0)],
      'SlurmServerError',
      'partial',
      'ESLURM_USER_ID_MISSING',
      'EPERM',
    ],
    [
      'some lost',
      [answer(0), lost, answer(2017)],
      'SlurmConnectionError',
      'partial',
      'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT',
      'EPIPE',
    ],
    [
      'some not reached',
      [answer(0), down, answer(0)],
      'SlurmConnectionError',
      'partial',
      'SLURM_COMMUNICATIONS_CONNECTION_ERROR',
      'ECONNREFUSED',
    ],
    [
      'some not reached, one lost',
      [down, answer(0), lost],
      'SlurmConnectionError',
      'partial',
      'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT',
      'EPIPE',
    ],
    // What is gone is no reason to stop looking at the node that was not reached.
    [
      'some gone, some not reached',
      [answer(2017), down, answer(2017)],
      'SlurmConnectionError',
      'refused',
      'SLURM_COMMUNICATIONS_CONNECTION_ERROR',
      'ECONNREFUSED',
    ],
    [
      'all refused',
      [answer(4027), answer(2010), answer(2010)],
      'SlurmServerError',
      'refused',
      'ESLURM_USER_ID_MISSING',
      'EPERM',
    ],
    [
      'all refused for now',
      [answer(11), answer(11), answer(11)],
      'SlurmServerError',
      'refused',
      'EAGAIN',
      'EAGAIN',
    ],
    [
      'refused and not reached',
      [down, answer(2010), down],
      'SlurmServerError',
      'refused',
      'ESLURM_USER_ID_MISSING',
      'EPERM',
    ],
    [
      'refused and lost',
      [lost, answer(2010), down],
      'SlurmServerError',
      'unknown',
      'ESLURM_USER_ID_MISSING',
      'EPERM',
    ],
    [
      'all lost',
      [lost, lost, lost],
      'SlurmConnectionError',
      'unknown',
      'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT',
      'EPIPE',
    ],
    [
      'a node says -1',
      [answer(-1), answer(-1), answer(-1)],
      'SlurmServerError',
      'unknown',
      'SLURM_ERROR',
      'EIO',
    ],
    [
      'nobody reached',
      [down, down, down],
      'SlurmConnectionError',
      'not-sent',
      'SLURM_COMMUNICATIONS_CONNECTION_ERROR',
      'ECONNREFUSED',
    ],
  ] as const)('%s', async (_, behaviours, name, outcome, code, errno) => {
    const word = (behaviour: (typeof behaviours)[number]) => {
      if (behaviour.kind === 'down') return 'not-sent';
      if (behaviour.kind === 'close' || behaviour.code === -1) return 'unknown';
      return behaviour.code === 0 ? 'accepted' : 'refused';
    };
    await inWorld({}, async ({ client, slurmds }) => {
      for (const [index, behaviour] of behaviours.entries()) slurmds.set(`n${index + 1}`, behaviour);
      for (const verb of ['signalJob', 'signalJobStep', 'terminateJobStep'] as const) {
        const call =
          verb === 'signalJob'
            ? client.signalJob(7, 10)
            : verb === 'signalJobStep'
              ? client.signalJobStep('7.0', 10)
              : client.terminateJobStep('7.0');
        const error = await failureOf(call);
        expect(error).toMatchObject({
          name,
          outcome,
          code,
          errno,
          protocol: '22.05',
          rpc: verb === 'terminateJobStep' ? 'REQUEST_TERMINATE_TASKS' : 'REQUEST_SIGNAL_TASKS',
        });
        // SIGKILL of a step may be repeated after `unknown`, USR1 not; nothing where a node will always refuse.
        const isForGood = behaviours.some((one) => one.kind === 'rc' && one.code === 2010);
        const mayHaveDone = outcome === 'unknown' || outcome === 'partial';
        expect(error.retryable).toBe(!isForGood && (!mayHaveDone || verb === 'terminateJobStep'));
        expectNodes(
          error,
          behaviours.map((behaviour, index) => `n${index + 1} ${word(behaviour)}`),
        );
        expect(error.message).toContain('nodes did not take it');
      }
    });
  });

  test('many failures: the message has them as a hostlist, the list one by one', async () => {
    const steps = [{ jobId: 7, stepId: 0, nodes: 'n[1-9]' }];
    await inWorld({ steps }, async ({ client, slurmds }) => {
      for (const node of nodeNames(9)) slurmds.set(node, { kind: 'down' });
      const error = await failureOf(client.signalJobStep('7.0', 10));
      expect(error.message).toBe(
        '7.0: 9 of 9 nodes did not take it: n[1-9] not reached (SLURM_COMMUNICATIONS_CONNECTION_ERROR, ECONNREFUSED).',
      );
      expect((error.cause as Error & { cause?: { code?: string } }).cause?.code).toBe('ECONNREFUSED');
      expectNodes(
        error,
        nodeNames(9).map((node) => `${node} not-sent`),
      );
    });
  });

  test('through a tree: the slurmds are told to pass it on, and the results are theirs', async () => {
    const steps = [{ jobId: 7, stepId: 0, nodes: 'n[1-40]' }];
    await inWorld({ steps, link: { treeWidth: 4, nodes: confNodes(40) } }, async ({ client, slurmds }) => {
      slurmds.set('n1', { kind: 'down' }).set('n15', { kind: 'rc', code: 2010 });
      const error = await failureOf(client.signalJobStep('7.0', 10));
      expect(error).toMatchObject({ outcome: 'partial', code: 'ESLURM_USER_ID_MISSING' });
      const nodes = expectNodes(
        error,
        nodeNames(40).map((node) => `${node} ${{ n1: 'not-sent', n15: 'refused' }[node] ?? 'accepted'}`),
      );
      expect(nodes.filter(({ via }) => via !== null).length).toBeGreaterThan(30);
      for (const node of nodeNames(40).slice(1)) expect([node, slurmds.timesOf(node)]).toEqual([node, 1]);
    });
  });

  test('the width of the tree is the default of the release', async () => {
    const steps = [{ jobId: 7, stepId: 0, nodes: 'n[1-40]' }];
    for (const [release, contacted] of [
      ['23.02', 40],
      ['23.11', 16],
    ] as const) {
      await inWorld({ release, steps, link: { nodes: confNodes(40) } }, async ({ client, slurmds }) => {
        await client.signalJobStep('7.0', 10);
        expect([release, slurmds.contacts.length]).toEqual([release, contacted]);
      });
    }
  });

  test.each([
    [{}, 40],
    [{ treeWidth: 5 }, 5],
    [{ fanOut: 'direct' as const }, 40],
    [{ fanOut: 'tree' as const, treeWidth: 1 }, 1],
  ])('options %j: %i nodes are contacted', async (options, contacted) => {
    const steps = [{ jobId: 7, stepId: 0, nodes: 'n[1-40]' }];
    await inWorld({ steps, link: { nodes: confNodes(40) } }, async ({ client, slurmds }) => {
      const result = await client.signalJobStep('7.0', 10, options);
      expect(slurmds.contacts.length).toBe(contacted);
      expect(result.nodes.length).toBe(40);
    });
  });
});

describe('credentials', () => {
  test.each([SLURMD_USER, null])(
    'for slurmds only SlurmdUser (%s), for slurmctld only SlurmUser',
    async (slurmdUser) => {
      const auth = new FakeAuth();
      await inWorld({ link: { auth, slurmdUser } }, async ({ client }) => {
        await client.signalJobStep('7.0', 10);
        // PING, two lookups; then one for each node.
        expect(auth.created.map(({ restrictUid }) => restrictUid)).toEqual([
          SLURM_USER,
          SLURM_USER,
          SLURM_USER,
          slurmdUser,
          slurmdUser,
          slurmdUser,
        ]);
      });
    },
  );
});

describe('idempotent', () => {
  test('what has ended or is not there is a value; what is pending is not', async () => {
    const jobs: FakeJob[] = [{ jobId: 7, jobState: COMPLETE }, { jobId: 8, jobState: PENDING }, { jobId: 9 }];
    await inWorld({ jobs, steps: [] }, async ({ client, slurmds }) => {
      const options = { idempotent: true } as const;
      expect(await client.signalJob(7, 10, options)).toMatchObject({
        outcome: 'not-sent',
        code: 'ESLURM_ALREADY_DONE',
        number: 2021,
        target: '7',
        unixSignal: 10,
        rpc: 'REQUEST_SIGNAL_TASKS',
        nodes: [],
      });
      expect(await client.signalJobStep('9.3', 10, options)).toMatchObject({
        outcome: 'not-sent',
        code: 'ESLURM_INVALID_JOB_ID',
        target: '9.3',
      });
      expect(await client.terminateJobStep('404.0', options)).toMatchObject({
        code: 'ESLURM_INVALID_JOB_ID',
        unixSignal: 9,
        rpc: 'REQUEST_TERMINATE_TASKS',
      });
      expect(await failureOf(client.signalJob(8, 10, options))).toMatchObject({ code: 'ESLURM_JOB_PENDING' });
      expect(await failureOf(client.signalJob(7, 10))).toMatchObject({ code: 'ESLURM_ALREADY_DONE' });
      expect(slurmds.received).toEqual([]);
    });
  });
});

describe('options and arguments: refused before anything is asked', () => {
  const bad = [
    ['fanOut', { fanOut: 'Tree' }],
    ['fanOut', { fanOut: null }],
    ['treeWidth', { treeWidth: 0 }],
    ['treeWidth', { treeWidth: 65_534 }],
    ['treeWidth', { treeWidth: 1.5 }],
    ['treeWidth', { treeWidth: '16' }],
    ['treeWidth', { treeWidth: Number.NaN }],
    ['treewidth', { treewidth: 16 }],
    ['batch', { batch: true }],
    ['idempotent', { idempotent: 1 }],
    ['timeoutMs', { timeoutMs: 0 }],
    ['signal', { signal: 'SIGUSR1' }],
  ] as const;
  test.each(bad)('%s in %j', async (field, given) => {
    await inWorld({ jobs: [] }, async (world) => {
      const options = given as object;
      for (const call of [
        world.client.signalJob(7, 10, options),
        world.client.signalJobStep('7.0', 10, options),
        world.client.terminateJobStep('7.0', options),
      ]) {
        await expectUsageError(call, { code: 'SLURMWIRE_BAD_OPTION', field });
      }
      expect(world.controller.peer.requests).toEqual([]);
    });
  });

  test('signals and ids', async () => {
    await inWorld({}, async ({ client, controller }) => {
      for (const signal of [0, 65, 253, 'SIGFOO']) {
        const code = 'SLURMWIRE_BAD_SIGNAL';
        await expectUsageError(client.signalJob(7, signal as 9), { code, field: 'unixSignal' });
        await expectUsageError(client.signalJobStep('7.0', signal as 9), { code, field: 'unixSignal' });
      }
      await expectUsageError(client.signalJob('7.0', 10), { code: 'SLURMWIRE_BAD_JOB_ID', field: 'job' });
      await expectUsageError(client.signalJobStep('7', 10), { code: 'SLURMWIRE_BAD_STEP_ID', field: 'step' });
      await expectUsageError(client.terminateJobStep('7_[1-2].0'), {
        code: 'SLURMWIRE_BAD_STEP_ID',
        field: 'step',
      });
      await expectUsageError(client.signalJob('sD81M80YD4HS00', 10), {
        code: 'SLURMWIRE_NOT_IN_RELEASE',
        field: 'job',
      });
      expect(controller.peer.requests).toEqual([]);
    });
  });
});

describe('from beginning to end over TCP', () => {
  test('lookups, addresses of the table, slurmds: nothing is left open, whatever the end', async () => {
    await using controller = await FakeController.start();
    await using slurmd = await ScriptedPeer.listen(async (connection) => {
      await connection.readRequest();
      await connection.send(rc(0, { signer: SLURMD_USER }));
      connection.finish();
    });
    const dead = await deadEndpoint();
    controller.jobs = [{ jobId: 7 }];
    controller.steps = [
      { jobId: 7, stepId: 0, nodes: 'n[1-2]' },
      { jobId: 7, stepId: 1, nodes: 'n[1-3]' },
    ];
    const at = ({ host, port }: { host: string; port: number }) => ({ nodeAddr: host, port });
    controller.nodes = [
      { name: 'n1', ...at(slurmd.endpoint) },
      { name: 'n2', ...at(slurmd.endpoint) },
      { name: 'n3', ...at(dead) },
    ];
    const client = clientIn(controller, new FakeSlurmds(), {
      transport: tcpTransport(),
      nodeAddress: undefined,
    });
    await client.ping();

    const good = await leavesNothing(() => client.signalJobStep('7.0', 10));
    expect(outcomes(good.nodes)).toEqual(['n1 accepted', 'n2 accepted']);
    expect(controller.count('REQUEST_NODE_INFO_SINGLE')).toBe(2);

    const partial = await leavesNothing(() => failureOf(client.signalJobStep('7.1', 10)));
    expect(partial.outcome).toBe('partial');
    expectNodes(partial, ['n1 accepted', 'n2 accepted', 'n3 not-sent']);
    expect(slurmd.count('REQUEST_SIGNAL_TASKS')).toBe(4);

    const none = await leavesNothing(() => failureOf(client.signalJobStep('7.9', 10)));
    expect(none.outcome).toBe('not-sent');

    controller.nodes = [];
    const unplaced = await leavesNothing(() => failureOf(client.signalJobStep('7.0', 10)));
    expect(unplaced).toMatchObject({ code: 'SLURM_UNKNOWN_FORWARD_ADDR', outcome: 'not-sent' });
    expectNodes(unplaced, ['n1 not-sent', 'n2 not-sent']);
    await client.close();
  });

  test('aborted while a slurmd works', async () => {
    await using controller = await FakeController.start();
    const abort = new AbortController();
    await using slurmd = await ScriptedPeer.listen(async (connection) => {
      await connection.readRequest();
      abort.abort();
    });
    controller.jobs = [{ jobId: 7 }];
    controller.steps = [{ jobId: 7, stepId: 0, nodes: 'n1' }];
    const client = clientIn(controller, new FakeSlurmds(), {
      transport: tcpTransport(),
      nodeAddress: () => slurmd.endpoint,
    });
    const error = await failureOf(client.signalJobStep('7.0', 10, { signal: abort.signal }));
    expect(error).toMatchObject({ outcome: 'unknown', code: 'SLURMWIRE_ABORTED' });
    expectNodes(error, ['n1 unknown']);
    await slurmd.allLeft();
    await client.close();
  });

  test.each(['REQUEST_JOB_INFO_SINGLE', 'REQUEST_JOB_STEP_INFO', 'REQUEST_NODE_INFO_SINGLE'] as const)(
    '%s gets no answer: nothing was signalled',
    async (name) => {
      await inWorld({ link: { nodeAddress: undefined } }, async (world) => {
        world.controller.instead.set(name, silence);
        const error = await failureOf(world.client.signalJobStep('7.0', 10, { timeoutMs: 700 }));
        expect(error).toMatchObject({
          code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT',
          rpc: name,
          outcome: 'not-sent',
          retryable: true,
        });
        sentNothing(world);
      });
    },
  );
});
