/**
 * 500 kills at once by a user whose requests slurmctld limits: all land, in bounded time.
 *
 * `npx vitest run test/live/rate-limit.test.ts` prints the numbers that stand in docs/rate-limits.md.
 */
import { expect, test } from 'vitest';
import type { KilledJobs, Pace } from '../../src/rpc/index.js';
import { describeLive, type Live } from './support/live.js';
import { submitMany } from './support/submit-many.js';

const MANY = 500;
/** More than the limiter lets in within two seconds, its bucket being empty. */
const FEW = 100;
/** A third of the kills from the bucket, the rest in some 20 seconds. slurmctld's defaults (30, 2) would take four minutes. */
const rateLimit = { bucketSize: 150, refillRate: 20, refillPeriod: 1 };
const LEAST_MS = ((MANY - rateLimit.bucketSize) / rateLimit.refillRate) * 1000;

// 24.11 in the protocol of 23.02, which has no KILL_JOBS: one request for each job.
for (const [release, oneByOne] of [
  ['24.11', '23.02'],
  ['26.05', '26.05'],
] as const) {
  describeLive(`a live ${release} that limits the rate`, { release, nodes: 1, rateLimit }, (live) => {
    const options = {}; // the version is found
    const pace = async (): Promise<Pace> => (await live().alice.call('paces', [], options)).value[0];

    test(`${MANY} killJob at once: all land`, async () => {
      const { alice } = live();
      const ids = await submitMany(live().cluster, MANY);
      alice.forget();
      await alice.call('paces', [], options); // calls that come together make a client each
      const startedAt = performance.now();
      const kill = (id: number) => alice.call('killJob', [id, 'SIGKILL', { timeoutMs: 120_000 }], options);
      const told = await Promise.all(ids.map(kill));
      const tookMs = performance.now() - startedAt;
      const { backoffs, underWay, waiting } = await pace();
      console.log(`${release}, ${MANY} killJob: ${backoffs} times 1804, ${Math.round(tookMs)} ms`);
      expect(told.filter(({ error }) => error !== undefined)).toEqual([]);
      expect(told.map(({ value }) => value.outcome)).toEqual(ids.map(() => 'accepted'));
      expect(await notCancelled(live(), ids)).toEqual([]);
      // It was the limiter that took the time, and it was not asked in vain all the time.
      expect(tookMs).toBeGreaterThan(LEAST_MS / 2);
      expect(tookMs).toBeLessThan(LEAST_MS * 1.5 + 10_000);
      expect(backoffs).toBeGreaterThan(0);
      expect(backoffs).toBeLessThan(MANY / 2);
      expect([underWay, waiting]).toEqual([0, 0]);
    });

    test('killJobs with too little time: what landed, what was refused, what was not sent, as it is', async () => {
      const { alice } = live();
      const ids = await submitMany(live().cluster, FEW);
      await emptyBucket(live(), options);
      alice.forget(); // a client that knows of no limit
      const { value, error } = await alice.call(
        'killJobs',
        [ids, 'SIGKILL', { timeoutMs: 2_000, concurrency: 16 }],
        { protocol: oneByOne },
      );
      const killed: KilledJobs = value;
      expect(error).toBeUndefined();
      console.log(
        `${release}, killJobs of ${FEW} in 2 s by ${killed.rpc}: ${killed.message} ${killed.backoffs} times 1804`,
      );
      expect(killed.jobs.map(({ jobId }) => jobId).sort()).toEqual([...ids].sort());
      const left = killed.jobs.filter(({ outcome }) => outcome !== 'accepted');
      expect(new Set(left.map(({ outcome }) => outcome))).not.toContain('unknown');
      // What it says is what happened.
      expect(await notCancelled(live(), ids)).toEqual(
        left.map(({ jobId }) => jobId).sort((a, b) => Number(a) - Number(b)),
      );
      const isOneByOne = oneByOne < '23.11';
      expect(killed.outcome).toBe(isOneByOne ? 'partial' : 'accepted');
      if (isOneByOne) expect(killed.backoffs).toBeGreaterThan(0);
    });
  });
}

/** Asks, through a client of its own, until the controller has said that it is too much. */
async function emptyBucket({ alice }: Live, options: Record<string, unknown>): Promise<void> {
  alice.forget();
  await alice.call('paces', [], options);
  const ping = () => alice.call('request', ['REQUEST_PING', {}, { timeoutMs: 2_000 }], options);
  for (let backoffs = 0; backoffs === 0; ) {
    await Promise.all(Array.from({ length: 100 }, ping));
    [{ backoffs }] = (await alice.call('paces', [], options)).value;
  }
}

async function notCancelled({ cluster }: Live, ids: readonly number[]): Promise<number[]> {
  const { stdout } = await cluster.exec(['squeue', '-h', '-t', 'all', '-o', '%A %T'], { user: 'root' });
  const cancelled = new Set(
    stdout.split('\n').flatMap((line) => (line.endsWith(' CANCELLED') ? [Number(line.split(' ')[0])] : [])),
  );
  return ids.filter((id) => !cancelled.has(id));
}
