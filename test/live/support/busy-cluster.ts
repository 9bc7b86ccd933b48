/** Jobs, steps and nodes of every kind, for tests that read tables. */
import type { LabCluster, SubmitOptions } from '../../../lab/cluster.js';
import type { Live } from './live.js';

/** What {@link makeBusy} needs of slurm.conf, and of the number of nodes. */
export const BUSY_CLUSTER = {
  nodes: 9,
  parameters: {
    Licenses: 'matlab:10,ansys:4',
    RebootProgram: '/bin/true',
    // Het jobs are started by the backfill scheduler alone, which looks every 30 s unless told otherwise.
    SchedulerParameters: 'batch_sched_delay=0,bf_interval=1',
    SelectTypeParameters: 'CR_CPU_Memory',
    DefMemPerCPU: '10',
    AllowSpecResourcesUsage: 'yes',
  },
} as const;

/** The jobs by what they are. */
export type BusyJobs = Readonly<Record<string, number>>;

/** Fills a cluster: when it resolves, nothing changes any more by itself. */
export async function makeBusy({ cluster, waitForFile }: Live): Promise<BusyJobs> {
  await update(cluster, 'nodename=n[1-4]', 'availablefeatures=fast,big,ib', 'activefeatures=fast,big,ib');
  await update(cluster, 'nodename=n[1-2]', 'weight=7', 'comment=two words');
  await scontrol(
    cluster,
    'create',
    'partition=side',
    'nodes=n[1-6]',
    'overSubscribe=force:2',
    'maxtime=2:00:00',
  );
  await scontrol(
    cluster,
    'create',
    'reservation=kept',
    'nodes=n6',
    'users=alice',
    'starttime=now',
    'duration=600',
  );
  await scontrol(
    cluster,
    'create',
    'reservation=later',
    'nodes=n6',
    'users=bob',
    'starttime=now+20hours',
    'duration=60',
    'flags=maint',
  );

  const jobs: Record<string, number> = {};
  const add = async (
    name: string,
    script: string,
    sbatchArgs: string[],
    user: SubmitOptions['user'] = 'alice',
  ) => {
    try {
      jobs[name] = await cluster.submit(script, { user, sbatchArgs });
    } catch (e) {
      console.log(cluster.release, name, String(e));
    }
  };
  const sleep = 'sleep 1000';

  await add('finished', 'true', ['-J', 'short one']);
  await add('failed', 'exit 3', ['-wn3', '--comment=will fail']);
  await add('signalled', 'kill -9 $$', ['-wn3']);
  await add('timeLimited', sleep, [
    '-wn3',
    '--time=1:02:03',
    '--time-min=30',
    '--mail-type=END,FAIL',
    '--mail-user=alice@example.org',
  ]);
  await add('big', sleep, [
    '-N2',
    '-n8',
    '-c2',
    '-wn[1-2]',
    '--ntasks-per-node=4',
    '--mem=500',
    '--comment=it is = big',
    '--nice=5',
    '--no-requeue',
    '--time=2-10',
    '--constraint=fast&big',
    '--licenses=matlab:2,ansys',
    '--deadline=now+20days',
    '--tmp=0',
    '--exclude=n5',
    '--output=big-%j.out',
    '--error=/dev/null',
    '--input=/dev/null',
    '--job-name=big one',
    '--contiguous',
    '--cpu-freq=low-high:performance',
    '--distribution=cyclic',
    '--account=phys',
    '--switches=1@10:00',
    '--wckey=key',
    '--hint=compute_bound',
    '--open-mode=append',
    '--signal=USR1@60',
    '--sockets-per-node=1',
    '--threads-per-core=1',
    '--batch=fast',
    '--profile=task',
    '--delay-boot=5',
  ]);
  await add('exclusive', sleep, ['-wn4', '--exclusive', '--ntasks-per-core=1', '-n2', '--mem-per-cpu=100']);
  await add('reserved', sleep, ['--reservation=kept', '--mem=0', '-n3', '--time=30']);
  await add('suspended', sleep, ['-wn3', '-n2']);
  await add('requeued', sleep, ['-wn3', '--requeue']);
  await add('array', sleep, ['-wn3', '--array=1-9:2%2', '-J', 'arr', '--output=arr-%A_%a.out']);
  await add('het', sleep, ['-n1', '--mem=20', ':', '-n2', '--constraint=big']);
  await add(
    'steps',
    'srun -n2 -J inner sleep 1000 &\nsrun -n1 --overlap --mem=0 sleep 1000 &\ntouch steps.ready\nwait',
    ['-wn[3,5]', '-N2', '-n4'],
  );
  await exec(cluster, ['sh', '-c', 'srun -wn3 -J talk sleep 1000 >/dev/null 2>&1 &']);
  await exec(cluster, ['sh', '-c', 'salloc -wn3 -J kept-open --no-shell >/dev/null 2>&1']);
  // Bigger than the cluster allows now, held, later, dependent, in the way of a license: what waits, and why.
  await add('held', sleep, ['--hold', '--oversubscribe']);
  await add('begins', sleep, ['--begin=now+10days'], 'bob');
  await add('depends', sleep, [
    `--dependency=afterok:${jobs.big}?afterany:${jobs.steps}`,
    '--kill-on-invalid-dep=yes',
  ]);
  await add('licensed', sleep, ['--licenses=matlab:10', '-p', 'main,side']);
  await add('singleton', sleep, [
    '-J',
    'big one',
    '--dependency=singleton',
    '--exclude=n[1-2]',
    '--mincpus=2',
    '-N2-4',
    '-n2',
  ]);
  await add('tooBig', sleep, ['-N8', '-wn[7-8]', '--mem-per-cpu=100', '--use-min-nodes']);
  await add('heldArray', sleep, ['--hold', '--array=0-3,7,9']);
  await add('cancelled', sleep, ['--hold', '--comment=ended']);
  await add('coreSpec', sleep, ['--hold', '--core-spec=2', '--exclusive']);
  await add('threadSpec', sleep, ['--hold', '--thread-spec=2', '--exclusive=user']);
  await add(
    'gang',
    sleep,
    ['--hold', '--gres-flags=enforce-binding', '--overcommit', '-n3', '--ntasks-per-socket=2'],
    'bob',
  );
  await add('heldHet', sleep, ['--hold', '-n1', ':', '-n2', ':', '-N2', '--mem=33']);
  await add('tres', sleep, ['--hold', '--no-kill', '-m', 'plane=2', '-n4']);
  if (cluster.release >= '22.05') {
    await add('prefers', sleep, ['--hold', '--prefer=ib']);
    await add('contained', sleep, ['--hold', '--container=/tmp/bundle']);
  }
  if (cluster.release >= '23.02')
    await add('extra', sleep, ['--hold', '--extra=more words', '--tres-per-task=cpu=2', '-n2']);

  await exec(cluster, ['scancel', `${jobs.cancelled}`]);
  const running = ['big', 'exclusive', 'reserved', 'suspended', 'requeued', 'steps', 'timeLimited'].map(
    (name) => `${jobs[name]}`,
  );
  const parts = [`${jobs.array}_1`, `${jobs.array}_3`, `${jobs.het}+0`, `${jobs.het}+1`];
  const squeue = ['squeue', '-h', '-t', 'RUNNING', '-o', '%i'];
  const areRunning = async () => {
    const names = new Set((await cluster.exec(squeue, { user: 'root' })).stdout.split('\n'));
    return [...running, ...parts].every((name) => names.has(name));
  };
  await cluster.waitFor(areRunning, 30_000, 'the jobs to run');
  await scontrol(cluster, 'suspend', `${jobs.suspended}`);
  await scontrol(cluster, 'requeuehold', `${jobs.requeued}`);
  await update(cluster, `jobid=${jobs.timeLimited}`, 'comment=changed', 'admincomment=by root');
  await waitForFile('steps.ready');
  await update(cluster, 'nodename=n7', 'state=down', 'reason=broken disk');
  await update(cluster, 'nodename=n8', 'state=drain', 'reason=to be looked at');
  await update(cluster, 'nodename=n5', 'state=drain', 'reason=no more');
  await update(cluster, 'nodename=n9', 'state=fail', 'reason=failing');
  await scontrol(cluster, 'reboot', 'ASAP', 'nextstate=RESUME', 'reason=new kernel', 'n4');
  return jobs;
}

function update(cluster: LabCluster, ...words: string[]): Promise<void> {
  return scontrol(cluster, 'update', ...words);
}

async function scontrol(cluster: LabCluster, ...words: string[]): Promise<void> {
  await exec(cluster, ['scontrol', ...words], 'root');
}

async function exec(
  cluster: LabCluster,
  argv: string[],
  user: SubmitOptions['user'] = 'alice',
): Promise<void> {
  const { code, stdout, stderr } = await cluster.exec(argv, { user });
  if (code !== 0) console.log(cluster.release, `${argv.join(' ')} ended with ${code}: ${stdout}${stderr}`);
}
