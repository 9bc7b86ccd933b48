/** Programs of a release outside the lab's clusters, in a world of their own: as they will meet the embedded cluster, here before a real one. */
import { readFile } from 'node:fs/promises';
import { beforeAll, expect, test } from 'vitest';
import { ClientPrograms } from '../../lab/client-programs.js';
import { describeReal, liveReleases } from './support/live.js';

for (const release of liveReleases('22.05', '26.05')) {
  describeReal(`client programs of ${release}`, { release, nodes: 1 }, (live) => {
    let programs: ClientPrograms;

    beforeAll(async () => {
      const { slurmConf, directory } = live().cluster;
      programs = await ClientPrograms.of({ release, slurmConf, directory });
    });

    test('are the release and the user they are asked to be', async () => {
      const version = await programs.exec(['squeue', '--version'], { user: 'alice' });
      expect(version).toMatchObject({ code: 0, stdout: expect.stringMatching(/^slurm-wlm \d/) });
      expect(version.stdout).toContain(release);
      const { stdout } = await programs.exec(['id'], { user: 'bob' });
      expect(stdout.trim()).toBe('uid=2002(bob) gid=2002(bob) groups=2002(bob)');
    });

    test('reach slurmctld, which knows who they are', async () => {
      const { run, cluster } = live();
      const job = await run('sleep 1000');
      expect(await programs.exec(['scontrol', 'ping'], { user: 'bob' })).toMatchObject({
        code: 0,
        stdout: 'Slurmctld(primary) at lab is UP\n',
      });
      const squeue = ['squeue', '-h', '-o', '%i %u %T'];
      expect((await programs.exec(squeue, { user: 'bob' })).stdout).toBe(`${job} alice RUNNING\n`);
      expect(await programs.exec(['scancel', `${job}`], { user: 'bob' })).toEqual({
        code: 210,
        stdout: '',
        stderr: `scancel: error: Kill job error on job id ${job}: Access/permission denied\n`,
      });
      expect(await programs.exec(['scancel', `${job}`], { user: 'alice' })).toMatchObject({ code: 0 });
      await cluster.waitForJob(job, ['CANCELLED']);
    });

    test('several at a time, and the machine sees nothing of their worlds', async () => {
      const mounts = () => readFile('/proc/self/mountinfo', 'utf8');
      const before = await mounts();
      const argv = ['sh', '-c', 'echo $0; exit 3', 'hello'];
      const ends = await Promise.all(
        Array.from({ length: 4 }, () => programs.exec(argv, { user: 'alice', input: 'unread' })),
      );
      expect(ends).toEqual(ends.map(() => ({ code: 3, stdout: 'hello\n', stderr: '' })));
      expect(await mounts()).toBe(before);
    });

    test('one that has lost its way is ended', async () => {
      const how = { user: 'alice', timeoutMs: 200 };
      await expect(programs.exec(['sleep', '1000'], how)).rejects.toThrow(/did not end within 200 ms/);
      await expect(programs.exec(['yes'], { user: 'alice' })).rejects.toThrow(/says too much/);
    });
  });
}
