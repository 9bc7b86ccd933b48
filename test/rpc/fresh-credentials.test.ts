/**
 * A credential is good for one message: none is made for two of them, whatever is tried again, at whichever controller, in whichever version, and by
 * whomever it is passed on. Tokens (auth/jwt) are the caller's own, and go with each message until they expire: there is nothing fresh to be had.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RELEASE_NAMES } from '../../src/protocol/index.js';
import type { SlurmClient } from '../../src/rpc/index.js';
import { Pacer } from '../../src/rpc/pacer.js';
import { FakeAuth } from './support/fake-auth.js';
import { CONTROLLER_ENDPOINTS, enter, TROUBLES, type Trouble } from './support/harm-world.js';
import { clientOf } from './support/setup.js';
import { TestClock } from './support/test-clock.js';

const TIMES = Number(process.env.SLURMWIRE_RUNS ?? 1);
const NO_VAL = 0xfffffffe;

const CALLS: Readonly<Record<string, (slurm: SlurmClient) => PromiseLike<unknown>>> = {
  'a kill': (slurm) => slurm.killJob(7, 'SIGKILL', { timeoutMs: 20_000 }),
  'a kill that is not repeated': (slurm) => slurm.killJob(7, 'SIGTERM', { timeoutMs: 20_000 }),
  'many kills': (slurm) =>
    slurm.killJobs(
      Array.from({ length: 12 }, (_, i) => 7 + i),
      'SIGKILL',
      { timeoutMs: 20_000 },
    ),
  'kills side by side': (slurm) =>
    Promise.allSettled([7, 8, 9].map((job) => slurm.killJob(job, 'SIGKILL', { timeoutMs: 20_000 }))),
  'a fan-out, directly': (slurm) => slurm.signalJob(7, 'SIGTERM', { fanOut: 'direct', timeoutMs: 20_000 }),
  'a fan-out, by a tree': (slurm) =>
    slurm.signalJobStep('7.0', 'SIGTERM', { fanOut: 'tree', treeWidth: 3, timeoutMs: 20_000 }),
  'a look': (slurm) => slurm.probe(7, { timeoutMs: 20_000 }),
  'a ladder': (slurm) =>
    slurm.terminate(7, {
      ladder: [{ signal: 'SIGTERM', graceMs: 1 }, { signal: 'SIGKILL' }],
      confirmMs: 1,
    }),
};

/** Those after which something is tried again, elsewhere, or in another version. */
const AGAIN = TROUBLES.filter((trouble) => trouble !== 'silence');
const world = {
  jobs: [{ jobId: 7, userId: 1000, batchFlag: 1, batchHost: 'n1', nodes: 'n[1-20]' }],
  steps: [{ jobId: 7, stepId: 0, stepHetComp: NO_VAL, nodes: 'n[1-20]' }],
  nodes: [],
  stepmgrs: [],
  messageTimeoutMs: 200,
  caller: { uid: 1000, isPrivileged: false },
};

describe.each(Object.keys(CALLS))('%s', (name) => {
  it('has a credential for each connection', async () => {
    let most = 0;
    const given = fc.record({
      release: fc.constantFrom(...RELEASE_NAMES),
      troubles: fc.array(fc.constantFrom<Trouble>('none', 'number', 'number', ...AGAIN), { maxLength: 16 }),
      // Too many requests, not in charge, overloaded: what makes it wait and ask again.
      number: fc.constantFrom(1804, 1804, 1805, 2027, 2131, 2020),
      findsVersion: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(given, async ({ release, troubles, number, findsVersion }) => {
        const { transport, judge } = enter({ ...world, release, troubles, number });
        const clock = new TestClock();
        const auth = Object.assign(new FakeAuth(), { identity: async () => ({ uid: 1000, name: 'alice' }) });
        const slurm = clientOf(CONTROLLER_ENDPOINTS, {
          ...{ release, findsVersion, auth, transport, clock, pacer: new Pacer(clock) },
          messageTimeoutMs: world.messageTimeoutMs,
          takeoverMs: 3_000,
          nodeAddress: (node) => ({ host: node, port: 6818 }),
        });
        await Promise.resolve(CALLS[name]?.(slurm)).catch(() => {});
        // The judge tells of a credential that it has seen before, and of one that is bound to other bytes.
        expect(judge.broken).toEqual([]);
        // None is kept for later, and none is made that nobody was to get.
        expect(judge.frames.length).toBeLessThanOrEqual(auth.created.length);
        expect(new Set(auth.created.map(({ serial }) => serial)).size).toBe(auth.created.length);
        most = Math.max(most, judge.frames.length);
      }),
      { numRuns: 25 * TIMES },
    );
    expect(most).toBeGreaterThan(2);
  });
});
