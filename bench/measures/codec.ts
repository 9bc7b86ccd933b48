/** The codec alone: a kill frame there and back, and the table of 10,000 jobs, beside libslurm's own pack and unpack. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { down, type LabCluster, type LabUser, up } from '../../lab/cluster.js';
import { LibslurmPeer } from '../../lab/libslurm-peer.js';
import { decodeBody, protocolOf, type Release } from '../../src/protocol/index.js';
import { jobTableOf } from '../codec/job-table.js';
import { killFrame } from '../codec/kill-frame.js';
import { atMost, type BenchContext, type Measure, type Measured, type Row, rowsBeside } from '../measure.js';
import { Pairing, playRounds } from '../paired.js';

const RELEASES: readonly Release[] = ['22.05', '26.05'];
const PEER_SOURCE = fileURLToPath(new URL('../../../bench/peers/codec-peer.c', import.meta.url));
const OURS = fileURLToPath(new URL('../codec/ours.js', import.meta.url));

export const codec: Measure = {
  name: 'codec',
  title: 'a kill frame there and back, and a table of 10,000 jobs, beside libslurm',
  async run(context) {
    const measured: Measured[] = [];
    for (const release of RELEASES) measured.push(await measureRelease(release, context));
    return { rows: measured.flatMap(({ rows }) => rows), raw: measured.map(({ raw }) => raw) };
  },
};

async function measureRelease(release: Release, context: BenchContext): Promise<Measured> {
  const directory = await mkdtemp(join(tmpdir(), 'slurmwire-bench-'));
  await rm(directory, { recursive: true });
  context.log(`  ${release}: starting a cluster`);
  const parameters = { MaxJobCount: '20000' };
  const cluster = await up({ release, directory, nodes: 4, parameters, log: context.log });
  try {
    return await measureBeside(cluster, release, context);
  } finally {
    await down(directory);
    await rm(directory, { recursive: true, force: true });
  }
}

type Us = 'slurmwire';
type KillFigures = Readonly<Record<'encode' | 'encodeKept' | 'decode' | 'cpu' | 'digest', number>>;
type TableFigures = Readonly<Record<'decode' | 'cpu' | 'first', number>>;

async function measureBeside(
  cluster: LabCluster,
  release: Release,
  context: BenchContext,
): Promise<Measured> {
  const { rounds, isQuick, log } = context;
  const peer = await LibslurmPeer.build<LabUser>(cluster, PEER_SOURCE, { name: 'codec-peer', full: true });
  const theirs = (...args: readonly (string | number)[]) =>
    peer.run('root', args, { timeoutMs: 300_000 }) as Promise<never>;
  const protocol = protocolOf(release);

  const jobs = isQuick ? 500 : 10_000;
  log(`  ${release}: submitting ${jobs} jobs`);
  await theirs('submit', jobs, 48, cluster.workDirectory);
  const table = await jobTableOf(cluster);
  const { recordCount } = decodeBody('RESPONSE_JOB_INFO', release, table);
  if (recordCount !== jobs) throw new Error(`the table has ${recordCount} jobs instead of ${jobs}`);
  const tableFile = join(cluster.workDirectory, 'job-table');
  writeFileSync(tableFile, table);
  const { frame, bodyAt } = killFrame(release);
  const frameFile = join(cluster.workDirectory, 'kill-frame');
  writeFileSync(frameFile, frame);

  const kills = isQuick ? 20_000 : 1_000_000;
  const kill = { slurmwire: [] as KillFigures[], libslurm: [] as KillFigures[] };
  log(`  ${release}: kill frames`);
  await playRounds(rounds, {
    slurmwire: async (round) => keep(kill.slurmwire, round, await ours('kill', release, kills)),
    libslurm: async (round) =>
      keep(kill.libslurm, round, await theirs('kill', protocol, frameFile, bodyAt, kills)),
  });
  const tables = isQuick ? 2 : 15;
  const tabled = { slurmwire: [] as TableFigures[], libslurm: [] as TableFigures[] };
  log(`  ${release}: job tables`);
  await playRounds(rounds, {
    slurmwire: async (round) =>
      keep(tabled.slurmwire, round, await ours('table', release, tableFile, tables)),
    libslurm: async (round) =>
      keep(tabled.libslurm, round, await theirs('table', protocol, tableFile, tables)),
  });

  const on = `libslurm ${release}`;
  const one = { on, unit: 'µs' } as const;
  const kilo = `${recordCount.toLocaleString('en-US')}-job`;
  const megabytes = (table.length / 1e6).toFixed(1);
  const both = ({ encode, decode }: KillFigures) => (encode + decode) / 1e3;
  const kept = ({ encodeKept, decode }: KillFigures) => (encodeKept + decode) / 1e3;
  const rows: Row[] = [
    ...beside(
      { ...one, what: 'encode + decode of a kill frame', note: KILL_NOTE },
      kill,
      both,
      both,
      atMost(1),
    ),
    ...beside(
      { ...one, what: 'encode + decode of a kill frame' },
      kill,
      both,
      kept,
      null,
      ', into one buffer that it keeps',
    ),
    ...beside({ ...one, what: 'CPU time of that' }, kill, of('cpu', 1e3), of('cpu', 1e3), null),
    ...beside({ ...one, what: 'encode of a kill frame' }, kill, of('encode', 1e3), of('encode', 1e3), null),
    ...beside({ ...one, what: 'decode of a kill frame' }, kill, of('decode', 1e3), of('decode', 1e3), null),
    ...beside(
      { ...one, what: 'KangarooTwelve of its body' },
      kill,
      of('digest', 1e3),
      of('digest', 1e3),
      null,
    ),
    ...beside(
      {
        on,
        unit: 'ms',
        what: `decode of a ${kilo} RESPONSE_JOB_INFO`,
        note: `${megabytes} MB, packed by slurmctld ${release}`,
      },
      tabled,
      of('decode', 1e6),
      of('decode', 1e6),
      isQuick ? null : atMost(2),
    ),
    ...beside(
      { on, unit: 'ms', what: `CPU time of that, collector's threads included` },
      tabled,
      of('cpu', 1e6),
      of('cpu', 1e6),
      null,
    ),
    ...beside(
      { on, unit: 'ms', what: `the first of a process` },
      tabled,
      of('first', 1e6),
      of('first', 1e6),
      null,
    ),
  ];
  return { rows, raw: { release, tableBytes: table.length, kill, table: tabled } };
}

const KILL_NOTE =
  'both from a record to the bytes of header, credential and body and back; the credential is a given text. libslurm packs into three buffers, as it does to send';

function of<K extends string>(key: K, unit: number): (figures: Readonly<Record<K, number>>) => number {
  return (figures) => figures[key] / unit;
}

/** A row of one figure out of those that a round came to. */
function beside<F>(
  common: Pick<Row, 'what' | 'on' | 'unit' | 'note'>,
  samples: Readonly<Record<Us | 'libslurm', readonly F[]>>,
  our: (figures: F) => number,
  their: (figures: F) => number,
  target: Row['target'],
  how = '',
): Row[] {
  const peer = `libslurm${how}`;
  const pairing = new Pairing({ slurmwire: samples.slurmwire.map(our), [peer]: samples.libslurm.map(their) });
  return rowsBeside(common, pairing, 'slurmwire', { [peer]: target });
}

/** Rounds before the first do not count. */
function keep<F extends KillFigures | TableFigures>(samples: F[], round: number, figures: F): number {
  if (round >= 0) samples.push(figures);
  return figures.decode;
}

async function ours(...args: readonly (string | number)[]): Promise<never> {
  const { stdout } = await run(process.execPath, [OURS, ...args.map(String)], { cwd: '/' });
  return JSON.parse(stdout) as never;
}

const run = promisify(execFile);
