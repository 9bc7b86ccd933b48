/** The five calls of slurm_kill_job(3) beside libslurm's own, on the same jobs: same effect, same number, or a difference meant so (docs/libslurm.md). */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { type LibslurmAnswer, LibslurmPeer } from '../../lab/libslurm-peer.js';
import { type Release, SPECIAL_STEP_IDS } from '../../src/protocol/index.js';
import { lines, startListeningJob } from './support/listening-job.js';
import { describeReal } from './support/live.js';

const SOURCE = fileURLToPath(new URL('./support/libslurm-peer.c', import.meta.url));
const SIGNALS = { USR1: 10, USR2: 12, KILL: 9 } as const;
type Signal = keyof typeof SIGNALS;
const { SLURM_BATCH_SCRIPT } = SPECIAL_STEP_IDS;

/** One call as libslurm and as slurmwire have it. */
interface Pair {
  readonly libslurm: readonly [string, ...(string | number)[]];
  readonly slurmwire: readonly [string, unknown[]];
}

const PAIRS = {
  kill_job: (job: number, _step: number, signal: Signal): Pair => ({
    libslurm: ['kill_job', job, SIGNALS[signal], 0],
    slurmwire: ['killJob', [job, signal]],
  }),
  kill_job2: (job: number, _step: number, signal: Signal): Pair => ({
    libslurm: ['kill_job2', `${job}`, SIGNALS[signal], 0],
    slurmwire: ['killJob', [`${job}`, signal]],
  }),
  kill_job_step: (job: number, step: number, signal: Signal): Pair => ({
    libslurm: ['kill_job_step', job, step, SIGNALS[signal]],
    slurmwire: ['killJobStep', [stepName(job, step), signal]],
  }),
  signal_job: (job: number, _step: number, signal: Signal): Pair => ({
    libslurm: ['signal_job', job, SIGNALS[signal]],
    slurmwire: ['signalJob', [job, signal]],
  }),
  signal_job_step: (job: number, step: number, signal: Signal): Pair => ({
    libslurm: ['signal_job_step', job, step, SIGNALS[signal]],
    slurmwire: ['signalJobStep', [stepName(job, step), signal]],
  }),
  terminate_job_step: (job: number, step: number): Pair => ({
    libslurm: ['terminate_job_step', job, step],
    slurmwire: ['terminateJobStep', [stepName(job, step)]],
  }),
};
type Name = keyof typeof PAIRS;
const NAMES = Object.keys(PAIRS) as Name[];
const STEP_NAMES: Name[] = ['kill_job_step', 'signal_job_step', 'terminate_job_step'];

/** What was said: 0, Slurm's number, our code where there is no number, or `-1` for libslurm's -1 with errno untouched. */
type Said = number | string;

const RELEASES: readonly Release[] = ['20.11', '22.05', '24.11', '26.05'];

for (const release of RELEASES) {
  // Since 23.11 libslurm's step calls no longer ask for the allocation, so they meet no refusal on the way to a step that is not there.
  const asksForAllocation = release < '23.11';

  describeReal(`libslurm ${release} and slurmwire side by side`, { release }, (live) => {
    const options = { protocol: release };
    let peer: LibslurmPeer;
    let listening = 0;

    beforeAll(async () => {
      const { cluster } = live();
      peer = await LibslurmPeer.build(cluster, SOURCE);
      listening = await startListeningJob(live());
    });

    /** Both calls on the same target: one answer where they agree, else libslurm's and slurmwire's. */
    async function both(
      name: Name,
      [job, step = 0]: [job: number, step?: number],
      { user = 'alice', env = {} }: { user?: 'alice' | 'bob'; env?: Record<string, string> } = {},
    ): Promise<Said | [libslurm: Said, slurmwire: Said]> {
      // Two signals tell in the output who sent what.
      const { libslurm } = PAIRS[name](job, step, 'USR1');
      const theirs = libslurmSaid(await peer.call(user, libslurm, env));
      const ours = await slurmwire(user, PAIRS[name](job, step, 'USR2').slurmwire);
      return theirs === ours ? ours : [theirs, ours];
    }

    async function slurmwire(user: 'alice' | 'bob', [method, args]: Pair['slurmwire']): Promise<Said> {
      const { error } = await live()[user].call(method, args, options);
      return error === undefined ? 0 : (error.number ?? error.code);
    }

    async function all(
      names: readonly Name[],
      target: [job: number, step?: number],
      how: Parameters<typeof both>[2] = {},
    ): Promise<Partial<Record<Name, unknown>>> {
      const said: Partial<Record<Name, unknown>> = {};
      for (const name of names) said[name] = await both(name, target, how);
      return said;
    }

    let seen = 0;
    /** The next lines that the processes of the listening job wrote down, by signal: USR1 is libslurm's, USR2 ours. */
    async function heard(count: number): Promise<Record<'libslurm' | 'slurmwire', string[]>> {
      const { cluster, output } = live();
      const read = async () => lines(await output(`out.${listening}`)).slice(seen);
      await cluster.waitFor(async () => (await read()).length >= count, 20_000, `${count} signals`);
      const fresh = (await read()).sort();
      seen += fresh.length;
      const by = (signal: Signal) =>
        fresh.filter((line) => line.endsWith(signal)).map((line) => line.split(' ')[0] ?? '');
      return { libslurm: by('USR1'), slurmwire: by('USR2') };
    }

    const alike = (processes: string[]) => ({ libslurm: processes, slurmwire: processes });
    const STEP_0 = ['0.0', '0.1', '0.2', '0.3'];
    const STEP_1 = ['1.0', '1.1'];

    test('signals reach the same processes', async () => {
      expect(await both('kill_job', [listening])).toBe(0);
      expect(await heard(12)).toEqual(alike([...STEP_0, ...STEP_1]));
      expect(await both('kill_job_step', [listening, 0])).toBe(0);
      expect(await heard(8)).toEqual(alike(STEP_0));
      expect(await both('signal_job', [listening])).toBe(0);
      expect(await heard(12)).toEqual(alike([...STEP_0, ...STEP_1]));
      expect(await both('signal_job_step', [listening, 0])).toBe(0);
      expect(await heard(8)).toEqual(alike(STEP_0));
      expect(await both('signal_job_step', [listening, SLURM_BATCH_SCRIPT])).toBe(0);
      expect(await heard(2)).toEqual(alike(['batch']));
    });

    test('a step on some nodes of its job: old libslurms ask the others too, and fail though it was signalled', async () => {
      expect(await both('signal_job_step', [listening, 1])).toEqual(asksForAllocation ? [2017, 0] : 0);
      expect(await heard(4)).toEqual(alike(STEP_1));
    });

    test('jobs end', async () => {
      const { cluster, run } = live();
      const theirs = await run('sleep 1000');
      const ours = await run('sleep 1000');
      expect(libslurmSaid(await peer.call('alice', PAIRS.kill_job(theirs, 0, 'KILL').libslurm))).toBe(0);
      expect(await slurmwire('alice', PAIRS.kill_job(ours, 0, 'KILL').slurmwire)).toBe(0);
      for (const job of [theirs, ours]) await cluster.waitForJob(job, ['CANCELLED']);
    });

    test('refusals', async () => {
      const { cluster, run, alice, waitForFile } = live();
      const later = (number: number) => (asksForAllocation ? number : [0, number]);

      expect(await all(NAMES, [999_999])).toEqual({
        kill_job: 2017,
        kill_job2: 2017,
        kill_job_step: 2017,
        signal_job: 2017,
        signal_job_step: 2017,
        terminate_job_step: 2017,
      });

      const held = await cluster.submit('sleep 1000', { user: 'alice', sbatchArgs: ['--hold'] });
      expect(await all(NAMES, [held])).toEqual({
        kill_job: 2020,
        kill_job2: 2020,
        kill_job_step: 2020,
        signal_job: 2024,
        signal_job_step: later(2024),
        terminate_job_step: later(2024),
      });

      await alice.call('killJob', [held], options);
      expect(await all(NAMES, [held])).toEqual({
        kill_job: 2021,
        kill_job2: 2021,
        kill_job_step: 2021,
        signal_job: 2021,
        signal_job_step: later(2021),
        terminate_job_step: later(2021),
      });

      expect(await all(NAMES, [listening], { user: 'bob' })).toEqual({
        kill_job: 2002,
        kill_job2: 2002,
        kill_job_step: release === '26.05' ? 2002 : 2010,
        signal_job: 2010,
        signal_job_step: 2010,
        terminate_job_step: ['-1', 2010],
      });

      expect(await all(STEP_NAMES, [listening, 7])).toEqual({
        kill_job_step: 2017,
        signal_job_step: [0, 2017],
        terminate_job_step: [0, 2017],
      });

      const noSteps = await run('touch begun; sleep 1000');
      await waitForFile('begun'); // before that the node says 2017 itself
      expect(await both('signal_job', [noSteps])).toEqual([0, 2017]);
      await alice.call('killJob', [noSteps], options);

      // Not even 0 is a signal of ours: it would ask every node for nothing, and there is no signal 200.
      for (const signal of [0, 200]) {
        expect(await peer.call('alice', ['kill_job', listening, signal, 0])).toEqual({ value: 0, number: 0 });
        expect(await peer.call('alice', ['signal_job', listening, signal])).toEqual({ value: 0, number: 0 });
        for (const method of ['killJob', 'signalJob'])
          expect(await slurmwire('alice', [method, [listening, signal]])).toBe('SLURMWIRE_BAD_SIGNAL');
      }
    });

    test('a node that is down: libslurm has one number for all, and the other nodes were signalled', async () => {
      const { cluster } = live();
      // How long libslurm knocks at a closed door, 10 s at most.
      const conf = (await readFile(cluster.slurmConf, 'utf8')).replace(/^MessageTimeout=.*\n/m, '');
      const impatient = join(cluster.workDirectory, 'impatient.conf');
      await writeFile(impatient, `MessageTimeout=2\n${conf}`);
      await cluster.stopDaemon('n2');
      try {
        const how = { env: { SLURM_CONF: impatient } };
        expect(await both('signal_job_step', [listening, 0], how)).toEqual([
          1001,
          'SLURM_COMMUNICATIONS_CONNECTION_ERROR',
        ]);
        expect(await heard(6)).toEqual(alike(['0.0', '0.2', '0.3']));
        // The controller's answer says nothing of the nodes.
        expect(await both('kill_job_step', [listening, 0])).toBe(0);
        expect(await heard(6)).toEqual(alike(['0.0', '0.2', '0.3']));
      } finally {
        await cluster.startDaemon('n2');
      }
    });

    test('a suspended job', async () => {
      const { cluster } = live();
      const scontrol = (verb: string) => cluster.exec(['scontrol', verb, `${listening}`], { user: 'root' });
      await scontrol('suspend');
      await cluster.waitForJob(listening, ['SUSPENDED']);
      const unlessTerminated: Name[] = ['kill_job', 'kill_job2', 'kill_job_step', 'signal_job_step'];
      expect(await all(unlessTerminated, [listening, 0])).toEqual({
        kill_job: 2020,
        kill_job2: 2020,
        kill_job_step: 2020,
        signal_job_step: 4027,
      });
      // To a signal for all steps of a job a slurmd says 0 whatever they say, so slurmwire asks for each step.
      const { libslurm, slurmwire: ours } = PAIRS.signal_job(listening, 0, 'USR1');
      expect(await peer.call('alice', libslurm)).toEqual({ value: 0, number: 0 });
      expect(await slurmwire('alice', ours)).toBe(4027);
      await scontrol('resume');
      await cluster.waitForJob(listening, ['RUNNING']);
    });

    test('steps end, and the job goes on', async () => {
      const { cluster } = live();
      const { libslurm } = PAIRS.terminate_job_step(listening, 1);
      expect(libslurmSaid(await peer.call('alice', libslurm))).toBe(asksForAllocation ? '-1' : 0);
      expect(await slurmwire('alice', PAIRS.terminate_job_step(listening, 0).slurmwire)).toBe(0);
      const steps = async () =>
        (await cluster.exec(['squeue', '-h', '-s', '-j', `${listening}`, '-o', '%i'], { user: 'root' }))
          .stdout;
      await cluster.waitFor(async () => !/\.[01]$/m.test(await steps()), 20_000, 'both steps to end');
      expect(await cluster.jobState(listening)).toBe('RUNNING');
      // None of what was refused was delivered. A signal for the node that was down is kept by slurmctld until it is back, and
      // delivered then, perhaps twice.
      const rest = lines(await live().output(`out.${listening}`)).slice(seen);
      expect(rest.filter((line) => !line.startsWith('0.1 '))).toEqual([]);
    });
  });
}

function libslurmSaid({ value, number }: LibslurmAnswer): Said {
  if (value === 0) return 0;
  return number === 0 ? `${value}` : number;
}

function stepName(job: number, step: number): string {
  return `${job}.${step === SLURM_BATCH_SCRIPT ? 'batch' : step}`;
}
