/**
 * Slurm's own programs and its library before a real cluster of their release and before the embedded one, which they take for a real one:
 * what is expected is written down once and asked of both. The embedded cluster's munged vouches for their users.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ExecResult } from '../../lab/exec.js';
import { LibslurmPeer } from '../../lab/libslurm-peer.js';
import type { Release } from '../../src/index.js';
import { SPECIAL_STEP_IDS } from '../../src/protocol/index.js';
import {
  EmbeddedStage,
  realStage,
  type Stage,
  type StageJob,
  type StageUser,
} from './support/client-stage.js';
import { describeReal, liveReleases } from './support/live.js';

const PEER = fileURLToPath(new URL('./support/libslurm-peer.c', import.meta.url));
const NOBODYS = 4242;

/** A run of scancel: on which job, as whom, and what comes of it. */
interface Scene {
  readonly title: string;
  /** Since this release. */
  readonly since?: Release;
  readonly job?: StageJob;
  /** It is cancelled before. */
  readonly isOver?: boolean;
  readonly args: (job: number, release: Release) => readonly string[];
  readonly user?: StageUser;
  readonly input?: string;
  /** Exit code; 0 where not given. */
  readonly code?: number | ((release: Release) => number);
  readonly stdout?: (job: number) => string;
  /** What is printed, without the plugins that old ones name with -v; once where it is printed twice. */
  readonly stderr?: (job: number, release: Release) => string;
  /** Embedded cluster: which processes get the signal. */
  readonly signals?: readonly string[];
  /** What the job is then. */
  readonly state?: 'CANCELLED' | 'PENDING' | 'RUNNING';
}

const failed = (id: string | number, why: string) =>
  `scancel: error: Kill job error on job id ${id}: ${why}\n`;
const stepFailed = (id: string | number, why: string) =>
  `scancel: error: Kill job error on job step id ${id}: ${why}\n`;
const DENIED = 'Access/permission denied';
const DONE = 'Job/step already completing or completed';
const INVALID = 'Invalid job id specified';
const HELD: StageJob = { hold: true };
const RUNNING: StageJob = { nodes: 2 };
const STEPS: StageJob = { nodes: 2, steps: 2 };
const STEP_0 = ['0 tasks n1', '0 tasks n2'];
const ALL_TASKS = [...STEP_0, '1 tasks n1', '1 tasks n2'];

const scenes: readonly Scene[] = [
  { title: 'a running job', job: RUNNING, args: (job) => [`${job}`], state: 'CANCELLED' },
  { title: 'a running job with steps', job: STEPS, args: (job) => [`${job}`], state: 'CANCELLED' },
  { title: 'a held job', job: HELD, args: (job) => [`${job}`], state: 'CANCELLED' },
  { title: 'a job as root', job: HELD, args: (job) => [`${job}`], user: 'root', state: 'CANCELLED' },
  { title: 'a job that is not there', args: () => [`${NOBODYS}`] },
  {
    title: 'a job that is not there, said aloud',
    args: () => ['-v', `${NOBODYS}`],
    stderr: () => `scancel: Terminating job ${NOBODYS}\n${failed(NOBODYS, INVALID)}`,
  },
  { title: 'a job that is over', job: HELD, isOver: true, args: (job) => [`${job}`] },
  {
    title: 'a job that is over, said aloud',
    job: HELD,
    isOver: true,
    args: (job) => ['-v', `${job}`],
    stderr: (job) => `scancel: Terminating job ${job}\n${failed(job, DONE)}`,
  },
  {
    title: "somebody else's job",
    job: HELD,
    args: (job) => [`${job}`],
    user: 'bob',
    code: 210,
    stderr: (job) => failed(job, DENIED),
    state: 'PENDING',
  },
  {
    title: "somebody else's job, quietly",
    job: HELD,
    args: (job) => ['-Q', `${job}`],
    user: 'bob',
    code: 210,
    stderr: (job) => failed(job, DENIED),
    state: 'PENDING',
  },
  {
    title: 'several, of which one is not there',
    job: HELD,
    args: (job) => [`${NOBODYS}`, `${job}`],
    state: 'CANCELLED',
  },
  {
    title: 'by user, state and name',
    job: { hold: true, name: 'by-name' },
    args: () => ['-u', 'alice', '-t', 'PENDING', '-n', 'by-name'],
    state: 'CANCELLED',
  },
  {
    title: "somebody else's by user and name",
    job: { hold: true, name: 'by-other' },
    args: () => ['-u', 'alice', '-n', 'by-other'],
    user: 'bob',
    code: 210,
    stderr: (job) => failed(job, DENIED),
    state: 'PENDING',
  },
  {
    title: 'by node and name',
    job: { nodes: 2, name: 'by-node' },
    args: () => ['-w', 'n2', '-n', 'by-node'],
    state: 'CANCELLED',
  },
  {
    title: 'by node, where the job is on another',
    job: { hold: true, name: 'by-wrong-node' },
    args: () => ['-w', 'n2', '-n', 'by-wrong-node'],
    state: 'PENDING',
  },
  { title: 'in its partition', job: HELD, args: (job) => ['-p', 'main', `${job}`], state: 'CANCELLED' },
  { title: 'in another partition', job: HELD, args: (job) => ['-p', 'other', `${job}`], state: 'PENDING' },
  { title: 'in another state', job: HELD, args: (job) => ['-t', 'RUNNING', `${job}`], state: 'PENDING' },
  { title: 'in its state', job: HELD, args: (job) => ['-t', 'PENDING', `${job}`], state: 'CANCELLED' },
  { title: 'of another account', job: HELD, args: (job) => ['-A', 'other', `${job}`], state: 'PENDING' },
  { title: 'of another QOS', job: HELD, args: (job) => ['-q', 'other', `${job}`], state: 'PENDING' },
  { title: 'of another reservation', job: HELD, args: (job) => ['-R', 'other', `${job}`], state: 'PENDING' },
  {
    title: 'of another wckey',
    since: '21.08', // before, scancel crashes over jobs without one
    job: HELD,
    args: (job) => ['--wckey=other', `${job}`],
    state: 'PENDING',
  },
  {
    title: 'none that match, said aloud',
    args: () => ['-v', '-u', 'alice', '-n', 'nobody'],
    stderr: () =>
      'scancel: error: No active jobs match ALL job filters, including: job_name=nobody user_name=alice \n',
  },
  {
    title: 'asked, and no',
    job: { hold: true, name: 'asked' },
    args: (job) => ['-i', `${job}`],
    input: 'n\n',
    stdout: (job) => `Cancel job_id=${job} name=asked partition=main [y/n]? `,
    state: 'PENDING',
  },
  {
    title: 'asked, and yes',
    job: { hold: true, name: 'asked' },
    args: (job) => ['-i', `${job}`],
    input: 'y\n',
    stdout: (job) => `Cancel job_id=${job} name=asked partition=main [y/n]? `,
    state: 'CANCELLED',
  },
  { title: 'without staging out', job: HELD, args: (job) => ['--hurry', `${job}`], state: 'CANCELLED' },
  { title: 'with its batch shell', job: RUNNING, args: (job) => ['-f', `${job}`], state: 'CANCELLED' },

  { title: 'a task of an array', job: { hold: true, array: '1-3' }, args: (job) => [`${job}_1`] },
  {
    title: 'all tasks of an array',
    job: { hold: true, array: '1-3' },
    args: (job) => [`${job}`],
    state: 'CANCELLED',
  },
  { title: 'a task that the array has not', job: { hold: true, array: '1-3' }, args: (job) => [`${job}_9`] },
  {
    title: 'a heterogeneous job',
    job: { hold: true, components: 2 },
    args: (job) => [`${job}`],
    state: 'CANCELLED',
  },
  {
    title: 'a component of a pending heterogeneous job',
    job: { hold: true, components: 2 },
    args: (job) => [`${job}+1`],
    code: 60,
    stderr: (job) =>
      failed(`${job}+1`, 'Operation not permitted on individual component of heterogeneous job'),
    state: 'PENDING',
  },

  {
    title: 'a signal',
    job: STEPS,
    args: (job) => ['-s', 'URG', `${job}`],
    signals: ALL_TASKS,
    state: 'RUNNING',
  },
  {
    title: 'a signal to the batch shell',
    job: STEPS,
    args: (job) => ['-b', '-s', 'URG', `${job}`],
    signals: ['batch shell n1'],
    state: 'RUNNING',
  },
  {
    title: 'a signal to all of it',
    job: STEPS,
    args: (job) => ['-f', '-s', 'URG', `${job}`],
    signals: ['batch group n1'],
    state: 'RUNNING',
  },
  {
    title: "a signal to somebody else's",
    job: RUNNING,
    args: (job) => ['-s', 'URG', `${job}`],
    user: 'bob',
    code: 210,
    stderr: (job) => failed(job, DENIED),
    state: 'RUNNING',
  },
  {
    title: 'a signal to a job that is over',
    job: HELD,
    isOver: true,
    args: (job) => ['-s', 'URG', `${job}`],
    code: 1,
    stderr: (job) => failed(job, INVALID),
  },
  {
    title: 'a signal to a step',
    job: STEPS,
    args: (job) => ['-s', 'URG', `${job}.0`],
    signals: STEP_0,
    state: 'RUNNING',
  },
  {
    title: 'a signal to a step, by slurmctld',
    job: STEPS,
    args: (job) => ['--ctld', '-s', 'URG', `${job}.0`],
    signals: STEP_0,
    state: 'RUNNING',
  },
  { title: 'a signal to a step that is not there', job: STEPS, args: (job) => ['-s', 'URG', `${job}.7`] },
  {
    title: "a signal to somebody else's step",
    job: STEPS,
    args: (job) => ['-s', 'URG', `${job}.0`],
    user: 'bob',
    code: 218,
    signals: [],
    stderr: (job) => stepFailed(job, 'Invalid user id'),
    state: 'RUNNING',
  },
  {
    title: 'a step that is not there',
    job: STEPS,
    args: (job) => [`${job}.7`],
    code: 225,
    stderr: (job) => stepFailed(job, INVALID),
    state: 'RUNNING',
  },
  {
    title: 'a step of a job that is over',
    job: HELD,
    isOver: true,
    args: (job) => [`${job}.0`],
    code: 1,
    stderr: (job) => stepFailed(`${job}.0`, INVALID),
  },

  {
    title: 'KILL_JOBS: a job',
    since: '23.11',
    job: HELD,
    args: (job) => ['--ctld', `${job}`],
    state: 'CANCELLED',
  },
  { title: 'KILL_JOBS: no such job', since: '23.11', args: () => ['--ctld', `${NOBODYS}`] },
  {
    title: 'KILL_JOBS: one of two is not there',
    since: '23.11',
    job: HELD,
    args: (job) => ['--ctld', `${NOBODYS}`, `${job}`],
    state: 'CANCELLED',
  },
  {
    title: 'KILL_JOBS: by user and name',
    since: '23.11',
    job: { hold: true, name: 'by-ctld' },
    args: () => ['--ctld', '-u', 'alice', '-n', 'by-ctld'],
    state: 'CANCELLED',
  },

  {
    title: 'nothing',
    args: () => [],
    code: 1,
    stderr: () => 'scancel: error: No job identification provided\n',
  },
  { title: 'no number', args: () => ['abc'], code: 1, stderr: () => 'scancel: error: Invalid job id abc\n' },
  { title: 'no signal', args: () => ['-s', 'FOO', '1'], code: 1, stderr: () => 'Unknown job signal: FOO\n' },
  {
    title: 'a step by name',
    job: HELD,
    args: (job) => [`${job}.batch`],
    code: 1,
    stderr: (job) => `scancel: error: Invalid job id ${job}.batch\n`,
  },
];

for (const release of liveReleases('22.05', '26.05')) {
  describeReal(`clients of ${release}`, { release, nodes: 2, parameters: { KillWait: '3' } }, (live) => {
    let real: Stage;
    let embedded: EmbeddedStage;

    beforeAll(async () => {
      real = realStage(live().cluster);
      embedded = await EmbeddedStage.open(release);
    });
    afterAll(() => embedded?.close());

    describe.each(['real', 'embedded'] as const)('before the %s cluster', (which) => {
      const stage = () => (which === 'real' ? real : embedded);
      /** Whatever a test leaves. */
      const clear = async () => {
        for (const user of ['alice', 'bob']) await stage().run(['scancel', '-u', user], { user: 'root' });
      };
      const said = async (argv: readonly string[], user?: StageUser) =>
        (await stage().run(argv, user === undefined ? {} : { user })).stdout;

      describe('scancel', () => {
        afterAll(clear);

        test.each(scenes.filter(({ since = '20.11' }) => release >= since))('$title', async (scene) => {
          const { args, user = 'alice', input = '', stdout = none, stderr = none, code = 0 } = scene;
          const job = scene.job === undefined ? 0 : await stage().submit(scene.job);
          if (scene.isOver) {
            await stage().run(['scancel', `${job}`]);
            await stage().waitForState(job, 'CANCELLED');
          }
          const result = await stage().run(['scancel', ...args(job, release)], { user, input });
          expect(tidy(result)).toEqual({
            code: typeof code === 'number' ? code : code(release),
            stdout: stdout(job),
            stderr: stderr(job, release),
          });
          if (scene.state !== undefined) await stage().waitForState(job, scene.state);
          if (scene.signals !== undefined && which === 'embedded')
            expect(signalsOf(embedded, job, URG)).toEqual(scene.signals);
          if (scene.job?.nodes !== undefined) await clear();
        });

        test('tasks of an array go, others stay', async () => {
          const job = await stage().submit({ hold: true, array: '1-6' });
          await stage().run(['scancel', `${job}_2`]);
          await stage().run(['scancel', `${job}_[4-5]`]);
          const left = await said(['squeue', '-h', '-r', '-j', `${job}`, '-o', '%K']);
          expect(left.trim().split('\n').sort()).toEqual(['1', '3', '6']);
        });

        test('steps go, others stay', async () => {
          const job = await stage().submit({ nodes: 2, steps: 3 });
          const steps = async () => {
            const list = await said(['squeue', '-h', '-s', '-j', `${job}`, '-o', '%i']);
            return list.trim().split('\n').sort();
          };
          expect(await steps()).toEqual([`${job}.0`, `${job}.1`, `${job}.2`, `${job}.batch`]);
          expect(await stage().run(['scancel', `${job}.1`])).toMatchObject({ code: 0 });
          await expect.poll(steps, { timeout: 10_000 }).toEqual([`${job}.0`, `${job}.2`, `${job}.batch`]);
          expect(await stage().run(['scancel', '-s', 'KILL', `${job}.2`])).toMatchObject({ code: 0 });
          await expect.poll(steps, { timeout: 10_000 }).toEqual([`${job}.0`, `${job}.batch`]);
          await clear();
        });
      });

      describe('squeue, sinfo and scontrol', () => {
        let [two, held, array, het, bobs] = [0, 0, 0, 0, 0];

        beforeAll(async () => {
          two = await stage().submit({ nodes: 2, steps: 1, name: 'two' });
          bobs = await stage().submit({ user: 'bob', name: 'bobs' });
          held = await stage().submit({ hold: true, name: 'held' });
          array = await stage().submit({ hold: true, array: '1-4', name: 'array' });
          het = await stage().submit({ hold: true, components: 2, name: 'het' });
        });
        afterAll(clear);

        const rows = async (...args: string[]) => {
          const { code, stdout, stderr } = await stage().run(['squeue', '-h', ...args]);
          expect([code, stderr]).toEqual([0, '']);
          return stdout
            .split('\n')
            .filter((line) => line !== '')
            .map((line) => line.trimEnd())
            .sort();
        };
        const all = () =>
          [
            `${two} main two alice RUNNING 2 n[1-2]`,
            `${bobs} main bobs bob RUNNING 1 n1`,
            `${held} main held alice PENDING 1 (JobHeldUser)`,
            `${array}_[1-4] main array alice PENDING 1 (JobHeldUser)`,
            `${het}+0 main het alice PENDING 1 (JobHeldUser)`,
            `${het}+1 main het alice PENDING 1 (JobHeldUser)`,
          ].sort();
        const FORMAT = ['-o', '%i %P %j %u %T %D %R'];

        test('the jobs', async () => {
          expect(await rows(...FORMAT)).toEqual(all());
          expect(await rows('-a', ...FORMAT)).toEqual(all());
          expect(await rows('-u', 'bob', ...FORMAT)).toEqual(all().filter((row) => row.includes(' bob ')));
          expect(await rows('-j', `${held}`, ...FORMAT)).toEqual(
            all().filter((row) => row.includes(' held ')),
          );
          const both = all().filter((row) => / (held|two) /.test(row));
          expect(await rows('-j', `${held},${two}`, ...FORMAT)).toEqual(both);
          expect(await rows('-t', 'RUNNING', ...FORMAT)).toEqual(
            all().filter((row) => row.includes('RUNNING')),
          );
          expect(await rows('-w', 'n2', ...FORMAT)).toEqual(all().filter((row) => row.includes(' two ')));
          expect(await rows('-n', 'bobs', ...FORMAT)).toEqual(all().filter((row) => row.includes(' bobs ')));
          expect(await rows('-p', 'other', ...FORMAT)).toEqual([]);
          expect(await rows('-r', '-j', `${array}`, '-o', '%i %K %F')).toEqual(
            [1, 2, 3, 4].map((task) => `${array}_${task} ${task} ${array}`),
          );
          const long = ['JobID', 'State', 'NumNodes', 'UserName', 'NodeList', 'BatchHost'];
          expect(await rows('-j', `${two}`, '-O', long.map((name) => `${name}:|`).join())).toEqual([
            [two, 'RUNNING', 2, 'alice', 'n[1-2]', 'n1', ''].join('|'),
          ]);
        });

        test('the jobs in the usual format', async () => {
          const { code, stdout } = await stage().run(['squeue', '-j', `${held}`]);
          expect([code, stdout.split('\n')]).toEqual([
            0,
            [
              '             JOBID PARTITION     NAME     USER ST       TIME  NODES NODELIST(REASON)',
              `${`${held}`.padStart(18)}      main     held    alice PD       0:00      1 (JobHeldUser)`,
              '',
            ],
          ]);
          expect(await stage().run(['squeue', '-l', '-j', `${held}`])).toMatchObject({
            code: 0,
            stdout: expect.stringContaining('TIME_LIMI  NODES NODELIST(REASON)\n'),
          });
          expect(await stage().run(['squeue', '--start'])).toMatchObject({ code: 0, stderr: '' });
        });

        test('the steps', async () => {
          const steps = await rows('-s', '-j', `${two}`, '-o', '%i %j %P %u %N');
          expect(steps).toEqual([`${two}.0 sleep main alice n[1-2]`, `${two}.batch batch main alice n1`]);
        });

        test.runIf(release >= '24.05')('states alone', async () => {
          expect(await rows('--only-job-state', '-j', `${two}`)).toEqual([
            expect.stringMatching(`${two} +R$`),
          ]);
        });

        test('a job that is not there', async () => {
          expect(await stage().run(['squeue', '-j', `${NOBODYS}`])).toMatchObject({
            code: 1,
            stderr: 'slurm_load_jobs error: Invalid job id specified\n',
          });
          expect(await stage().run(['scontrol', 'show', 'job', `${NOBODYS}`])).toMatchObject({
            code: 1,
            stderr: 'slurm_load_jobs error: Invalid job id specified\n',
          });
        });

        test('nodes and partitions', async () => {
          const sinfo = async (...args: string[]) => (await said(['sinfo', '-h', ...args])).trim();
          expect(await sinfo('-o', '%P %D %T %N %a %l')).toBe('main* 2 mixed n[1-2] up infinite');
          expect(await sinfo('-N', '-o', '%N %T %c %m')).toBe('n1 mixed 16 16000\nn2 mixed 16 16000');
          expect(await stage().run(['sinfo', '-T'])).toMatchObject({
            code: 0,
            stdout: 'No reservations in the system\n',
          });
          expect(await said(['scontrol', 'show', 'partition', 'other'])).toBe('Partition other not found\n');
          expect(await said(['scontrol', 'show', 'node', 'other'])).toBe('Node other not found\n');
        });

        test('ping', async () => {
          expect(await stage().run(['scontrol', 'ping'])).toEqual({
            code: 0,
            stdout: expect.stringMatching(/^Slurmctld\(primary\) at \w+ is UP\n$/),
            stderr: '',
          });
        });
      });
    });

    describe('what is shown of the same things', () => {
      const stages = () => [real, embedded];

      test.each([
        ['scontrol -o show job', ['scontrol', '-o', '-d', 'show', 'job'], JOB_KEYS],
        ['scontrol -o show node', ['scontrol', '-o', 'show', 'node', 'n1'], NODE_KEYS],
        ['scontrol -o show partition', ['scontrol', '-o', 'show', 'partition'], PARTITION_KEYS],
        ['scontrol -o show step', ['scontrol', '-o', 'show', 'step'], STEP_KEYS],
      ] as const)('%s', async (_, argv, others) => {
        const shown: Record<string, string | undefined>[] = [];
        for (const stage of stages()) {
          const job = await stage.submit({ nodes: 2, steps: 1, name: 'shown' });
          const what = argv.at(-1) === 'job' ? [`${job}`] : argv.at(-1) === 'step' ? [`${job}.0`] : [];
          const { code, stdout } = await stage.run([...argv, ...what]);
          expect(code).toBe(0);
          shown.push(
            Object.fromEntries(
              [...stdout.matchAll(/([A-Za-z:/_]+)=(\S*)/g)].map(([, k = '', v]) => [
                k,
                asMainSchedulerHasIt(k, v),
              ]),
            ),
          );
          await stage.run(['scancel', `${job}`]);
          await stage.waitForState(job, 'CANCELLED');
        }
        expect(differences(shown, others)).toEqual({});
      });

      test('squeue -o %all', async () => {
        const shown: Record<string, string | undefined>[] = [];
        for (const stage of stages()) {
          const job = await stage.submit({ nodes: 2, name: 'shown' });
          const { stdout } = await stage.run(['squeue', '-j', `${job}`, '-o', '%all']);
          const [names = [], values = []] = stdout.split('\n').map((line) => line.split('|'));
          expect(values).toHaveLength(names.length);
          // Some columns have the same name: told apart by their place.
          shown.push(
            Object.fromEntries(
              names.map((name, i) => [`${i} ${name}`, asMainSchedulerHasIt(name, values[i])]),
            ),
          );
          await stage.run(['scancel', `${job}`]);
        }
        expect(differences(shown, SQUEUE_COLUMNS)).toEqual({});
      });

      test('scontrol ping of a controller that is gone', async () => {
        const answers: ExecResult[] = [];
        for (const stage of stages()) {
          await stage.stopController();
          const answer = await stage.run(['scontrol', 'ping']);
          answers.push({ ...answer, stdout: answer.stdout.replace(/ at \w+ /, ' at HOST ') });
          await stage.startController();
        }
        expect(answers[0]).toMatchObject({ stdout: 'Slurmctld(primary) at HOST is DOWN\n' });
        expect(answers[1]).toEqual(answers[0]);
      });
    });

    test('what the embedded cluster does not serve is an invalid argument', async () => {
      expect(await embedded.run(['scontrol', 'show', 'license'])).toMatchObject({
        code: 1,
        stderr: 'slurm_load_license error: Invalid argument\n',
      });
    });

    test('the embedded cluster heard its own protocol, from those who ran the programs', () => {
      const heard = embedded.cluster.requests.map(({ release: version, uid }) => `${version} ${uid}`);
      expect([...new Set(heard)].sort()).toEqual([0, 2001, 2002].map((uid) => `${release} ${uid}`));
      expect(embedded.cluster.munged).toMatchObject({ peerIdentity: 'kernel' });
      expect(embedded.cluster.munged.counts.encoded).toBeGreaterThanOrEqual(heard.length);
    });

    test('real processes of the embedded cluster end by scancel', async () => {
      await using stage = await EmbeddedStage.open(release, { jobs: 'processes' });
      const { cluster } = stage;
      const script = `#!/bin/sh\ntrap 'echo caught >> caught' USR1\necho $$ > pid\nwhile :; do sleep 0.1; done\n`;
      const { jobId } = cluster.submit({ user: 'alice', script });
      const written = (name: string) => readFile(join(cluster.workDirectory, name), 'utf8').catch(() => '');
      await expect.poll(() => written('pid'), { timeout: 20_000 }).toMatch(/\n/);
      expect(await stage.run(['scancel', '-b', '-s', 'USR1', `${jobId}`])).toMatchObject({ code: 0 });
      await expect.poll(() => written('caught'), { timeout: 20_000 }).toBe('caught\n');
      expect(await stage.run(['scancel', `${jobId}`])).toMatchObject({ code: 0 });
      await cluster.waitForJob(jobId, ({ isGone }) => isGone);
      const pid = Number(await written('pid'));
      expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
    });

    test('a standby controller, and jobs that others do not see', async () => {
      await using stage = await EmbeddedStage.open(release, { backups: 1, privateData: ['jobs'] });
      expect(await stage.run(['scontrol', 'ping'])).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(
          /^Slurmctld\(primary\) at \w+ is UP\nSlurmctld\(backup\) at \w+ is UP\n$/,
        ),
      });
      const job = await stage.submit();
      const list = ['squeue', '-h', '-o', '%i'];
      expect((await stage.run(list)).stdout).toBe(`${job}\n`);
      expect((await stage.run(list, { user: 'bob' })).stdout).toBe('');
      expect((await stage.run(list, { user: 'root' })).stdout).toBe(`${job}\n`);
    });

    describe('a C program on libslurm', () => {
      const peers = new Map<Stage, LibslurmPeer<StageUser>>();

      beforeAll(async () => {
        for (const stage of [real, embedded]) peers.set(stage, await LibslurmPeer.build(stage.place, PEER));
      });

      /** What both stages say to a call on jobs of their own. */
      async function both(
        make: (stage: Stage) => Promise<number>,
        call: (job: number) => [string, ...(string | number)[]],
        user: StageUser = 'alice',
      ): Promise<unknown> {
        const answers: unknown[] = [];
        for (const stage of [real, embedded]) {
          const job = await make(stage);
          answers.push(await peers.get(stage)?.call(user, call(job)));
          await stage.run(['scancel', '-u', 'alice'], { user: 'root' });
        }
        expect(answers[1]).toEqual(answers[0]);
        return answers[1];
      }
      const steps = (stage: Stage) => stage.submit({ nodes: 2, steps: 1 });
      const held = (stage: Stage) => stage.submit({ hold: true });
      const nothing = async () => NOBODYS;
      const OK = { value: 0, number: 0 };
      const refused = (number: number) => ({ value: -1, number });

      test('slurm_ping, slurm_load_jobs', async () => {
        expect(await both(nothing, () => ['ping', 0])).toEqual(OK);
        expect(await both(steps, () => ['load_jobs'])).toEqual({ value: 1, number: 0 });
      });

      test('slurm_kill_job', async () => {
        expect(await both(held, (job) => ['kill_job', job, 9, 0])).toEqual(OK);
        expect(await both(steps, (job) => ['kill_job', job, 9, 0])).toEqual(OK);
        expect(await both(held, (job) => ['kill_job2', `${job}`, 9, 0])).toEqual(OK);
        expect(await both(held, (job) => ['kill_job', job, 10, 0])).toEqual(refused(2020));
        expect(await both(nothing, (job) => ['kill_job', job, 9, 0])).toEqual(refused(2017));
        expect(await both(held, (job) => ['kill_job', job, 9, 0], 'bob')).toEqual(refused(2002));
      });

      test('slurm_kill_job_step, slurm_signal_job_step, slurm_terminate_job_step', async () => {
        expect(await both(steps, (job) => ['kill_job_step', job, 0, 9])).toEqual(OK);
        expect(await both(steps, (job) => ['kill_job_step', job, 7, 9])).toEqual(refused(2017));
        expect(await both(steps, (job) => ['signal_job_step', job, 0, 23])).toEqual(OK);
        await both(steps, (job) => ['signal_job_step', job, 7, 23]);
        expect(await both(steps, (job) => ['signal_job_step', job, 0, 23], 'bob')).toEqual(refused(2010));
        expect(await both(steps, (job) => ['terminate_job_step', job, 0])).toEqual(OK);
        await both(nothing, (job) => ['terminate_job_step', job, 0]);
      });

      test('slurm_signal_job', async () => {
        expect(await both(steps, (job) => ['signal_job', job, 23])).toEqual(OK);
        expect(await both(held, (job) => ['signal_job', job, 23])).toEqual(refused(2024));
        expect(await both(nothing, (job) => ['signal_job', job, 23])).toEqual(refused(2017));
        expect(await both(steps, (job) => ['signal_job', job, 23], 'bob')).toEqual(refused(2010));
      });
    });
  });
}

const none = () => '';
const URG = 23;

/** Who got a signal, once each. */
function signalsOf({ cluster }: EmbeddedStage, job: number, signal: number): string[] {
  const seen = cluster.signals.filter(({ jobId, unixSignal }) => jobId === job && unixSignal === signal);
  const { SLURM_BATCH_SCRIPT } = SPECIAL_STEP_IDS;
  const words = seen.map(
    ({ stepId, whom, node }) => `${stepId === SLURM_BATCH_SCRIPT ? 'batch' : stepId} ${whom} ${node}`,
  );
  return [...new Set(words)].sort((a, b) => (a.startsWith('batch') ? -1 : a.localeCompare(b)));
}

/** Without the plugins that old scancels name with -v, and each line once. */
function tidy({ code, stdout, stderr }: ExecResult): ExecResult {
  const lines = stderr.split(/(?<=\n)/).filter((line) => !/^scancel: \w+\/\w+: (common_)?init: /.test(line));
  return { code, stdout, stderr: [...new Set(lines)].join('') };
}

/** By key, what the real cluster shows and what the embedded one does, where that is not the same. */
function differences(
  [theirs = {}, ours = {}]: readonly Record<string, string | undefined>[],
  others: readonly string[],
): Record<string, unknown> {
  const keys = [...new Set([...Object.keys(theirs), ...Object.keys(ours)])];
  const different = keys.filter(
    (key) => theirs[key] !== ours[key] && !others.includes(key.replace(/^\d+ /, '')),
  );
  return Object.fromEntries(different.map((key) => [key, [theirs[key], ours[key]]]));
}

/** What differs between two real clusters too: numbers, times, places, machines. */
const JOB_KEYS = [
  ...['JobId', 'SLUID', 'RunTime', 'AccrueTime', 'EligibleTime', 'SubmitTime', 'StartTime', 'LastSchedEval'],
  ...['AllocNode:Sid', 'WorkDir', 'StdErr', 'StdOut', 'Priority'],
  // In the command line of sbatch.
  'name',
];
const NODE_KEYS = [
  ...['NodeHostName', 'Port', 'CPULoad', 'FreeMem', 'BootTime', 'SlurmdStartTime', 'LastBusyTime'],
];
/** Where slurm.conf has Nodes=ALL, which 23.11 and newer show as the name of a set. */
const PARTITION_KEYS = ['NodeSets'];
const STEP_KEYS = ['StepId', 'StartTime', 'SrunHost:Pid'];
const SQUEUE_COLUMNS = [
  ...['JOBID', 'ARRAY_JOB_ID', 'SLUID', 'PRIORITY', 'TIME', 'SUBMIT_TIME', 'START_TIME', 'WORK_DIR'],
];

/**
 * A job without a limit that the real one's backfill scheduler starts, which may be quicker than the main one, has a year, and so an end
 * in a year. The embedded cluster has one scheduler.
 */
function asMainSchedulerHasIt(name: string, value: string | undefined): string | undefined {
  const nextYear = `${new Date().getFullYear() + 1}-`;
  // squeue's words and scontrol's.
  if (['TIME_LIMIT', 'TIME_LEFT', 'TimeLimit'].includes(name) && /^36[45]-/.test(value ?? ''))
    return 'UNLIMITED';
  if (name === 'Scheduler' && value === 'Backfill') return 'Main';
  if (!value?.startsWith(nextYear)) return value;
  return { END_TIME: 'NONE', EndTime: 'Unknown' }[name] ?? value;
}
