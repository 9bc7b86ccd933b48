/** The lab's options, each proved by Slurm's own commands on the releases that have it. */

import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { releaseNames, up } from '../../lab/cluster.js';
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

const newer = releaseNames.filter((release) => release >= '24.11');
const older = releaseNames.filter((release) => release < '24.11');

test.each(older)('%s has no auth/slurm and no rate limit', async (release) => {
  const directory = '/nonexistent'; // it does not come to that
  await expect(up({ release, directory, authSlurm: true })).rejects.toThrow(
    `Slurm ${release} has no authSlurm: of the lab's releases, 24.11, 26.05 have it`,
  );
});

describe.each(newer)('%s', (release) => {
  describeLive('with authSlurm', { release, nodes: 1, authSlurm: true, jwt: true }, (live) => {
    test('jobs run without a munged', async () => {
      const { cluster } = live();
      expect(Object.keys(cluster.daemons)).toEqual(['sackd', 'slurmctld', 'n1']);
      const ran = await cluster.exec(['srun', 'id', '-un'], { user: 'alice' });
      expect(ran).toEqual({ code: 0, stdout: 'alice\n', stderr: '' });
      const env = { SLURM_JWT: await cluster.token('alice') };
      await cluster.stopDaemon('sackd');
      expect((await cluster.exec(['squeue'], { user: 'alice' })).code).not.toBe(0);
      expect((await cluster.exec(['squeue'], { user: 'alice', env })).code).toBe(0);
      await cluster.startDaemon('sackd');
    });

    test('sackd can be reached from outside', async () => {
      const { sackSocket } = live().cluster;
      await new Promise<void>((resolve, reject) => {
        const socket = connect(sackSocket ?? '', () => socket.end(resolve));
        socket.on('error', reject);
      });
    });
  });
});
