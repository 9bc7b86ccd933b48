/** Jobs whose steps one of their nodes manages: whom the lookups ask, and what that means for the verbs. Live: test/live/step-manager.test.ts. */
import { describe, expect, test } from 'vitest';
import { decodeBody, type Frame, type Release } from '../../src/protocol/index.js';
import type { SlurmClient } from '../../src/rpc/client.js';
import { ControllerLink, type LinkSetup } from '../../src/rpc/controller-link.js';
import { Deadline } from '../../src/rpc/deadline.js';
import { stepRecords } from '../../src/rpc/step-lookup.js';
import { FakeAuth, openCredential, SLURMD_USER } from './support/fake-auth.js';
import { type Behaviour, FakeSlurmds, NO_VAL, slurmdReply } from './support/fan-out.js';
import {
  clientIn,
  FakeController,
  type FakeJob,
  type FakeStep,
  nodeInfoReply,
  stepInfoReply,
  world,
} from './support/fan-out-controller.js';
import { noStrayTrouble } from './support/leaks.js';
import { rc, reply } from './support/replies.js';
import { failureOf } from './support/setup.js';

noStrayTrouble();

const STEPMGR_ENABLED = 1n << 41n;
const [EXTERN, BATCH] = [0xfffffffc, 0xfffffffb];
const [RUNNING, SUSPENDED] = [1, 2];
const MANAGED: FakeJob = {
  jobId: 7,
  batchHost: 'n1',
  batchFlag: 1,
  bitflags: STEPMGR_ENABLED,
  jobState: RUNNING,
};
/** What the controller knows of a managed job, and what its step manager knows. */
const CONTROLLERS: FakeStep[] = [
  { jobId: 7, stepId: EXTERN, nodes: 'n[1-2]' },
  { jobId: 7, stepId: BATCH, nodes: 'n1' },
];
const MANAGERS: FakeStep[] = [
  { jobId: 7, stepId: 0, nodes: 'n[1-2]' },
  { jobId: 7, stepId: 1, nodes: 'n2' },
];

/** A step manager; `takes`: the oldest and newest protocol it answers in. Others it closes on, as slurmds do. */
function manager(steps: readonly FakeStep[], takes?: Release): Behaviour {
  return {
    kind: 'says',
    answer: ({ release, messageName }: Frame) => {
      if (takes !== undefined && release !== takes) return closed;
      return messageName === 'REQUEST_JOB_STEP_INFO'
        ? stepInfoReply(steps, release)
        : slurmdReply({ release }, 0);
    },
  };
}
/** Nothing at all, which the transport takes for a close. */
const closed = new Uint8Array();

interface Given {
  readonly release?: Release;
  readonly jobs?: FakeJob[];
  /** Whether the controller's answer about steps names the manager, as it does of running jobs from 24.05 on. */
  readonly named?: boolean;
  readonly n1?: Behaviour;
  readonly link?: Partial<LinkSetup>;
}

interface World {
  readonly controller: FakeController;
  readonly slurmds: FakeSlurmds;
  readonly client: SlurmClient;
  readonly setup: LinkSetup;
  /** What each slurmd was asked. */
  asked(): string[];
}

async function inWorld(given: Given, work: (world: World) => Promise<void>): Promise<void> {
  const { release = '24.11', jobs = [MANAGED], named = true, n1 = manager(MANAGERS) } = given;
  await using controller = await FakeController.start(release);
  controller.jobs = jobs;
  controller.steps = CONTROLLERS;
  if (named) controller.stepmgrs.set(7, 'n1');
  const slurmds = new FakeSlurmds().set('n1', n1);
  const client = clientIn(controller, slurmds, given.link);
  const asked = () => slurmds.received.map(({ node, frame }) => `${node} ${frame.messageName}`);
  await work({ controller, slurmds, client, asked, setup: world(controller, slurmds, given.link) });
  await client.close();
  expect(slurmds.faults).toEqual([]);
  expect(slurmds.open).toBe(0);
}

async function stepsOf({ setup }: World, stepId: number): Promise<number[]> {
  const deadline = new Deadline(5_000);
  try {
    const found = await stepRecords(new ControllerLink(setup), 7, stepId, deadline);
    return found.map((step) => step.stepId.stepId);
  } finally {
    deadline.dispose();
  }
}

describe('a lookup of steps', () => {
  test.each(['24.05', '24.11', '26.11'] as const)(
    'asks the node that the controller names, in %s',
    async (release) => {
      await inWorld({ release }, async (it) => {
        expect(await stepsOf(it, NO_VAL)).toEqual([EXTERN, BATCH, 0, 1]);
        expect(it.asked()).toEqual(['n1 REQUEST_JOB_STEP_INFO']);
        const [{ frame } = expect.fail()] = it.slurmds.received;
        expect(openCredential(frame.auth).restrictUid).toBe(SLURMD_USER);
        const { stepId } = decodeBody('REQUEST_JOB_STEP_INFO', release, frame.body);
        expect(stepId).toMatchObject({ jobId: 7, stepId: NO_VAL });
        // A slurmd of 24.11 tells of all steps whichever was asked for.
        expect(await stepsOf(it, 1)).toEqual([1]);
        expect(await stepsOf(it, 77)).toEqual([]);
      });
    },
  );

  test('does not ask for what the controller has', async () => {
    await inWorld({}, async (it) => {
      expect(await stepsOf(it, BATCH)).toEqual([BATCH]);
      expect(it.asked()).toEqual([]);
    });
  });

  test.each([
    ['23.02', RUNNING],
    ['23.11', RUNNING],
    ['24.11', SUSPENDED],
  ] as const)(
    "where the controller does not name it, the job's record does: %s, state %i",
    async (release, jobState) => {
      await inWorld({ release, named: false, jobs: [{ ...MANAGED, jobState }] }, async (it) => {
        expect(await stepsOf(it, 0)).toEqual([0]);
        expect(it.asked()).toEqual(['n1 REQUEST_JOB_STEP_INFO']);
      });
    },
  );

  test('a job without one: nobody else is asked', async () => {
    for (const release of ['22.05', '24.11'] as const) {
      const jobs = [{ ...MANAGED, bitflags: release === '22.05' ? STEPMGR_ENABLED : 1n }];
      await inWorld({ release, named: false, jobs }, async (it) => {
        expect(await stepsOf(it, 0)).toEqual([]);
        expect(it.asked()).toEqual([]);
        expect(it.controller.count('REQUEST_JOB_INFO_SINGLE')).toBe(release === '22.05' ? 0 : 1);
      });
    }
  });

  test("another job's manager is nobody's", async () => {
    await inWorld({ named: false, jobs: [{ jobId: 7 }] }, async (it) => {
      it.controller.stepmgrs.set(8, 'n1');
      const names = [[8, 'n1']] as const;
      it.controller.instead.set('REQUEST_JOB_STEP_INFO', stepInfoReply(CONTROLLERS, '24.11', names));
      expect(await stepsOf(it, 0)).toEqual([]);
      expect(it.asked()).toEqual([]);
    });
  });

  test('2017 of the step manager: it has no step of the job (any more)', async () => {
    const n1: Behaviour = { kind: 'rc', code: 2017 };
    await inWorld({ n1 }, async (it) => expect(await stepsOf(it, 0)).toEqual([]));
  });

  test('a slurmd older than its controller is asked in its own version', async () => {
    await inWorld({ release: '26.05', n1: manager(MANAGERS, '24.11') }, async (it) => {
      const version = (found: string) => {
        const bytes = nodeInfoReply([{ name: 'n1', version: found } as never], '26.05');
        it.controller.instead.set('REQUEST_NODE_INFO_SINGLE', bytes);
      };
      version('24.11.5');
      expect(await stepsOf(it, 0)).toEqual([0]);
      expect(it.slurmds.received.map(({ frame }) => frame.release)).toEqual(['26.05', '24.11']);
      // One of the same version, or of none that is known, closed for another reason.
      for (const same of ['26.05.5', 'unknown', '']) {
        version(same);
        const before = it.slurmds.received.length;
        expect(await failureOf(stepsOf(it, 0))).toMatchObject({
          code: 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT',
          outcome: 'not-sent',
          rpc: 'REQUEST_JOB_STEP_INFO',
        });
        expect(it.slurmds.received).toHaveLength(before + 1);
      }
    });
  });
});

describe('a step manager that does not tell', () => {
  const trouble: [string, Given, Record<string, unknown>][] = [
    [
      'is down',
      { n1: { kind: 'down' } },
      { code: 'SLURM_COMMUNICATIONS_CONNECTION_ERROR', phase: 'connect' },
    ],
    ['refuses', { n1: { kind: 'rc', code: 2010 } }, { number: 2010, errno: 'EPERM' }],
    ['is not it', { n1: { kind: 'rc', code: -1 } }, { number: -1 }],
    ['says 0', { n1: { kind: 'rc', code: 0 } }, { code: 'SLURM_UNEXPECTED_MSG_ERROR' }],
    [
      'sends on',
      {
        n1: {
          kind: 'says',
          answer: ({ release }) =>
            reply('RESPONSE_SLURM_REROUTE_MSG', { workingClusterRec: null, stepmgr: 'n2' }, { release }),
        },
      },
      { code: 'SLURMWIRE_REROUTED' },
    ],
    [
      'has no address',
      { link: { nodeAddress: () => null } },
      { code: 'SLURM_UNKNOWN_FORWARD_ADDR', errno: 'EHOSTUNREACH' },
    ],
    [
      'is not for the authenticator',
      { link: { auth: Object.assign(new FakeAuth(), { reach: 'controllers' } as const) } },
      { code: 'SLURMWIRE_AUTH_NOT_FOR_NODES' },
    ],
  ];
  test.each(trouble)('%s: nothing is sent to signal anything', async (_, given, expected) => {
    await inWorld(given, async ({ controller, client, slurmds }) => {
      const calls = [
        () => client.probe('7.0'),
        () => client.killJobStep('7.0', 10),
        () => client.killJobStep('7.0'),
        () => client.signalJob(7, 10),
        () => client.signalJobStep('7.0', 10),
        () => client.terminateJobStep('7.0'),
        () => client.kill('7.0', 10),
        () => client.explain('killJobStep', '7.0'),
      ];
      for (const call of calls) {
        const error = await failureOf(call());
        expect(error, error.message).toMatchObject({ outcome: 'not-sent', ...expected });
      }
      expect(controller.count('REQUEST_CANCEL_JOB_STEP')).toBe(0);
      expect(new Set(slurmds.received.map(({ frame }) => frame.messageName))).not.toContain(
        'REQUEST_SIGNAL_TASKS',
      );
    });
  });

  test('hangs: the one deadline ends it', async () => {
    await inWorld({ n1: { kind: 'hang' } }, async ({ client, controller }) => {
      expect(await failureOf(client.killJobStep('7.0', 10, { timeoutMs: 300 }))).toMatchObject({
        name: 'SlurmTimeoutError',
        outcome: 'not-sent',
      });
      expect(controller.count('REQUEST_CANCEL_JOB_STEP')).toBe(0);
    });
  });
});

describe('verbs', () => {
  test.each(['SIGUSR1', 'SIGKILL'] as const)('killJobStep, %s: only a step that is there', async (signal) => {
    await inWorld({}, async ({ client, controller, asked }) => {
      expect(await client.killJobStep('7.1', signal)).toMatchObject({ outcome: 'accepted', target: '7.1' });
      expect(asked()).toEqual(['n1 REQUEST_JOB_STEP_INFO']);
      expect(controller.count('REQUEST_CANCEL_JOB_STEP')).toBe(1);
      // The batch step is the controller's own.
      expect(await client.killJobStep('7.batch', signal)).toMatchObject({ outcome: 'accepted' });
      expect(asked()).toHaveLength(1);

      const missing = await failureOf(client.killJobStep('7.77', signal));
      expect(missing).toMatchObject({ code: 'ESLURM_INVALID_JOB_ID', errno: 'ESRCH', outcome: 'not-sent' });
      expect(await client.killJobStep('7.77', signal, { idempotent: true })).toMatchObject({
        outcome: 'not-sent',
        code: 'ESLURM_INVALID_JOB_ID',
      });
      expect(await failureOf(client.kill('7.77', signal))).toMatchObject({ errno: 'ESRCH' });
      expect(controller.count('REQUEST_CANCEL_JOB_STEP')).toBe(2);
    });
  });

  test('killJobStep of a job in another state: the controller says no itself', async () => {
    const jobs = [{ ...MANAGED, jobState: SUSPENDED }];
    await inWorld({ jobs, named: false }, async ({ client, controller, asked }) => {
      controller.instead.set('REQUEST_CANCEL_JOB_STEP', rc(2020, { release: '24.11' }));
      expect(await failureOf(client.killJobStep('7.77', 10))).toMatchObject({
        number: 2020,
        outcome: 'refused',
      });
      expect(asked()).toEqual([]);
    });
  });

  test('kill with signal 0, probe', async () => {
    await inWorld({}, async ({ client }) => {
      expect(await client.kill('7.1', 0)).toMatchObject({ targets: [{ outcome: 'accepted' }] });
      expect(await failureOf(client.kill('7.77', 0))).toMatchObject({ errno: 'ESRCH', outcome: 'not-sent' });
      expect(await client.probe('7.1')).toMatchObject({
        exists: true,
        steps: [{ target: '7.1', nodes: 'n2' }],
      });
      expect(await client.probe('7.77')).toMatchObject({ exists: false });
    });
  });

  test('signals straight to the slurmds go where the step manager says', async () => {
    await inWorld({}, async ({ client, asked }) => {
      const { nodes } = await client.signalJobStep('7.1', 'SIGUSR1');
      expect(nodes).toMatchObject([{ node: 'n2', outcome: 'accepted' }]);
      expect(asked()).toEqual(['n1 REQUEST_JOB_STEP_INFO', 'n2 REQUEST_SIGNAL_TASKS']);
      const all = await client.signalJob(7, 'SIGUSR1');
      expect(all.nodes.map(({ node }) => node)).toEqual(['n1', 'n2']);
      expect((await client.terminateJobStep('7.0')).nodes).toHaveLength(2);
    });
  });

  test('an explanation has the steps, and sends nothing', async () => {
    await inWorld({}, async ({ client, controller, asked }) => {
      const { effects } = await client.explain('killJobStep', '7.1', 'SIGUSR1');
      expect(effects).toMatchObject([{ target: '7.1', nodes: ['n2'] }]);
      const { requests } = await client.explain('signalJobStep', '7.1', 'SIGUSR1');
      expect(requests).toMatchObject([{ to: 'slurmd', node: 'n2' }]);
      expect(new Set(asked())).toEqual(new Set(['n1 REQUEST_JOB_STEP_INFO']));
      expect(controller.count('REQUEST_CANCEL_JOB_STEP')).toBe(0);
    });
  });
});
