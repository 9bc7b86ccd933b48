/**
 * The contract of all verbs as one program: the same calls and the same assertions on every daemon, in every protocol. What is proved is what
 * happened to jobs and processes, not what the library says of it.
 */
import { expect } from 'vitest';
import { isAtLeast, type Release } from '../../../src/protocol/index.js';
import type { Actor } from './actor.js';
import { lines, startListeningJob } from './listening-job.js';
import type { Live } from './live.js';

/** What a run of the contract has. */
export interface Contract {
  readonly live: Live;
  /** SlurmUser: may suspend where owners may not yet. */
  readonly operator: Actor;
  /** `undefined`: the client finds out. */
  readonly pinned: Release | undefined;
  /** What is to be spoken. */
  readonly protocol: Release;
}

const HOLD = ['--hold'];
const LONG = 'echo up > up.$SLURM_JOB_ID; while :; do sleep 0.1; done';

/** Runs every verb; returns what is wrong, by verb. */
export async function keepContract(contract: Contract): Promise<ReadonlyMap<string, Error | null>> {
  const results = new Map<string, Error | null>();
  const note = async (verbs: readonly string[], work: Promise<void>) => {
    const error = await work.then(
      () => null,
      (thrown: Error) => thrown,
    );
    for (const verb of verbs) results.set(verb, error);
  };
  const on = new Verbs(contract);
  await Promise.all([
    ...(Object.keys(APART) as (keyof typeof APART)[]).map((verb) => note([verb], APART[verb](on))),
    note(['suspend', 'resume'], suspendAndResume(on)),
    stepsInTurn(on, note),
  ]);
  return new Map([...results].sort(([a], [b]) => a.localeCompare(b)));
}

class Verbs {
  readonly live: Live;
  readonly protocol: Release;
  readonly #contract: Contract;

  constructor(contract: Contract) {
    this.#contract = contract;
    this.live = contract.live;
    this.protocol = contract.protocol;
  }

  /** The value of a call of alice; a rejection fails. */
  async alice(method: string, ...args: unknown[]) {
    return this.#value(this.live.alice, method, args);
  }

  /** Whoever may suspend alice's job. */
  async controlling(method: string, ...args: unknown[]) {
    const { operator, live } = this.#contract;
    // From 26.05 on the owner may.
    return this.#value(
      isAtLeast(live.cluster.release as Release, '26.05') ? live.alice : operator,
      method,
      args,
    );
  }

  /** What it rejects with. */
  async refused(who: 'alice' | 'bob', method: string, ...args: unknown[]) {
    const { error } = await this.live[who].call(method, args, this.#options());
    return error;
  }

  async #value(who: Actor, method: string, args: unknown[]) {
    const { value, error } = await who.call(method, args, this.#options());
    if (error !== undefined) throw new Error(`${method}(${JSON.stringify(args)}): ${error.message}`);
    return value;
  }

  #options() {
    const { pinned } = this.#contract;
    return pinned === undefined ? {} : { protocol: pinned };
  }

  held(args: readonly string[] = []): Promise<number> {
    return this.live.cluster.submit('sleep 1000', { user: 'alice', sbatchArgs: [...HOLD, ...args] });
  }

  /** A job with a shell that can be signalled. */
  async running(script = LONG): Promise<number> {
    const id = await this.live.cluster.submit(script, { user: 'alice' });
    await this.live.waitForFile(`up.${id}`);
    return id;
  }

  ended(id: number): Promise<string> {
    return this.live.cluster.waitForJob(id, ['CANCELLED']);
  }

  heard(id: number, what: string): Promise<void> {
    const isThere = async () => lines(await this.live.output(`out.${id}`)).includes(what);
    return this.live.cluster.waitFor(isThere, 20_000, `"${what}" in out.${id}`);
  }
}

const NO_JOB = 999_999;

/** Verbs that have jobs of their own: side by side. */
const APART = {
  async ping(on: Verbs) {
    expect(await on.alice('ping')).toMatchObject([{ up: true, protocol: on.protocol }]);
  },

  async request(on: Verbs) {
    const id = await on.held();
    const none = 0xfffffffe; // NO_VAL: the id text says which job
    const stepId = { jobId: none, stepId: none, stepHetComp: none };
    const record = { stepId, sjobId: `${id}`, signal: 9, flags: 0 };
    expect(await on.alice('request', 'REQUEST_KILL_JOB', record)).toMatchObject({
      name: 'RESPONSE_SLURM_RC',
      record: { returnCode: 0 },
      protocol: on.protocol,
    });
    await on.ended(id);
  },

  async killJob(on: Verbs) {
    const { protocol } = on;
    const [pending, running, array] = await Promise.all([on.held(), on.running(), on.held(['--array=1-3'])]);
    expect(await on.refused('bob', 'killJob', running)).toMatchObject({ errno: 'EPERM', outcome: 'refused' });
    expect(await on.alice('killJob', pending)).toMatchObject({ outcome: 'accepted', protocol });
    expect(await on.alice('killJob', running)).toMatchObject({ outcome: 'accepted', protocol });
    expect(await on.alice('killJob', `${array}_2`)).toMatchObject({ outcome: 'accepted', protocol });
    await Promise.all([on.ended(pending), on.ended(running)]);
    expect(await on.alice('probe', `${array}_1`)).toMatchObject({ state: 'PENDING' });
    // Some releases forget it at once.
    expect([null, 'CANCELLED']).toContain((await on.alice('probe', `${array}_2`)).state);
    expect(await on.alice('killJob', array)).toMatchObject({ outcome: 'accepted' });
    expect(await on.refused('alice', 'killJob', pending)).toMatchObject({
      errno: 'ESRCH',
      outcome: 'refused',
    });
    expect(await on.refused('alice', 'killJob', NO_JOB)).toMatchObject({ number: 2017, errno: 'ESRCH' });
  },

  async killJobs(on: Verbs) {
    const [one, two, other] = await Promise.all([on.held(), on.held(), on.held()]);
    const killed = await on.alice('killJobs', [one, two, NO_JOB]);
    expect(killed).toMatchObject({ outcome: 'partial', protocol: on.protocol });
    expect(
      Object.fromEntries(
        killed.jobs.map((job: { target: string; outcome: string }) => [job.target, job.outcome]),
      ),
    ).toEqual({ [one]: 'accepted', [two]: 'accepted', [NO_JOB]: 'refused' });
    await Promise.all([on.ended(one), on.ended(two)]);
    expect(await on.live.cluster.jobState(other)).toBe('PENDING');
    await on.alice('killJob', other);
  },

  async kill(on: Verbs) {
    const id = await on.running(`trap 'echo TERM >> out.$SLURM_JOB_ID' TERM\n${LONG}`);
    expect(await on.alice('kill', id, 0)).toMatchObject({ outcome: 'accepted', count: 1 });
    expect(await on.refused('bob', 'kill', id, 0)).toMatchObject({ errno: 'EPERM' });
    expect(await on.live.cluster.jobState(id)).toBe('RUNNING');
    expect(await on.alice('kill', id, 'SIGTERM', { batch: true })).toMatchObject({ count: 1 });
    await on.heard(id, 'TERM');
    expect(await on.alice('kill', id, 'SIGKILL')).toMatchObject({
      outcome: 'accepted',
      protocol: on.protocol,
    });
    await on.ended(id);
    expect(await on.refused('alice', 'kill', NO_JOB, 'SIGKILL')).toMatchObject({ errno: 'ESRCH' });
  },

  async probe(on: Verbs) {
    const id = await on.held();
    expect(await on.alice('probe', id)).toMatchObject({ exists: true, mine: true, state: 'PENDING' });
    expect(await on.alice('probe', NO_JOB)).toMatchObject({ exists: false });
    expect(await on.alice('probe', `${id}.0`)).toMatchObject({ exists: false });
    await on.alice('killJob', id);
    expect(await on.alice('probe', id)).toMatchObject({ exists: true, state: 'CANCELLED' });
  },

  async terminate(on: Verbs) {
    const id = await on.running(`trap 'echo TERM >> out.$SLURM_JOB_ID' TERM\n${LONG}`);
    const ladder = [{ signal: 'SIGTERM', to: ['batch'], graceMs: 500 }, { signal: 'SIGKILL' }];
    const done = await on.alice('terminate', id, { ladder });
    expect(done).toMatchObject({ outcome: 'accepted', dead: true });
    expect(lines(await on.live.output(`out.${id}`))).toContain('TERM');
    expect(await on.live.cluster.jobState(id)).toBe('CANCELLED');
  },

  async explain(on: Verbs) {
    const id = await on.held();
    expect(await on.alice('explain', 'killJob', id)).toMatchObject({
      requests: [{ rpc: 'REQUEST_KILL_JOB', to: 'slurmctld', record: { sjobId: `${id}`, signal: 9 } }],
      effects: [{ target: `${id}`, effect: 'cancelled' }],
      protocol: on.protocol,
    });
    expect(await on.live.cluster.jobState(id)).toBe('PENDING');
    await on.alice('killJob', id);
  },

  async requeue(on: Verbs) {
    const id = await on.running();
    expect(await on.alice('requeue', id, { hold: true })).toMatchObject({ outcome: 'accepted' });
    const isHeld = async () => (await on.alice('probe', id)).state === 'PENDING';
    await on.live.cluster.waitFor(isHeld, 20_000, 'the job to be pending again');
    await on.alice('killJob', id);
  },

  async notify(on: Verbs) {
    const id = await on.running();
    expect(await on.alice('notify', id, 'mind the gap')).toMatchObject({ outcome: 'accepted' });
    const isThere = async () => (await on.live.output(`slurm-${id}.out`)).includes('mind the gap');
    await on.live.cluster.waitFor(isThere, 20_000, 'the text in the output of the job');
    await on.alice('killJob', id);
  },
} as const;

async function suspendAndResume(on: Verbs): Promise<void> {
  const id = await on.running();
  expect(await on.controlling('suspend', id)).toMatchObject({ outcome: 'accepted', protocol: on.protocol });
  expect(await on.live.cluster.jobState(id)).toBe('SUSPENDED');
  expect(await on.controlling('resume', id)).toMatchObject({ outcome: 'accepted' });
  expect(await on.live.cluster.jobState(id)).toBe('RUNNING');
  await on.alice('killJob', id);
}

type Note = (verbs: readonly string[], work: Promise<void>) => Promise<void>;

/** One job with two steps, on which the verbs for steps take turns. */
async function stepsInTurn(on: Verbs, note: Note): Promise<void> {
  const { protocol, live } = on;
  let id = 0;
  const start = async () => {
    id = await startListeningJob(live);
  };
  const heardBy = async () => lines(await live.output(`out.${id}`)).sort();
  const tasks = (step: number, count: number, signal: string) =>
    Array.from({ length: count }, (_, task) => `${step}.${task} ${signal}`);
  const hear = (wanted: readonly string[]) => {
    const isAll = async () => (await heardBy()).join() === [...wanted].sort().join();
    return live.cluster.waitFor(isAll, 20_000, `${wanted.length} lines in out.${id}`).catch(async (error) => {
      throw new Error(`${error.message}; they are ${await heardBy()}`);
    });
  };
  const steps = async (): Promise<void> => {
    await start();
    expect(await on.alice('signalJob', id, 'SIGUSR1')).toMatchObject({ outcome: 'accepted' });
    await hear([...tasks(0, 4, 'USR1'), ...tasks(1, 2, 'USR1')]);
  };
  await note(['signalJob'], steps());
  const before = [...tasks(0, 4, 'USR1'), ...tasks(1, 2, 'USR1')];
  await note(
    ['signalJobStep'],
    (async () => {
      expect(await on.alice('signalJobStep', `${id}.1`, 'SIGUSR2')).toMatchObject({ outcome: 'accepted' });
      before.push(...tasks(1, 2, 'USR2'));
      await hear(before);
      await on.alice('signalJobStep', `${id}.batch`, 'SIGUSR2');
      before.push('batch USR2');
      await hear(before);
      expect(await on.refused('alice', 'signalJobStep', `${id}.7`, 'SIGUSR2')).toMatchObject({
        errno: 'ESRCH',
      });
    })(),
  );
  await note(
    ['killJobStep'],
    (async () => {
      const killed = await on.alice('killJobStep', `${id}.0`, 'SIGUSR2');
      expect(killed).toMatchObject({ outcome: 'accepted', protocol });
      before.push(...tasks(0, 4, 'USR2'));
      await hear(before);
      expect(await on.refused('alice', 'killJobStep', `${id}.7`)).toMatchObject({ errno: 'ESRCH' });
    })(),
  );
  await note(
    ['terminateJobStep'],
    (async () => {
      expect(await on.alice('terminateJobStep', `${id}.1`)).toMatchObject({ outcome: 'accepted' });
      const isOver = async () => !(await on.alice('probe', `${id}.1`)).exists;
      await live.cluster.waitFor(isOver, 20_000, 'the step to end');
      expect(await on.alice('probe', `${id}.0`)).toMatchObject({ exists: true, state: 'RUNNING' });
      await on.alice('killJob', id);
      await on.ended(id);
    })(),
  );
}
