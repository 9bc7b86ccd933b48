/** The history checker: it finds lies, it finds broken clients, and it finds nothing wrong with ours (`npm run prove:history` runs longer). */
import { describe, expect, test } from 'vitest';
import { check, type Rule } from '../../prove/history/checker.js';
import type { History, Said } from '../../prove/history/history.js';
import { makePlan } from '../../prove/history/make-plan.js';
import type { Effect, PlannedCall } from '../../prove/history/plan.js';
import { type Proof, type ProveOptions, proveHistory } from '../../prove/history/prove.js';
import { NEVER, saidByError, saidByResult } from '../../prove/history/said.js';
import type { UnitState } from '../../prove/history/stage.js';
import { type SlurmClient, SlurmConnectionError } from '../../src/index.js';
import { restate, type SlurmError } from '../../src/protocol/slurm-error.js';

describe('the checker, given histories of lies', () => {
  test.each(['refused', 'not-sent'] as const)('%s, but the job got the signal', (outcome) => {
    expect(rules({ said: { outcome }, signals: ['0@n1 SIGUSR1', '0@n2 SIGUSR1'] })).toEqual([
      'denied-but-acted',
    ]);
  });

  test('not-sent, but one of two nodes got it', () => {
    expect(rules({ said: { outcome: 'not-sent' }, signals: ['0@n2 SIGUSR1'] })).toEqual(['denied-but-acted']);
  });

  test('accepted, but nothing happened, or not everywhere', () => {
    expect(rules({ said: { outcome: 'accepted' } })).toEqual(['accepted-but-not-acted']);
    expect(rules({ said: { outcome: 'accepted' }, signals: ['0@n1 SIGUSR1'] })).toEqual([
      'accepted-but-not-acted',
    ]);
  });

  test('accepted, and another signal came', () => {
    const signals = ['0@n1 SIGUSR2', '0@n2 SIGUSR2'];
    expect(rules({ said: { outcome: 'accepted' }, signals })).toEqual(['accepted-but-not-acted']);
  });

  test('a signal that came twice, whatever was said', () => {
    const signals = ['0@n1 SIGUSR1', '0@n2 SIGUSR1', '0@n1 SIGUSR1'];
    for (const outcome of ['accepted', 'unknown'] as const)
      expect(rules({ said: { outcome }, signals })).toEqual(['twice']);
  });

  test('SIGKILL may come twice', () => {
    const signals = ['0@n1 SIGKILL', '0@n1 SIGKILL', '0@n2 SIGKILL'];
    const effect = { ...SIGNAL, signal: 'SIGKILL' } as const;
    expect(rules({ said: { outcome: 'accepted' }, effect, signals })).toEqual([]);
  });

  test('a fan-out’s word about one node is held against that node', () => {
    const claims = [
      { target: '12.0', node: 'n1', outcome: 'accepted' },
      { target: '12.0', node: 'n2', outcome: 'refused' },
    ] as const;
    const said = { outcome: 'partial', claims } as const;
    expect(rules({ said, signals: ['0@n1 SIGUSR1'] })).toEqual([]);
    expect(rules({ said, signals: ['0@n1 SIGUSR1', '0@n2 SIGUSR1'] })).toEqual(['denied-but-acted']);
    expect(rules({ said, signals: [] })).toEqual(['accepted-but-not-acted']);
  });

  test('a kill that was denied and ended the job; one that was accepted and did not', () => {
    const effect = { unit: '12', kind: 'end' } as const;
    expect(rules({ said: { outcome: 'refused' }, effect, state: 'CANCELLED' })).toEqual(['denied-but-acted']);
    expect(rules({ said: { outcome: 'accepted' }, effect })).toEqual(['accepted-but-not-acted']);
    expect(rules({ said: { outcome: 'partial', dead: true }, effect })).toEqual(['accepted-but-not-acted']);
  });

  test('a job that nobody meant', () => {
    const other = { ...unit('13', ['0@n1 SIGUSR1']) };
    const history = historyOf({ said: { outcome: 'unknown' } });
    const found = check({
      ...history,
      before: [...history.before, unit('13')],
      after: [...history.after, other],
    });
    expect(found.map(({ rule }) => rule)).toEqual(['collateral']);
  });

  test('two requeues for one call', () => {
    const effect = { unit: '12', kind: 'requeued' } as const;
    expect(rules({ said: { outcome: 'accepted' }, effect, state: 'PENDING', restarts: 1 })).toEqual([]);
    expect(rules({ said: { outcome: 'accepted' }, effect, state: 'PENDING', restarts: 2 })).toEqual([
      'twice',
    ]);
  });

  test('unknown, although no request that does anything was written', () => {
    expect(rules({ said: { outcome: 'unknown', settled: 'rejected' } })).toEqual(['evasion']);
  });

  test('unknown is no evasion once the request was written', () => {
    expect(rules({ said: { outcome: 'unknown', settled: 'rejected' }, passages: [PASSAGE] })).toEqual([]);
    const answered = { ...PASSAGE, reached: true, reply: 'RC 0', repliedMs: 5 };
    expect(rules({ said: { outcome: 'unknown', settled: 'rejected' }, passages: [answered] })).toEqual([
      'evasion',
    ]);
  });

  test('late, never, untyped, with a secret, with a connection left open', () => {
    expect(rules({ said: { outcome: 'unknown' }, lateMs: 300 })).toEqual(['late']);
    expect(rules({ said: { settled: 'never' } })).toContain('never-ended');
    expect(
      check({ ...historyOf({ said: { outcome: 'unknown' } }), leftOpen: 1 }).map(({ rule }) => rule),
    ).toEqual(['left-open']);
    expect(rules({ said: saidByError(new TypeError('x is not a function')) })).toEqual(['untyped-error']);
    const error = new SlurmConnectionError('closed', {
      code: 'X',
      errno: 'EPIPE',
      outcome: 'unknown',
      cause: { text: 'MUNGE:AwQFAACfX2Fh' },
    });
    expect(saidByError(error).secrets).toEqual(['MUNGE:… (18 characters)']);
    expect(rules({ said: { outcome: 'unknown', secrets: ['x'] } })).toEqual(['secret']);
  });

  test('an altered answer that nothing protects proves no lie', () => {
    expect(rules({ said: { outcome: 'accepted' }, passages: [{ ...PASSAGE, forged: true }] })).toEqual([]);
  });
});

test('a seed makes one plan, and data of it', () => {
  const plan = makePlan(7, { on: 'embedded' });
  expect(makePlan(7, { on: 'embedded' })).toEqual(plan);
  expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
  expect(makePlan(8, { on: 'embedded' })).not.toEqual(plan);
});

describe('runs on the embedded cluster', () => {
  test('find nothing wrong with the library', async () => {
    const { failures, strays, runs } = await prove({ runs: 60 });
    expect(failures.map(({ plan, findings }) => ({ seed: plan.seed, findings }))).toEqual([]);
    expect(strays).toEqual([]);
    expect(runs).toBe(60);
  });

  test('find a client that sends again what may not be sent again', async () => {
    const twice = (client: SlurmClient) => wrapped(client, (call) => call().then(call, call));
    expect(found(await prove({ runs: 60, seed: 3, spoil: twice }))).toContain('twice');
  });

  test('find a client that says not-sent of what was sent', async () => {
    const denies = (client: SlurmClient) =>
      wrapped(client, (call) =>
        call().then(
          () => Promise.reject(restate(NO_ANSWER, 'denied', { outcome: 'not-sent' })),
          (error: SlurmError) => Promise.reject(error),
        ),
      );
    expect(found(await prove({ runs: 40, seed: 3, spoil: denies }))).toContain('denied-but-acted');
  });

  test('find a client that says accepted of what failed', async () => {
    const boasts = (client: SlurmClient) =>
      wrapped(client, (call) => call().catch(() => ({ outcome: 'accepted' })));
    expect(found(await prove({ runs: 40, seed: 3, spoil: boasts }))).toContain('accepted-but-not-acted');
  });

  test('find a client that evades', async () => {
    const evades = (client: SlurmClient) =>
      wrapped(client, (call) =>
        call().catch((error: SlurmError) => Promise.reject(restate(error, 'hm', { outcome: 'unknown' }))),
      );
    expect(found(await prove({ runs: 40, seed: 3, spoil: evades }))).toContain('evasion');
  });
});

const NO_ANSWER = new SlurmConnectionError('no answer', {
  code: 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT',
  errno: 'EPIPE',
  outcome: 'unknown',
});
const SEED =
  process.env.SLURMWIRE_SEED === undefined
    ? process.env.CI
      ? 20261122
      : Math.floor(Math.random() * 0x7fffffff)
    : Number(process.env.SLURMWIRE_SEED);

/** Prints the seed of what failed. */
function prove(options: Partial<ProveOptions>): Promise<Proof> {
  return proveHistory({ seed: SEED, on: 'embedded', runs: 40, concurrency: 12, ...options });
}

function found({ failures }: Proof): Rule[] {
  return [...new Set(failures.flatMap(({ findings }) => findings.map(({ rule }) => rule)))];
}

type Call = () => Promise<unknown>;

/** All verbs but `close`, each carried out by something else. */
function wrapped(client: SlurmClient, carryOut: (call: Call) => Promise<unknown>): SlurmClient {
  return new Proxy(client, {
    get(target, name) {
      const verb: unknown = Reflect.get(target, name, target);
      if (typeof verb !== 'function') return verb;
      const call = (...args: unknown[]) => verb.apply(target, args) as Promise<unknown>;
      return name === 'close' || name === 'probe' || name === 'ping'
        ? call
        : (...args: unknown[]) => carryOut(() => Promise.resolve(call(...args)));
    },
  });
}

const SIGNAL: Effect = { unit: '12', kind: 'signal', signal: 'SIGUSR1', steps: ['0'] };
const PASSAGE = {
  ...{
    daemon: 'slurmctld',
    nth: 0,
    atMs: 0,
    fault: null,
    request: 'REQUEST_KILL_JOB',
    release: '26.05' as const,
  },
  ...{ came: 190, reached: false, altered: false, reply: null, repliedMs: null, forged: false },
};

function unit(name: string, signals: readonly string[] = [], state = 'RUNNING', restarts = 0): UnitState {
  const steps = { '0': ['n1', 'n2'], batch: ['n1'] };
  return { unit: name, jobId: Number(name), state, restarts, steps, signals, notes: null };
}

interface Lie {
  readonly said: Partial<Said>;
  readonly effect?: Effect;
  readonly signals?: readonly string[];
  readonly state?: string;
  readonly restarts?: number;
  readonly passages?: History['passages'];
  readonly lateMs?: number;
}

/** One call about job 12 with a step on two nodes: what was said of it, and what happened. */
function historyOf({
  said,
  effect = SIGNAL,
  signals,
  state,
  restarts,
  passages = [],
  lateMs = 0,
}: Lie): History {
  const verb = effect.kind === 'requeued' ? 'requeue' : 'killJob';
  const call: PlannedCall = { verb, args: [12, {}], effects: [effect], timeoutMs: 500 };
  const whole: Said = { ...NEVER, ...saidByResult({}), ...said };
  return {
    plan: { ...makePlan(1, { on: 'embedded' }), faults: [], troubles: [], calls: [call] },
    ...{ ids: [12], calls: [{ call, said: whole, beganMs: 0, elapsedMs: 10, lateMs }] },
    ...{ before: [unit('12')], after: [unit('12', signals, state, restarts)] },
    ...{ passages, executed: null, timeline: [], lagMs: 0, leftOpen: 0 },
  };
}

function rules(lie: Lie): Rule[] {
  return [...new Set(check(historyOf(lie)).map(({ rule }) => rule))];
}
