/** suspend, resume, requeue and notify on the real slurmctld of every release the lab has. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isAtLeast, type Release } from '../../src/protocol/index.js';
import { Actor } from './support/actor.js';
import { describeLive } from './support/live.js';

const LONG = 'sleep 1000';
/** Counts in a file as long as it is not stopped. */
const COUNTING = 'echo $$ > pid.$SLURM_JOB_ID\nwhile :; do echo x >> ticks.$SLURM_JOB_ID; sleep 0.05; done';

for (const release of ['20.11', '22.05', '24.11', '26.05'] as const satisfies Release[]) {
  // Heterogeneous jobs are started by the backfill scheduler alone, which by default looks every 30 s.
  const parameters = { SchedulerParameters: 'batch_sched_delay=0,bf_interval=1' };
  describeLive(`job control on a live ${release}`, { release, parameters }, (live) => {
    const ownerMaySuspend = isAtLeast(release, '26.05');
    /** SlurmUser: an operator. */
    let operator: Actor;

    beforeAll(async () => {
      const { cluster } = live();
      operator = await Actor.start(cluster.users.slurm, { conf: cluster.slurmConf });
    });
    afterAll(() => operator?.stop());

    type Who = 'alice' | 'bob' | 'operator';
    async function call(who: Who, method: string, ...args: unknown[]) {
      const actor = who === 'operator' ? operator : live()[who];
      const { value, error } = await actor.call(method, args, { protocol: release });
      return value ?? error;
    }

    async function inQueue(id: number, format: string): Promise<string[]> {
      const argv = ['squeue', '-h', '-r', '-t', 'all', '-j', `${id}`, '-o', format];
      const { stdout } = await live().cluster.exec(argv, { user: 'root' });
      return stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => line.trim())
        .sort();
    }
    const states = (id: number) => inQueue(id, '%i %T');

    async function waitForStates(id: number, wanted: readonly string[]): Promise<void> {
      let seen: string[] = [];
      const arrived = async () => {
        seen = await states(id);
        return seen.join() === wanted.join();
      };
      await live()
        .cluster.waitFor(arrived, 20_000, `the states ${wanted}`)
        .catch((error) => {
          throw new Error(`${error.message}; they are ${seen}`);
        });
    }

    const submit = (script: string, sbatchArgs: readonly string[] = []) =>
      live().cluster.submit(script, { user: 'alice', sbatchArgs });
    /** Submits a job and waits until its script runs: RUNNING comes earlier, and what is sent in between may be lost or late. */
    async function runScript(): Promise<number> {
      const id = await live().run(`touch running.$SLURM_JOB_ID\n${LONG}`);
      await live().waitForFile(`running.${id}`);
      return id;
    }
    const cancel = (id: number) => live().cluster.exec(['scancel', `${id}`], { user: 'root' });

    const refused = (code: string, number: number) => ({
      name: 'SlurmServerError',
      code,
      number,
      outcome: 'refused',
      protocol: release,
    });

    /** T for stopped, S or R otherwise. */
    async function processState(pid: number): Promise<string> {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
      return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
    }

    test('suspend stops the processes, resume lets them go on', async () => {
      const { cluster, run, output, waitForFile } = live();
      const id = await run(COUNTING);
      await waitForFile(`ticks.${id}`);
      for (const who of ownerMaySuspend ? (['bob'] as const) : (['bob', 'alice'] as const)) {
        const denied = await call(who, 'suspend', id);
        expect(denied).toMatchObject({ ...refused('ESLURM_ACCESS_DENIED', 2002), errno: 'EPERM' });
        expect(denied.hint).toContain('26.05');
      }
      expect(await cluster.jobState(id)).toBe('RUNNING');

      const who = ownerMaySuspend ? 'alice' : 'operator';
      expect(await call(who, 'suspend', id)).toMatchObject({
        outcome: 'accepted',
        rpc: 'REQUEST_SUSPEND',
        target: `${id}`,
        protocol: release,
        authenticated: !isAtLeast(release, '23.02'),
        message: null,
        parts: [],
      });
      expect(await cluster.jobState(id)).toBe('SUSPENDED');
      const pid = await shellOf(id);
      // D: its child was stopped between vfork and exec, for which it waits.
      const isStopped = async () => ['T', 'D'].includes(await processState(pid));
      await cluster.waitFor(isStopped, 20_000, 'the shell to be stopped');
      // Once more is accepted too.
      expect(await call(who, 'suspend', id)).toMatchObject({ outcome: 'accepted' });

      expect(await call('bob', 'resume', id)).toMatchObject(refused('ESLURM_ACCESS_DENIED', 2002));
      expect(await cluster.jobState(id)).toBe('SUSPENDED');
      const before = (await output(`ticks.${id}`)).length;
      expect(await call(who, 'resume', id)).toMatchObject({ outcome: 'accepted', parts: [] });
      expect(await cluster.jobState(id)).toBe('RUNNING');
      await cluster.waitFor(
        async () => (await output(`ticks.${id}`)).length > before + 2,
        20_000,
        'the job to go on',
      );
      expect(await processState(pid)).not.toBe('T');

      expect(await call(who, 'resume', id)).toMatchObject(refused('ESLURM_JOB_NOT_SUSPENDED', 2087));
      expect(await call(who, 'resume', id, { idempotent: true })).toMatchObject({
        outcome: 'refused',
        code: 'ESLURM_JOB_NOT_SUSPENDED',
        number: 2087,
      });
      await cancel(id);
    });

    /** The process id of the shell of COUNTING, which is the same inside the cluster and out here. */
    async function shellOf(id: number): Promise<number> {
      return Number((await live().output(`pid.${id}`)).trim());
    }

    describe('a job the controller does not know', () => {
      test.each(['4242424', '4242424_*', '4242424_1', '4242424_[1-2]', '4242424+1'])(
        'suspend and resume of %s',
        async (job) => {
          for (const [who, verb] of [
            ['operator', 'suspend'],
            ['operator', 'resume'],
            ['alice', 'suspend'],
          ] as const) {
            expect(await call(who, verb, job)).toMatchObject({
              ...refused('ESLURM_INVALID_JOB_ID', 2017),
              errno: 'ESRCH',
              rpc: 'REQUEST_SUSPEND',
            });
          }
          expect(await call('operator', 'suspend', job, { idempotent: true })).toMatchObject({
            outcome: 'refused',
            code: 'ESLURM_INVALID_JOB_ID',
            target: job,
          });
        },
      );

      test('it really closes without an answer', async () => {
        const record = { op: 0, jobId: 0xfffffffe, jobIdStr: '4242424' };
        expect(await call('operator', 'request', 'REQUEST_SUSPEND', record)).toMatchObject({
          code: 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT',
          errno: 'EPIPE',
          outcome: 'unknown',
        });
      });

      test('requeue and notify', async () => {
        expect(await call('alice', 'requeue', 4_242_424)).toMatchObject(
          refused('ESLURM_INVALID_JOB_ID', 2017),
        );
        expect(await call('alice', 'requeue', '4242424_1')).toMatchObject({
          ...refused('ESLURM_INVALID_JOB_ID', 2017),
          parts: [{ target: '4242424_1', number: 2017 }],
        });
        expect(await call('alice', 'notify', 4_242_424, 'x')).toMatchObject(
          refused('ESLURM_INVALID_JOB_ID', 2017),
        );
      });
    });

    test('pending and finished jobs', async () => {
      const { cluster, run } = live();
      const pending = await submit(LONG, ['--hold']);
      for (const verb of ['suspend', 'resume']) {
        expect(await call('operator', verb, pending)).toMatchObject(refused('ESLURM_JOB_PENDING', 2024));
      }
      for (const options of [{}, { hold: true }, { hold: true, idempotent: true }]) {
        expect(await call('alice', 'requeue', pending, options)).toMatchObject(
          refused('ESLURM_JOB_PENDING', 2024),
        );
      }
      expect(await call('alice', 'requeue', pending, { idempotent: true })).toMatchObject({
        outcome: 'refused',
        code: 'ESLURM_JOB_PENDING',
      });
      expect(await call('alice', 'notify', pending, 'x')).toMatchObject(refused('ESLURM_DISABLED', 2037));
      await cancel(pending);

      const finished = await run('sleep 0.1');
      await cluster.waitForJob(finished, ['COMPLETED']);
      for (const verb of ['suspend', 'resume']) {
        expect(await call('operator', verb, finished)).toMatchObject(refused('ESLURM_ALREADY_DONE', 2021));
        expect(await call('operator', verb, finished, { idempotent: true })).toMatchObject({
          outcome: 'refused',
          code: 'ESLURM_ALREADY_DONE',
        });
      }
      expect(await call('alice', 'notify', finished, 'x')).toMatchObject(
        refused('ESLURM_ALREADY_DONE', 2021),
      );
      // Only if it runs: success, and nothing happens.
      expect(await call('alice', 'requeue', finished, { onlyIfRunning: true })).toMatchObject({
        outcome: 'accepted',
      });
      expect(await cluster.jobState(finished)).toBe('COMPLETED');
      expect(await call('alice', 'requeue', finished, { hold: true })).toMatchObject({ outcome: 'accepted' });
      expect(await cluster.jobState(finished)).toBe('PENDING');
      await cancel(finished);
    });

    test('requeue: the processes end and the job waits again', async () => {
      const { cluster, run, waitForFile } = live();
      const id = await run(COUNTING);
      await waitForFile(`ticks.${id}`);
      const pid = await shellOf(id);
      expect(await call('bob', 'requeue', id)).toMatchObject(refused('ESLURM_ACCESS_DENIED', 2002));
      expect(await cluster.jobState(id)).toBe('RUNNING');
      expect(await call('alice', 'requeue', id, { hold: true, onlyIfRunning: true })).toMatchObject({
        outcome: 'accepted',
        rpc: 'REQUEST_JOB_REQUEUE',
        target: `${id}`,
        protocol: release,
        parts: [],
      });
      const ended = () =>
        readFile(`/proc/${pid}/stat`).then(
          () => false,
          () => true,
        );
      await cluster.waitFor(ended, 20_000, 'the shell to end');
      await waitForStates(id, [`${id} PENDING`]);
      expect(await inQueue(id, '%r')).toEqual(['job requeued in held state']);
      await cancel(id);
    });

    test('requeue of a suspended job in special exit state; of jobs that cannot', async () => {
      const { cluster, run } = live();
      const id = await runScript();
      expect(await call('operator', 'suspend', id)).toMatchObject({ outcome: 'accepted' });
      expect(await call('alice', 'notify', id, 'x')).toMatchObject(refused('ESLURM_ALREADY_DONE', 2021));
      expect(await call('alice', 'requeue', id, { specialExit: true })).toMatchObject({
        outcome: 'accepted',
      });
      await waitForStates(id, [`${id} SPECIAL_EXIT`]);
      await cancel(id);

      const never = await run(LONG, ['--no-requeue']);
      expect(await call('alice', 'requeue', never)).toMatchObject(refused('ESLURM_DISABLED', 2037));
      expect(await cluster.jobState(never)).toBe('RUNNING');
      await cancel(never);
    });

    test('notify: the text stands in the output of the job', async () => {
      const { cluster, output } = live();
      const id = await runScript();
      const text = 'please "stop" soon: 100%s ä😀\nsecond line';
      expect(await call('bob', 'notify', id, 'not yours')).toMatchObject({
        ...refused('ESLURM_USER_ID_MISSING', 2010),
        errno: 'EPERM',
      });
      expect(await call('alice', 'notify', id, text)).toMatchObject({
        outcome: 'accepted',
        rpc: 'REQUEST_JOB_NOTIFY',
        target: `${id}`,
        protocol: release,
        parts: [],
      });
      // The longest there may be arrives whole.
      const longest = `${'L'.repeat(8190)}!`;
      expect(await call('operator', 'notify', id, longest)).toMatchObject({ outcome: 'accepted' });
      const written = () => output(`slurm-${id}.out`);
      // In any order: each message is passed on by a thread of its own.
      for (const sent of [text, longest]) {
        await cluster.waitFor(async () => (await written()).includes(sent), 15_000, sent.slice(0, 20));
      }
      expect(await written()).not.toContain('not yours');
      await cancel(id);
    });

    test('an array: parts accepted, refused, and both', async () => {
      const id = await submit(LONG, ['--array=0-3%2']);
      const [a, b] = [`${id}_0 RUNNING`, `${id}_1 RUNNING`];
      const rest = [`${id}_2 PENDING`, `${id}_3 PENDING`];
      await waitForStates(id, [a, b, ...rest]);
      const taken = { target: `${id}_[0-1]`, number: 0, code: 'SLURM_SUCCESS' };
      const pending = { target: `${id}_[2-3]`, number: 2024, code: 'ESLURM_JOB_PENDING' };

      expect(await call('bob', 'suspend', id)).toMatchObject(refused('ESLURM_ACCESS_DENIED', 2002));
      const partial = await call('operator', 'suspend', id);
      expect(partial).toMatchObject({ outcome: 'partial', number: 2024, parts: [taken, pending] });
      expect(partial.parts[1].message).toBe('The job has not started yet.');
      const stopped = [`${id}_0 SUSPENDED`, `${id}_1 SUSPENDED`, ...rest];
      expect(await states(id)).toEqual(stopped);
      expect(await call('operator', 'resume', `${id}_*`)).toMatchObject({
        outcome: 'partial',
        parts: [taken, pending],
      });
      expect(await states(id)).toEqual([a, b, ...rest]);

      expect(await call('operator', 'suspend', `${id}_[0-1]`)).toMatchObject({
        outcome: 'accepted',
        parts: [taken],
      });
      expect(await call('operator', 'resume', `${id}_1`)).toMatchObject({
        outcome: 'accepted',
        target: `${id}_1`,
        parts: [{ target: `${id}_1`, number: 0 }],
      });
      expect(await states(id)).toEqual([`${id}_0 SUSPENDED`, b, ...rest]);
      expect(await call('operator', 'resume', `${id}_[0-1]`, { idempotent: true })).toMatchObject({
        outcome: 'accepted',
        parts: [
          { target: `${id}_0`, number: 0 },
          { target: `${id}_1`, number: 2087 },
        ],
      });
      expect(await call('operator', 'suspend', `${id}_[2-3]`)).toMatchObject({
        ...refused('ESLURM_JOB_PENDING', 2024),
        parts: [pending],
      });
      expect(await call('operator', 'suspend', `${id}_9`)).toMatchObject({
        ...refused('ESLURM_INVALID_JOB_ID', 2017),
        parts: [{ target: `${id}_9` }],
      });

      expect(await call('bob', 'requeue', `${id}_*`)).toMatchObject({
        ...refused('ESLURM_ACCESS_DENIED', 2002),
        parts: [{ target: `${id}_[0-3]`, number: 2002 }],
      });
      expect(await call('alice', 'requeue', `${id}_1`, { hold: true })).toMatchObject({
        outcome: 'accepted',
        parts: [{ target: `${id}_1` }],
      });
      expect(await call('alice', 'requeue', `${id}_*`)).toMatchObject({
        outcome: 'partial',
        // In the place of the one that was sent back the next task may have started by now.
        parts: expect.arrayContaining([
          {
            ...taken,
            target: expect.stringMatching(new RegExp(`^${id}_(0|\\[0(,2)?\\])$`)),
            message: 'No error.',
          },
        ]),
      });
      await cancel(id);
    });

    test('a heterogeneous job is suspended and requeued whole', async () => {
      const { cluster } = live();
      const id = await submit(LONG, ['-n1', ':', '-n1']);
      const both = (state: string) => [`${id}+0 ${state}`, `${id}+1 ${state}`];
      await waitForStates(id, both('RUNNING'));
      for (const job of [`${id}+1`, `${id}+0`, id + 1]) {
        const error = await call('operator', 'suspend', job);
        expect(error).toMatchObject(refused('ESLURM_NOT_WHOLE_HET_JOB', 2108));
        expect(error.hint).toContain('leader');
      }
      const component = await call('alice', 'requeue', `${id}+1`);
      expect(component).toMatchObject(refused('ESLURM_INVALID_JOB_ID', 2017));
      expect(component.hint).toContain('leader');
      expect(await call('alice', 'requeue', id + 1)).toMatchObject(
        refused('ESLURM_NOT_HET_JOB_LEADER', 2107),
      );
      expect(await states(id)).toEqual(both('RUNNING'));
      expect(await call('operator', 'suspend', id)).toMatchObject({ outcome: 'accepted' });
      expect(await states(id)).toEqual(both('SUSPENDED'));
      expect(await call('operator', 'resume', id)).toMatchObject({ outcome: 'accepted' });

      // One number for both: 2021 although the leader was suspended.
      await cluster.exec(['scancel', `${id}+1`], { user: 'root' });
      await waitForStates(id, [`${id}+0 RUNNING`, `${id}+1 CANCELLED`]);
      expect(await call('operator', 'suspend', id)).toMatchObject({
        code: 'ESLURM_ALREADY_DONE',
        outcome: 'unknown',
        retryable: false,
      });
      expect(await states(id)).toEqual([`${id}+0 SUSPENDED`, `${id}+1 CANCELLED`]);
      await cancel(id);
    });
  });
}
