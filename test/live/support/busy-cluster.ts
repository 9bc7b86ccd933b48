/** Jobs, steps and nodes of every kind, for tests that read tables. */
import type { LabCluster, SubmitOptions } from '../../../lab/cluster.js';
import type { RealLive } from './live.js';

/** What {@link makeBusy} needs of a cluster. */
export const BUSY_CLUSTER = {
  nodes: 9,
  parameters: {
    Licenses: 'matlab:10,ansys:4',
    // For the reboot that is asked for and, since a job runs there, not made.
    RebootProgram: '/bin/true',
    // Het jobs are started by the backfill scheduler alone, which looks every 30 s unless told otherwise.
    SchedulerParameters: 'batch_sched_delay=0,bf_interval=2',
    SelectTypeParameters: 'CR_CPU_Memory',
    DefMemPerCPU: '10',
    AllowSpecResourcesUsage: 'yes',
  },
} as const;

/** Numbers of the jobs by what they are there for. */
export type BusyJobs = Readonly<Record<string, number>>;

/** Fills a cluster. When it resolves, only the scheduler still looks at what waits. */
export async function makeBusy({ cluster, waitForFile }: RealLive): Promise<BusyJobs> {
  const { release } = cluster;
  const scontrol = (words: string) => run(cluster, ['scontrol', ...words.split(' ')], 'root');
  await scontrol('update nodename=n[1-4] availablefeatures=fast,big,ib activefeatures=fast,big,ib');
  await scontrol('update nodename=n[1-2] weight=7 comment=two_words');
  await scontrol('create partition=side nodes=n[1-6] oversubscribe=force:2 maxtime=2:00:00');
  await scontrol('create reservation=kept nodes=n6 users=alice starttime=now duration=600');
  await scontrol('create reservation=later nodes=n6 users=bob starttime=now+20hours duration=60 flags=maint');

  const jobs: Record<string, number> = {};
  const add = async (
    name: string,
    script: string,
    options: string,
    user: SubmitOptions['user'] = 'alice',
  ) => {
    jobs[name] = await cluster.submit(script, { user, sbatchArgs: argumentsOf(options) });
  };
  const sleep = 'sleep 1000';
  // What has ended.
  await add('finished', 'true', '--job-name=short one');
  await add('failed', 'exit 3', '-wn3 --comment=will fail');
  await add('signalled', 'kill -9 $$', '-wn3');
  await add('cancelled', sleep, '--hold --comment=ended');
  // What runs.
  const mail = '--mail-type=END,FAIL --mail-user=alice@example.org';
  await add('timeLimited', sleep, `-wn3 --time=1:02:03 --time-min=30 ${mail}`);
  await add('big', sleep, BIG);
  await add('exclusive', sleep, '-wn4 --exclusive --ntasks-per-core=1 -n2 --mem-per-cpu=100');
  await add('reserved', sleep, '--reservation=kept --mem=0 -n3 --time=30');
  await add('suspended', sleep, '-wn3 -n2');
  await add('requeued', sleep, '-wn3 --requeue');
  await add('array', sleep, '-wn3 --array=1-9:2%2 --job-name=arr --output=arr-%A_%a.out');
  await add('het', sleep, '-n1 --mem=20 : -n2 --constraint=big');
  const steps =
    'srun -n2 -J inner sleep 1000 &\nsrun -n1 --overlap --mem=0 sleep 1000 &\ntouch steps.ready\nwait';
  await add('steps', steps, '-wn[3,5] -N2 -n4');
  await run(cluster, ['sh', '-c', 'srun -wn3 -J talk sleep 1000 >/dev/null 2>&1 &']);
  await run(cluster, ['salloc', '-wn3', '-J', 'kept-open', '--no-shell']);
  // What waits: held, for later, for another, for licences, for room.
  await add('held', sleep, '--hold --oversubscribe');
  await add('begins', sleep, '--begin=now+10days', 'bob');
  await add(
    'depends',
    sleep,
    `--dependency=afterok:${jobs.big}?afterany:${jobs.steps} --kill-on-invalid-dep=yes`,
  );
  await add('licensed', sleep, '--licenses=matlab:10 --partition=main,side');
  await add(
    'singleton',
    sleep,
    '--job-name=big one --dependency=singleton --exclude=n[1-2] --mincpus=2 -N2-4 -n2',
  );
  await add('tooBig', sleep, '-N8 -wn[7-8] --mem-per-cpu=100 --use-min-nodes');
  await add('heldArray', sleep, '--hold --array=0-3,7,9');
  await add('coreSpec', sleep, '--hold --core-spec=2 --exclusive');
  await add('threadSpec', sleep, '--hold --thread-spec=2 --exclusive=user');
  await add(
    'bound',
    sleep,
    '--hold --gres-flags=enforce-binding --overcommit -n3 --ntasks-per-socket=2',
    'bob',
  );
  await add('heldHet', sleep, '--hold -n1 : -n2 : -N2 --mem=33');
  await add('plane', sleep, '--hold --no-kill --distribution=plane=2 -n4');
  if (release >= '22.05') {
    await add('prefers', sleep, '--hold --prefer=ib');
    await add('contained', sleep, '--hold --container=/tmp/bundle');
  }
  if (release >= '24.11') await add('extra', sleep, '--hold --extra=more words --tres-per-task=cpu=2 -n2');

  await run(cluster, ['scancel', `${jobs.cancelled}`]);
  const running = ['big', 'exclusive', 'reserved', 'suspended', 'requeued', 'steps', 'timeLimited'];
  const parts = [`${jobs.array}_1`, `${jobs.array}_3`, `${jobs.het}+0`, `${jobs.het}+1`];
  const wanted = [...running.map((name) => `${jobs[name]}`), ...parts];
  const ended = ['finished', 'failed', 'signalled'].map((name) => `${jobs[name]}`);
  const areThere = async () => {
    const { stdout } = await cluster.exec(['squeue', '-h', '-t', 'RUNNING,COMPLETING', '-o', '%i'], {
      user: 'root',
    });
    const names = new Set(stdout.split('\n'));
    return wanted.every((name) => names.has(name)) && !ended.some((name) => names.has(name));
  };
  await cluster.waitFor(areThere, 30_000, 'the jobs to run');
  await waitForFile('steps.ready');
  await scontrol(`suspend ${jobs.suspended}`);
  await scontrol(`requeuehold ${jobs.requeued}`);
  await scontrol(`update jobid=${jobs.timeLimited} comment=changed admincomment=by_root`);

  await scontrol('update nodename=n7 state=down reason=broken_disk');
  await scontrol('update nodename=n8 state=drain reason=to_be_looked_at');
  await scontrol('update nodename=n5 state=drain reason=no_more');
  await scontrol('update nodename=n9 state=fail reason=failing');
  await scontrol('reboot ASAP nextstate=RESUME reason=new_kernel n4');
  return jobs;
}

/** A job with as many options as a job can have. */
const BIG = `
  -N2 -n8 -c2 -wn[1-2] --exclude=n5 --ntasks-per-node=4 --sockets-per-node=1 --threads-per-core=1 --mem=500 --tmp=0 --contiguous
  --constraint=fast&big --batch=fast --licenses=matlab:2,ansys --switches=1@10:00 --cpu-freq=low-high:performance
  --distribution=cyclic --hint=compute_bound --profile=task --account=phys --wckey=key --job-name=big one --comment=it is = big
  --nice=5 --no-requeue --time=2-10 --deadline=now+20days --delay-boot=5 --signal=USR1@60
  --output=big-%j.out --error=/dev/null --input=/dev/null --open-mode=append`;

/** An argument begins with a dash; `:` between the parts of a het job is one too. */
function argumentsOf(options: string): string[] {
  return options.trim().split(/\s+(?=-|:)/);
}

async function run(cluster: LabCluster, argv: readonly string[], user: SubmitOptions['user'] = 'alice') {
  const { code, stdout, stderr } = await cluster.exec(argv, { user });
  if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}: ${stdout}${stderr}`);
}
