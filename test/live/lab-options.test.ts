/** The lab's options, each proved by Slurm's own commands on the releases that have it. */
import { describe, expect, test } from 'vitest';
import { releaseNames } from '../../lab/cluster.js';
import { describeLive } from './support/live.js';

describe.each(releaseNames)('%s', (release) => {
  describeLive('with jwt', { release, nodes: 1, jwt: true }, (live) => {
    test('a token is all that a command needs', async () => {
      const { cluster } = live();
      const token = await cluster.token('alice', { lifespanSeconds: 60 });
      await cluster.stopMunged();
      const held = ['sbatch', '--parsable', '--hold', '--wrap=true'];
      const without = await cluster.exec(held, { user: 'alice' });
      expect(without.code).not.toBe(0);
      const env = { SLURM_JWT: token };
      const submitted = await cluster.exec(held, { user: 'alice', env });
      expect(submitted.stderr).toBe('');
      // Whose token it is counts, not whose process.
      const cancelled = await cluster.exec(['scancel', submitted.stdout.trim()], { user: 'bob', env });
      expect(cancelled).toEqual({ code: 0, stdout: '', stderr: '' });
      await cluster.startMunged();
    });
  });
});
