/**
 * Whatever is asked for, whoever asks, and whatever the cluster is like or does: no byte leaves that could harm it. What leaves is read by a judge of
 * its own (test/support/outgoing-judge.ts), which shares no code with what packs it.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeBody,
  encodeFrame,
  isAtLeast,
  isSlurmError,
  MESSAGES,
  type MessageName,
  messageTypeNumber,
  RELEASE_NAMES,
  type Release,
} from '../../src/protocol/index.js';
import { messageType } from '../../src/protocol/messages/index.js';
import { Deadline } from '../../src/rpc/deadline.js';
import { fanOut } from '../../src/rpc/fan-out.js';
import { checkForward, forwardBlock, MAX_TREE_WIDTH, planTree } from '../../src/rpc/forward-tree.js';
import type { SlurmClient } from '../../src/rpc/index.js';
import { Pacer } from '../../src/rpc/pacer.js';
import { arbitraryOf } from '../support/arbitrary.js';
import { judgeFrame } from '../support/outgoing-judge.js';
import { FakeAuth, SLURM_USER, SLURMD_USER } from './support/fake-auth.js';
import { CONTROLLER_ENDPOINTS, enter, type HarmWorld, TROUBLES, type Trouble } from './support/harm-world.js';
import { clientOf } from './support/setup.js';
import { TestClock } from './support/test-clock.js';

/** How often each property is tried: SLURMWIRE_RUNS times as often for a long look. */
const TIMES = Number(process.env.SLURMWIRE_RUNS ?? 1);
const runs = (count: number) => ({ numRuns: count * TIMES });

const NO_VAL = 0xfffffffe;
const ALICE = 1000;
const anyRelease = fc.constantFrom(...RELEASE_NAMES);

const anyIdentity = fc.constantFrom(
  { uid: ALICE, name: 'alice' },
  { uid: 0, name: 'root' },
  { uid: SLURM_USER, name: 'slurm' },
  { uid: null, name: null },
  { uid: null, name: 'no-such-user-here' },
);
const callerOf = ({ uid, name }: { uid: number | null; name: string | null }) => ({
  uid: name === 'root' ? 0 : uid,
  isPrivileged: uid === 0 || uid === SLURM_USER || name === 'root',
});

/** Names that nodes have, that nodes might have, and that nobody should have given them. */
const oddName = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 60 }).map((n) => `n${n}`) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 30 }).map((n) => `n${String(n).padStart(3, '0')}`) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 99 }).map((n) => `r${n % 7}-${n}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...[
        'login',
        '7',
        '007',
        'n',
        'N1',
        'n1.example',
        'a-1b',
        'ü1',
        'n\u00fc',
        '\udcc3\udcbc1',
        'n\ud800',
        'n\ufffd',
      ],
      ...['n18446744073709551614', 'n18446744073709551615', 'n99999999999999999999', `${'x'.repeat(255)}`],
      ...[
        '',
        ' ',
        'a,b',
        'n[1-2]',
        'n[',
        'n]',
        'n{1}',
        'a b',
        'n\0',
        'n\n1',
        '\u2028',
        `${'x'.repeat(256)}1`,
      ],
    ),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 5 }) },
);
const anyWidth = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(1, 2, 3, 16, 50, MAX_TREE_WIDTH) },
  { weight: 1, arbitrary: fc.constantFrom(0, -1, 1.5, Number.NaN, MAX_TREE_WIDTH + 1, 2 ** 32, '16', null) },
);

/** What a promise comes to: only errors of ours, or of the caller's own making. */
async function settled(work: Promise<unknown>): Promise<unknown> {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown ?? new Error('nothing was thrown'),
  );
  if (error !== null && !isSlurmError(error)) throw error;
  return error;
}

describe('a fan-out', () => {
  const strategies = fc.constantFrom('auto', 'direct', 'tree');

  async function judged(
    nodes: readonly string[],
    {
      release,
      width,
      strategy,
      troubles,
      hop,
    }: {
      release: Release;
      width: unknown;
      strategy: 'auto' | 'direct' | 'tree';
      troubles: readonly Trouble[];
      hop: number;
    },
  ) {
    const caller = { uid: ALICE, isPrivileged: false };
    const world = { ...EMPTY, release, troubles, messageTimeoutMs: hop, caller };
    const { transport, judge } = enter(world);
    const setup = {
      transport,
      auth: new FakeAuth(),
      trusted: new Set([0, SLURM_USER, SLURMD_USER]),
      maxReplyBytes: 10_000_000,
      addressOf: (node: string) => ({ host: node, port: 6818 }),
      isKnownToSlurmds: (node: string) => node !== 'n3',
      treeWidth: width as number,
      messageTimeoutMs: hop,
      strategy,
      restrictUid: SLURMD_USER,
    };
    const stepId = { jobId: 7, stepId: 0, stepHetComp: NO_VAL };
    const message = {
      name: 'REQUEST_SIGNAL_TASKS',
      record: { stepId, flags: 0, signal: 10 },
      release,
      fallback: '22.05',
      repeatable: false,
      target: '7.0',
    } as const;
    const deadline = new Deadline(3_000);
    try {
      const answers = await fanOut(setup, message, nodes, deadline);
      expect(answers.map(({ result }) => result.node)).toEqual(nodes);
    } catch (error) {
      // A width that is none is refused by the verbs; here it is an error all the same, and nothing was sent in its name.
      if (!isSlurmError(error) && !(error instanceof RangeError)) throw error;
    } finally {
      deadline.dispose();
    }
    expect(judge.broken).toEqual([]);
    return judge;
  }

  it('to any nodes in any tree', async () => {
    const given = fc.record({
      release: anyRelease,
      width: anyWidth,
      strategy: strategies,
      hop: fc.constantFrom(1, 5_000, 10_000, 2 ** 31 - 1),
      troubles: fc.array(fc.constantFrom<Trouble>('none', ...TROUBLES.filter((one) => one !== 'silence')), {
        maxLength: 12,
      }),
    });
    const nodes = fc.oneof(
      fc.array(oddName, { maxLength: 70 }),
      fc.uniqueArray(oddName, { maxLength: 70 }),
      fc
        .uniqueArray(fc.integer({ min: 1, max: 2_000 }), { maxLength: 400 })
        .map((all) => all.map((n) => `n${n}`)),
    );
    await fc.assert(
      fc.asyncProperty(nodes, given, async (list, how) => {
        await judged(list, how);
      }),
      runs(100),
    );
  });

  it('to names that differ here and are one name on the wire', async () => {
    for (const twice of [
      ['\u00fc1', '\udcc3\udcbc1'],
      ['n\ud800', 'n\ufffd'],
      ['n\ud800', 'n\ud801'],
    ])
      for (const nodes of [
        ['a', ...twice],
        [...twice, 'b', 'c'],
      ])
        await judged(nodes, { release: '22.05', width: 1, strategy: 'tree', troubles: [], hop: 10_000 });
  });

  it('to a huge set, by a thin tree and a wide one', async () => {
    const nodes = Array.from({ length: 9_000 }, (_, i) => `n${i}`);
    for (const width of [1, 16]) {
      const judge = await judged(nodes, {
        release: '26.05',
        width,
        strategy: 'tree',
        troubles: [],
        hop: 10_000,
      });
      expect(judge.frames.length).toBeGreaterThan(width === 1 ? 1 : 15);
    }
  });
});

describe('a forward block', () => {
  const block = fc.record({
    cnt: fc.integer({ min: 0, max: 6 }),
    nodelist: fc.oneof(
      fc.constantFrom(null, '', 'n1', 'n[1-3]', 'n[1-3],n2', 'n[1-2],n3', 'n1,n1', 'n01,n1', 'n[1-3', 'a,,b'),
      fc.array(oddName, { maxLength: 4 }).map((all) => all.join(',')),
    ),
    timeout: fc.constantFrom(0, 1, 9_999, 10_000, 0xffffffff),
    treeWidth: fc.constantFrom(0, 1, 16, MAX_TREE_WIDTH, 0xffff),
    treeDepth: fc.constantFrom(0, 1, 2, 0xffff),
  });

  it('that passes the check breaks no rule, whoever made it', () => {
    let passed = 0;
    fc.assert(
      fc.property(block, anyRelease, fc.constantFrom('n1', 'x'), ({ treeDepth, ...rest }, release, root) => {
        const forward = { ...rest, ...(isAtLeast(release, '24.11') ? { treeDepth } : {}) };
        let bytes: Uint8Array;
        try {
          checkForward(forward, root, release, 10_000);
          bytes = signalFrame(release, forward);
        } catch (error) {
          if (!isSlurmError(error)) throw error;
          return;
        }
        passed++;
        expect(judgeFrame(bytes, { messageTimeoutMs: 10_000, node: root })).toEqual([]);
      }),
      runs(1_000),
    );
    expect(passed).toBeGreaterThan(1);
  });

  it('of any plan passes the check', () => {
    const times = fc.record({
      hopTimeoutMs: fc.integer({ min: 1, max: 2 ** 31 }),
      messageTimeoutMs: fc.integer({ min: 1, max: 2 ** 31 }),
    });
    const width = fc.integer({ min: 1, max: MAX_TREE_WIDTH });
    const count = fc.integer({ min: 1, max: 300 });
    fc.assert(
      fc.property(
        count,
        fc.oneof(fc.integer({ min: 1, max: 9 }), width),
        anyRelease,
        times,
        (n, wide, release, all) => {
          const plan = planTree(
            Array.from({ length: n }, (_, i) => `n${i}`),
            wide,
          );
          for (const branch of plan.branches) {
            const forward = forwardBlock(branch, plan, release, all);
            checkForward(forward, branch.root, release, all.messageTimeoutMs);
            const { messageTimeoutMs } = all;
            expect(
              judgeFrame(signalFrame(release, forward), { messageTimeoutMs, node: branch.root }),
            ).toEqual([]);
          }
        },
      ),
      runs(50),
    );
  });
});

function signalFrame(release: Release, forward: Parameters<typeof encodeFrame>[0]['forward']): Uint8Array {
  const stepId = { jobId: 7, stepId: 0, stepHetComp: NO_VAL };
  const body = encodeBody('REQUEST_SIGNAL_TASKS', release, { stepId, flags: 0, signal: 10 });
  const auth = { plugin: 'auth/munge', credential: 'TEST' } as const;
  return encodeFrame({ release, messageName: 'REQUEST_SIGNAL_TASKS', auth, body, forward });
}

const EMPTY: HarmWorld = {
  release: '22.05',
  jobs: [],
  steps: [],
  nodes: [],
  stepmgrs: [],
  troubles: [],
  number: 0,
  messageTimeoutMs: 5_000,
  caller: { uid: ALICE, isPrivileged: false },
};

describe('the low-level door', () => {
  const KILLS = [
    'REQUEST_KILL_JOB',
    'REQUEST_CANCEL_JOB_STEP',
    'REQUEST_KILL_JOBS',
    'REQUEST_SIGNAL_TASKS',
    'REQUEST_TERMINATE_TASKS',
    'REQUEST_SUSPEND',
  ] as const satisfies MessageName[];
  const numbers = {
    signal: fc.oneof(fc.integer({ min: 0, max: 66 }), fc.constantFrom(253, 991, 999, 0xffff)),
    flags: fc.oneof(
      fc.constantFrom(0, 0x0800),
      fc.integer({ min: 0, max: 15 }).map((bit) => 1 << bit),
      fc.integer({ min: 0, max: 0xffff }),
    ),
    sjobId: fc.constantFrom(null, '', '7', '7_*', '7+1', 'x'),
    jobsArray: fc.array(fc.constantFrom(null, '', '7', '8_[1-3]', '7+1', '7.0'), { maxLength: 3 }),
    userName: fc.constantFrom(null, 'alice', 'x'),
    userId: fc.constantFrom(0, ALICE, NO_VAL, SLURM_USER),
    op: fc.integer({ min: 0, max: 3 }),
  };

  /** A record of any message, and which one. */
  const asked = anyRelease.chain((release) => {
    const names = (Object.keys(MESSAGES) as MessageName[]).filter(
      (name) => messageTypeNumber(name, release) !== null,
    );
    const kills = KILLS.filter((name) => names.includes(name));
    return fc
      .oneof({ weight: 4, arbitrary: fc.constantFrom(...kills) }, fc.constantFrom(...names))
      .chain((name) => {
        const record = arbitraryOf(
          messageType(name),
          release,
          KILLS.some((one) => one === name) ? numbers : {},
        );
        return fc.record({
          release: fc.constant(release),
          name: fc.constant(name),
          first: record as fc.Arbitrary<object>,
          later: record as fc.Arbitrary<object>,
          turnsAfter: fc.oneof(fc.constant(Infinity), fc.integer({ min: 0, max: 30 })),
          flags: fc.oneof(
            { weight: 4, arbitrary: fc.constantFrom(0, 0x0001, 0x0010) },
            fc.integer({ min: 0, max: 0xffff }),
            fc.constantFrom(-1, 2 ** 32, 1.5, '1', null),
          ),
          restrictUid: fc.constantFrom(undefined, null, 0, ALICE, -1, 2 ** 32),
          who: anyIdentity,
          troubles: fc.array(fc.constantFrom<Trouble>('none', 'closed', 'refused-connection', 'number'), {
            maxLength: 4,
          }),
          number: fc.constantFrom(0, 1804, 2002, 2017, 2020, 2027),
        });
      });
  });

  /** Reads as one object until it was asked so often, and as another from then on. */
  function turning(first: object, later: object, after: number): object {
    let reads = 0;
    return new Proxy(first, { get: (_, key) => Reflect.get(++reads > after ? later : first, key) });
  }

  it('lets nothing through that could harm, whatever is given', async () => {
    let sent = 0;
    await fc.assert(
      fc.asyncProperty(asked, async (given) => {
        const { release, name, first, later, turnsAfter, flags, restrictUid, who, troubles, number } = given;
        const { transport, judge } = enter({ ...EMPTY, release, troubles, number, caller: callerOf(who) });
        const auth = Object.assign(new FakeAuth(), { identity: async () => who });
        const slurm = clientOf(CONTROLLER_ENDPOINTS, { release, auth, transport });
        const body = turning(first, later, turnsAfter) as never;
        await settled(slurm.request(name, body, { flags, restrictUid, timeoutMs: 2_000 } as never));
        expect(judge.broken).toEqual([]);
        sent += judge.frames.length > 1 ? 1 : 0;
      }),
      runs(400),
    );
    expect(sent, 'what is harmless goes out').toBeGreaterThan(8);
  });
});

describe('the verbs', () => {
  /** Mostly what makes sense, and now and then what does not. */
  const mostly = (good: readonly unknown[], bad: readonly unknown[]) =>
    fc.oneof(
      { weight: 14, arbitrary: fc.constantFrom(...good) },
      { weight: 1, arbitrary: fc.constantFrom(...bad) },
    );
  const jobIds = mostly(
    [7, 7, 7, 8, '7', '7_1', '7_[1-3,9]', '7_*', '7+1', '7+0', { jobId: 7 }, { jobId: 7, arrayTaskId: 1 }],
    ['sD81M80YD4HS00', 0, -7, 1.5, '', 'x', '7.0', null, {}, [7]],
  );
  const steps = mostly(
    ['7.0', '7.0', '7.0', '7.batch', '7.extern', '7.interactive', '7_1.0', '7+1.0', '8.1'],
    ['7', '7.x', null],
  );
  const signals = mostly(
    ['SIGKILL', 'SIGTERM', 'USR1', 9, 19, 18, 64],
    [0, 65, 253, 991, 998, 65_536 + 9, -9, 'SIGOOM', null],
  );
  /** Name and value. */
  const option = mostly(
    [
      ...['batch', 'full', 'stepsOnly', 'hurry', 'cron', 'wholeHetJob', 'failJob', 'idempotent'].map(
        (name) => [name, true],
      ),
      ...[1, 2, 50, MAX_TREE_WIDTH].map((width) => ['treeWidth', width]),
      ...['auto', 'direct', 'tree', 'tree'].map((way) => ['fanOut', way]),
      ['concurrency', 1],
      ['broad', true],
      ['hold', true],
      ['sibling', 'other'],
      ['adminComment', 'why'],
      ['ladder', [{ signal: 'SIGTERM', graceMs: 1 }, { signal: 'SIGKILL' }]],
      ['confirmMs', 1],
    ],
    [
      ['batch', 'yes'],
      ['cron', 1],
      ['treeWidth', 0],
      ['treeWidth', Number.NaN],
      ['fanOut', 'no'],
      ['concurrency', 0],
      ['sibling', ''],
      ['ladder', [{ signal: 998 }]],
    ],
  ) as fc.Arbitrary<[string, unknown]>;
  const OF: Readonly<Record<string, readonly string[]>> = {
    killJob: [
      'batch',
      'full',
      'stepsOnly',
      'hurry',
      'cron',
      'wholeHetJob',
      'failJob',
      'idempotent',
      'sibling',
    ],
    killJobStep: ['idempotent'],
    killJobs: [
      'batch',
      'full',
      'stepsOnly',
      'hurry',
      'cron',
      'failJob',
      'idempotent',
      'sibling',
      'adminComment',
      'concurrency',
    ],
    kill: ['batch', 'full', 'stepsOnly', 'hurry', 'cron', 'wholeHetJob', 'failJob', 'broad'],
    signalJob: ['idempotent', 'fanOut', 'treeWidth'],
    signalJobStep: ['idempotent', 'fanOut', 'treeWidth'],
    terminateJobStep: ['idempotent', 'fanOut', 'treeWidth'],
    terminate: ['ladder', 'confirmMs', 'cron', 'idempotent'],
    suspend: ['idempotent'],
    resume: ['idempotent'],
    requeue: ['idempotent', 'hold'],
    notify: [],
    probe: [],
  };
  const call = fc.constantFrom(...Object.keys(OF)).chain((verb) =>
    fc.record({
      verb: fc.constant(verb),
      job: jobIds,
      step: steps,
      signal: signals,
      jobs: fc.oneof(
        fc.array(jobIds, { maxLength: 4 }),
        fc.constantFrom<unknown>(
          { name: 'x' },
          { user: ALICE },
          { state: 'PENDING' },
          { nodes: 'n[1-3]' },
          {},
          null,
        ),
      ),
      target: fc.oneof(jobIds, steps, fc.constantFrom<unknown>(0, -1, -7)),
      given: fc
        .array(option, { maxLength: 8 })
        .map((all) => Object.fromEntries(all.filter(([name]) => OF[verb]?.includes(name)).slice(0, 2))),
    }),
  );
  type Call = typeof call extends fc.Arbitrary<infer T> ? T : never;

  const nodeLists = fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom('n1', 'n[1-3]', 'n[1-40]', 'n[01-90]', 'login,n[1-2]') },
    {
      weight: 1,
      arbitrary: fc.constantFrom('n1,n1', 'n[1-3],n2', '', 'n[1-', 'a b', '\u00fc1,\udcc3\udcbc1'),
    },
    { weight: 1, arbitrary: fc.array(oddName, { maxLength: 40 }).map((names) => names.join(',')) },
  );
  const job = fc.record({
    jobId: fc.constantFrom(7, 7, 7, 7, 7, 7, 7, 8, 9, 0, 0xffffffff),
    jobState: fc.constantFrom(1, 1, 1, 1, 1, 0, 2, 3, 5, 0x8003, 0xff),
    arrayJobId: fc.constantFrom(0, 0, 7),
    arrayTaskId: fc.constantFrom(NO_VAL, NO_VAL, 1, 2),
    hetJobId: fc.constantFrom(0, 0, 0, 7),
    batchFlag: fc.constantFrom(0, 1),
    batchHost: fc.constantFrom(null, 'n1', 'n1', 'n[1-2]', ''),
    userId: fc.constantFrom(ALICE, ALICE, 0, 1001),
    cronspec: fc.constantFrom(null, null, null, '* * * * *'),
    nodes: nodeLists,
    bitflags: fc.constantFrom(0n, 0n, 1n << 41n),
  });
  const world = fc.record({
    release: anyRelease,
    jobs: fc.array(job, { minLength: 1, maxLength: 4 }),
    steps: fc.array(
      fc.record({
        jobId: fc.constantFrom(7, 7, 8),
        stepId: fc.constantFrom(0, 0, 0, 1, 0xfffffffb, 0xfffffffc, NO_VAL),
        stepHetComp: fc.constantFrom(NO_VAL, NO_VAL, 0, 1),
        nodes: nodeLists,
        startedIn: fc.constantFrom('20.11', '22.05', '24.11', '26.05'),
      }),
      { minLength: 1, maxLength: 4 },
    ),
    nodes: fc.array(
      fc.record({
        name: oddName,
        nodeAddr: fc.constantFrom('n1', 'n2', 'n[1-2]', null),
        port: fc.constantFrom(6818, 0, 65_535),
        nodeState: fc.constantFrom(2, 2, 0x80002, 0xffffffff),
        version: fc.constantFrom('22.05.8', '26.05.3', null, 'x'),
      }),
      { maxLength: 4 },
    ),
    stepmgrs: fc.constantFrom([], [], [[7, 'n1'] as const]),
    troubles: fc.oneof(
      fc.constant([]),
      fc.array(fc.constantFrom<Trouble>(...Array<Trouble>(12).fill('none'), ...TROUBLES), { maxLength: 14 }),
    ),
    number: fc.constantFrom(0, 1804, 1805, 2002, 2010, 2017, 2020, 2021, 2027, 2131, 4027, 0xffffffff),
    scronParams: fc.constantFrom(undefined, 'enable', 'enable,explicit_scancel'),
    messageTimeoutMs: fc.constant(60),
  });

  /** Its clock is the system's. */
  const QUICK = { ladder: [{ signal: 'SIGTERM', graceMs: 1 }, { signal: 'SIGKILL' }], confirmMs: 1 };

  function carryOut(
    slurm: SlurmClient,
    { verb, job: id, step, signal, jobs, target, given }: Call,
  ): Promise<unknown> {
    const call = (slurm as never as Record<string, (...all: unknown[]) => PromiseLike<unknown>>)[verb]?.bind(
      slurm,
    );
    const own = { timeoutMs: 5_000, ...(verb === 'terminate' ? QUICK : {}), ...given };
    const args: Readonly<Record<string, readonly unknown[]>> = {
      killJobStep: [step, signal, own],
      signalJobStep: [step, signal, own],
      terminateJobStep: [step, own],
      killJobs: [jobs, signal, own],
      kill: [target, signal, own],
      terminate: [target, own],
      probe: [target, own],
      notify: [id, 'text', own],
      suspend: [id, own],
      resume: [id, own],
      requeue: [id, own],
    };
    return Promise.resolve(call?.(...(args[verb] ?? [id, signal, own])));
  }

  const REFUSED_OUTRIGHT = new Set([1007, 1804, 1805, 2027, 2131]);

  it('send nothing that could harm, whatever they are asked and told', async () => {
    const frames = new Map<string, number>();
    const given = fc.record({
      call,
      cluster: world,
      who: anyIdentity,
      findsVersion: fc.boolean(),
      facts: fc.constantFrom(
        null,
        { scrontab: 'none', wholeHetJob: false } as const,
        { scrontab: 'open', wholeHetJob: true } as const,
        { scrontab: 'guarded', wholeHetJob: false } as const,
      ),
      treeWidth: fc.constantFrom(undefined, 1, 2, 50),
      asResolver: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(
        given,
        async ({ call: one, cluster, who, findsVersion, facts, treeWidth, asResolver }) => {
          const { transport, judge, clear } = enter({ ...cluster, caller: callerOf(who) });
          const clock = new TestClock();
          const auth = Object.assign(new FakeAuth(), { identity: async () => who });
          const slurm = clientOf(CONTROLLER_ENDPOINTS, {
            release: cluster.release,
            findsVersion,
            auth,
            transport,
            cluster: facts,
            treeWidth,
            clock,
            pacer: new Pacer(clock),
            messageTimeoutMs: cluster.messageTimeoutMs,
            takeoverMs: 3_000,
            nodeAddress: asResolver ? (node) => ({ host: node, port: 6818 }) : undefined,
          });
          await settled(carryOut(slurm, one));
          expect(judge.broken).toEqual([]);
          // Bounded, whatever the cluster says.
          expect(judge.connections).toBeLessThan(600);
          const { cron } = one.given as { cron?: unknown };
          for (const { type, protocol, body } of judge.frames) {
            frames.set(String(type), (frames.get(String(type)) ?? 0) + 1);
            if (type !== 5032 && type !== 5005) continue;
            // Scrontab lines are left on where nobody says otherwise.
            const flags = Buffer.from(body).readUInt16BE(body.length - 2);
            if (cron !== true) expect(flags & 0x1000).toBe(0);
            if (cron !== true && type === 5032 && (protocol === 39 || protocol === 40))
              expect(flags & 0x0200).toBe(0x0200);
            // The number decides, and never a sluid that another reply had.
            if (protocol >= 42) expect(Buffer.from(body).readBigUInt64BE(0)).toBe(0n);
          }
          // What was answered, with 2020 for one, is not said again but SIGKILL; terminate's rungs are signals of their own.
          const said = new Set<string>();
          for (const { what, signal, number } of clear) {
            if (signal === 9 || one.verb === 'kill' || REFUSED_OUTRIGHT.has(number)) continue;
            expect(said.has(what), what).toBe(false);
            said.add(what);
          }
        },
      ),
      runs(200),
    );
    // The property is about something.
    for (const types of [
      ['5032', '5005'],
      ['6004', '6006'],
      ['5014', '4022', '5023'],
    ])
      expect(types.some((type) => frames.has(type))).toBe(true);
  });
});
