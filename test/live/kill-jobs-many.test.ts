/**
 * killJobs on 1,000 pending jobs of a real slurmctld: one by one where the release has nothing else, by REQUEST_KILL_JOBS where it has.
 *
 * `npx vitest run test/live/kill-jobs-many.test.ts` prints the numbers of requests that stand in docs/daemons.md.
 */
import { expect, test } from 'vitest';
import type { KilledJobs } from '../../src/rpc/index.js';
import { describeLive, type Live } from './support/live.js';

const MANY = 1_000;

for (const release of ['22.05', '24.11', '26.05'] as const) {
  const isOneByOne = release < '23.11';

  describeLive(`killJobs on ${MANY} jobs of a live ${release}`, { release, nodes: 1 }, (live) => {
    const kill = async (which: unknown): Promise<KilledJobs> => {
      const { value, error } = await live().alice.call('killJobs', [which], { protocol: release });
      expect(error).toBeUndefined();
      return value;
    };

    test.each([
      // The lookup and one request for each job; without it the one request.
      ['by a filter', { user: 'alice', state: 'PENDING' }, isOneByOne ? MANY + 1 : 1],
      ['by their ids', null, isOneByOne ? MANY + 1 : 1],
    ] as const)('%s', async (name, filter, expected) => {
      const { alice } = live();
      const ids = await submitMany(live());
      // The first contact is made: what is counted is the work.
      await alice.call('ping', [], { protocol: release });
      const { alice: user } = live().cluster.users;
      const which = filter === null ? ids : { ...filter, user: user.uid };
      const killed = await kill(which);
      const took = `${killed.rpcs} requests, ${Math.round(killed.elapsedMs)} ms`;
      console.log(`${release}: ${MANY} jobs ${name}: ${took}`);
      expect(killed).toMatchObject({
        outcome: 'accepted',
        rpc: isOneByOne ? 'REQUEST_KILL_JOB' : 'REQUEST_KILL_JOBS',
        message: `${MANY} jobs: ${MANY} accepted.`,
      });
      expect(killed.rpcs).toBe(expected);
      const entries = new Map(killed.jobs.map((job) => [job.jobId, job]));
      expect(killed.jobs).toHaveLength(MANY);
      for (const id of ids) {
        const entry = { target: `${id}`, jobId: id, outcome: 'accepted', number: 0, code: null, message: null };
        expect(entries.get(id)).toEqual(entry);
      }
      expect(await states(live())).toEqual({ ...Object.fromEntries(ids.map((id) => [id, 'CANCELLED'])) });
    });
  });
}

/** Held jobs of alice, submitted by one shell: half a thousandth of the time would go into starting shells. */
async function submitMany({ cluster }: Live): Promise<number[]> {
  const one = `sbatch --parsable --hold --output=/dev/null --wrap='sleep 1'`;
  const loop = `i=0; while [ $i -lt ${MANY / 2} ]; do ${one}; i=$((i+1)); done`;
  const shell = () => cluster.exec(['sh', '-c', loop], { user: 'alice' });
  const outputs = await Promise.all([shell(), shell()]);
  const ids = outputs.flatMap(({ stdout }) => stdout.trim().split('\n').map(Number));
  expect(ids).toHaveLength(MANY);
  return ids;
}

async function states({ cluster }: Live): Promise<Record<string, string>> {
  const { stdout } = await cluster.exec(['squeue', '-h', '-t', 'all', '-o', '%A %T'], { user: 'root' });
  return Object.fromEntries(stdout.trim().split('\n').map((line) => line.split(' ')));
}
