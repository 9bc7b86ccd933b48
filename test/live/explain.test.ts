/** explain on live clusters: first what it says, then the call itself, and what the processes wrote down has to be the same. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ExplainableVerb, ExplainedEffect, Explanation } from '../../src/index.js';
import { lines } from './support/listening-job.js';
import { describeLive, liveReleases } from './support/live.js';

/**
 * Writes down which signals it hears, and where it is; as a batch script it has a child in its own process group that does the same. The steps' sruns
 * are started from outside: inside of the job they would pass on what they hear.
 */
const LISTENER = `#!/usr/bin/perl
use Fcntl;
$| = 1;
my $who = @ARGV ? $ENV{SLURM_STEP_ID} : fork ? 'batch' : 'child';
sub note {
  sysopen(my $f, "$_[0].$ENV{SLURM_JOB_ID}", O_WRONLY | O_APPEND | O_CREAT) or die;
  syswrite($f, "$who $ENV{SLURMD_NODENAME} $_[1]\\n");
}
for my $s (qw(USR1 USR2 HUP WINCH ALRM URG PROF VTALRM IO PWR INT XFSZ)) { $SIG{$s} = sub { note('out', $s) }; }
note('up', 'up');
sleep while 1;
`;

for (const release of liveReleases('22.05', '26.05')) {
  describeLive(`what explain says is what happens, on ${release}`, { release }, (live) => {
    const options = { protocol: release };

    async function explain(verb: ExplainableVerb, ...args: unknown[]): Promise<Explanation> {
      const { error, value } = await live().alice.call('explain', [verb, ...args], options);
      expect(error, `${verb} ${args}`).toBeUndefined();
      return value;
    }

    const call = (verb: ExplainableVerb, ...args: unknown[]) => live().alice.call(verb, args, options);

    /** What the processes that it names would write down of the signal. */
    function promised({ effects }: Explanation, signal: string): string[] {
      const who = ({ target, processes }: ExplainedEffect): string[] => {
        const [, step = ''] = target.split('.');
        if (step !== 'batch') return [step];
        return processes === 'batch-shell' ? ['batch'] : ['batch', 'child'];
      };
      return effects
        .filter(({ effect }) => effect === 'signalled')
        .flatMap((effect) =>
          effect.nodes.flatMap((node) => who(effect).map((one) => `${one} ${node} ${signal}`)),
        )
        .sort();
    }

    /** Waits until the job's processes have written down so much of the signal. */
    async function heard(id: number, signal: string, count: number): Promise<string[]> {
      const { cluster, output } = live();
      const now = async () => lines(await output(`out.${id}`)).filter((line) => line.endsWith(` ${signal}`));
      await cluster.waitFor(async () => (await now()).length >= count, 20_000, `${count} times ${signal}`);
      return (await now()).sort();
    }

    async function upTo(id: number, count: number): Promise<void> {
      const { cluster, output } = live();
      const isUp = async () => lines(await output(`up.${id}`)).length === count;
      await cluster.waitFor(isUp, 30_000, 'its processes to be up');
    }

    test('a batch job with a child, and steps on different nodes', async () => {
      const { cluster, output, run } = live();
      const file = join(cluster.workDirectory, 'listener.pl');
      await writeFile(file, LISTENER);
      const id = await run(LISTENER, ['-N4', '-n4', '--overcommit']);
      await upTo(id, 2);
      const sruns = [];
      for (const [nodes, count, up] of [
        ['n1,n2', 2, 4],
        ['n3', 1, 5],
      ] as const) {
        const step = [
          '--overlap',
          '--overcommit',
          `-N${count}`,
          `-n${count}`,
          '-w',
          nodes,
          'perl',
          file,
          'step',
        ];
        sruns.push(cluster.exec(['srun', `--jobid=${id}`, ...step], { user: 'alice', timeoutMs: 240_000 }));
        await upTo(id, up);
      }

      const said = new Map<string, string[]>();
      for (const [signal, how, verb, target, more = {}] of [
        ['USR1', ['0 n1', '0 n2', '1 n3'], 'killJob', id],
        ['USR2', ['batch n1'], 'killJob', id, { batch: true }],
        ['HUP', ['batch n1', 'child n1'], 'killJob', id, { full: true }],
        ['WINCH', ['0 n1', '0 n2', '1 n3'], 'killJob', id, { stepsOnly: true }],
        ['ALRM', ['0 n1', '0 n2'], 'killJobStep', `${id}.0`],
        ['URG', ['batch n1', 'child n1'], 'killJobStep', `${id}.batch`],
        ['PROF', ['0 n1', '0 n2', '1 n3'], 'signalJob', id],
        ['VTALRM', ['1 n3'], 'signalJobStep', `${id}.1`],
        ['IO', ['batch n1'], 'signalJobStep', `${id}.batch`],
        ['PWR', ['0 n1', '0 n2', '1 n3'], 'killJobs', [id]],
        ['INT', ['batch n1'], 'kill', id, { batch: true }],
      ] as const) {
        const explained = await explain(verb, target, signal, more);
        const expected = promised(explained, signal);
        expect(expected, signal).toEqual(how.map((one) => `${one} ${signal}`));
        const { error } = await call(verb, target, signal, more);
        expect(error, signal).toBeUndefined();
        expect(await heard(id, signal, expected.length), signal).toEqual(expected);
        said.set(signal, expected);
      }

      // One step ends, and hears nothing any more.
      const ends = await explain('terminateJobStep', `${id}.1`);
      expect(ends.effects).toMatchObject([{ target: `${id}.1`, effect: 'signalled', nodes: ['n3'] }]);
      expect((await call('terminateJobStep', `${id}.1`)).error).toBeUndefined();
      const steps = async () =>
        (await cluster.exec(['squeue', '-h', '-s', '-j', `${id}`, '-o', '%i'], { user: 'root' })).stdout;
      await cluster.waitFor(async () => !(await steps()).includes(`${id}.1`), 20_000, 'step 1 to end');
      const left = promised(await explain('killJob', id, 'XFSZ'), 'XFSZ');
      expect(left).toEqual(['0 n1 XFSZ', '0 n2 XFSZ']);
      await call('killJob', id, 'XFSZ');
      expect(await heard(id, 'XFSZ', 2)).toEqual(left);
      said.set('XFSZ', left);

      const whole = await explain('killJob', id);
      expect(whole.effects).toMatchObject([
        {
          target: `${id}`,
          state: 'RUNNING',
          effect: 'ended',
          processes: 'job',
          nodes: ['n1', 'n2', 'n3', 'n4'],
        },
      ]);
      expect(await cluster.jobState(id)).toBe('RUNNING');
      expect((await call('killJob', id)).error).toBeUndefined();
      await cluster.waitForJob(id, ['CANCELLED']);
      await Promise.all(sruns);
      // Nothing came late.
      expect(lines(await output(`out.${id}`)).sort()).toEqual([...said.values()].flat().sort());

      const over = await explain('killJob', id);
      const { error } = await call('killJob', id);
      expect(over.effects).toMatchObject([{ effect: 'refused', code: error.code }]);
      expect(error).toMatchObject({ code: 'ESLURM_ALREADY_DONE', outcome: 'refused' });
    }, 240_000);

    test('arrays, and jobs that wait', async () => {
      const { cluster } = live();
      const id = await cluster.submit(LISTENER, { user: 'alice', sbatchArgs: ['--array=0-3%1', '-n1'] });
      const running = async () =>
        (await cluster.exec(['squeue', '-h', '-j', `${id}`, '-t', 'R', '-o', '%A'], { user: 'root' })).stdout;
      await cluster.waitFor(async () => (await running()) !== '', 30_000, 'the first task to run');
      const own = Number(await running());
      await upTo(own, 2);

      const task = await explain('killJob', `${id}_0`, 'USR1', { batch: true });
      expect(task.requests).toMatchObject([{ rpc: 'REQUEST_CANCEL_JOB_STEP' }]);
      expect(task.effects).toMatchObject([{ target: `${own}.batch`, jobId: own, effect: 'signalled' }]);
      expect((await call('killJob', `${id}_0`, 'USR1', { batch: true })).error).toBeUndefined();
      expect(await heard(own, 'USR1', 1)).toEqual(promised(task, 'USR1'));

      // The one number of the answer is that of the tasks that wait.
      const all = await explain('killJob', id, 'USR2', { batch: true });
      const { error } = await call('killJob', id, 'USR2', { batch: true });
      const refused = all.effects.filter(({ effect }) => effect === 'refused');
      expect(refused).toMatchObject([{ target: `${id}_[1-3]`, code: error.code }]);
      expect(await heard(own, 'USR2', 1)).toEqual(promised(all, 'USR2'));

      // Some of the tasks that wait, and no others.
      const some = await explain('killJob', `${id}_[2-3]`);
      expect(some.effects).toMatchObject([{ target: `${id}_[2-3]`, effect: 'cancelled', nodes: [] }]);
      expect((await call('killJob', `${id}_[2-3]`)).error).toBeUndefined();
      expect(
        (await explain('killJob', id)).effects.map(({ target, effect }) => [target, effect]).sort(),
      ).toEqual(
        expect.arrayContaining([
          [`${id}_0`, 'ended'],
          [`${id}_[1]`, 'cancelled'],
        ]),
      );
      await call('killJob', id);

      const held = await cluster.submit('sleep 1000', { user: 'alice', sbatchArgs: ['--hold'] });
      for (const [target, ...args] of [
        [held, 'USR1'],
        [`${held}.0`, 'USR1'],
        [999_999, 'USR1'],
      ] as const) {
        const verb = String(target).includes('.') ? 'killJobStep' : 'killJob';
        const said = await explain(verb, target, ...args);
        expect(said.effects).toMatchObject([
          { effect: 'refused', code: (await call(verb, target, ...args)).error.code },
        ]);
      }
      expect((await explain('killJob', held)).effects).toMatchObject([
        { effect: 'cancelled', state: 'PENDING' },
      ]);
      expect(await cluster.jobState(held)).toBe('PENDING');
      expect((await call('killJob', held)).error).toBeUndefined();
      await cluster.waitForJob(held, ['CANCELLED']);
    }, 120_000);
  });
}
