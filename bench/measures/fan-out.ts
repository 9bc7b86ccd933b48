/**
 * A signal to 1,024 and 8,192 nodes: `signalJob` beside libslurm's `slurm_signal_job`, on one fleet of embedded slurmds, with one
 * slurm.conf and one munged. Both have done it before in the same process, so nothing of the cluster is new to them.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ClientPrograms } from '../../lab/client-programs.js';
import { compilePeer } from '../../lab/libslurm-peer.js';
import type { Release } from '../../src/index.js';
import { Fleet, type FleetWork } from '../fleet/fleet.js';
import { ClientProcess } from '../mass/client-process.js';
import { atMost, type BenchContext, type Measure, type Measured, rowsBeside } from '../measure.js';
import { Pairing, playRounds } from '../paired.js';

const PEER = fileURLToPath(new URL('../../../bench/peers/signal-job.c', import.meta.url));
/** SIGWINCH: steps stay as they are. */
const SIGNAL = 28;
const TREE = 'signalJob, tree';
const DIRECT = 'signalJob, direct';
const LIBSLURM = 'libslurm, slurm_signal_job';
type Contestant = typeof TREE | typeof DIRECT | typeof LIBSLURM;
/** On a machine with few cores thousands of slurmds need more time than elsewhere, and a forwarder that gives one up makes other work of it. */
const PATIENT = { MessageTimeout: '100', TCPTimeout: '60' };
/** What everyone has signalled before what is measured. */
const SMALL = 64;

export const fanOut: Measure = {
  name: 'fan-out',
  title: 'a signal to 1,024 and 8,192 nodes',
  async run(context) {
    const sizes = context.isQuick ? [128, 256] : [1_024, 8_192];
    const rows: Measured['rows'][number][] = [];
    const raw: Record<string, unknown> = {};
    for (const release of ['22.05', '26.05'] as const) {
      for (const size of sizes) {
        const measured = await onFleet(release, size, context);
        rows.push(...measured.rows);
        raw[`${release}, ${size}`] = measured.raw;
      }
    }
    return { rows, raw };
  },
};

interface Turned {
  readonly contestant: Contestant;
  readonly round: number;
  readonly ms: number;
  readonly cpuMs: number;
  readonly work: FleetWork;
}

async function onFleet(release: Release, size: number, context: BenchContext): Promise<Measured> {
  const fleet = await Fleet.start({ release, nodes: size, jobs: [SMALL, size], parameters: PATIENT });
  let client: ClientProcess | null = null;
  try {
    const place = await ClientPrograms.of({ release, slurmConf: fleet.slurmConf });
    const peer = join(place.workDirectory, 'signal-job');
    await compilePeer(release, PEER, peer);
    const options = { conf: fleet.slurmConf, timeoutMs: 300_000 };
    client = await ClientProcess.start({ uid: 0, gid: 0, options });
    const [ours, turns] = [client, [] as Turned[]];
    const note = async (contestant: Contestant, round: number, ms: number, cpuMs: number, few: number) => {
      const work = await fleet.work();
      const sent = (work.requests.REQUEST_SIGNAL_TASKS ?? 0) - few;
      if (work.signals !== sent + few || sent !== size)
        throw new Error(`${contestant}: ${JSON.stringify(work)} for ${size} nodes`);
      turns.push({ contestant, round, ms, cpuMs, work });
      const costs = `${Math.round(ms)} ms, ${Math.round(cpuMs)} ms CPU`;
      context.log(`  ${release}, ${size}, ${contestant}: ${costs}, ${work.forwarders} forwarders`);
      return ms;
    };
    const call = async (contestant: Contestant, strategy: string, round: number) => {
      const { ms, cpuMs, error } = await ours.call('signalJob', [2, SIGNAL, { fanOut: strategy }]);
      if (error !== null) throw new Error(error);
      return note(contestant, round, ms, cpuMs, 0);
    };
    const pairing = await playRounds<Contestant>(context.rounds, {
      [TREE]: (round) => call(TREE, 'auto', round),
      [LIBSLURM]: async (round) => {
        const argv = [peer, '1', '2', `${SIGNAL}`, '1'];
        const { code, stdout, stderr } = await place.exec(argv, { user: 'root', timeoutMs: 300_000 });
        const said = code === 0 ? JSON.parse(stdout) : null;
        if (said?.value !== 0)
          throw new Error(`the peer of ${release} ended with ${code}: ${stdout}${stderr}`);
        return note(LIBSLURM, round, said.ms, said.cpuMs, SMALL);
      },
      [DIRECT]: (round) => call(DIRECT, 'direct', round),
    });
    const cpu = cpuPairing(turns);
    const on = `${size.toLocaleString('en-US')} slurmds ${release}`;
    const note_ = 'the slurmds are embedded ones on the same machine, and take most of the time';
    const targets = { [LIBSLURM]: atMost(1) };
    return {
      rows: [
        ...rowsBeside<Contestant>(
          { what: 'signal to all nodes', on, unit: 'ms', note: note_ },
          pairing,
          TREE,
          targets,
        ),
        ...rowsBeside<Contestant>({ what: 'of it the client’s CPU', on, unit: 'ms' }, cpu, TREE, {}),
      ],
      raw: { release, size, samples: pairing, cpu, turns },
    };
  } finally {
    await client?.stop();
    await fleet.down();
  }
}

function cpuPairing(turns: readonly Turned[]): Pairing<Contestant> {
  const of = (name: Contestant) =>
    turns.filter(({ contestant, round }) => contestant === name && round >= 0).map(({ cpuMs }) => cpuMs);
  return new Pairing({ [TREE]: of(TREE), [LIBSLURM]: of(LIBSLURM), [DIRECT]: of(DIRECT) });
}
