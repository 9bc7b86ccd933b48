/** What is asked for: jobs, the calls about them, and what each would do to them. */
import type { Release } from '../../src/index.js';
import { isAtLeast } from '../../src/protocol/release.js';
import type { Dice } from './dice.js';
import { REAL_JOB } from './lab-stage.js';
import type { Effect, PlannedCall, PlannedJob } from './plan.js';

export interface Scenario {
  readonly jobs: readonly PlannedJob[];
  readonly calls: readonly Omit<PlannedCall, 'timeoutMs' | 'abortAfterMs'>[];
}

type Call = Scenario['calls'][number];

/** Who asks, of which release the cluster is. */
export interface Occasion {
  readonly dice: Dice;
  readonly release: Release;
  readonly user: PlannedJob['user'];
  /** On a real cluster jobs are of few kinds, and kept ready: see `lab-stage.ts`. */
  readonly isReal: boolean;
}

/** Not everybody is known to this host by name. */
const UIDS = { root: 0, alice: 2001, bob: 2002 } as const;

/** Signals that jobs live through, and that nothing but a call sends. */
const HARMLESS = ['SIGUSR1', 'SIGUSR2'] as const;

/** One call about one job, or several calls about a job each. */
export function scenarioOf(occasion: Occasion): Scenario {
  const { dice } = occasion;
  const single = occasion.isReal ? SINGLE.filter(([, maker]) => !EMBEDDED_ONLY.has(maker)) : SINGLE;
  if (!dice.chance(0.15)) return dice.weighted(single)(occasion);
  // Side by side they share a first contact, a line of waiting calls, and trouble.
  const parts = Array.from({ length: dice.int(2, 4) }, () => dice.weighted(SIDE_BY_SIDE)(occasion));
  const jobs = parts.map(({ jobs: [job] }) => job as PlannedJob);
  const calls = parts.map(({ calls: [call] }, index) => moved(call as Call, index));
  return { jobs, calls };
}

function moved(call: Call, index: number): Call {
  return JSON.parse(JSON.stringify(call).replaceAll('$0', `$${index}`)) as Call;
}

type Maker = (occasion: Occasion) => Scenario;

const killPlain: Maker = (occasion) => {
  const job = jobFor(occasion, ['running', 'running', 'pending', 'suspended', 'finished']);
  return one(job, 'killJob', ['$0', 'SIGKILL', endOptions(occasion)], [end('$0')]);
};

const killSignal: Maker = (occasion) => {
  const job = jobFor(occasion, ['running', 'running', 'running', 'pending', 'finished', 'suspended']);
  const { dice } = occasion;
  const signal = dice.pick(HARMLESS);
  const how = dice.pick(['', '', 'batch', 'full', 'stepsOnly']);
  const steps = how === 'batch' || how === 'full' ? ['batch'] : stepsOf(job);
  const options = { ...(how === '' ? {} : { [how]: true }), ...idempotent(dice) };
  return one(job, 'killJob', ['$0', signal, options], [signalled('$0', signal, steps)]);
};

/** SIGKILL to the shell or to the steps alone: the job goes on, or ends as its shell does. */
const killSome: Maker = (occasion) => {
  const job = jobFor(occasion, ['running']);
  const how = occasion.dice.pick(['batch', 'stepsOnly']);
  const steps = how === 'batch' ? ['batch'] : stepsOf(job);
  return one(job, 'killJob', ['$0', 'SIGKILL', { [how]: true }], [signalled('$0', 'SIGKILL', steps)]);
};

const killArray: Maker = (occasion) => {
  const { dice } = occasion;
  const job: PlannedJob = { ...jobFor(occasion, ['running']), kind: 'array' };
  const [target, tasks] = dice.pick<[string, number[]]>([
    ['$0', [0, 1, 2, 3]],
    ['$0_*', [0, 1, 2, 3]],
    ['$0_0', [0]],
    ['$0_3', [3]],
    ['$0_[0-1]', [0, 1]],
    ['$0_[1-2]', [1, 2]],
    ['$0_[2-3]', [2, 3]],
  ]);
  const signal = dice.pick(['SIGKILL', 'SIGKILL', ...HARMLESS]);
  const effects = tasks.map((task) =>
    signal === 'SIGKILL' ? end(`$0_${task}`) : signalled(`$0_${task}`, signal, stepsOf(job)),
  );
  return one(job, 'killJob', [target, signal, idempotent(dice)], effects);
};

const killHet: Maker = (occasion) => {
  const { dice } = occasion;
  const job: PlannedJob = { ...jobFor(occasion, ['running']), kind: 'het', nodes: 1 };
  const signal = dice.pick(['SIGKILL', ...HARMLESS]);
  const isWhole = dice.chance(0.6);
  const units = isWhole ? ['$0', '$0+1'] : ['$0+1'];
  const effects = units.map((unit) =>
    signal === 'SIGKILL' ? end(unit) : signalled(unit, signal, stepsOf(job)),
  );
  return one(job, 'killJob', [isWhole ? '$0' : '$0+1', signal, idempotent(dice)], effects);
};

const killStep: Maker = (occasion) => {
  const { dice } = occasion;
  const job = jobFor(occasion, ['running', 'running', 'running', 'finished', 'pending']);
  const signal = dice.pick(['SIGKILL', ...HARMLESS]);
  const step = dice.pick([...stepsOf(job), 'batch']);
  return one(job, 'killJobStep', [`$0.${step}`, signal, idempotent(dice)], [signalled('$0', signal, [step])]);
};

const killMany: Maker = (occasion) => {
  const { dice, user } = occasion;
  const jobs = Array.from({ length: dice.int(1, 3) }, () =>
    jobFor(occasion, ['running', 'running', 'pending', 'finished']),
  );
  const signal = dice.pick(['SIGKILL', 'SIGKILL', ...HARMLESS]);
  const effects = jobs.map((job, index) =>
    signal === 'SIGKILL' ? end(`$${index}`) : signalled(`$${index}`, signal, stepsOf(job)),
  );
  const byFilter = user !== 'root' && dice.chance(0.4);
  const which = byFilter ? { user: UIDS[user] } : jobs.map((_, index) => `$${index}`);
  // A filter means all of the user's, and finds no job of others.
  const own = effects.filter((_, index) => !byFilter || jobs[index]?.user === user);
  const options = { ...idempotent(dice), ...(dice.chance(0.3) ? { concurrency: dice.int(1, 4) } : {}) };
  return { jobs, calls: [{ verb: 'killJobs', args: [which, signal, options], effects: own }] };
};

const signalJob: Maker = (occasion) => {
  const { dice } = occasion;
  const odd: readonly PlannedJob['kind'][] = occasion.isReal ? [] : ['array', 'het'];
  const kind = dice.pick<PlannedJob['kind']>([
    'running',
    'running',
    'running',
    'finished',
    'pending',
    ...odd,
  ]);
  const job: PlannedJob = { ...jobFor(occasion, ['running']), kind };
  const signal = dice.pick(HARMLESS);
  const units = kind === 'array' ? ['$0_0', '$0_1'] : kind === 'het' ? ['$0', '$0+1'] : ['$0'];
  const effects = units.map((unit) => signalled(unit, signal, stepsOf(job)));
  return one(job, 'signalJob', ['$0', signal, fanOutOptions(dice)], effects);
};

const signalStep: Maker = (occasion) => {
  const { dice } = occasion;
  const job = jobFor(occasion, ['running', 'running', 'running', 'finished']);
  const step = dice.pick([...stepsOf(job), 'batch']);
  const isEnd = dice.chance(0.3) && step !== 'batch';
  const signal = isEnd ? 'SIGKILL' : dice.pick(HARMLESS);
  const effects = [signalled('$0', signal, [step])];
  const options = fanOutOptions(dice);
  return isEnd
    ? one(job, 'terminateJobStep', [`$0.${step}`, options], effects)
    : one(job, 'signalJobStep', [`$0.${step}`, signal, options], effects);
};

const posixKill: Maker = (occasion) => {
  const { dice } = occasion;
  const isGroup = !occasion.isReal && dice.chance(0.3);
  const job: PlannedJob = isGroup
    ? { ...jobFor(occasion, ['running']), kind: dice.pick(['array', 'het'] as const) }
    : jobFor(occasion, ['running', 'running', 'pending', 'finished']);
  const signal = dice.pick(['SIGKILL', ...HARMLESS]);
  const units = !isGroup
    ? ['$0']
    : job.kind === 'het'
      ? ['$0', '$0+1']
      : [0, 1, 2, 3].map((task) => `$0_${task}`);
  const target = isGroup ? '-$0' : '$0';
  const effects = units.map((unit) =>
    signal === 'SIGKILL' ? end(unit) : signalled(unit, signal, stepsOf(job)),
  );
  return one(job, 'kill', [target, signal, {}], effects);
};

/** All that a user has. */
const posixBroad: Maker = (occasion) => {
  const { dice, user } = occasion;
  if (user === 'root') return posixKill(occasion);
  const jobs = Array.from({ length: dice.int(1, 3) }, () => ({
    ...jobFor(occasion, ['running', 'pending']),
    user,
  }));
  const effects = jobs.map((_, index) => end(`$${index}`));
  return { jobs, calls: [{ verb: 'kill', args: [-1, 'SIGKILL', { broad: true }], effects }] };
};

/** Nothing may be done by it. */
const posixCheck: Maker = (occasion) => {
  const job = jobFor(occasion, ['running', 'pending', 'finished']);
  return { jobs: [job], calls: [{ verb: 'kill', args: ['$0', 0, {}], effects: [] }] };
};

const terminate: Maker = (occasion) => {
  const { dice } = occasion;
  const job = jobFor(occasion, ['running', 'running', 'pending', 'suspended', 'finished']);
  const first = dice.pick(HARMLESS);
  const ladder = dice.pick<readonly object[]>([
    [{ signal: first, graceMs: 20 }, { signal: 'SIGKILL' }],
    [{ signal: 'SIGKILL' }],
  ]);
  const confirm = dice.chance(0.8);
  const options = {
    ladder,
    confirm,
    ...(confirm ? { confirmMs: occasion.isReal ? 1_500 : 200 } : {}),
    ...idempotent(dice),
  };
  return one(job, 'terminate', ['$0', options], [end('$0')]);
};

const suspend: Maker = (occasion) => {
  const job = jobFor(occasion, ['running', 'running', 'pending', 'finished', 'suspended']);
  return one(job, 'suspend', ['$0', idempotent(occasion.dice)], [{ unit: '$0', kind: 'suspended' }]);
};

const resume: Maker = (occasion) => {
  const job = jobFor(occasion, ['suspended', 'suspended', 'running', 'finished']);
  return one(job, 'resume', ['$0', idempotent(occasion.dice)], [{ unit: '$0', kind: 'running' }]);
};

const requeue: Maker = (occasion) => {
  const { dice } = occasion;
  const job = jobFor(occasion, ['running', 'running', 'suspended', 'finished', 'pending']);
  const options = dice.pick([{}, { hold: true }, { specialExit: true }]);
  return one(job, 'requeue', ['$0', { ...options, ...idempotent(dice) }], [{ unit: '$0', kind: 'requeued' }]);
};

const notify: Maker = (occasion) => {
  const job = jobFor(occasion, ['running', 'running', 'pending', 'finished']);
  return one(job, 'notify', ['$0', 'proved', {}], [{ unit: '$0', kind: 'notified' }]);
};

const probe: Maker = (occasion) => {
  const { dice } = occasion;
  const job = jobFor(occasion, ['running', 'pending', 'finished', 'suspended']);
  return one(job, 'probe', [dice.pick(['$0', '$0.0']), {}], []);
};

const ping: Maker = (occasion) => one(jobFor(occasion, ['running']), 'ping', [{}], []);

const SIDE_BY_SIDE: readonly (readonly [number, Maker])[] = [
  [4, killPlain],
  [4, killSignal],
  [2, killStep],
  [2, signalStep],
  [2, suspend],
  [1, requeue],
  [1, probe],
];

const SINGLE: readonly (readonly [number, Maker])[] = [
  [10, killPlain],
  [10, killSignal],
  [4, killSome],
  [8, killArray],
  [6, killHet],
  [8, killStep],
  [10, killMany],
  [8, signalJob],
  [8, signalStep],
  [6, posixKill],
  [3, posixBroad],
  [2, posixCheck],
  [10, terminate],
  [5, suspend],
  [5, resume],
  [6, requeue],
  [4, notify],
  [3, probe],
  [2, ping],
];

/** What takes a real cluster seconds (het jobs wait for the backfill scheduler), or means more than the jobs of one run. */
const EMBEDDED_ONLY: ReadonlySet<Maker> = new Set([killArray, killHet, posixBroad]);

function one(
  job: PlannedJob,
  verb: Call['verb'],
  args: readonly unknown[],
  effects: readonly Effect[],
): Scenario {
  return { jobs: [job], calls: [{ verb, args, effects }] };
}

/** Mostly the caller's own. */
function jobFor({ dice, user, isReal }: Occasion, kinds: readonly PlannedJob['kind'][]): PlannedJob {
  if (isReal) return { kind: dice.pick(kinds), user: 'alice', ...REAL_JOB };
  const owner = dice.chance(0.85) ? user : dice.pick(['alice', 'bob'] as const);
  return { kind: dice.pick(kinds), user: owner, nodes: dice.int(1, 3), steps: dice.int(1, 2) };
}

function stepsOf({ steps }: PlannedJob): string[] {
  return Array.from({ length: steps }, (_, index) => `${index}`);
}

function end(unit: string): Effect {
  return { unit, kind: 'end' };
}

function signalled(unit: string, signal: string, steps: readonly string[]): Effect {
  return { unit, kind: 'signal', signal, steps };
}

function idempotent(dice: Dice): { idempotent?: true } {
  return dice.chance(0.25) ? { idempotent: true } : {};
}

function endOptions({ dice, release }: Occasion): object {
  const how = dice.pick<object>([{}, {}, {}, { full: true }, { hurry: true }]);
  const fails = isAtLeast(release, '25.05') && dice.chance(0.2) ? { failJob: true } : {};
  return { ...how, ...fails, ...idempotent(dice) };
}

function fanOutOptions(dice: Dice): object {
  const how = dice.pick<object>([{}, { fanOut: 'direct' }, { fanOut: 'tree', treeWidth: 1 }]);
  return { ...how, ...idempotent(dice) };
}
