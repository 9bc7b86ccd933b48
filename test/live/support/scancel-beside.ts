/** Runs one command line by the real scancel and by ours, each on jobs of its own that are alike, and compares what came of it. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LabUser } from '../../../lab/cluster.js';
import type { Release } from '../../../src/protocol/index.js';
import type { CommandActor, Ran } from './command-actor.js';
import { lines } from './listening-job.js';
import type { Live } from './live.js';

/** A job that a case is run on. */
export interface JobSpec {
  /** `held`: pending and stays so. `het`: the same, with two components. `sleeping`: runs. `listening`: runs, its shell and its step write down their signals. */
  readonly kind: 'held' | 'het' | 'sleeping' | 'listening' | 'ended';
  /** For sbatch; `@` stands for a name that only this case and side have. */
  readonly sbatch?: readonly string[];
  readonly user?: LabUser;
}

export interface ScancelCase {
  /** The row of the table: options by all their names. */
  readonly option: string;
  /** What is tried, as a command line, with J1, J2 … for the jobs. `@` as in `sbatch`. */
  readonly run: readonly string[];
  readonly jobs?: readonly JobSpec[];
  readonly user?: LabUser;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What becomes of the jobs: `J1=CANCELLED J2=PENDING`, tasks by themselves, sorted. Default: as it was, all pending. */
  readonly after: string;
  /** Signals that listening jobs get: `step USR1`, sorted. */
  readonly got?: readonly string[];
  /** No other jobs may be there. */
  readonly alone?: boolean;
  /** What is written on stdout and stderr is each program's own. */
  readonly ownWords?: boolean;
  /** Where we differ and why, on which releases; `after`: what becomes of the jobs with us there. */
  readonly differs?: { readonly on: readonly Release[]; readonly why: string; readonly after?: string };
}

/** One row of the table on one release. */
export interface Compared {
  readonly option: string;
  readonly shown: string;
  /** Who ran it, on what. */
  readonly circumstances: string;
  readonly release: Release;
  /** `null`: the same in all respects. */
  readonly difference: string | null;
  readonly why: string | null;
}

interface Seen {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly states: string;
  readonly got: string;
}

export async function beside(
  live: Live,
  actors: Readonly<Record<string, CommandActor>>,
  release: Release,
  one: ScancelCase,
  tag: string,
): Promise<Compared> {
  const { cluster } = live;
  const { user = 'alice', env = {}, alone = false } = one;
  const theirs = () =>
    onJobs(live, one, `${tag}r`, (argv) =>
      cluster.exec(['scancel', ...argv], { user, env, input: answers(one) }),
    );
  const actor = actors[user];
  if (actor === undefined) throw new Error(`nobody runs the command as ${user}`);
  const own = () =>
    onJobs(live, one, `${tag}o`, (argv) =>
      actor.run(['cancel', ...argv], {
        env: { SLURM_CONF: cluster.slurmConf, ...env },
        input: answers(one),
        invokedAs: 'slurmwire',
      }),
    );
  const [real, ours] = alone ? [await theirs(), await own()] : await Promise.all([theirs(), own()]);
  const shown = `${Object.entries(env)
    .map(([name, value]) => `${name}=${value} `)
    .join('')}scancel ${one.run.join(' ')}`;
  const after = (one.differs?.on.includes(release) === true ? one.differs.after : undefined) ?? one.after;
  if (ours.states !== after) throw new Error(`${shown}: ${ours.states} in place of ${after}`);
  if (ours.got !== (one.got ?? []).join(',')) throw new Error(`${shown}: the processes got ${ours.got}`);
  const differences = (Object.keys(real) as (keyof Seen)[]).filter((key) => real[key] !== ours[key]);
  const difference = differences
    .map((key) => `${key}: scancel ${JSON.stringify(real[key])}, slurmwire ${JSON.stringify(ours[key])}`)
    .join('; ');
  const why = one.differs?.on.includes(release) === true ? one.differs.why : null;
  const kinds = (one.jobs ?? []).map((job) =>
    job.user === undefined ? job.kind : `${job.kind} of ${job.user}`,
  );
  const circumstances = [...(user === 'alice' ? [] : [`as ${user}`]), ...kinds].join(', ');
  return {
    option: one.option,
    shown,
    circumstances,
    release,
    difference: difference === '' ? null : difference,
    why,
  };
}

async function onJobs(
  live: Live,
  one: ScancelCase,
  tag: string,
  run: (argv: readonly string[]) => Promise<Ran>,
): Promise<Seen> {
  const { cluster } = live;
  const ids: number[] = [];
  // One after the other, so that J1 has the lower number.
  for (const job of one.jobs ?? []) ids.push(await submit(live, job, tag));
  const named = (text: string) =>
    text.replaceAll('@', tag).replace(/J(\d)/g, (_, digit) => String(ids[Number(digit) - 1]));
  const { code, stdout, stderr } = await run(one.run.map(named));
  const anonymous = (text: string) =>
    ids.reduce(
      (all, id, index) => all.replace(new RegExp(`(?<!\\d)${id}(?!\\d)`, 'g'), `J${index + 1}`),
      text.replaceAll(tag, '@'),
    );
  // Where another end is known of, it is there at once.
  const patienceMs = one.differs === undefined ? 20_000 : 2_000;
  let states = '';
  const look = async () => {
    states = anonymous(await statesOf(live, ids))
      .split(' ')
      .sort()
      .join(' ');
    return states === one.after;
  };
  // What another state it ends in is for the comparison to say.
  if (ids.length > 0) await cluster.waitFor(look, patienceMs, one.after).catch(() => {});
  let got = '';
  const listen = async () => {
    const heard = await Promise.all(ids.map((id) => live.output(`out.${id}`)));
    // scancel may signal a step twice: docs/scancel.md.
    got = [...new Set(heard.flatMap(lines))].sort().join(',');
    return got === (one.got ?? []).join(',');
  };
  // Of what is killed nobody asks which of its last signals it had time for.
  if (one.got !== undefined) await cluster.waitFor(listen, patienceMs, one.got.join(', ')).catch(() => {});
  if (/=(?:PENDING|RUNNING)/.test(states))
    await cluster.exec(['scancel', '-Q', ...ids.map(String)], { user: 'root' });
  if (one.ownWords === true) return { code, stdout: '', stderr: '', states, got };
  return { code, stdout: anonymous(stdout), stderr: plain(anonymous(stderr)), states, got };
}

/** Without the chatter of Slurm's plugins, and without the lines that we add to an error; in any order, as scancel has threads. */
function plain(stderr: string): string {
  const told = lines(stderr).filter((line) => !/^ {2}\S|^scancel: (?:select\/|debug)/.test(line));
  // scancel may ask for a step twice: docs/scancel.md.
  return [...new Set(told)].sort().join('\n');
}

async function submit(
  live: Live,
  { kind, sbatch = [], user = 'alice' }: JobSpec,
  tag: string,
): Promise<number> {
  const { cluster } = live;
  // With all of a node's memory, as is the default here, there would be one job to a node.
  const sbatchArgs = [
    '--mem=10',
    ...(kind === 'held' ? ['-H'] : []),
    ...sbatch.map((arg) => arg.replaceAll('@', tag)),
  ];
  const id = await cluster.submit(SCRIPTS[kind], { user, sbatchArgs });
  if (kind === 'sleeping') await cluster.waitForJob(id, ['RUNNING']);
  if (kind === 'listening')
    await cluster.waitFor(
      async () => lines(await live.output(`up.${id}`)).length === 2,
      40_000,
      `${id} to listen`,
    );
  if (kind === 'ended') await cluster.waitForJob(id, ['COMPLETED']);
  return id;
}

async function statesOf({ cluster }: Live, ids: readonly number[]): Promise<string> {
  const { stdout } = await cluster.exec(
    ['squeue', '-h', '-a', '-r', '-t', 'all', '-j', ids.join(','), '-o', '%i=%T'],
    {
      user: 'root',
    },
  );
  return lines(stdout).join(' ');
}

/** scancel asks for ever where its input ends, so there are more answers than questions. */
function answers({ input }: ScancelCase): string {
  return input === undefined ? '' : input + 'n\n'.repeat(1000);
}

/** A file that both programs can read by the same name. */
export async function sharedFile({ cluster }: Live, name: string, text: string): Promise<string> {
  const path = join(cluster.workDirectory, name);
  await writeFile(path, text);
  return path;
}

const HET =
  '#!/bin/bash\n#SBATCH -n1 --begin=now+1hour\n#SBATCH hetjob\n#SBATCH -n1 --begin=now+1hour\nsleep 600\n';

const LISTENING = `#!/bin/bash
for s in USR1 USR2; do trap "echo batch $s >> out.$SLURM_JOB_ID" $s; done
cat > step.$SLURM_JOB_ID <<'STEP'
for s in USR1 USR2; do trap "echo step $s >> out.$SLURM_JOB_ID" $s; done
echo step >> up.$SLURM_JOB_ID
while :; do sleep 0.2; done
STEP
srun -n1 bash step.$SLURM_JOB_ID &
echo batch >> up.$SLURM_JOB_ID
while :; do sleep 0.2; done
`;

const SCRIPTS: Readonly<Record<JobSpec['kind'], string>> = {
  held: '#!/bin/bash\nsleep 600\n',
  het: HET,
  sleeping: '#!/bin/bash\nexec sleep 600\n',
  listening: LISTENING,
  ended: '#!/bin/bash\n:\n',
};
