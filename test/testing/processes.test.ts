import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect } from '../../src/index.js';
import { type EmbeddedCluster, startCluster } from '../../src/testing/index.js';

let cluster: EmbeddedCluster;
beforeEach(async () => {
  cluster = await startCluster({ nodes: 4, jobs: 'processes', parameters: { KillWait: '1' } });
});
afterEach(() => cluster.down());

const output = (name: string) => readFile(join(cluster.workDirectory, name), 'utf8').catch(() => '');

/** Waits for what no event tells: a file that a process writes. */
async function written(name: string, text: string): Promise<void> {
  for (const end = Date.now() + 20_000; Date.now() < end; ) {
    if ((await output(name)).includes(text)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`${name} has ${JSON.stringify(await output(name))}, not ${JSON.stringify(text)}`);
}

describe('a batch script', () => {
  it('is a process with the environment of a job, and its output in its file', async () => {
    const script = '#!/bin/sh\necho $SLURM_JOB_ID $SLURM_ARRAY_TASK_ID $SLURM_JOB_NODELIST $1\nexit 3\n';
    const { jobId } = cluster.submit({ user: 'alice', script, arguments: ['x y'], nodes: 2, array: '5' });
    await cluster.waitForJob(jobId, ({ isGone }) => isGone);
    expect(cluster.job(jobId)).toMatchObject({ state: 'FAILED', exitCode: 3 << 8 });
    expect(await output(`slurm-${jobId}_5.out`)).toBe(`${jobId} 5 n[1-2] x y\n`);
  });

  it('starts steps with srun, whose output and exit code it gets', async () => {
    const script = `#!/bin/sh
srun -n4 -N2 sh -c 'echo $SLURM_STEP_ID $SLURM_PROCID $SLURMD_NODENAME; exit $SLURM_PROCID' | sort
srun --overlap -n1 sh -c 'exit 7'
echo code $?
`;
    const { jobId } = cluster.submit({ user: 'alice', script, nodes: 2 });
    await cluster.waitForJob(jobId, ({ isGone }) => isGone);
    expect(await output(`slurm-${jobId}.out`)).toBe('0 0 n1\n0 1 n1\n0 2 n2\n0 3 n2\ncode 7\n');
  });

  it('has steps of several components, with one number and tasks that go on counting', async () => {
    const script = `#!/bin/sh
srun --het-group=0,1 sh -c 'echo $SLURM_STEP_ID $SLURM_PROCID $SLURMD_NODENAME' | sort
`;
    const { jobId } = cluster.submit({ script, components: [{ nodeList: 'n[3-4]' }] });
    await cluster.waitForJob(jobId, ({ isGone }) => isGone);
    expect(await output(`slurm-${jobId}.out`)).toBe('0 0 n1\n0 1 n3\n0 2 n4\n');
  });

  it('hands its whole environment on to its steps, and names of nodes', async () => {
    const environment = { 'BASH_FUNC_f%%': '() { echo f; }' };
    const script = "#!/usr/bin/env bash\nsrun -w n2 bash -c 'f; echo $SLURMD_NODENAME'\n";
    const { jobId } = cluster.submit({ script, nodes: 2, environment });
    await cluster.waitForJob(jobId, ({ isGone }) => isGone);
    expect(await output(`slurm-${jobId}.out`)).toBe('f\nn2\n');
  });

  it('says that it is cancelled, and why', async () => {
    const { jobId } = cluster.submit({ script: '#!/bin/sh\necho up\nexec sleep 100\n' });
    await written(`slurm-${jobId}.out`, 'up');
    const slurm = await connect(cluster.options());
    await slurm.killJob(jobId);
    await slurm.close();
    await written(`slurm-${jobId}.out`, `*** JOB ${jobId} ON n1 CANCELLED AT `);
  });

  it('that does not start is a failure', async () => {
    const { jobId } = cluster.submit({ script: '#!/no/such/program\n' });
    expect(await cluster.waitForJob(jobId, ({ isGone }) => isGone)).toMatchObject({ state: 'FAILED' });
    const other = cluster.submit({ workDirectory: '/no/such/directory' });
    expect(await cluster.waitForJob(other.jobId, ({ isGone }) => isGone)).toMatchObject({ state: 'FAILED' });
  });
});

describe('an allocation', () => {
  it('is joined with its environment, and completed', async () => {
    const { jobId } = cluster.submit({ script: null });
    await cluster.waitForJob(jobId, 'RUNNING');
    const srun = join(cluster.directory, 'bin', 'srun');
    const env = cluster.environmentOf(jobId);
    const { stdout } = await promisify(execFile)(srun, ['sh', '-c', 'echo $SLURM_JOB_ID.$SLURM_STEP_ID'], {
      env,
    });
    expect(stdout).toBe(`${jobId}.0\n`);
    cluster.completeJob(jobId, 3);
    expect(await cluster.waitForJob(jobId, ({ isGone }) => isGone)).toMatchObject({
      state: 'FAILED',
      exitCode: 3 << 8,
    });
  });
});

describe('forgetJobs()', () => {
  it('ends all jobs, and numbers begin anew', async () => {
    const first = cluster.submit();
    await cluster.waitForJob(first.jobId, 'RUNNING');
    await cluster.forgetJobs();
    expect(cluster.jobs()).toEqual([]);
    expect(cluster.submit({ nodes: 4, tasks: 64 }).jobId).toBe(first.jobId);
    await cluster.waitForJob(first.jobId, 'RUNNING');
  });
});

describe('down()', () => {
  it('is the end also for steps that are asked for while it is under way', async () => {
    const script = `#!/bin/sh
trap '' TERM
while :; do srun -n4 sh -c 'echo $$ >> started; exec sleep 1000' & sleep 0.05; done
`;
    // One that outlives the cluster.
    const workDirectory = await mkdtemp(join(tmpdir(), 'slurmwire-test-'));
    try {
      const started = () => readFile(join(workDirectory, 'started'), 'utf8').catch(() => '');
      cluster.submit({ script, nodes: 4, workDirectory });
      await expect.poll(started, { timeout: 20_000 }).toContain('\n');
      await cluster.down();
      const pids = (await started()).split('\n').filter(Boolean).map(Number);
      expect(pids.length).toBeGreaterThan(0);
      for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
    } finally {
      await rm(workDirectory, { recursive: true, force: true });
    }
  });

  it('leaves no process, whatever they ignore', async () => {
    const script = `#!/bin/sh
trap '' TERM INT
srun -n2 sh -c 'trap "" TERM; echo $$ >> pids; while :; do sleep 0.1; done' &
echo $$ >> pids
wait
`;
    cluster.submit({ user: 'alice', script, nodes: 2 });
    await written('pids', '\n');
    for (;;) {
      const pids = (await output('pids')).split('\n').filter(Boolean).map(Number);
      if (pids.length < 3) {
        await new Promise((resolve) => setTimeout(resolve, 10));
        continue;
      }
      await cluster.down();
      for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow(/ESRCH/);
      return;
    }
  });
});
