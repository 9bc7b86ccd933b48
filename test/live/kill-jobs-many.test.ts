/**
 * killJobs on 1,000 pending jobs of a real slurmctld: one by one where the release has nothing else, by REQUEST_KILL_JOBS where it has.
 *
 * `npx vitest run test/live/kill-jobs-many.test.ts` prints the numbers of requests that stand in docs/daemons.md.
 */
import { expect, test } from 'vitest';
import type { KilledJobs } from '../../src/rpc/index.js';
import { describeLive, type Live } from './support/live.js';
import { submitMany } from './support/submit-many.js';

const MANY = 1_000;

for (const release of ['22.05', '24.11', '26.05'] as const) {
  const isOneByOne = release < '23.11';

  describeLive(`killJobs on ${MANY} jobs of a live ${release}`, { release, nodes: 1 }, (live) => {
    const kill = async (which: unknown): Promise<KilledJobs> => {
      const { value, error } = await live().alice.call('killJobs', [which], { protocol: release });
      expect(error).toBeUndefined();
      return value;
    };

    test.each(['by a filter', 'by their ids'])('%s', async (way) => {
      const { alice, cluster } = live();
      const ids = await submitMany(live().cluster, MANY);
      alice.forget(); // so that the first contact counts, every time
      const which = way === 'by their ids' ? ids : { user: cluster.users.alice.uid, state: 'PENDING' };
      const killed = await kill(which);
      console.log(
        `${release}, ${MANY} jobs ${way}: ${killed.rpcs} requests, ${Math.round(killed.elapsedMs)} ms`,
      );
      expect(killed).toMatchObject({
        outcome: 'accepted',
        rpc: isOneByOne ? 'REQUEST_KILL_JOB' : 'REQUEST_KILL_JOBS',
        message: `${MANY} jobs: ${MANY} accepted.`,
        // First contact; lookup and one for each job, or one for all.
        rpcs: isOneByOne ? 2 + MANY : 2,
      });
      const like = { outcome: 'accepted', number: 0, errno: null, code: null, message: null };
      const expected = ids.map((jobId) => ({ target: `${jobId}`, jobId, ...like }));
      expect([...killed.jobs].sort((a, b) => (a.jobId ?? 0) - (b.jobId ?? 0))).toEqual(expected);
      const now = await states(live());
      expect(ids.filter((id) => now.get(id) !== 'CANCELLED')).toEqual([]);
    });
  });
}

async function states({ cluster }: Live): Promise<ReadonlyMap<number, string>> {
  const { stdout } = await cluster.exec(['squeue', '-h', '-t', 'all', '-o', '%A %T'], { user: 'root' });
  const lines = stdout.trim().split('\n');
  return new Map(lines.map((line) => [Number(line.split(' ')[0]), line.split(' ')[1] ?? '']));
}
