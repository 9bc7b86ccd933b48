/** From a seed to a plan. */

import type { MessageName } from '../../src/index.js';
import { RELEASE_NAMES, type Release } from '../../src/index.js';
import { Dice } from './dice.js';
import { REAL_JOB } from './lab-stage.js';
import type {
  FaultKind,
  Moment,
  Plan,
  PlannedFault,
  PlannedJob,
  PlannedTrouble,
  PlannedVerb,
} from './plan.js';
import { scenarioOf } from './scenarios.js';

/** A job that nobody means, in every run. */
const BYSTANDER: PlannedJob = { kind: 'running', user: 'bob', nodes: 1, steps: 1 };

export interface PlanOptions {
  readonly on: Plan['on'];
  /** Default: any. */
  readonly release?: Release | undefined;
}

export function makePlan(seed: number, { on, release: given }: PlanOptions): Plan {
  const dice = new Dice(seed);
  const release = given ?? dice.pick(RELEASE_NAMES);
  const isReal = on === 'real';
  const backups = !isReal && dice.chance(0.3) ? 1 : 0;
  const user = isReal
    ? 'root'
    : dice.weighted([
        [5, 'root'],
        [4, 'alice'],
        [1, 'bob'],
      ] as const);
  const scenario = scenarioOf({ dice, release, user, isReal });
  const isBroad = scenario.calls.some(
    ({ verb, args }) => (verb === 'kill' && args[0] === -1) || hasUser(args[0]),
  );
  const calls = scenario.calls.map((call) => ({
    ...call,
    // `terminate` refuses what its ladder has no room in.
    timeoutMs:
      call.verb === 'terminate'
        ? isReal
          ? 4_000
          : dice.int(600, 1_500)
        : dice.weighted([
            [6, dice.int(300, 900)],
            [1, dice.int(1, 40)],
          ] as const),
    ...(dice.chance(0.08) ? { abortAfterMs: dice.pick([-1, 0, 1, 2, 5, 10, 20]) } : {}),
  }));
  const bystander = isReal
    ? { ...BYSTANDER, ...REAL_JOB }
    : { ...BYSTANDER, user: isBroad && user === 'bob' ? ('alice' as const) : BYSTANDER.user };
  const daemons = ['slurmctld', ...(backups === 1 ? ['slurmctld2'] : []), 'n1', 'n2', 'n3', 'munged'];
  const asks: Asks = {
    controller: [...new Set(calls.flatMap(({ verb }) => ASKS[verb]))],
    isFanOut: calls.some(({ verb }) => FAN_OUT.has(verb)),
  };
  const drawn = faultsOf(dice, daemons, asks);
  // Debian's builds (MULTIPLE_SLURMD) take a credential any number of times: what a network repeats there is done again, whoever sent it.
  const faults = isReal ? drawn.filter(({ kind }) => kind !== 'request-twice') : drawn;
  return {
    ...{ seed, on, release, backups, user },
    protocol: dice.chance(0.8) ? 'auto' : 'own',
    jobs: [...scenario.jobs, bystander],
    calls,
    faults,
    isWarm: dice.chance(0.6) && faults.every(({ kind }) => kind !== 'full'),
    troubles: troublesOf(dice, daemons, on),
  };
}

function hasUser(which: unknown): boolean {
  return typeof which === 'object' && which !== null && 'user' in which;
}

const AT_ACCEPT: readonly (readonly [number, FaultKind])[] = [
  [3, 'refuse'],
  [2, 'fin'],
  [2, 'reset'],
  [1, 'stall'],
  [1, 'delay'],
];

const ON_THE_WAY: readonly (readonly [number, FaultKind])[] = [
  [5, 'fin'],
  [5, 'reset'],
  [2, 'stall'],
  [3, 'delay'],
  [5, 'corrupt'],
  [2, 'repeat'],
  [2, 'cut-out'],
  [1, 'dribble'],
];

/** What each verb asks the controller for: the messages that decide. */
const ASKS: Readonly<Record<PlannedVerb, readonly MessageName[]>> = {
  killJob: ['REQUEST_KILL_JOB', 'REQUEST_KILL_JOB', 'REQUEST_JOB_INFO_SINGLE'],
  killJobStep: ['REQUEST_CANCEL_JOB_STEP', 'REQUEST_CANCEL_JOB_STEP', 'REQUEST_JOB_INFO_SINGLE'],
  killJobs: ['REQUEST_KILL_JOBS', 'REQUEST_KILL_JOB', 'REQUEST_JOB_INFO_SINGLE'],
  kill: ['REQUEST_KILL_JOBS', 'REQUEST_KILL_JOB', 'REQUEST_CANCEL_JOB_STEP', 'REQUEST_JOB_INFO_SINGLE'],
  terminate: ['REQUEST_KILL_JOB', 'REQUEST_KILL_JOB', 'REQUEST_JOB_INFO_SINGLE'],
  signalJob: ['REQUEST_JOB_INFO_SINGLE', 'REQUEST_JOB_STEP_INFO'],
  signalJobStep: ['REQUEST_JOB_INFO_SINGLE', 'REQUEST_JOB_STEP_INFO'],
  terminateJobStep: ['REQUEST_JOB_INFO_SINGLE', 'REQUEST_JOB_STEP_INFO'],
  suspend: ['REQUEST_SUSPEND'],
  resume: ['REQUEST_SUSPEND'],
  requeue: ['REQUEST_JOB_REQUEUE'],
  notify: ['REQUEST_JOB_NOTIFY'],
  probe: ['REQUEST_JOB_INFO_SINGLE'],
  ping: ['REQUEST_PING'],
  request: [],
};

const FAN_OUT: ReadonlySet<string> = new Set(['signalJob', 'signalJobStep', 'terminateJobStep']);

/** What the calls of a run lead to, so that most faults meet something. */
interface Asks {
  readonly controller: readonly MessageName[];
  readonly isFanOut: boolean;
}

function faultsOf(dice: Dice, daemons: readonly string[], asks: Asks): PlannedFault[] {
  const count = dice.weighted([
    [1, 0],
    [6, 1],
    [4, 2],
    [2, 4],
  ]);
  return Array.from({ length: count }, () => faultOf(dice, daemons, asks));
}

function faultOf(dice: Dice, daemons: readonly string[], asks: Asks): PlannedFault {
  const weightOf = (name: string) =>
    name === 'slurmctld' ? 8 : name === 'slurmctld2' ? 1 : name === 'munged' ? 2 : asks.isFanOut ? 3 : 0.1;
  const daemon = dice.weighted(daemons.map((name) => [weightOf(name), name]));
  const ms = dice.pick([1, 5, 20, 100, 400, 2_000]);
  const at = dice.pick([0, 0.02, 0.999, 1, dice.next(), dice.next(), dice.next(), dice.next()]);
  const nth = dice.weighted([
    [4, 0],
    [4, 1],
    [2, 2],
    [1, 3],
  ]);
  const rare = dice.next();
  if (rare < 0.03 && daemon !== 'munged') return { daemon, nth, side: 'accept', kind: 'full', at, ms };
  if (rare < 0.07 && daemon !== 'munged') return { daemon, nth, side: 'accept', kind: 'no-name', at, ms };
  if (dice.chance(0.2)) {
    const kind = dice.weighted(AT_ACCEPT);
    return { daemon, nth, side: 'accept', kind, at, ms: kind === 'refuse' && dice.chance(0.4) ? 0 : ms };
  }
  const side = dice.pick(['up', 'down'] as const);
  const isTwice = side === 'up' && daemon !== 'munged' && dice.chance(0.1);
  const kind = isTwice ? 'request-twice' : dice.weighted(ON_THE_WAY);
  const message = daemon.startsWith('slurmctld')
    ? (asks.controller[dice.int(0, asks.controller.length - 1)] ?? null)
    : null;
  if (message === null || dice.chance(0.35)) return { daemon, nth, side, kind, at, ms };
  return { daemon, nth: dice.chance(0.85) ? 0 : 1, message, side, kind, at, ms };
}

function troublesOf(dice: Dice, daemons: readonly string[], on: Plan['on']): PlannedTrouble[] {
  // On a real cluster each costs seconds.
  if (!dice.chance(on === 'real' ? 0.06 : 0.3)) return [];
  return Array.from(
    {
      length: dice.weighted([
        [4, 1],
        [1, 2],
      ]),
    },
    () => troubleOf(dice, daemons, on),
  );
}

function troubleOf(dice: Dice, daemons: readonly string[], on: Plan['on']): PlannedTrouble {
  const daemon = dice.weighted(
    daemons.map((name) => [name.startsWith('slurmctld') ? 6 : name === 'munged' ? 3 : 1, name]),
  );
  // A real controller that is killed has forgotten every job it had not saved, those of other runs too; their slurmds then end them.
  const what = dice.weighted<PlannedTrouble['what']>([
    [on === 'real' && daemon === 'slurmctld' ? 0 : 4, 'kill'],
    [on === 'real' && daemon === 'slurmctld' ? 0.5 : 2, 'stop'],
    [4, 'pause'],
    [on === 'real' || daemon === 'munged' ? 0 : 1, 'upgrade'],
    [daemon === 'slurmctld' && daemons.includes('slurmctld2') ? 3 : 0, 'fail-over'],
    [2, 'abort'],
  ]);
  const when = dice.chance(0.3)
    ? { atMs: dice.int(0, 40) }
    : {
        on: {
          daemon: dice.chance(0.7) ? daemon : 'slurmctld',
          nth: dice.int(0, 3),
          moment: dice.pick<Moment>(['request-in', 'request-through', 'reply-in']),
        },
      };
  const undo = dice.chance(0.5) ? { undoAfterMs: dice.pick([1, 10, 50, 200]) } : {};
  return { daemon, what, ...when, ...undo };
}
