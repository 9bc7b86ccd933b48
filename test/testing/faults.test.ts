/** Trouble on order, judged by our own client: what it says of the outcome must be true of what the cluster did. */
import { describe, expect, it, test } from 'vitest';
import {
  type ConnectOptions,
  connect,
  type FanOut,
  type SlurmClient,
  type SlurmError,
} from '../../src/index.js';
import { RELEASE_NAMES, type Release } from '../../src/protocol/index.js';
import { type EmbeddedCluster, type Fault, type FaultMatch, startCluster } from '../../src/testing/index.js';
import { noStrayTrouble } from '../rpc/support/leaks.js';
import { tell } from '../support/raw-frame.js';

noStrayTrouble();

interface Outcome {
  readonly outcome: string;
  readonly code: string;
}

/** What a kill came to, by the client. */
async function outcomeOf(call: Promise<{ outcome: string }>): Promise<Outcome> {
  try {
    return { outcome: (await call).outcome, code: '' };
  } catch (error) {
    const { outcome, code } = error as SlurmError;
    return { outcome: outcome ?? 'none', code };
  }
}

/** A client that has spoken to the controller before. */
async function acquainted(
  cluster: EmbeddedCluster,
  options: Partial<ConnectOptions> = {},
): Promise<SlurmClient> {
  const slurm = await connect({ ...cluster.options('alice'), timeoutMs: 10_000, ...options });
  await slurm.ping();
  return slurm;
}

function runningJob(cluster: EmbeddedCluster) {
  const { jobId } = cluster.submit({ user: 'alice', script: '#!/bin/sh\nsleep 1000\n' });
  return cluster.waitForJob(jobId, 'RUNNING');
}

interface Case {
  readonly fault: Fault;
  /** Of a signal that may not be repeated: `accepted`, `refused`, `unknown`, `not-sent`. */
  readonly outcome: string | readonly string[];
  readonly code?: string;
  /** Whether the processes got it. */
  readonly done: boolean;
}

const TIMEOUT = 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT';
const CASES: Readonly<Record<string, Case>> = {
  delayed: { fault: { delayMs: 50 }, outcome: 'accepted', done: true },
  'answered late': { fault: { answerDelayMs: 50 }, outcome: 'accepted', done: true },
  'dropped before': { fault: { drop: 'before' }, outcome: 'unknown', done: false },
  'dropped after': { fault: { drop: 'after' }, outcome: 'unknown', done: true },
  'reset before': { fault: { reset: 'before' }, outcome: 'unknown', done: false },
  'reset after': { fault: { reset: 'after' }, outcome: 'unknown', done: true },
  'hanging before': { fault: { hang: 'before' }, outcome: 'unknown', code: TIMEOUT, done: false },
  'hanging after': { fault: { hang: 'after' }, outcome: 'unknown', code: TIMEOUT, done: true },
  'dying before': { fault: { die: 'before' }, outcome: 'unknown', done: false },
  'dying after': { fault: { die: 'after' }, outcome: 'unknown', done: true },
  'refusing, as a lie': {
    fault: { rc: 2002 },
    outcome: 'refused',
    code: 'ESLURM_ACCESS_DENIED',
    done: false,
  },
  // The client can only believe it.
  'accepting, as a lie': { fault: { rc: 0 }, outcome: 'accepted', done: false },
  'refusing what it does': { fault: { rc: 2002, execute: true }, outcome: 'refused', done: true },
  'answering something else': {
    fault: { reply: ['RESPONSE_PING_SLURMD', { cpuLoad: 1, freeMem: 1n }] },
    outcome: 'unknown',
    done: false,
  },
  'corrupt in its last byte': {
    fault: { corrupt: (bytes) => bytes.map((byte, at) => (at === bytes.length - 1 ? byte ^ 0x07 : byte)) },
    outcome: ['unknown', 'refused'],
    done: true,
  },
  'corrupt in its version': {
    fault: { corrupt: (bytes) => bytes.map((byte, at) => (at === 4 ? 0x63 : byte)) },
    outcome: 'unknown',
    done: true,
  },
  'cut at 0': { fault: { cutAt: 0 }, outcome: 'unknown', done: true },
  'cut at 3': { fault: { cutAt: 3 }, outcome: 'unknown', done: true },
  'cut at 12': { fault: { cutAt: 12 }, outcome: 'unknown', done: true },
  'late, refused and cut': {
    fault: { delayMs: 20, answerDelayMs: 20, rc: 2002, cutAt: 7 },
    outcome: 'unknown',
    done: false,
  },
};

describe.each(RELEASE_NAMES)('slurmctld %s', (release: Release) => {
  test.each(Object.entries(CASES))('%s', async (_name, { fault, outcome, code, done }) => {
    await using cluster = await startCluster({ release, nodes: 1 });
    await using slurm = await acquainted(cluster);
    const { jobId } = await runningJob(cluster);
    const handle = cluster.fault({ to: 'slurmctld', request: 'REQUEST_KILL_JOB', times: 1 }, fault);
    const timeoutMs = fault.hang === undefined ? 10_000 : 300;
    // Not to be sent twice, whatever comes.
    const told = await outcomeOf(slurm.killJob(jobId, 'SIGUSR2', { batch: true, timeoutMs }));
    expect([outcome].flat(), told.code).toContain(told.outcome);
    if (code !== undefined) expect(told.code).toBe(code);
    expect(handle.met).toBe(1);
    // What a controller does it does soon, not at once.
    if (done) await cluster.waitForJob(jobId, () => cluster.signals.length > 0);
    else await new Promise(setImmediate);
    expect(cluster.signals.map(({ unixSignal }) => unixSignal)).toEqual(done ? [12] : []);
    // One that hangs is over when the client has left.
    const kills = () => cluster.requests.filter(({ name }) => name === 'REQUEST_KILL_JOB').length;
    await expect.poll(kills).toBe(1);
  });

  it('answers in another version: nobody can tell what was meant, unless it is one the client reads', async () => {
    await using cluster = await startCluster({ release, nodes: 1 });
    await using slurm = await acquainted(cluster);
    const { jobId } = await runningJob(cluster);
    const other = release === '22.05' ? '23.02' : '22.05';
    cluster.fault({ request: 'REQUEST_KILL_JOB', times: 1 }, { release: other });
    const told = await outcomeOf(slurm.killJob(jobId, 'SIGUSR2', { batch: true }));
    expect(['accepted', 'unknown']).toContain(told.outcome);
  });
});

/** What the client says of each node. */
function outcomesByNode(told: FanOut | SlurmError): Record<string, string> {
  const nodes = (told as FanOut).nodes ?? [];
  return Object.fromEntries(nodes.map(({ node, outcome }) => [node, outcome]));
}

describe.each(RELEASE_NAMES)('slurmd %s', (release: Release) => {
  test.each(Object.entries(CASES))('%s', async (_name, { fault, outcome, done }) => {
    await using cluster = await startCluster({ release, nodes: 2 });
    await using slurm = await acquainted(cluster);
    const { jobId } = cluster.submit({ user: 'alice', script: null, nodes: 2, steps: [{ name: 'sleep' }] });
    await cluster.waitForJob(jobId, 'RUNNING');
    const handle = cluster.fault({ to: 'n2', request: 'REQUEST_SIGNAL_TASKS', times: 1 }, fault);
    const timeoutMs = fault.hang === undefined ? 10_000 : 1_000;
    const told = await slurm
      .signalJobStep({ jobId, stepId: 0 }, 'SIGUSR2', { timeoutMs })
      .catch((error: SlurmError) => error);
    const outcomes = outcomesByNode(told as FanOut | SlurmError);
    expect(handle.met).toBe(1);
    expect(outcomes.n1).toBe('accepted');
    expect([outcome].flat()).toContain(outcomes.n2);
    const heard = cluster.signals.filter(({ node }) => node === 'n2').length;
    expect(heard).toBe(done ? 1 : 0);
    expect(cluster.signals.filter(({ node }) => node === 'n1')).toHaveLength(1);
  });
});

describe('which requests meet a fault', () => {
  it('times, after, when, uid; several; taken back one by one or all', async () => {
    await using cluster = await startCluster({ nodes: 1 });
    await using alice = await acquainted(cluster);
    await using bob = await connect(cluster.options('bob'));
    await bob.ping();
    const codes = async (client: SlurmClient, count: number) => {
      const all: string[] = [];
      for (let i = 0; i < count; i++) all.push((await outcomeOf(client.killJob(999))).code);
      return all;
    };
    const NONE = 'ESLURM_INVALID_JOB_ID';
    const DENIED = 'ESLURM_ACCESS_DENIED';
    const DONE = 'ESLURM_ALREADY_DONE';
    const kill: FaultMatch = { request: 'REQUEST_KILL_JOB' };

    const twice = cluster.fault({ ...kill, after: 1, times: 2 }, { rc: 2002 });
    expect(await codes(alice, 4)).toEqual([NONE, DENIED, DENIED, NONE]);
    expect(twice.met).toBe(2);

    const bobs = cluster.fault({ ...kill, uid: 2002 }, { rc: 2002 });
    const everybodys = cluster.fault(kill, { rc: 2021 });
    expect(await codes(bob, 1)).toEqual([DENIED]);
    expect(await codes(alice, 1)).toEqual([DONE]);
    bobs.remove();
    bobs.remove();
    expect(await codes(bob, 1)).toEqual([DONE]);
    expect([bobs.met, everybodys.met]).toEqual([1, 2]);
    cluster.clearFaults();
    expect(await codes(bob, 1)).toEqual([NONE]);

    const odd = cluster.fault(
      { when: ({ uid, name }) => name === 'REQUEST_KILL_JOB' && uid === 2001 },
      { rc: 2002 },
    );
    expect(await codes(alice, 1)).toEqual([DENIED]);
    expect(await codes(bob, 1)).toEqual([NONE]);
    expect(odd.met).toBe(1);
    expect(cluster.fault({ times: 0 }, { drop: 'before' }).met).toBe(0);
    odd.remove();
    expect(await codes(alice, 1)).toEqual([NONE]);
  });

  it('one daemon, and no other', async () => {
    await using cluster = await startCluster({ nodes: 1, backups: 1, parameters: { SlurmctldTimeout: '1' } });
    cluster.fault({ to: 'slurmctld' }, { drop: 'before' });
    await using slurm = await connect(cluster.options('alice'));
    const pings = await slurm.ping();
    expect(pings.map(({ up }) => up)).toEqual([false, true]);
  });
});

describe('a daemon that dies', () => {
  it('comes back after the time it was given, on the same port, and is in charge', async () => {
    await using cluster = await startCluster({ nodes: 1, backups: 1 });
    await using slurm = await acquainted(cluster);
    const { jobId } = await runningJob(cluster);
    const { port } = cluster.daemon('slurmctld').endpoint;
    cluster.fault(
      { to: 'slurmctld', request: 'REQUEST_KILL_JOB', times: 1 },
      { die: 'after', backAfterMs: 50 },
    );
    // SIGKILL of a whole job may be repeated: the client does so, at whoever answers.
    expect((await outcomeOf(slurm.killJob(jobId))).outcome).toMatch(/accepted|unknown|refused/);
    await cluster.waitForJob(jobId, 'CANCELLED');
    await expect.poll(() => cluster.daemon('slurmctld').isUp).toBe(true);
    expect(cluster.daemon('slurmctld').endpoint.port).toBe(port);
    expect(cluster.inCharge).toBe('slurmctld');
  });

  it('does not come back to a cluster that is down, nor where it was stopped meanwhile', async () => {
    const cluster = await startCluster({ nodes: 1 });
    await using slurm = await acquainted(cluster, { timeoutMs: 300 });
    const { endpoint } = cluster.daemon('slurmctld');
    cluster.fault({ request: 'REQUEST_KILL_JOB', times: 1 }, { die: 'before', backAfterMs: 300 });
    const told = outcomeOf(slurm.killJob(1));
    await expect.poll(() => cluster.daemon('slurmctld').isUp).toBe(false);
    await cluster.daemon('slurmctld').stop();
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(cluster.daemon('slurmctld').isUp).toBe(false);
    await told;
    await cluster.daemon('slurmctld').start();
    cluster.fault({ request: 'REQUEST_KILL_JOB', times: 1 }, { die: 'before', backAfterMs: 300 });
    const again = outcomeOf(slurm.killJob(1));
    await expect.poll(() => cluster.daemon('slurmctld').isUp).toBe(false);
    await cluster.down();
    await again;
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect((await tell(endpoint, { chunks: [] })).end).toBe('reset');
  });
});

describe('an order that cannot be', () => {
  test.each<[string, FaultMatch, Fault]>([
    ['to', { to: 'n9' }, { drop: 'before' }],
    ['request', { request: 'REQUEST_KILL_JOBZ' as never }, { drop: 'before' }],
    ['times', { times: -1 }, { drop: 'before' }],
    ['after', { after: 0.5 }, { drop: 'before' }],
    ['uid', { uid: 'alice' as never }, { drop: 'before' }],
    ['node', { node: 'n1' } as never, { drop: 'before' }],
    ['drop', {}, { drop: 'during' as never }],
    ['die', {}, { die: true as never }],
    ['backAfterMs', {}, { backAfterMs: 5 }],
    ['delayMs', {}, { delayMs: Number.NaN }],
    ['delayMs', {}, { delayMs: 2 ** 31 }],
    ['rc', {}, { rc: 1.5 }],
    ['cutAt', {}, { cutAt: -1 }],
    ['execute', {}, { execute: true }],
    ['release', {}, { release: '22' as never }],
    ['reply', {}, { reply: ['RESPONSE_SLURM_RC', {} as never] }],
    ['dropp', {}, { dropp: 'before' } as never],
  ])('%s', async (field, match, fault) => {
    await using cluster = await startCluster({ nodes: 1 });
    expect(() => cluster.fault(match, fault)).toThrowError(
      expect.objectContaining({ code: 'SLURMWIRE_BAD_OPTION', field }),
    );
    await using slurm = await acquainted(cluster);
    expect(await slurm.ping()).toMatchObject([{ up: true }]);
  });
});
