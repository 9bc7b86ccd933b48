/** Clients without a slurm.conf, on real controllers of four releases: all they have is SLURM_CONF_SERVER. */
import { expect, test } from 'vitest';
import { releaseNames } from '../../lab/cluster.js';
import { lines, startListeningJob } from './support/listening-job.js';
import { describeReal } from './support/live.js';

for (const release of releaseNames) {
  describeReal(`configless ${release}`, { release, configless: true }, (live) => {
    /** No conf. A fetch cannot know the lab's own munged, so the caller brings the credentials. */
    const options = () => ({
      conf: undefined,
      munge: { way: 'defaultMunge', options: { socket: live().cluster.mungeSocket } },
    });

    test('the configuration is fetched; jobs are killed and steps are signalled with it', async () => {
      const { alice, cluster, output } = live();
      const { host, port } = cluster.controller;
      // The first one is down: the port of the first entry is that of all.
      alice.environment = { SLURM_CONF_SERVER: `127.0.0.9:${port},${host}` };

      const id = await startListeningJob(live());
      const signalled = await alice.call('signalJobStep', [`${id}.0`, 'SIGUSR1'], options());
      expect(signalled.error).toBeUndefined();
      expect(signalled.value).toMatchObject({ outcome: 'accepted' });
      // The nodes' addresses are those of the file: no lookup would put them through the tree.
      const tree = await alice.call('signalJobStep', [`${id}.0`, 'SIGUSR2', { fanOut: 'tree' }], options());
      expect(tree.error).toBeUndefined();
      const heard = async () => lines(await output(`out.${id}`)).length;
      await cluster.waitFor(async () => (await heard()) >= 8, 20_000, 'eight signals');

      const killed = await alice.call('killJob', [id], options());
      expect(killed.error).toBeUndefined();
      expect(killed.value).toMatchObject({ outcome: 'accepted' });
      await cluster.waitForJob(id, ['CANCELLED', 'FAILED', 'COMPLETED']);
    });

    test('what keeps a configuration from being fetched is said', async () => {
      const { bob, cluster } = live();
      const { port } = cluster.controller;
      bob.environment = { SLURM_CONF_SERVER: `127.0.0.9:${port}` };
      const { error } = await bob.call('ping', [], options());
      expect(error).toMatchObject({ name: 'SlurmConfigError', code: 'SLURMWIRE_CONFIG_NOT_FETCHED' });
      expect(error.message).toContain(`127.0.0.9:${port}`);
    });
  });
}

describeReal('not configless', { nodes: 1 }, (live) => {
  test('the controller says that it does not hand its configuration out', async () => {
    const { alice, cluster } = live();
    alice.environment = { SLURM_CONF_SERVER: `127.0.0.1:${cluster.controller.port}` };
    const { error } = await alice.call('ping', [], {
      conf: undefined,
      munge: { way: 'defaultMunge', options: { socket: cluster.mungeSocket } },
    });
    expect(error).toMatchObject({ code: 'SLURMWIRE_CONFIG_NOT_FETCHED' });
    expect(error.message).toContain('hands out no configuration files');
  });
});
