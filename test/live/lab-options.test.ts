/** The lab's options, each proved by Slurm's own commands on the releases that have it. */

import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type LabUser, releaseNames, up } from '../../lab/cluster.js';
import { describeReal } from './support/live.js';

describe.each(releaseNames)('%s', (release) => {
  describeReal('with jwt', { release, nodes: 1, jwt: true }, (live) => {
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

  describeReal('with configless', { release, nodes: 1, configless: true }, (live) => {
    test('commands and slurmds need no slurm.conf', async () => {
      const { cluster } = live();
      const { host, port } = cluster.controller;
      const nothing = { SLURM_CONF: undefined };
      // The slurmd keeps a link to what it got, where commands find it.
      expect((await cluster.exec(['squeue'], { user: 'alice', env: nothing })).code).toBe(0);
      await rm(join(cluster.directory, 'run-slurm/conf'));
      expect((await cluster.exec(['squeue'], { user: 'alice', env: nothing })).code).not.toBe(0);
      const env = { ...nothing, SLURM_CONF_SERVER: `${host}:${port}` };
      const ran = await cluster.exec(['srun', 'printenv', 'SLURM_CONF'], { user: 'alice', env });
      expect(ran.stderr).toBe('');
      expect(ran.stdout).toContain('/n1/conf-cache/slurm.conf');
    });
  });

  // On the other releases failover.test.ts has it.
  if (release === '22.05') {
    describeReal('with backup', { release, nodes: 1, backup: true }, (live) => {
      test('the second controller stands by, and takes over', async () => {
        const { cluster } = live();
        const ping = async () => (await cluster.exec(['scontrol', 'ping'], { user: 'alice' })).stdout;
        const answers = async () => (await cluster.exec(['squeue'], { user: 'alice' })).code === 0;
        expect(await ping()).toMatch(/\(primary\) at lab is UP\s+.*\(backup\d*\) at lab2 is UP/);

        const before = await cluster.submit('sleep 100', { user: 'alice' });
        await cluster.waitForJob(before, ['RUNNING']);
        await cluster.saveState();
        await cluster.killDaemon('slurmctld');
        expect(await ping()).toMatch(/\(primary\) at lab is DOWN\s+.*\(backup\d*\) at lab2 is UP/);
        await cluster.waitFor(answers, 40_000, 'the second to take over');
        expect(await cluster.jobState(before)).toBe('RUNNING');
        const id = await cluster.submit('sleep 100', { user: 'alice' });
        await cluster.waitForJob(id, ['RUNNING']);
      });
    });
  }
});

test('slurmds that their controller would not take are refused', async () => {
  const options = { release: '24.11', nodeRelease: '22.05', directory: '/nonexistent' };
  await expect(up(options)).rejects.toThrow('a slurmctld 24.11 takes no slurmds 22.05');
});

const upgrades = [
  ['20.11', '22.05'],
  ['24.11', '26.05'],
] as const;

describe.each(upgrades)('slurmds of %s', (nodeRelease, release) => {
  describeReal(`under a controller of ${release}`, { release, nodeRelease, nodes: 1 }, (live) => {
    test('register and run jobs', async () => {
      const { cluster, output } = live();
      // No srun: that of 22.05 cannot read what a step of 20.11 sends it.
      const id = await cluster.submit('slurmd -V > version', { user: 'alice' });
      await cluster.waitForJob(id, ['COMPLETED']);
      expect(await output('version')).toContain(`slurm-wlm ${nodeRelease}.`);
      const version = await cluster.exec(['scontrol', 'show', 'node', 'n1'], { user: 'alice' });
      expect(version.stdout).toContain(`Version=${nodeRelease}.`);
      const { stdout } = await cluster.exec(['scontrol', '--version'], { user: 'alice' });
      expect(stdout).toContain(`slurm-wlm ${release}.`);
    });
  });
});

describe.each([...upgrades, ['22.05', '24.11'], ['26.05', '20.11']] as const)('from %s to %s', (from, to) => {
  describeReal('a release is replaced', { release: from, nodes: 2 }, (live) => {
    test('on the same port, with the same munged', async () => {
      const { cluster, run } = live();
      const id = await run('sleep 1000');
      const { port } = cluster.controller;
      const { munged } = cluster.daemons;

      await cluster.switchRelease(to);
      expect(cluster).toMatchObject({
        release: to,
        nodeRelease: to,
        controller: { port },
        daemons: { munged },
      });
      const config = await cluster.exec(['scontrol', 'show', 'config'], { user: 'alice' });
      expect(config.stdout).toMatch(new RegExp(`^SLURM_VERSION *= ${to.replace('.', '[.]')}[.]`, 'm'));
      const isUpgrade = upgrades.some(([old]) => old === from);
      expect(await cluster.jobState(id)).toBe(isUpgrade ? 'RUNNING' : 'NOT_FOUND');
      const ran = await cluster.exec(['srun', '-N2', 'true'], { user: 'alice' });
      expect(ran).toEqual({ code: 0, stdout: '', stderr: '' });

      await cluster.stopMunged();
      await cluster.startMunged();
      expect((await cluster.exec(['squeue'], { user: 'alice' })).code).toBe(0);
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
  const rateLimit = { bucketSize: 3, refillRate: 1, refillPeriod: 1 };
  await expect(up({ release, directory, rateLimit })).rejects.toThrow(`Slurm ${release} has no rateLimit`);
});

describe.each(newer)('%s', (release) => {
  const rateLimit = { bucketSize: 3, refillRate: 1, refillPeriod: 60 };
  const parameters = { SlurmctldParameters: 'idle_on_node_suspend' };
  describeReal('with rateLimit', { release, nodes: 1, rateLimit, parameters }, (live) => {
    test('a user is refused after some requests, root is not', async () => {
      const { cluster } = live();
      const config = await cluster.exec(['scontrol', 'show', 'config'], { user: 'root' });
      expect(config.stdout).toMatch(/^SlurmctldParameters *= idle_on_node_suspend,rl_enable,/m);
      // squeue repeats a refused request until it is taken: it does not end here.
      const squeue = (user: LabUser) =>
        cluster.exec(['timeout', '1', 'squeue', '--noheader', '--verbose'], { user });
      const said: string[] = [];
      for (let i = 0; i < 5 && !said.at(-1)?.includes('limited'); i++)
        said.push((await squeue('alice')).stderr);
      expect(said.at(-1)).toContain('RPC rate limited');
      expect(said.length).toBeGreaterThan(1);
      for (let i = 0; i < 5; i++) expect((await squeue('root')).code).toBe(0);
    });
  });

  describeReal('with stepmgr', { release, nodes: 2, stepmgr: true }, (live) => {
    test('a job can have a step manager', async () => {
      const { cluster } = live();
      const steps =
        'srun -N2 true; printenv SLURM_STEPMGR > stepmgr; scontrol show job $SLURM_JOB_ID | grep -i stepmgr';
      const id = await cluster.submit(steps, {
        user: 'alice',
        sbatchArgs: ['--stepmgr', '-N2', '-o', 'out'],
      });
      expect(await cluster.waitForJob(id, ['COMPLETED', 'FAILED'])).toBe('COMPLETED');
      const { stdout } = await cluster.exec(['cat', 'stepmgr', 'out'], { user: 'alice' });
      expect(stdout).toMatch(/^n1\n *StepMgrEnabled=Yes/m);
    });
  });

  describeReal('with authSlurm', { release, nodes: 1, authSlurm: true, jwt: true }, (live) => {
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
