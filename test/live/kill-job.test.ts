/** killJob and killJobStep on a real slurmctld and four real slurmds, as ordinary users. */
import { expect, test } from 'vitest';
import { isAtLeast } from '../../src/protocol/index.js';
import { describeLive, liveReleases } from './support/live.js';

/** A batch script whose shell and whose step write down every signal they get. */
const LISTENING_JOB = `#!/bin/bash
listen() { for s in USR1 USR2 TERM; do trap "echo $1 $s >> $2" $s; done; }
listen batch out.$SLURM_JOB_ID
cat > step.$SLURM_JOB_ID <<'STEP'
for s in USR1 USR2 TERM; do trap "echo step.$SLURM_PROCID $s >> out.$SLURM_JOB_ID" $s; done
echo $$ >> pids.$SLURM_JOB_ID
while :; do sleep 0.1; done
STEP
srun -n2 -N2 bash step.$SLURM_JOB_ID &
echo $$ >> pids.$SLURM_JOB_ID
while :; do sleep 0.1; done
`;

// Heterogeneous jobs are started by the backfill scheduler alone, which by default looks every 30 s.
const parameters = { SchedulerParameters: 'batch_sched_delay=0,bf_interval=1' };

for (const release of liveReleases('22.05')) {
  // Daemons sign their replies up to protocol 22.05.
  const signs = !isAtLeast(release, '23.02');
  describeLive(`killing on a live ${release}`, { release, parameters }, (live) => {
    /** Submits LISTENING_JOB on two nodes and waits until shell and both tasks listen. */
    async function listeningJob(): Promise<number> {
      const { cluster, run, output } = live();
      const id = await run(LISTENING_JOB, ['-N2', '-n2']);
      await cluster.waitFor(
        async () => lines(await output(`pids.${id}`)).length === 3,
        20_000,
        'shell and step to start',
      );
      return id;
    }

    async function waitForOutput(id: number, count: number): Promise<string[]> {
      const { cluster, output } = live();
      await cluster.waitFor(
        async () => lines(await output(`out.${id}`)).length >= count,
        20_000,
        `${count} signals`,
      );
      return lines(await output(`out.${id}`));
    }

    test('SIGKILL: a running job with a step dies, and so do its processes', async () => {
      const { alice, cluster, output } = live();
      const id = await listeningJob();
      const pids = lines(await output(`pids.${id}`));
      const { value } = await alice.call('killJob', [id]);
      expect(value).toMatchObject({
        outcome: 'accepted',
        rpc: 'REQUEST_KILL_JOB',
        target: String(id),
        unixSignal: 9,
        protocol: release,
        authenticated: signs,
        message: null,
        peer: `127.0.0.1:${cluster.controller.port}`,
      });
      await cluster.waitForJob(id, ['CANCELLED']);
      const alive = async () =>
        (await cluster.exec(['sh', '-c', `kill -0 ${pids.join(' ')}`], { user: 'root' })).code === 0;
      await cluster.waitFor(async () => !(await alive()), 20_000, 'its processes to end');
    });

    test('SIGUSR1 with batch reaches only the batch shell, SIGUSR2 to step 0 only its processes', async () => {
      const { alice } = live();
      const id = await listeningJob();
      expect((await alice.call('killJob', [id, 'SIGUSR1', { batch: true }])).value).toMatchObject({
        outcome: 'accepted',
      });
      expect(await waitForOutput(id, 1)).toEqual(['batch USR1']);
      const step = await alice.call('killJobStep', [`${id}.0`, 'SIGUSR2']);
      expect(step.value).toMatchObject({
        outcome: 'accepted',
        rpc: 'REQUEST_CANCEL_JOB_STEP',
        target: `${id}.0`,
        unixSignal: 12,
      });
      expect((await waitForOutput(id, 3)).sort()).toEqual(['batch USR1', 'step.0 USR2', 'step.1 USR2']);
      // Something that must arrive everywhere comes last: nothing else came before it.
      await alice.call('killJob', [id, 'SIGTERM']);
      await alice.call('killJob', [id, 'SIGTERM', { batch: true }]);
      expect((await waitForOutput(id, 6)).sort()).toEqual([
        'batch TERM',
        'batch USR1',
        'step.0 TERM',
        'step.0 USR2',
        'step.1 TERM',
        'step.1 USR2',
      ]);
      await alice.call('killJob', [id]);
    });

    test('a plain SIGUSR1 goes to the steps, killJobStep(batch) to all of the batch step', async () => {
      const { alice } = live();
      const id = await listeningJob();
      await alice.call('killJob', [id, 'USR1']);
      expect((await waitForOutput(id, 2)).sort()).toEqual(['step.0 USR1', 'step.1 USR1']);
      const { value } = await alice.call('killJobStep', [`${id}.batch`, 12]);
      expect(value).toMatchObject({ outcome: 'accepted', target: `${id}.batch` });
      // The batch step is all processes of the shell, srun among them, and srun forwards what it gets to its tasks.
      expect((await waitForOutput(id, 5)).sort()).toEqual([
        'batch USR2',
        'step.0 USR1',
        'step.0 USR2',
        'step.1 USR1',
        'step.1 USR2',
      ]);
      await alice.call('killJob', [id]);
    });

    test('SIGKILL to a step ends the step; the job goes on', async () => {
      const { alice, cluster, output } = live();
      const id = await listeningJob();
      const [batch] = (await output(`pids.${id}`)).split('\n');
      expect(batch).toBeDefined();
      const { value } = await alice.call('killJobStep', [{ jobId: id, stepId: 0 }]);
      expect(value).toMatchObject({ outcome: 'accepted', unixSignal: 9 });
      const steps = async () =>
        (await cluster.exec(['squeue', '-h', '-s', '-j', `${id}`, '-o', '%i'], { user: 'root' })).stdout;
      await cluster.waitFor(async () => !(await steps()).includes(`${id}.0`), 20_000, 'the step to end');
      expect(await cluster.jobState(id)).toBe('RUNNING');
      await alice.call('killJob', [id]);
    });

    test('a pending job ends at once', async () => {
      const { alice, cluster } = live();
      const id = await cluster.submit('sleep 1000', { user: 'alice', sbatchArgs: ['--hold'] });
      expect(await cluster.jobState(id)).toBe('PENDING');
      expect((await alice.call('killJob', [id])).value).toMatchObject({ outcome: 'accepted' });
      expect(await cluster.jobState(id)).toBe('CANCELLED');
    });

    test('an unknown job: ESLURM_INVALID_JOB_ID', async () => {
      const { error } = await live().alice.call('killJob', [4_242_424]);
      expect(error).toMatchObject({
        name: 'SlurmServerError',
        code: 'ESLURM_INVALID_JOB_ID',
        number: 2017,
        errno: 'ESRCH',
        outcome: 'refused',
        retryable: false,
        rpc: 'REQUEST_KILL_JOB',
        phase: 'wait',
      });
    });

    test('a finished job: ESLURM_ALREADY_DONE, or a value with idempotent', async () => {
      const { alice, cluster, run } = live();
      const id = await run('sleep 0.1');
      await cluster.waitForJob(id, ['COMPLETED']);
      const { error } = await alice.call('killJob', [id]);
      expect(error).toMatchObject({
        name: 'SlurmServerError',
        code: 'ESLURM_ALREADY_DONE',
        number: 2021,
        errno: 'ESRCH',
        outcome: 'refused',
      });
      const { value } = await alice.call('killJob', [id, 'SIGKILL', { idempotent: true }]);
      expect(value).toMatchObject({
        code: 'ESLURM_ALREADY_DONE',
        number: 2021,
        outcome: 'refused',
        target: String(id),
      });
    });

    test("somebody else's job: ESLURM_ACCESS_DENIED, and it lives", async () => {
      const { alice, bob, cluster, run } = live();
      const id = await run('sleep 1000');
      const { error } = await bob.call('killJob', [id]);
      expect(error).toMatchObject({
        name: 'SlurmServerError',
        code: 'ESLURM_ACCESS_DENIED',
        number: 2002,
        errno: 'EPERM',
        outcome: 'refused',
      });
      expect(await cluster.jobState(id)).toBe('RUNNING');
      await alice.call('killJob', [id]);
    });

    test('batch on a job without a batch script: ESLURM_JOB_SCRIPT_MISSING', async () => {
      const { alice, cluster } = live();
      const srun = cluster.exec(['srun', '--job-name', 'nobatch', 'sleep', '1000'], { user: 'alice' });
      let id = 0;
      await cluster.waitFor(
        async () => {
          const { stdout } = await cluster.exec(['squeue', '-h', '-t', 'R', '-n', 'nobatch', '-o', '%i'], {
            user: 'root',
          });
          id = Number(stdout);
          return id > 0;
        },
        20_000,
        'srun to run',
      );
      const { error } = await alice.call('killJob', [id, 'SIGUSR1', { batch: true }]);
      expect(error).toMatchObject({
        name: 'SlurmServerError',
        code: 'ESLURM_JOB_SCRIPT_MISSING',
        number: 2009,
        errno: 'EINVAL',
        outcome: 'refused',
      });
      await alice.call('killJob', [id]);
      await srun;
    });

    test('a step that does not exist: no silent success', async () => {
      const { alice, run } = live();
      const id = await run('sleep 1000');
      const { error } = await alice.call('killJobStep', [`${id}.7`, 'SIGUSR1']);
      expect(error).toMatchObject({
        code: 'ESLURM_INVALID_JOB_ID',
        outcome: 'refused',
        rpc: 'REQUEST_CANCEL_JOB_STEP',
      });
      await alice.call('killJob', [id]);
    });

    test('an array: one task, a range, the rest', async () => {
      const { alice, cluster } = live();
      const id = await cluster.submit('sleep 1000', { user: 'alice', sbatchArgs: ['--array=0-9', '--hold'] });
      expect((await alice.call('killJob', [`${id}_3`])).value).toMatchObject({
        outcome: 'accepted',
        target: `${id}_3`,
      });
      expect((await alice.call('killJob', [`${id}_[1-2,5-9:2]`])).value).toMatchObject({
        target: `${id}_[1-2,5-9:2]`,
      });
      const left = async () =>
        (await cluster.exec(['squeue', '-h', '-r', '-j', `${id}`, '-o', '%i'], { user: 'root' })).stdout;
      expect(lines(await left()).sort()).toEqual([`${id}_0`, `${id}_4`, `${id}_6`, `${id}_8`]);
      expect((await alice.call('killJob', [`${id}_*`])).value).toMatchObject({ outcome: 'accepted' });
      expect(await left()).toBe('');
    });

    test('an array with pending tasks answers 2020 although the running task got the signal: outcome unknown', async () => {
      const { alice, cluster, output, waitForFile } = live();
      const script =
        'trap "echo got USR1 >> out.array; exit" USR1; touch ready.array; while :; do sleep 0.1; done';
      const id = await cluster.submit(script, { user: 'alice', sbatchArgs: ['--array=0-2%1'] });
      await waitForFile('ready.array');
      const { error } = await alice.call('killJob', [id, 'SIGUSR1', { batch: true }]);
      expect(error).toMatchObject({
        code: 'ESLURM_TRANSITION_STATE_NO_UPDATE',
        number: 2020,
        outcome: 'unknown',
        retryable: false,
      });
      await cluster.waitFor(async () => (await output('out.array')) !== '', 20_000, 'the signal');
      await alice.call('killJob', [id]);
    });

    test('a het job with a component that is done answers 2021 although the other got the signal: outcome unknown', async () => {
      const { alice, cluster, output, waitForFile } = live();
      const script = 'trap "echo got USR1 >> out.het" USR1\ntouch ready.het\nwhile :; do sleep 0.1; done';
      const id = await cluster.submit(script, { user: 'alice', sbatchArgs: ['-n1', ':', '-n1'] });
      await cluster.waitForJob(id, ['RUNNING']);
      await waitForFile('ready.het');
      expect((await alice.call('killJob', [`${id}+1`])).value).toMatchObject({
        outcome: 'accepted',
        target: `${id}+1`,
      });
      await cluster.waitForJob(id + 1, ['CANCELLED']);
      const { error } = await alice.call('killJob', [id, 'SIGUSR1', { batch: true }]);
      expect(error).toMatchObject({ code: 'ESLURM_ALREADY_DONE', outcome: 'unknown' });
      await cluster.waitFor(async () => (await output('out.het')) !== '', 20_000, 'the signal');
      await alice.call('killJob', [id]);
    });

    test('full signals the shell and its group', async () => {
      const { alice, cluster, output, run, waitForFile } = live();
      const script = `bash -c 'trap "echo child >> out.full" USR1; touch ready.full; while :; do sleep 0.1; done' &
trap "echo shell >> out.full" USR1
while :; do sleep 0.1; done`;
      const id = await run(script);
      await waitForFile('ready.full');
      await alice.call('killJob', [id, 'SIGUSR1', { full: true }]);
      await cluster.waitFor(async () => lines(await output('out.full')).length === 2, 20_000, 'both');
      expect(lines(await output('out.full')).sort()).toEqual(['child', 'shell']);
      await alice.call('killJob', [id, 'SIGKILL', { hurry: true }]);
      await cluster.waitForJob(id, ['CANCELLED']);
    });

    test('ping: up, and the answer is signed by SlurmUser', async () => {
      const { alice, cluster } = live();
      const { value } = await alice.call('ping');
      expect(value).toEqual([
        {
          peer: `127.0.0.1:${cluster.controller.port}`,
          role: 'primary',
          up: true,
          protocol: release,
          version: expect.stringMatching(new RegExp(`^${release}\\.\\d+$`)),
          latencyMs: expect.any(Number),
          authenticated: signs,
          error: null,
        },
      ]);
    });

    test.runIf(release === '22.05').each(['20.11', '21.08', '22.05'])(
      'protocol %s, which 22.05 understands too',
      async (protocol) => {
        const { alice, cluster, run } = live();
        const id = await run('sleep 1000');
        const { value } = await alice.call('killJob', [id], { protocol });
        expect(value).toMatchObject({ outcome: 'accepted', protocol, authenticated: true });
        await cluster.waitForJob(id, ['CANCELLED']);
        const { error } = await alice.call('killJob', [id], { protocol });
        expect(error).toMatchObject({ code: 'ESLURM_ALREADY_DONE', outcome: 'refused', protocol });
      },
    );

    test('without a slurm.conf: controllers alone', async () => {
      const { alice, cluster, run } = live();
      const id = await run('sleep 1000');
      const options = {
        conf: undefined,
        controllers: [`127.0.0.1:${cluster.controller.port}`],
        munge: { way: 'munge', options: { socket: cluster.mungeSocket } },
      };
      const { value } = await alice.call('killJob', [id], options);
      expect(value).toMatchObject({ outcome: 'accepted', authenticated: false });
      const known = await alice.call('ping', [], { ...options, slurmUser: cluster.users.slurm.uid });
      expect(known.value[0]).toMatchObject({ up: true, authenticated: signs });
    });
  });

  function lines(text: string): string[] {
    return text.split('\n').filter((line) => line !== '');
  }
}
