/** Slurm's own programs look at an embedded cluster: what they print is what it holds. */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { ClientPrograms } from '../../lab/client-programs.js';
import { type EmbeddedCluster, startCluster } from '../../src/testing/index.js';
import { liveReleases } from './support/live.js';

describe.skipIf(inject('labTrouble') !== null).each(liveReleases('22.05', '26.05'))(
  'programs of %s',
  (release) => {
    let cluster: EmbeddedCluster;
    let programs: ClientPrograms;

    async function say(...argv: string[]): Promise<string> {
      const { code, stdout, stderr } = await programs.exec(argv, { user: 'alice' });
      expect({ code, stderr }, argv.join(' ')).toEqual({ code: 0, stderr: '' });
      return stdout;
    }

    beforeAll(async () => {
      cluster = await startCluster({
        release,
        nodes: 4,
        users: [
          { name: 'alice', uid: 2001 },
          { name: 'bob', uid: 2002 },
        ],
      });
      const { slurmConf } = cluster;
      programs = await ClientPrograms.of({ release, slurmConf });
      const steps = [{ nodes: 2, tasks: 3, name: 'big' }];
      cluster.submit({
        user: 'alice',
        nodes: 2,
        tasks: 4,
        name: 'plain',
        timeLimit: 90,
        comment: 'Grüße',
        steps,
      });
      cluster.submit({ user: 'bob', array: '0-5%2', name: 'arr' });
      cluster.submit({ user: 'alice', components: [{ nodes: 1 }], name: 'het' });
      cluster.submit({ user: 'alice', hold: true, name: 'held' });
      cluster.submit({ user: 'alice', runsForMs: 1, name: 'over' });
      await cluster.waitForJob(6, ({ isGone }) => isGone);
      await cluster.daemon('n4').stop();
    });

    afterAll(() => cluster?.down());

    test('squeue: jobs, arrays, components, steps', async () => {
      const jobs = await say('squeue', '-h', '-r', '-t', 'all', '-S', 'i', '-o', '%i|%j|%u|%T|%D|%N|%r|%l');
      expect(jobs.trim().split('\n').sort()).toEqual([
        '1|plain|alice|RUNNING|2|n[1-2]|None|1:30:00',
        ...[0, 1].map((task) => `2_${task}|arr|bob|RUNNING|1|n1|None|UNLIMITED`),
        ...[2, 3, 4, 5].map((task) => `2_${task}|arr|bob|PENDING|1||JobArrayTaskLimit|UNLIMITED`),
        '3+0|het|alice|RUNNING|1|n1|None|UNLIMITED',
        '3+1|het|alice|RUNNING|1|n1|None|UNLIMITED',
        '5|held|alice|PENDING|1||JobHeldUser|UNLIMITED',
        '6|over|alice|COMPLETED|1|n1|None|UNLIMITED',
      ]);
      const steps = await say('squeue', '-h', '-s', '-j', '1', '-o', '%i|%j|%u|%N');
      expect(steps.trim().split('\n').sort()).toEqual(['1.0|big|alice|n[1-2]', '1.batch|batch|alice|n1']);
      expect(await say('squeue', '-h', '-u', 'bob', '-t', 'R', '-o', '%j')).toBe('arr\narr\n');
    });

    test('scontrol show: job, step, node, partition, config', async () => {
      const job = await say('scontrol', '-d', 'show', 'job', '1');
      for (const part of [
        'JobName=plain',
        'UserId=alice(2001)',
        'JobState=RUNNING',
        'NodeList=n[1-2]',
        'NumNodes=2',
        'NumCPUs=4',
        'TimeLimit=01:30:00',
        'Nodes=n[1-2] CPU_IDs=0-1',
      ])
        expect(job).toContain(part);
      expect(await say('scontrol', 'show', 'job', '2')).toMatch(/ArrayTaskId=2-5%2/);
      const step = await say('scontrol', 'show', 'step', '1.0');
      expect(step).toMatch(
        /State=RUNNING Partition=main NodeList=n\[1-2\]\s+Nodes=2 CPUs=3 Tasks=3 Name=big/,
      );
      expect(await say('scontrol', 'show', 'node', 'n1')).toMatch(/State=MIXED.*Partitions=main/s);
      expect(await say('scontrol', 'show', 'node', 'n4')).toMatch(/State=DOWN(\*|\+NOT_RESPONDING) /);
      expect(await say('scontrol', 'show', 'partition')).toMatch(/^PartitionName=main.*TotalNodes=4/s);
      const config = await say('scontrol', 'show', 'config');
      expect(config).toMatch(/^ClusterName +=\s*embedded$/m);
      expect(config).toMatch(new RegExp(`^SLURM_VERSION +=\\s*${release}`, 'm'));
      const { code } = await programs.exec(['scontrol', 'show', 'job', '99'], { user: 'alice' });
      expect(code).not.toBe(0);
    });

    test('sinfo', async () => {
      const nodes = await say('sinfo', '-h', '-N', '-o', '%N %P %t %c');
      expect(nodes.trim().split('\n')).toEqual([
        'n1 main* mix 16',
        'n2 main* mix 16',
        'n3 main* idle 16',
        'n4 main* down* 16',
      ]);
      expect(await say('sinfo', '-h', '-T', '-o', '%N').catch(() => 'No reservations')).toMatch(
        /No reservations|^$/,
      );
    });
  },
);
