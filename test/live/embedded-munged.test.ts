/** A real Slurm whose munged is the embedded one: libslurm, slurmctld, slurmd and slurmstepd get all their credentials from it. */
import { afterEach, expect, it } from 'vitest';
import { type EmbeddedMunged, startEmbeddedMunged } from '../../src/testing/embedded-munged.js';
import { describeReal, liveReleases } from './support/live.js';

for (const release of liveReleases('22.05', '26.05')) {
  describeReal(`Slurm ${release} with the embedded munged`, { release, nodes: 2 }, (live) => {
    let munged: EmbeddedMunged | undefined;
    afterEach(async () => {
      await munged?.stop();
      munged = undefined;
    });

    it('runs jobs and has them killed, each user as who they are', async () => {
      const { cluster, alice, bob, run, waitForFile } = live();
      await cluster.stopMunged();
      munged = await startEmbeddedMunged({ socket: cluster.mungeSocket });
      expect(munged.peerIdentity).toBe('kernel');

      // A job with a step on both nodes: credentials of users, controller, slurmds and slurmstepds.
      const job = await run(
        'srun -N2 bash -c \'trap "touch got.$SLURM_PROCID" USR1; touch ready.$SLURM_PROCID; while :; do sleep 0.1; done\'',
        ['-N2'],
      );
      await waitForFile('ready.0');
      await waitForFile('ready.1');
      expect((await alice.call('signalJob', [job, 'SIGUSR1'])).error).toBeUndefined();
      await waitForFile('got.0');
      await waitForFile('got.1');
      expect((await bob.call('killJob', [job])).error).toMatchObject({ code: 'ESLURM_ACCESS_DENIED' });
      expect((await alice.call('killJob', [job])).value).toMatchObject({ outcome: 'accepted' });
      await cluster.waitForJob(job, ['CANCELLED']);
      // Requests were signed by users, opened by slurmctld and by the slurmds.
      expect(munged.counts.encoded).toBeGreaterThan(5);
      expect(munged.counts.decoded).toBeGreaterThan(5);
    });
  });
}
