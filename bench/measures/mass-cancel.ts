/**
 * 10,000 pending jobs cancelled at a real slurmctld: `killJobs` beside `scancel`, by ids and by a filter. Each turn has jobs of its own, all
 * single and held, and the records of the turn before are gone; after it none of them may be pending.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type LabCluster, up } from '../../lab/cluster.js';
import { compilePeer } from '../../lab/libslurm-peer.js';
import { ClientProcess } from '../mass/client-process.js';
import { atMost, type BenchContext, type Measure, type Measured, type Row, rowsBeside } from '../measure.js';
import { median, playRounds } from '../paired.js';

const SUBMIT = fileURLToPath(new URL('../../../bench/peers/submit-held.c', import.meta.url));
/** By it the filters find the jobs. */
const NAME = 'mass';
/** Three rounds say enough of what takes seconds, and every turn needs a new set of jobs. */
const MAX_ROUNDS = 3;
const WARM_UP = 1_000;
const BY_IDS = 'killJobs, ids';
const BY_FILTER = 'killJobs, filter';

export const massCancel: Measure = {
  name: 'mass-cancel',
  title: '10,000 pending jobs cancelled',
  async run(context) {
    const count = context.isQuick ? 200 : 10_000;
    const releases = [await onRelease('26.05', count, context), await onRelease('22.05', count, context)];
    return {
      rows: releases.flatMap(({ rows }) => rows),
      raw: Object.fromEntries(releases.map(({ raw }, i) => [i === 0 ? '26.05' : '22.05', raw])),
    };
  },
};

/** What a turn came to. */
interface Turned {
  readonly contestant: string;
  readonly round: number;
  readonly ms: number;
  /** User and kernel time of the client. */
  readonly cpuMs: number;
  /** Requests that the controller counted for the user meanwhile. */
  readonly rpcs: number;
  readonly rpcTypes: Readonly<Record<string, number>>;
  /** What `killJobs` itself counted; it includes what the controller has for another user's or nobody's. */
  readonly ownCount: number | null;
}

async function onRelease(release: string, count: number, context: BenchContext): Promise<Measured> {
  const directory = await mkdtemp(join(tmpdir(), 'slurmwire-bench-'));
  await chmod(directory, 0o755);
  const cluster = await up({
    release,
    directory,
    nodes: 1,
    parameters: {
      MaxJobCount: '200000',
      MinJobAge: '2',
      // As sites have it: the lab's `verbose` writes lines for every job.
      SlurmctldDebug: 'info',
    },
  });
  try {
    return await new Stage(cluster, count, context).play(release);
  } finally {
    await cluster.down();
    await rm(directory, { recursive: true, force: true });
  }
}

class Stage {
  readonly #cluster: LabCluster;
  readonly #count: number;
  readonly #context: BenchContext;
  readonly #turns: Turned[] = [];
  #submitter = '';

  constructor(cluster: LabCluster, count: number, context: BenchContext) {
    this.#cluster = cluster;
    this.#count = count;
    this.#context = context;
  }

  async play(release: string): Promise<Measured> {
    this.#submitter = join(this.#cluster.workDirectory, 'submit-held');
    await compilePeer(this.#cluster.release, SUBMIT, this.#submitter);
    const { uid, gid } = this.#cluster.users.alice;
    const client = await ClientProcess.start({ uid, gid, options: { conf: this.#cluster.slurmConf } });
    try {
      const hasCtld = release >= '23.11';
      const ours = {
        [BY_IDS]: this.#turn(BY_IDS, (ids) => this.#ours(client, ids)),
        [BY_FILTER]: this.#turn(BY_FILTER, () => this.#ours(client, { name: NAME, state: 'PENDING' })),
      };
      const scancel = {
        'scancel, ids': this.#turn('scancel, ids', (ids) => this.#scancel([], ids)),
        'scancel, filter': this.#turn('scancel, filter', () => this.#scancel(FILTER)),
      };
      const ctld = {
        'scancel --ctld, ids': this.#turn('scancel --ctld, ids', (ids) => this.#scancel(['--ctld'], ids)),
        // As killJobs asks: with an entry for each job in the answer.
        'scancel --ctld -v, ids': this.#turn('scancel --ctld -v, ids', (ids) =>
          this.#scancel(['--ctld', '--verbose'], ids),
        ),
        'scancel --ctld, filter': this.#turn('scancel --ctld, filter', () =>
          this.#scancel(['--ctld', ...FILTER]),
        ),
      };
      const turns: Record<string, (round: number) => Promise<number>> = {
        ...ours,
        ...scancel,
        ...(hasCtld ? ctld : {}),
      };
      await this.#warmUp(client);
      const rounds = Math.min(this.#context.rounds, MAX_ROUNDS);
      const pairing = await playRounds(rounds, turns, 0);
      const what = `${this.#count.toLocaleString('en-US')} pending jobs cancelled`;
      const on = `slurmctld ${await this.#version()}`;
      const one = (us: string) => ({ what, on: `${on}, ${us.split(', ')[1]}`, unit: 'ms' });
      const rows: Row[] = [];
      for (const [us, targets] of Object.entries({
        [BY_IDS]: {
          'scancel, ids': hasCtld ? atMost(0.2) : null,
          ...(hasCtld ? { 'scancel --ctld, ids': atMost(1), 'scancel --ctld -v, ids': null } : {}),
        },
        [BY_FILTER]: {
          'scancel, filter': null,
          ...(hasCtld ? { 'scancel --ctld, filter': atMost(1) } : {}),
        },
      })) {
        const among = rowsBeside(one(us), pairing, us, targets);
        rows.push(...among.filter(({ peer }) => peer !== null && peer in targets));
        rows.push(
          ...Object.keys(targets).map((peer) => ({
            what: 'RPCs it took',
            on: `${on}, ${us.split(', ')[1]}`,
            unit: 'RPCs',
            ours: this.#rpcsOf(us),
            peer,
            theirs: this.#rpcsOf(peer),
            ratio: this.#rpcsOf(us) / this.#rpcsOf(peer),
            target: null,
            note: 'as the controller counted them for the user (sdiag), first contact included',
          })),
        );
      }
      return { rows, raw: { count: this.#count, samples: pairing, turns: this.#turns } };
    } finally {
      await client.stop();
    }
  }

  /** Few jobs, which count for nothing: a scheduler's process has done it before, and so has slurmctld. */
  async #warmUp(client: ClientProcess): Promise<void> {
    for (const isByIds of [true, false, true]) {
      const ids = await this.#submit(WARM_UP);
      await this.#ours(client, isByIds ? ids : { name: NAME, state: 'PENDING' }, WARM_UP);
    }
  }

  #rpcsOf(contestant: string): number {
    return median(this.#turns.filter((one) => one.contestant === contestant).map(({ rpcs }) => rpcs));
  }

  /** A turn with a set of jobs of its own. */
  #turn(contestant: string, cancel: (ids: readonly number[]) => Promise<Spent>) {
    return async (round: number): Promise<number> => {
      await this.#forgotten();
      const ids = await this.#submit();
      await this.#root(['sdiag', '--reset']);
      const { ms, cpuMs, ownCount } = await cancel(ids);
      const diagnosis = await this.#root(['sdiag']);
      const left = await this.#jobs('PENDING');
      if (left > 0) throw new Error(`${contestant} left ${left} of ${ids.length} jobs pending`);
      const counted = rpcsIn(diagnosis);
      this.#turns.push({ contestant, round, ms, cpuMs, ownCount, ...counted });
      this.#context.log(
        `  ${contestant}: ${Math.round(ms)} ms, ${Math.round(cpuMs)} ms CPU, ${counted.rpcs} RPCs`,
      );
      return ms;
    };
  }

  async #ours(client: ClientProcess, which: unknown, count = this.#count): Promise<Spent> {
    const { ms, cpuMs, result, error } = await client.call('killJobs', [which], true);
    const jobs = result.jobs as { accepted?: number } | undefined;
    if (error !== null || jobs?.accepted !== count)
      throw new Error(`killJobs: ${error ?? JSON.stringify(result)}`);
    return { ms, cpuMs, ownCount: result.rpcs as number };
  }

  /** Its process is in the time, as it is in its users'; the way into the cluster's namespace is not. */
  async #scancel(options: readonly string[], ids: readonly number[] = []): Promise<Spent> {
    const command = ids.length === 0 ? 'scancel "$@"' : 'xargs -s 2000000 scancel "$@"';
    const script = `TIMEFORMAT='%3R %3U %3S'; time ${command}`;
    const { code, stdout, stderr } = await this.#cluster.exec(['bash', '-c', script, 'scancel', ...options], {
      user: 'alice',
      input: ids.join('\n'),
      timeoutMs: 600_000,
    });
    const times = stderr.trim().split('\n').at(-1)?.split(' ').map(Number) ?? [];
    const [real = Number.NaN, user = Number.NaN, system = Number.NaN] = times;
    if (code !== 0 || Number.isNaN(system)) throw new Error(`scancel ended with ${code}: ${stderr}${stdout}`);
    return { ms: 1000 * real, cpuMs: 1000 * (user + system), ownCount: null };
  }

  async #submit(count = this.#count): Promise<number[]> {
    const { uid, gid } = this.#cluster.users.alice;
    const half = [this.#submitter, count / 2, uid, gid, NAME].map(String);
    const outputs = await Promise.all([this.#root(half), this.#root(half)]);
    const ids = outputs.flatMap((output) => output.trim().split('\n').map(Number));
    if (ids.length !== count) throw new Error(`${ids.length} jobs were submitted`);
    return ids.sort((a, b) => a - b);
  }

  /** Waits until the controller has no record of any job: ended ones cost their part of a lookup. */
  async #forgotten(): Promise<void> {
    await this.#cluster.waitFor(async () => (await this.#jobs('all')) === 0, 120_000, 'records to be purged');
  }

  async #jobs(state: string): Promise<number> {
    const listed = await this.#root(['squeue', '--noheader', `--states=${state}`, '--format=%A']);
    return listed.trim() === '' ? 0 : listed.trim().split('\n').length;
  }

  async #version(): Promise<string> {
    return (await this.#root(['scontrol', '--version'])).trim().split(' ').at(-1) ?? '';
  }

  async #root(argv: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#cluster.exec(argv, { user: 'root', timeoutMs: 600_000 });
    if (code !== 0) throw new Error(`${argv[0]} ended with ${code}: ${stderr.slice(0, 500)}`);
    return stdout;
  }
}

interface Spent {
  readonly ms: number;
  readonly cpuMs: number;
  readonly ownCount: number | null;
}

const FILTER = ['--user=alice', `--name=${NAME}`, '--state=PENDING'];

/** What sdiag has for alice, and what kinds of messages there were at all. */
function rpcsIn(text: string): Pick<Turned, 'rpcs' | 'rpcTypes'> {
  const ofAlice = /^\s*alice\s+\(\s*\d+\)\s+count:(\d+)/m.exec(text)?.[1] ?? '0';
  const types = [...text.matchAll(/^\s*(REQUEST_\w+)\s*\(\s*\d+\)\s+count:(\d+)/gm)];
  return {
    rpcs: Number(ofAlice),
    rpcTypes: Object.fromEntries(types.map(([, name = '', count]) => [name, Number(count)])),
  };
}
