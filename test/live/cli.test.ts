/** The command, as users run it: a process of alice's that runs the built program against live daemons. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { lines } from './support/listening-job.js';
import { describeLive, liveReleases } from './support/live.js';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly elapsedMs: number;
}

/** Whose shell and step hear SIGTERM, write it down and go on. */
const TRAPPED = `#!/bin/bash
trap "echo shell >> out.$SLURM_JOB_ID" TERM
srun -n2 -N2 bash -c 'trap "echo USR1 >> out.$SLURM_JOB_ID" USR1; trap "" TERM; echo up >> up.$SLURM_JOB_ID; while :; do sleep 0.1; done' &
echo up >> up.$SLURM_JOB_ID
while :; do sleep 0.1; done
`;

for (const release of liveReleases('22.05', '26.05')) {
  const hasBackup = release === '22.05';
  describeLive(`slurmwire on ${release}`, { release, nodes: 2, backup: hasBackup }, (live) => {
    const run = (argv: readonly string[], user: 'alice' | 'root' = 'alice'): Promise<Ran> => {
      const { cluster } = live();
      const as = user === 'root' ? {} : { uid: cluster.users.alice.uid, gid: cluster.users.alice.gid };
      const env = { PATH: process.env.PATH, SLURM_CONF: cluster.slurmConf };
      const startedAt = performance.now();
      return new Promise((resolve) => {
        const options = { ...as, env, cwd: '/', timeout: 60_000 };
        execFile(process.execPath, [MAIN, ...argv], options, (error, stdout, stderr) => {
          const code = error === null ? 0 : Number(error.code);
          resolve({ code, stdout, stderr, elapsedMs: performance.now() - startedAt });
        });
      });
    };
    const doctor = async (...argv: string[]) => {
      const ran = await run(['doctor', '--json', ...argv]);
      const { healthy, findings } = JSON.parse(ran.stdout);
      // biome-ignore lint/suspicious/noExplicitAny: JSON, asserted on below
      const of = (check: string): any => findings.find((one: any) => one.check === check);
      for (const { verdict, advice } of findings) {
        if (verdict === 'problem' || verdict === 'warning') expect(advice).toMatch(/\S/);
      }
      return { ...ran, healthy, findings, of };
    };

    let job = 0;
    beforeAll(async () => {
      const { cluster, run: submit, output } = live();
      job = await submit(TRAPPED, ['-N2', '-n2']);
      const isUp = async () => lines(await output(`up.${job}`)).length === 3;
      await cluster.waitFor(isUp, 30_000, 'its shell and both tasks to be up');
    });

    test('doctor: all is well, for alice and for root', async () => {
      const { code, of, findings, stderr } = await doctor();
      expect(findings.filter(({ verdict }: { verdict: string }) => verdict === 'problem')).toEqual([]);
      expect([code, stderr]).toEqual([0, '']);
      const { alice } = live().cluster.users;
      expect(of('configuration').summary).toContain('SLURM_CONF');
      expect(of('munged').details).toMatchObject({ uid: alice.uid, socket: live().cluster.mungeSocket });
      expect(of('libmunge').verdict).toBe('ok');
      expect(of('controller').details).toMatchObject({ inCharge: true, protocol: release, role: 'primary' });
      expect(of('controller').details.version).toMatch(new RegExp(`^${release}\\.`));
      // Both clocks are this host's.
      const { atLeastMs, atMostMs } = of('clock').details;
      expect([of('clock').verdict, atLeastMs <= 0, atMostMs >= 0]).toEqual(['ok', true, true]);
      expect(of('identity').details).toMatchObject({ uid: alice.uid, rank: 'user' });
      expect(of('slurmd')).toMatchObject({ verdict: 'ok', details: { asked: ['n1', 'n2'] } });
      if (hasBackup)
        expect(findings.filter(({ check }: { check: string }) => check === 'controller')).toHaveLength(2);
      const root = await run(['doctor'], 'root');
      expect(root.stdout).toContain('root may signal every job');
      expect(root.code).toBe(0);
    });

    test('probe, ping, explain', async () => {
      const probe = await run(['probe', `${job}`, `${job}.0`, '99999']);
      expect([probe.code, lines(probe.stdout)]).toEqual([
        5,
        [
          expect.stringMatching(
            new RegExp(`^${job}: RUNNING on n\\[1-2\\]; uid \\d+, yours; you may signal it$`),
          ),
          expect.stringMatching(new RegExp(`^${job}\\.0: RUNNING on n\\[1-2\\]`)),
          "99999: does not exist (somebody else's may be hidden from you)",
        ],
      ]);
      const ping = await run(['ping']);
      expect(ping.stdout).toMatch(
        new RegExp(`\\(primary\\) is UP: Slurm ${release}\\.\\d+, protocol ${release}, `),
      );
      expect(ping.code).toBe(0);
      const explain = await run(['explain', 'signal', '-s', 'USR1', `${job}`]);
      expect(explain.stdout).toContain(
        `${job}.0 (RUNNING) gets the signal: all processes of the step on n1, n2`,
      );
      expect(explain.code).toBe(0);
    });

    test('signal: each node answers, and the processes have it', async () => {
      const { cluster, output } = live();
      const { code, stdout, stderr } = await run(['signal', '-s', 'USR1', `${job}.0`]);
      expect([code, stderr]).toEqual([0, '']);
      expect(lines(stdout)).toEqual([
        `${job}.0: SIGUSR1 was taken by 2 of 2 nodes`,
        expect.stringMatching(/^ {2}n1 .* accepted {2}\d+ ms$/),
        expect.stringMatching(/^ {2}n2 .* accepted {2}\d+ ms$/),
      ]);
      const isThere = async () =>
        lines(await output(`out.${job}`)).filter((line) => line === 'USR1').length === 2;
      await cluster.waitFor(isThere, 10_000, 'SIGUSR1 at both tasks');
    });

    test('terminate: what is trapped is told of, then killed', async () => {
      const { output } = live();
      const { code, stdout, stderr } = await run(['terminate', '--ladder', 'TERM:2s,KILL', `${job}`]);
      expect(lines(stderr)).toEqual(
        expect.arrayContaining([
          `${job}: SIGTERM to its steps: accepted`,
          `${job}: SIGTERM to its batch shell: accepted`,
          expect.stringMatching(new RegExp(`^${job}: has 2 s to end: RUNNING on n\\[1-2\\]$`)),
          expect.stringMatching(new RegExp(`^${job}: is still there: RUNNING`)),
          `${job}: SIGKILL to the job: accepted`,
          `${job}: is gone`,
        ]),
      );
      expect(stdout).toMatch(new RegExp(`^${job}: gone after `));
      expect(code).toBe(0);
      expect(lines(await output(`out.${job}`))).toContain('shell');
    });

    test('doctor: munged stopped, munged silent', async () => {
      const { cluster } = live();
      await cluster.stopMunged();
      try {
        const stopped = await doctor();
        expect(stopped.code).toBe(1);
        expect(stopped.of('munged')).toMatchObject({ verdict: 'problem' });
        expect(stopped.of('munged').advice).toMatch(/munged/);
        expect(stopped.of('controller').verdict).toBe('skipped');
      } finally {
        await cluster.startMunged();
      }
      await cluster.pauseDaemon('munged');
      try {
        const silent = await doctor('--timeout', '1s');
        expect([silent.code, silent.of('munged').verdict]).toEqual([1, 'problem']);
        // libmunge is not called, which would keep the process for 10 s.
        expect(silent.elapsedMs).toBeLessThan(6_000);
      } finally {
        await cluster.resumeDaemon('munged');
      }
      expect((await doctor()).code).toBe(0);
    });

    test('doctor: a controller that is silent or stopped, a wrong slurm.conf, another SlurmUser', async () => {
      const { cluster } = live();
      await cluster.pauseDaemon('slurmctld');
      try {
        const silent = await doctor('--timeout', '1s');
        expect(silent.code).toBe(1);
        expect(silent.of('controller')).toMatchObject({
          verdict: 'problem',
          details: { errno: 'ETIMEDOUT' },
        });
      } finally {
        await cluster.resumeDaemon('slurmctld');
      }
      // Where a backup would take over, that is another test's.
      if (!hasBackup) {
        await cluster.stopDaemon('slurmctld');
        try {
          const stopped = await doctor();
          expect(stopped.code).toBe(1);
          expect(stopped.of('controller')).toMatchObject({
            verdict: 'problem',
            details: { errno: 'ECONNREFUSED' },
          });
          expect(stopped.of('clock').verdict).toBe('skipped');
        } finally {
          await cluster.startDaemon('slurmctld');
        }
      }
      const text = (await cluster.exec(['cat', cluster.slurmConf], { user: 'root' })).stdout;
      const write = async (name: string, changed: string) => {
        const file = join(cluster.workDirectory, name);
        await writeFile(file, changed);
        return file;
      };
      const port = await doctor(
        '--conf',
        await write('port.conf', text.replace(/^SlurmctldPort=.*$/m, 'SlurmctldPort=1')),
      );
      expect([port.code, port.of('controller').details.errno]).toEqual([1, 'ECONNREFUSED']);
      const user = await doctor(
        '--conf',
        await write('user.conf', text.replace(/^SlurmUser=.*$/m, `SlurmUser=${cluster.users.bob.uid}`)),
      );
      expect([user.code, user.of('controller').details]).toMatchObject([
        1,
        { slurmUserId: cluster.users.slurm.uid, configured: cluster.users.bob.uid },
      ]);
      const none = await doctor('--conf', '/nonexistent/slurm.conf', '--munge-socket', cluster.mungeSocket);
      expect([none.code, none.of('configuration').verdict, none.of('munged').verdict]).toEqual([
        1,
        'problem',
        'ok',
      ]);
    });
  });
}
