/** terminate: which signals go where and when, what counts as gone, and what is told when it does not get that far. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Release, SlurmError } from '../../src/protocol/index.js';
import {
  SlurmTerminationError,
  type TerminateEvent,
  type TerminateOptions,
  type TerminateState,
} from '../../src/rpc/index.js';
import type { FakeJob } from './support/fan-out-controller.js';
import { leavesNothing, noStrayTrouble } from './support/leaks.js';
import { deadEndpoint } from './support/scripted-peer.js';
import { clientOf, expectUsageError, failureOf } from './support/setup.js';
import { START, STATE, TerminateWorld } from './support/terminate-world.js';

noStrayTrouble();
afterEach(() => {
  vi.restoreAllMocks();
});

const SECONDS = 1000;
const SCRIPT = { batchFlag: 1, batchHost: 'n1' };
const { PENDING, RUNNING, SUSPENDED, COMPLETED, CANCELLED, COMPLETING } = STATE;

/** Ends the named job as slurmctld does on SIGKILL: at once when it is pending, by way of COMPLETING when it runs. */
function killable(world: TerminateWorld): void {
  world.onSignal = ({ signal }) => {
    if (signal === 'SIGKILL') {
      world.jobs = world.jobs.map((job) => {
        const base = (job.jobState ?? RUNNING) & 0xff;
        if (base > SUSPENDED) return job;
        return { ...job, jobState: base === PENDING ? CANCELLED : CANCELLED | COMPLETING };
      });
    }
    return 0;
  };
}

/** Lets completing jobs end at the next tick. */
function cleansUp(world: TerminateWorld): void {
  world.clock.onTick = () => {
    world.jobs = world.jobs.map((job) => ({ ...job, jobState: (job.jobState ?? RUNNING) & ~COMPLETING }));
  };
}

async function inWorld<T>(
  jobs: FakeJob[],
  work: (world: TerminateWorld) => Promise<T>,
  release?: Release,
): Promise<T> {
  await using world = await TerminateWorld.start(release);
  world.jobs = jobs;
  killable(world);
  cleansUp(world);
  return await work(world);
}

async function terminationFailure(work: Promise<unknown>): Promise<SlurmTerminationError> {
  const error = await failureOf(work);
  expect(error, error.message).toBeInstanceOf(SlurmTerminationError);
  return error as SlurmTerminationError;
}

/** What went over the wire and came back as JSON. */
const stored = (state: TerminateState) => JSON.parse(JSON.stringify(state)) as TerminateState;

/** Events without what is in all of them. */
const types = (events: readonly TerminateEvent[]) =>
  events.map(({ type }) => type).filter((type, index, all) => type !== all[index - 1]);

describe('the default ladder', () => {
  test('ends during the grace: no SIGKILL', async () => {
    await inWorld([{ jobId: 7, ...SCRIPT }], async (world) => {
      const events: TerminateEvent[] = [];
      world.clock.onTick = () => {
        if (world.clock.elapsed > 2 * SECONDS) world.change(7, { jobState: COMPLETED });
      };
      const result = await world.terminate(7, {}, (event) => events.push(event));
      expect(world.signals).toEqual(['SIGTERM 7 full']);
      expect(world.clock.elapsed).toBeLessThan(10 * SECONDS);
      expect(result).toMatchObject({
        outcome: 'accepted',
        target: '7',
        delivered: null,
        dead: true,
        code: null,
        requeued: [],
        sent: [
          {
            rung: 0,
            target: '7',
            part: 'full',
            signal: 'SIGTERM',
            outcome: 'accepted',
            code: null,
            at: START,
          },
        ],
        jobs: [{ jobId: 7, state: 'COMPLETED', flags: [] }],
        peer: world.peer.peer,
        protocol: '22.05',
      });
      expect(types(events)).toEqual(['signalling', 'signalled', 'waiting', 'gone']);
      expect(events.every((event) => event.target === '7' && event.at >= START)).toBe(true);
    });
  });

  test('ignores SIGTERM: SIGKILL after 30 s, gone when no longer completing', async () => {
    await inWorld([{ jobId: 7, ...SCRIPT }], async (world) => {
      const events: TerminateEvent[] = [];
      let completing = 0;
      world.clock.onTick = () => {
        const { jobState = RUNNING } = world.jobs[0] as FakeJob;
        if ((jobState & COMPLETING) !== 0 && ++completing > 3) world.change(7, { jobState: CANCELLED });
      };
      const result = await world.terminate(7, {}, (event) => events.push(event));
      expect(world.signals).toEqual(['SIGTERM 7 full', 'SIGKILL 7']);
      expect(completing).toBe(4);
      const [term, kill] = result.sent;
      expect((kill?.at ?? 0) - (term?.at ?? 0)).toBe(30 * SECONDS);
      expect(result).toMatchObject({ outcome: 'accepted', dead: true, jobs: [{ state: 'CANCELLED' }] });
      expect(types(events)).toEqual([
        'signalling',
        'signalled',
        'waiting',
        'escalating',
        'signalling',
        'signalled',
        'confirming',
        'gone',
      ]);
      const waiting = events.find(({ type }) => type === 'waiting');
      expect(waiting).toMatchObject({
        rung: 0,
        until: START + 30 * SECONDS,
        trouble: null,
        alive: [{ target: '7', jobId: 7, state: 'RUNNING', flags: [], nodes: 'n[1-2]' }],
      });
      // Looks grow rarer, and none is later than the end of the grace.
      const grace = world.clock.waits.slice(0, world.clock.waits.length - 4);
      expect(grace.reduce((sum, ms) => sum + ms, 0)).toBe(30 * SECONDS);
      expect(Math.max(...grace)).toBe(5 * SECONDS);
      expect(grace.length).toBeLessThan(15);
    });
  });

  test.each([
    ['steps of its own: the steps, then the shell alone', [0], SCRIPT, ['SIGTERM 7', 'SIGTERM 7 batch']],
    ['an interactive step', [0xfffffffa], SCRIPT, ['SIGTERM 7', 'SIGTERM 7 batch']],
    [
      'batch and extern steps only: the shell and its group',
      [0xfffffffb, 0xfffffffc],
      SCRIPT,
      ['SIGTERM 7 full'],
    ],
    ['no batch script: the steps', [0], {}, ['SIGTERM 7']],
  ])('%s', async (_, steps, script, expected) => {
    await inWorld([{ jobId: 7, ...script }], async (world) => {
      world.steps = steps.map((stepId) => ({ jobId: 7, stepId, nodes: 'n1' }));
      world.onSignal = () => {
        if (world.arrived.length === expected.length) world.change(7, { jobState: COMPLETED });
        return 0;
      };
      await world.terminate(7);
      expect(world.signals).toEqual(expected);
    });
  });

  test('steps cannot be told: as if there were some', async () => {
    await inWorld([{ jobId: 7, ...SCRIPT }], async (world) => {
      world.onStepLook = () => 2002;
      await world.terminate(7);
      expect(world.signals).toEqual(['SIGTERM 7', 'SIGTERM 7 batch', 'SIGKILL 7']);
    });
  });

  test('pending: SIGKILL at once, nothing before it, no grace', async () => {
    await inWorld([{ jobId: 7, jobState: PENDING, ...SCRIPT }], async (world) => {
      const result = await world.terminate(7);
      expect(world.signals).toEqual(['SIGKILL 7']);
      expect(world.clock.elapsed).toBe(0);
      expect(result).toMatchObject({ outcome: 'accepted', dead: true });
    });
  });

  test('suspended: SIGTERM is refused, so SIGKILL follows at once', async () => {
    await inWorld([{ jobId: 7, jobState: SUSPENDED, ...SCRIPT }], async (world) => {
      const { onSignal } = world;
      world.onSignal = (signal) => (signal.signal === 'SIGTERM' ? 2020 : onSignal(signal));
      const result = await world.terminate(7);
      expect(world.signals).toEqual(['SIGTERM 7 full', 'SIGKILL 7']);
      expect(world.clock.elapsed).toBeLessThan(SECONDS);
      expect(result.sent).toMatchObject([
        { outcome: 'refused', code: 'ESLURM_TRANSITION_STATE_NO_UPDATE' },
        { outcome: 'accepted' },
      ]);
      expect(result.outcome).toBe('accepted');
    });
  });

  test('completing already: waited for, never signalled', async () => {
    await inWorld([{ jobId: 7, jobState: CANCELLED | COMPLETING, ...SCRIPT }], async (world) => {
      const events: TerminateEvent[] = [];
      const result = await world.terminate(7, {}, (event) => events.push(event));
      expect(world.signals).toEqual([]);
      expect(result).toMatchObject({ outcome: 'not-sent', dead: true, sent: [] });
      expect(types(events)).toEqual(['confirming', 'gone']);
    });
  });

  test('completing at the end of the grace: no SIGKILL either', async () => {
    await inWorld([{ jobId: 7, ...SCRIPT }], async (world) => {
      world.onSignal = () => {
        world.change(7, { jobState: COMPLETED | COMPLETING });
        return 0;
      };
      world.clock.onTick = () => {
        if (world.clock.elapsed > 60 * SECONDS) world.change(7, { jobState: COMPLETED });
      };
      expect((await world.terminate(7)).dead).toBe(true);
      expect(world.signals).toEqual(['SIGTERM 7 full']);
    });
  });
});

describe('gone already', () => {
  test.each<[string, FakeJob[], string, string]>([
    ['finished', [{ jobId: 7, jobState: COMPLETED }], '7', 'ESLURM_ALREADY_DONE'],
    ['unknown', [], '7', 'ESLURM_INVALID_JOB_ID'],
    ['a step of a finished job', [{ jobId: 7, jobState: COMPLETED }], '7.0', 'ESLURM_ALREADY_DONE'],
    ['a step that is not there', [{ jobId: 7 }], '7.3', 'ESLURM_INVALID_JOB_ID'],
    ['the batch step of a job without a script', [{ jobId: 7 }], '7.batch', 'ESLURM_INVALID_JOB_ID'],
    [
      'a task that is not there',
      [{ jobId: 8, arrayJobId: 7, arrayTaskId: 1 }],
      '7_2',
      'ESLURM_INVALID_JOB_ID',
    ],
  ])('%s', async (_, jobs, target, code) => {
    await inWorld(jobs, async (world) => {
      const error = await failureOf(world.terminate(target));
      expect(error).toMatchObject({ name: 'SlurmServerError', code, errno: 'ESRCH', outcome: 'not-sent' });
      const value = await world.terminate(target, { idempotent: true });
      expect(value).toMatchObject({ outcome: 'not-sent', code, dead: true, sent: [], target });
      expect(world.signals).toEqual([]);
    });
  });
});

describe('ended by itself between the look and the signal', () => {
  test.each([true, false])('gone all the same (confirm: %s)', async (confirm) => {
    await inWorld([{ jobId: 7 }], async (world) => {
      world.onSignal = () => {
        world.change(7, { jobState: COMPLETED });
        return 2021;
      };
      const result = await world.terminate(7, { confirm, ladder: [{ signal: 'SIGKILL' }] });
      expect(result).toMatchObject({
        dead: true,
        sent: [{ outcome: 'refused', code: 'ESLURM_ALREADY_DONE' }],
      });
      expect(world.signals).toEqual(['SIGKILL 7']);
    });
  });

  test('a step whose job was requeued, as only a look says', async () => {
    await inWorld(
      [{ jobId: 200, hetJobId: 200, hetJobOffset: 0 }],
      async (world) => {
        world.steps = [{ jobId: 200, stepId: 0, nodes: 'n1' }];
        // The look, the one of killJobStep, the one for the nodes.
        world.onLook = () => {
          if (world.looks === 3) {
            world.change(200, { jobState: PENDING });
            world.steps = [];
          }
          return 0;
        };
        const result = await world.terminate('200.0', { ladder: [{ signal: 'SIGKILL' }] });
        expect(result).toMatchObject({
          dead: true,
          sent: [{ outcome: 'not-sent', code: 'ESLURM_JOB_PENDING' }],
        });
        expect(world.signals).toEqual([]);
        expect(world.looks).toBe(4);
      },
      '26.05',
    );
  });
});

describe('arrays and heterogeneous jobs', () => {
  const ARRAY: FakeJob[] = [
    { jobId: 101, arrayJobId: 100, arrayTaskId: 0, ...SCRIPT },
    { jobId: 102, arrayJobId: 100, arrayTaskId: 1, ...SCRIPT },
    { jobId: 103, arrayJobId: 100, arrayTaskId: 2, jobState: COMPLETED, ...SCRIPT },
    { jobId: 100, arrayJobId: 100, arrayTaskStr: '0x18', jobState: PENDING, ...SCRIPT },
  ];

  test('pending tasks are cancelled before running ones are signalled, each by its own name', async () => {
    await inWorld(ARRAY, async (world) => {
      world.onSignal = ({ signal, target }) => {
        if (signal === 'SIGKILL') world.change(100, { jobState: CANCELLED });
        else world.change(101 + Number(target.split('_')[1]), { jobState: COMPLETED });
        return 0;
      };
      const result = await world.terminate('100');
      expect(world.signals[0]).toBe('SIGKILL 100_[3-4]');
      expect(world.signals.slice(1).sort()).toEqual(['SIGTERM 100_0 full', 'SIGTERM 100_1 full']);
      expect(result.jobs.map(({ target }) => target).sort()).toEqual([
        '100_0',
        '100_1',
        '100_2',
        '100_[3-4]',
      ]);
    });
  });

  test('one task ignores SIGTERM: one SIGKILL for the whole, by its own name', async () => {
    await inWorld(ARRAY.slice(0, 3), async (world) => {
      const { onSignal } = world;
      world.onSignal = (signal) => {
        if (signal.target === '100_0') world.change(101, { jobState: COMPLETED });
        return onSignal(signal);
      };
      await world.terminate('100_[0-2]');
      expect(world.signals.slice(0, 2).sort()).toEqual(['SIGTERM 100_0 full', 'SIGTERM 100_1 full']);
      expect(world.signals.slice(2)).toEqual(['SIGKILL 100_[0-2]']);
    });
  });

  test('pending tasks that are not told are not named: the number would be the whole array', async () => {
    const untold = { ...ARRAY[3], jobId: 100, arrayTaskStr: null };
    await inWorld([ARRAY[0] as FakeJob, untold], async (world) => {
      await world.terminate(100);
      expect(world.signals).toEqual(['SIGTERM 100_0 full', 'SIGKILL 100']);
    });
  });

  test('a task beside pending ones that are not meant: 2020 is about it alone, so there is nothing to wait for', async () => {
    await inWorld(ARRAY, async (world) => {
      const { onSignal } = world;
      world.onSignal = (signal) => (signal.signal === 'SIGTERM' ? 2020 : onSignal(signal));
      const { sent } = await world.terminate('100_1');
      expect(world.signals).toEqual(['SIGTERM 100_1 full', 'SIGKILL 100_1']);
      expect(sent[0]).toMatchObject({ outcome: 'refused', code: 'ESLURM_TRANSITION_STATE_NO_UPDATE' });
      expect((sent[1]?.at ?? 0) - START).toBe(0);
    });
  });

  test('tasks are signalled without a look for each, which would be at the whole array', async () => {
    await inWorld(ARRAY.slice(0, 3), async (world) => {
      const looks: number[] = [];
      const { onSignal } = world;
      world.onSignal = (signal) => {
        if (signal.signal === 'SIGTERM') looks.push(world.looks);
        return onSignal(signal);
      };
      await world.terminate('100');
      expect(looks).toEqual([1, 1]);
    });
  });

  test('the task that has the number of the array is named as a task', async () => {
    await inWorld([{ jobId: 100, arrayJobId: 100, arrayTaskId: 4 }], async (world) => {
      await world.terminate('100_4', { ladder: [{ signal: 'SIGTERM', graceMs: 0 }, { signal: 9 }] });
      expect(world.signals).toEqual(['SIGTERM 100_4', 'SIGKILL 100_4']);
    });
  });

  test('a het leader stands for its components; a component alone is named by its own number', async () => {
    const het = [0, 1, 2].map((offset) => ({ jobId: 200 + offset, hetJobId: 200, hetJobOffset: offset }));
    await inWorld([...het], async (world) => {
      await world.terminate(200);
      expect(world.signals).toEqual(['SIGTERM 200', 'SIGKILL 200']);
    });
    await inWorld([...het], async (world) => {
      world.onSignal = ({ signal }) => {
        if (signal === 'SIGKILL') world.change(201, { jobState: CANCELLED });
        return 0;
      };
      await world.terminate('200+1');
      expect(world.signals).toEqual(['SIGTERM 201', 'SIGKILL 200+1']);
    });
  });
});

describe('steps', () => {
  const step = { jobId: 7, stepId: 0, nodes: 'n[1-2]' };

  test('one step ends, the job goes on', async () => {
    await inWorld([{ jobId: 7, ...SCRIPT }], async (world) => {
      world.steps = [step, { ...step, stepId: 1 }];
      world.onSignal = ({ signal }) => {
        if (signal === 'SIGKILL') world.steps = world.steps.filter(({ stepId }) => stepId !== 0);
        return 0;
      };
      const result = await world.terminate('7.0');
      expect(world.signals).toEqual(['SIGTERM 7.0', 'SIGKILL 7.0']);
      expect(world.count('REQUEST_KILL_JOB')).toBe(0);
      expect(result).toMatchObject({ target: '7.0', dead: true, jobs: [{ state: 'RUNNING' }] });
    });
  });

  test('of an array task, by the number of its record; of a het step, each component', async () => {
    await inWorld([{ jobId: 8, arrayJobId: 7, arrayTaskId: 2 }], async (world) => {
      world.steps = [0, 1].map((stepHetComp) => ({ ...step, jobId: 8, stepHetComp }));
      world.onSignal = () => {
        if (world.arrived.length === 2) world.steps = [];
        return 0;
      };
      const { sent } = await world.terminate('7_2.0');
      expect(world.signals.sort()).toEqual(['SIGTERM 8.0+0', 'SIGTERM 8.0+1']);
      expect(sent.map(({ target }) => target).sort()).toEqual(['8.0+0', '8.0+1']);
    });
  });

  test("SIGKILL for a het leader's step goes to its nodes: some controllers would end whole components", async () => {
    await inWorld(
      [{ jobId: 200, hetJobId: 200, hetJobOffset: 0 }],
      async (world) => {
        world.steps = [{ jobId: 200, stepId: 0, nodes: 'n1' }];
        const asked: string[] = [];
        const { host, port } = await deadEndpoint();
        const nodeAddress = (node: string) => {
          asked.push(node);
          return { host, port };
        };
        const ladder = [{ signal: 15, graceMs: 0 }, { signal: 9 }];
        const error = await terminationFailure(
          world.terminate('200.0', { ladder }, () => {}, { nodeAddress }),
        );
        expect(world.signals).toEqual(['SIGTERM 200.0']);
        expect(new Set(asked)).toEqual(new Set(['n1']));
        expect(error).toMatchObject({
          outcome: 'partial',
          resume: { rung: 1, sent: [{}, { outcome: 'not-sent' }] },
        });
      },
      '25.11',
    );
  });

  test('the batch step is gone when its job has cleaned up', async () => {
    await inWorld([{ jobId: 7, ...SCRIPT }], async (world) => {
      let looksWhileCompleting = 0;
      world.onSignal = () => {
        world.change(7, { jobState: CANCELLED | COMPLETING });
        return 0;
      };
      world.clock.onTick = () => {
        if (++looksWhileCompleting === 3) world.change(7, { jobState: CANCELLED });
      };
      expect((await world.terminate('7.batch')).dead).toBe(true);
      expect(world.signals).toEqual(['SIGTERM 7.batch']);
      expect(looksWhileCompleting).toBe(3);
    });
  });

  test('the job was requeued: the step of the new run is another one', async () => {
    await inWorld([{ jobId: 7, ...SCRIPT }], async (world) => {
      world.steps = [step];
      world.onSignal = () => {
        world.change(7, { restartCnt: 1 });
        return 0;
      };
      const result = await world.terminate('7.0');
      expect(world.signals).toEqual(['SIGTERM 7.0']);
      expect(result).toMatchObject({ dead: true, requeued: [7] });
    });
  });
});

describe('requeued meanwhile', () => {
  const requeue = (world: TerminateWorld, jobState: number) => {
    const { onSignal } = world;
    world.onSignal = (signal) => {
      if (signal.signal !== 'SIGTERM') return onSignal(signal);
      world.change(7, { restartCnt: 1, jobState });
      return 0;
    };
  };

  test('pending again: cancelled at once, and told before', async () => {
    await inWorld([{ jobId: 7, ...SCRIPT }], async (world) => {
      requeue(world, PENDING | COMPLETING);
      const events: TerminateEvent[] = [];
      const result = await world.terminate(7, {}, (event) => events.push(event));
      expect(world.signals).toEqual(['SIGTERM 7 full', 'SIGKILL 7']);
      expect(world.clock.elapsed).toBeLessThan(5 * SECONDS);
      expect(result).toMatchObject({ dead: true, requeued: [7] });
      expect(types(events).indexOf('requeued')).toBeLessThan(types(events).lastIndexOf('signalling'));
      expect(events.filter(({ type }) => type === 'requeued')).toHaveLength(1);
    });
  });

  test('runs again: gets the rest of the ladder', async () => {
    await inWorld([{ jobId: 7, ...SCRIPT }], async (world) => {
      requeue(world, RUNNING);
      const result = await world.terminate(7);
      expect(world.signals).toEqual(['SIGTERM 7 full', 'SIGKILL 7']);
      expect(result.requeued).toEqual([7]);
    });
  });

  test('after SIGKILL: the new run gets one of its own, once', async () => {
    await inWorld([{ jobId: 7, ...SCRIPT }], async (world) => {
      let kills = 0;
      world.onSignal = ({ signal }) => {
        if (signal !== 'SIGKILL') return 0;
        world.change(
          7,
          ++kills === 1 ? { restartCnt: 1, jobState: RUNNING } : { jobState: CANCELLED | COMPLETING },
        );
        return 0;
      };
      world.clock.onTick = () => {
        if (kills === 2 && world.clock.elapsed > 60 * SECONDS) world.change(7, { jobState: CANCELLED });
      };
      await world.terminate(7);
      expect(world.signals).toEqual(['SIGTERM 7 full', 'SIGKILL 7', 'SIGKILL 7']);
    });
  });

  test.each([PENDING, RUNNING])("'leave' leaves it alone (state %i)", async (jobState) => {
    await inWorld([{ jobId: 7, ...SCRIPT }], async (world) => {
      requeue(world, jobState);
      const result = await world.terminate(7, { requeued: 'leave' });
      expect(world.signals).toEqual(['SIGTERM 7 full']);
      expect(result).toMatchObject({ dead: true, requeued: [7] });
    });
  });

  test.each([7, '7.batch'])(
    "'leave' and steps (%s): what is left of the old run is waited for",
    async (target) => {
      await inWorld([{ jobId: 7, ...SCRIPT }], async (world) => {
        requeue(world, PENDING | COMPLETING);
        world.clock.onTick = () => {
          if (world.clock.elapsed > 60 * SECONDS) world.change(7, { jobState: PENDING });
        };
        const options = target === 7 ? ({ requeued: 'leave' } as const) : {};
        const result = await world.terminate(target, options);
        expect(world.signals).toHaveLength(1);
        expect(world.clock.elapsed).toBeGreaterThan(60 * SECONDS);
        expect(result).toMatchObject({ dead: true, requeued: [7] });
      });
    },
  );

  test("'leave' with others: SIGKILL by their own names", async () => {
    const jobs = [0, 1].map((task) => ({ jobId: 101 + task, arrayJobId: 100, arrayTaskId: task, ...SCRIPT }));
    await inWorld(jobs, async (world) => {
      world.onSignal = ({ signal, target }) => {
        if (signal === 'SIGTERM') world.change(101, { restartCnt: 1 });
        else world.change(101 + Number(target.split('_')[1]), { jobState: CANCELLED });
        return 0;
      };
      await world.terminate('100', { requeued: 'leave' });
      expect(world.signals.slice(2)).toEqual(['SIGKILL 100_1']);
    });
  });
});

describe('survivors', () => {
  test('still completing after SIGKILL: told with states and nodes', async () => {
    await inWorld([{ jobId: 7, ...SCRIPT, nodes: 'n3' }], async (world) => {
      world.clock.onTick = () => {};
      const error = await terminationFailure(world.terminate(7, { confirmMs: 10 * SECONDS }));
      expect(error).toMatchObject({
        code: 'SLURMWIRE_SURVIVORS',
        errno: 'EBUSY',
        outcome: 'accepted',
        retryable: false,
        survivors: [{ target: '7', jobId: 7, state: 'CANCELLED', flags: ['COMPLETING'], nodes: 'n3' }],
      });
      expect(error.message).toContain('SIGTERM accepted, SIGKILL accepted');
      expect(error.message).toContain('7 CANCELLED COMPLETING n3');
      expect(error.resume).toMatchObject({ rung: 2, since: START + 30 * SECONDS });
      expect(world.clock.elapsed).toBe(40 * SECONDS);
    });
  });

  test('a ladder without SIGKILL for a pending job: nothing is sent, nothing waited for', async () => {
    await inWorld([{ jobId: 7, jobState: PENDING }], async (world) => {
      const error = await terminationFailure(world.terminate(7, { ladder: [{ signal: 'SIGTERM' }] }));
      expect(error).toMatchObject({ code: 'SLURMWIRE_SURVIVORS', outcome: 'not-sent' });
      expect(world.signals).toEqual([]);
      expect(world.clock.elapsed).toBe(0);
    });
  });

  test('without confirmation: accepted is enough, and not called dead', async () => {
    await inWorld([{ jobId: 7, ...SCRIPT }], async (world) => {
      const result = await world.terminate(7, { confirm: false, ladder: [{ signal: 'SIGKILL' }] });
      expect(result).toMatchObject({ outcome: 'accepted', dead: null, delivered: null });
      expect([world.signals, world.looks]).toEqual([['SIGKILL 7'], 1]);
    });
    await inWorld([{ jobId: 7, jobState: SUSPENDED, ...SCRIPT }], async (world) => {
      world.onSignal = () => 2020;
      const error = await terminationFailure(
        world.terminate(7, { confirm: false, ladder: [{ signal: 'SIGTERM' }] }),
      );
      expect(error).toMatchObject({
        code: 'ESLURM_TRANSITION_STATE_NO_UPDATE',
        errno: 'EAGAIN',
        outcome: 'refused',
      });
    });
  });
});

describe('trouble', () => {
  const QUICK = { messageTimeoutMs: 200 };

  test("somebody else's job: refused, nothing more is tried", async () => {
    await inWorld([{ jobId: 7, ...SCRIPT }], async (world) => {
      world.onSignal = () => 2002;
      const error = await failureOf(world.terminate(7));
      expect(error).toMatchObject({
        name: 'SlurmServerError',
        code: 'ESLURM_ACCESS_DENIED',
        outcome: 'refused',
      });
      expect(world.signals).toEqual(['SIGTERM 7 full']);
    });
  });

  test('a scrontab job is refused before anything is sent, unless it is meant', async () => {
    await inWorld([{ jobId: 7, cronspec: '* * * * *', ...SCRIPT }], async (world) => {
      const error = await failureOf(world.terminate(7));
      expect(error).toMatchObject({
        code: 'ESLURM_CANNOT_CANCEL_CRON_JOB',
        errno: 'EPERM',
        outcome: 'not-sent',
      });
      expect(world.signals).toEqual([]);
    });
    await inWorld(
      [{ jobId: 7, cronspec: '* * * * *' }],
      async (world) => {
        await world.terminate(7, { cron: true });
        expect(world.signals).toEqual(['SIGTERM 7 cron', 'SIGKILL 7 cron']);
      },
      '24.11',
    );
  });

  test('a lost answer to SIGTERM: not repeated, and the ladder goes on', async () => {
    await inWorld([{ jobId: 7, ...SCRIPT }], async (world) => {
      const { onSignal } = world;
      world.onSignal = (signal) => (signal.signal === 'SIGTERM' ? 'close' : onSignal(signal));
      const result = await world.terminate(7);
      expect(world.signals).toEqual(['SIGTERM 7 full', 'SIGKILL 7']);
      const [term, kill] = result.sent;
      expect(term).toMatchObject({ outcome: 'unknown', code: 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT' });
      // It may have been delivered, so the grace is given.
      expect((kill?.at ?? 0) - (term?.at ?? 0)).toBe(30 * SECONDS);
    });
  });

  test('a lost answer to SIGKILL: repeated', async () => {
    await inWorld([{ jobId: 7, ...SCRIPT }], async (world) => {
      const { onSignal } = world;
      world.onSignal = (signal) => (world.signals.length === 2 ? 'close' : onSignal(signal));
      const events: TerminateEvent[] = [];
      const result = await world.terminate(7, {}, (event) => events.push(event));
      expect(world.signals).toEqual(['SIGTERM 7 full', 'SIGKILL 7', 'SIGKILL 7']);
      expect(result.sent.map(({ outcome }) => outcome)).toEqual(['accepted', 'accepted']);
      const told = events.flatMap((event) => (event.type === 'signalled' ? [event.signal.outcome] : []));
      expect(told).toEqual(['accepted', 'unknown', 'accepted']);
    });
  });

  test('a lost answer to SIGKILL, then a refusal: that does not undo the first', async () => {
    await inWorld([{ jobId: 7, ...SCRIPT }], async (world) => {
      world.onSignal = () => {
        world.change(7, { jobState: CANCELLED });
        return world.signals.length === 1 ? 'close' : 2021;
      };
      const { sent, outcome } = await world.terminate(7, { ladder: [{ signal: 'SIGKILL' }] });
      expect(sent).toMatchObject([{ outcome: 'unknown', code: 'ESLURM_ALREADY_DONE' }]);
      expect([world.signals.length, outcome]).toEqual([2, 'unknown']);
    });
  });

  test('every answer to SIGKILL is lost: bounded, and the looks decide', async () => {
    await inWorld([{ jobId: 7, ...SCRIPT }], async (world) => {
      const { onSignal } = world;
      world.onSignal = (signal) => {
        onSignal(signal);
        return 'close';
      };
      const result = await world.terminate(7, { ladder: [{ signal: 'KILL' }] });
      expect(world.signals).toEqual(Array(8).fill('SIGKILL 7'));
      expect(result).toMatchObject({ dead: true, outcome: 'unknown', sent: [{ outcome: 'unknown' }] });
    });
  });

  test('a SIGKILL whose answer proves nothing: what still runs gets one by its own number', async () => {
    const het = [0, 1].map((offset) => ({ jobId: 200 + offset, hetJobId: 200, hetJobOffset: offset }));
    await inWorld(het, async (world) => {
      world.onSignal = ({ target }) => {
        if (target === '200') {
          world.change(200, { jobState: CANCELLED });
          return 2021;
        }
        world.change(201, { jobState: CANCELLED });
        return 0;
      };
      const result = await world.terminate(200, { ladder: [{ signal: 'SIGKILL' }] });
      expect(world.signals).toEqual(['SIGKILL 200', 'SIGKILL 201']);
      expect(result.dead).toBe(true);
    });
  });

  test('the controller is away during the grace: looking goes on, and no signal without a look', async () => {
    await inWorld([{ jobId: 7, ...SCRIPT }], async (world) => {
      const troubles = new Set<string | null>();
      world.onLook = () =>
        world.clock.elapsed > 5 * SECONDS && world.clock.elapsed < 50 * SECONDS ? 'close' : 0;
      const result = await world.terminate(7, {}, (event) => {
        if (event.type === 'waiting') troubles.add(event.trouble);
      });
      expect([...troubles]).toEqual([null, 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT']);
      expect((result.sent[1]?.at ?? 0) - START).toBeGreaterThanOrEqual(50 * SECONDS);
      expect(world.signals).toEqual(['SIGTERM 7 full', 'SIGKILL 7']);
    });
  });

  test('the controller falls silent while confirming: bounded, accepted, and not called gone', async () => {
    await inWorld([{ jobId: 7, ...SCRIPT }], async (world) => {
      world.onLook = () => (world.signals.length === 1 ? 'silence' : 0);
      const error = await terminationFailure(
        world.terminate(7, { ladder: [{ signal: 'SIGKILL' }], confirmMs: 500 }, () => {}, QUICK),
      );
      expect(error).toMatchObject({
        code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT',
        errno: 'ETIMEDOUT',
        outcome: 'accepted',
        survivors: [{ target: '7', state: 'RUNNING' }],
        cause: { name: 'SlurmTimeoutError' },
        resume: { rung: 1, sent: [{ outcome: 'accepted' }] },
      });
      expect(world.clock.elapsed).toBe(500);
    });
  });

  test('an unreachable controller: as it is, nothing sent', async () => {
    await inWorld([{ jobId: 7 }], async (world) => {
      world.onLook = () => 'close';
      const error = await failureOf(world.terminate(7));
      expect(error).toMatchObject({ name: 'SlurmConnectionError', outcome: 'not-sent' });
      expect(world.signals).toEqual([]);
    });
  });
});

describe('the signal option', () => {
  const abortIn = async (
    arrange: (world: TerminateWorld, abort: () => void) => void,
    options: TerminateOptions = {},
  ): Promise<{ error: SlurmError; world: TerminateWorld }> =>
    inWorld([{ jobId: 7, ...SCRIPT }], async (world) => {
      const controller = new AbortController();
      arrange(world, () => controller.abort(new Error('enough')));
      const { signal } = controller;
      const error = await leavesNothing(
        () =>
          failureOf(world.terminate(7, { ...options, signal })).finally(() =>
            world.peer.allLeft().then(() => {
              for (const connection of world.peer.connections) connection.drop();
            }),
          ),
        signal,
      );
      expect(error).toMatchObject({ code: 'SLURMWIRE_ABORTED', errno: 'ECANCELED' });
      return { error, world };
    });

  test('before the first signal: not-sent', async () => {
    const { error, world } = await abortIn((world, abort) => {
      world.onLook = () => {
        abort();
        return 'silence';
      };
    });
    expect(error).toMatchObject({ name: 'SlurmTimeoutError', outcome: 'not-sent' });
    expect(world.signals).toEqual([]);
  });

  test('while SIGTERM is answered: unknown', async () => {
    const { error } = await abortIn((world, abort) => {
      world.onSignal = () => {
        abort();
        return 'silence';
      };
    });
    expect(error).toMatchObject({
      name: 'SlurmTerminationError',
      outcome: 'unknown',
      resume: { rung: 0, since: null, sent: [{ outcome: 'unknown' }] },
    });
  });

  test('during the grace: partial, since SIGKILL was not sent', async () => {
    const { error, world } = await abortIn((world, abort) => {
      world.clock.onTick = () => {
        if (world.clock.elapsed > 3 * SECONDS) abort();
      };
    });
    expect(error).toMatchObject({
      name: 'SlurmTerminationError',
      outcome: 'partial',
      survivors: [{ target: '7' }],
      resume: { rung: 0, since: START },
    });
    expect(world.signals).toEqual(['SIGTERM 7 full']);
  });

  test('while confirming: accepted', async () => {
    const { error } = await abortIn((world, abort) => {
      world.clock.onTick = () => {
        if (world.signals.length === 2) abort();
      };
    });
    expect(error).toMatchObject({ outcome: 'accepted', resume: { rung: 2 } });
  });

  test('the deadline in its place: ETIMEDOUT', async () => {
    await inWorld([{ jobId: 7, ...SCRIPT }], async (world) => {
      world.onLook = () => (world.signals.length === 1 ? 'silence' : 0);
      const error = await terminationFailure(world.terminate(7, { ladder: [{ signal: 9 }], timeoutMs: 300 }));
      expect(error).toMatchObject({ code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT', outcome: 'accepted' });
    });
  });
});

describe('resume', () => {
  /** States at each step of a whole termination of a job that ignores SIGTERM. */
  async function statesOf(jobs: FakeJob[], steps: number[] = []): Promise<TerminateEvent[]> {
    return inWorld(jobs, async (world) => {
      world.steps = steps.map((stepId) => ({ jobId: 7, stepId, nodes: 'n1' }));
      const events: TerminateEvent[] = [];
      await world.terminate(7, {}, (event) => events.push(event));
      return events;
    });
  }

  async function goOn(resume: TerminateState, now: number, jobs: FakeJob[], steps: number[] = []) {
    return inWorld(jobs, async (world) => {
      world.clock.set(now);
      world.steps = steps.map((stepId) => ({ jobId: 7, stepId, nodes: 'n1' }));
      const result = await world.terminate(7, { resume: stored(resume) });
      return { result, signals: world.signals, waited: world.clock.now() - now };
    });
  }

  const RUNS: FakeJob[] = [{ jobId: 7, ...SCRIPT }];
  const at = (events: TerminateEvent[], type: TerminateEvent['type'], which = 0) => {
    const event = events.filter((one) => one.type === type)[which];
    if (event === undefined) throw new Error(`no ${type} ${which}`);
    return event.resume;
  };

  test('in the grace: SIGTERM is not sent again, and the grace counts from when it was sent', async () => {
    const events = await statesOf(RUNS);
    for (const state of [at(events, 'signalled'), at(events, 'waiting')]) {
      const { signals, result } = await goOn(state, START + 20 * SECONDS, RUNS);
      expect(signals).toEqual(['SIGKILL 7']);
      expect(result.sent.map(({ signal }) => signal)).toEqual(['SIGTERM', 'SIGKILL']);
      expect((result.sent[1]?.at ?? 0) - START).toBe(30 * SECONDS);
    }
  });

  test('the grace is over: SIGKILL at once', async () => {
    const events = await statesOf(RUNS);
    const { result } = await goOn(at(events, 'waiting'), START + 3600 * SECONDS, RUNS);
    expect(result.sent[1]?.at).toBe(START + 3600 * SECONDS);
  });

  test('a clock that is behind does not make the grace longer', async () => {
    const events = await statesOf(RUNS);
    const { result } = await goOn(at(events, 'waiting'), START - 3600 * SECONDS, RUNS);
    expect(result.sent[1]?.at).toBe(START - 3570 * SECONDS);
  });

  test('a crash while SIGTERM is answered: unknown, so not sent again; the other part is', async () => {
    const events = await statesOf(RUNS, [0]);
    const { signals } = await goOn(at(events, 'signalling'), START + SECONDS, RUNS, [0]);
    expect(signals).toEqual(['SIGTERM 7 batch', 'SIGKILL 7']);
    // The steps have ended meanwhile: the group is not signalled in place of the shell.
    const ended = await goOn(at(events, 'signalling'), START + SECONDS, RUNS);
    expect(ended.signals).toEqual(['SIGTERM 7 batch', 'SIGKILL 7']);
  });

  test('a crash while SIGKILL is answered: sent again', async () => {
    const events = await statesOf(RUNS);
    const { signals } = await goOn(at(events, 'signalling', 1), START + 31 * SECONDS, RUNS);
    expect(signals).toEqual(['SIGKILL 7']);
  });

  test('while confirming: nothing is sent again', async () => {
    const events = await statesOf(RUNS);
    const completing = [{ jobId: 7, jobState: CANCELLED | COMPLETING, ...SCRIPT }];
    const { signals, result } = await goOn(at(events, 'confirming'), START + 9999 * SECONDS, completing);
    expect(signals).toEqual([]);
    expect(result).toMatchObject({ outcome: 'accepted', dead: true });
  });

  test('gone meanwhile: that is what was wanted', async () => {
    const events = await statesOf(RUNS);
    for (const jobs of [[], [{ jobId: 7, jobState: COMPLETED }]]) {
      const { signals, result } = await goOn(at(events, 'waiting'), START + 20 * SECONDS, jobs);
      expect(signals).toEqual([]);
      expect(result).toMatchObject({ outcome: 'accepted', dead: true, code: null });
    }
  });

  test('requeued meanwhile: seen', async () => {
    const events = await statesOf(RUNS);
    const again = [{ jobId: 7, restartCnt: 1, jobState: PENDING, ...SCRIPT }];
    const { signals, result } = await goOn(at(events, 'confirming'), START + 99 * SECONDS, again);
    expect(signals).toEqual(['SIGKILL 7']);
    expect(result).toMatchObject({ requeued: [7], dead: true });
  });

  test('is looked at as closely as any input', async () => {
    const events = await statesOf(RUNS);
    const good = stored(at(events, 'waiting'));
    const bad: [string, object][] = [
      ['resume.version', { version: 2 }],
      ['resume.target', { target: '8' }],
      ['resume.stepHetComp', { stepHetComp: -1 }],
      ['resume.confirm', { confirm: 1 }],
      ['resume.confirmMs', { confirmMs: 0 }],
      ['resume.requeued', { requeued: 'maybe' }],
      ['resume.cron', { cron: 'yes' }],
      ['resume.rung', { rung: 3 }],
      ['resume.since', { since: -5 }],
      ['resume.ladder', { ladder: 'TERM' }],
      ['resume.ladder[0]', { ladder: [null] }],
      ['resume.sent', { sent: [{ ...good.sent[0], signal: 'SIGKILL' }] }],
      ['resume.sent', { sent: [{ ...good.sent[0], outcome: 'perhaps' }] }],
      ['resume.runs', { runs: [{ jobId: 7 }] }],
      ['extra', { extra: 1 }],
    ];
    await inWorld(RUNS, async (world) => {
      for (const [field, change] of bad) {
        const resume = { ...good, ...change } as TerminateState;
        await expectUsageError(world.terminate(7, { resume }), { code: 'SLURMWIRE_BAD_OPTION', field });
      }
      const badSignal = { ...good, ladder: [{ signal: '0', graceMs: 0, to: null }] };
      await expectUsageError(world.terminate(7, { resume: badSignal }), {
        code: 'SLURMWIRE_BAD_SIGNAL',
        field: 'resume.ladder[0].signal',
      });
      await expectUsageError(world.terminate(7, { resume: good, confirm: true }), {
        code: 'SLURMWIRE_BAD_OPTION',
        field: 'confirm',
      });
      expect(world.peer.connections).toEqual([]);
    });
  });
});

describe('options', () => {
  test.each<[string, TerminateOptions, string]>([
    ['an empty ladder', { ladder: [] }, 'ladder'],
    ['nine rungs', { ladder: Array(9).fill({ signal: 1 }) }, 'ladder'],
    ['no rung', { ladder: [null as never] }, 'ladder[0]'],
    ['a misspelt field', { ladder: [{ signal: 1, grace: 5 } as never] }, 'grace'],
    ['a rung after SIGKILL', { ladder: [{ signal: 9 }, { signal: 1 }] }, 'ladder[0].signal'],
    ['a grace after the last', { ladder: [{ signal: 1, graceMs: 5 }] }, 'ladder[0].graceMs'],
    ['a grace below zero', { ladder: [{ signal: 1, graceMs: -1 }, { signal: 9 }] }, 'ladder[0].graceMs'],
    ['a part with SIGKILL', { ladder: [{ signal: 9, to: ['batch'] }] }, 'ladder[0].to'],
    ['an unknown part', { ladder: [{ signal: 1, to: ['all' as never] }] }, 'ladder[0].to'],
    ['no part', { ladder: [{ signal: 1, to: [] }] }, 'ladder[0].to'],
    ['the shell twice', { ladder: [{ signal: 1, to: ['batch', 'full'] }] }, 'ladder[0].to'],
    ['confirm', { confirm: 1 as never }, 'confirm'],
    ['confirmMs', { confirmMs: 0 }, 'confirmMs'],
    ['requeued', { requeued: 'kill' as never }, 'requeued'],
    ['idempotent', { idempotent: 1 as never }, 'idempotent'],
    ['cron', { cron: 1 as never }, 'cron'],
    ['no room for the grace', { timeoutMs: 30_000 }, 'timeoutMs'],
    ['no option', { grace: 5 } as never, 'grace'],
  ])('%s', async (_, options, field) => {
    await inWorld([{ jobId: 7 }], async (world) => {
      const client = clientOf([world.peer.endpoint]);
      const work = Promise.resolve(client.terminate(7, options));
      await expectUsageError(work, { code: 'SLURMWIRE_BAD_OPTION', field });
      expect(world.peer.connections).toEqual([]);
    });
  });

  test('targets and signals', async () => {
    const client = clientOf([{ host: '127.0.0.1', port: 1 }]);
    const cases = [
      [client.terminate('x'), 'SLURMWIRE_BAD_JOB_ID', 'target'],
      [client.terminate('sD81M80YD4HS00'), 'SLURMWIRE_BAD_JOB_ID', 'target'],
      [client.terminate('7.x'), 'SLURMWIRE_BAD_STEP_ID', 'target'],
      [client.terminate(7, { ladder: [{ signal: 0 }] }), 'SLURMWIRE_BAD_SIGNAL', 'ladder[0].signal'],
    ] as const;
    for (const [work, code, field] of cases) await expectUsageError(Promise.resolve(work), { code, field });
    await expectUsageError(
      Promise.resolve(client.terminate('7.0', { ladder: [{ signal: 15, to: ['steps'] }] })),
      { code: 'SLURMWIRE_BAD_OPTION', field: 'ladder[0].to' },
    );
  });

  test('a shell that is not there is not signalled, and nothing is waited for', async () => {
    await inWorld([{ jobId: 7 }], async (world) => {
      await world.terminate(7, { ladder: [{ signal: 'TERM', to: ['full'] }, { signal: 9 }] });
      expect(world.signals).toEqual(['SIGKILL 7']);
      expect(world.clock.elapsed).toBeLessThan(SECONDS);
    });
  });

  test('a longer ladder, each rung where it says', async () => {
    await inWorld([{ jobId: 7, ...SCRIPT }], async (world) => {
      const result = await world.terminate(7, {
        ladder: [
          { signal: 'INT', graceMs: 5_000, to: ['batch', 'steps'] },
          { signal: 'SIGTERM', graceMs: 10_000, to: ['full'] },
          { signal: 9 },
        ],
      });
      expect(world.signals).toEqual(['SIGINT 7', 'SIGINT 7 batch', 'SIGTERM 7 full', 'SIGKILL 7']);
      expect(result.sent.map(({ at }) => at - START)).toEqual([0, 0, 5_000, 15_000]);
      expect(result.sent.map(({ rung }) => rung)).toEqual([0, 0, 1, 2]);
    });
  });
});
