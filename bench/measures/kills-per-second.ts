import { KillRounds } from '../kills/kill-rounds.js';
import { perSecond } from '../kills/kill-run.js';
import { atEachPlace, type KillPlace } from '../kills/places.js';
import type { Killer } from '../kills/stage.js';
import { atLeast, type BenchContext, type Measure, rowsBeside } from '../measure.js';
import { median } from '../paired.js';

const CONCURRENCIES = [1, 2, 4, 8, 16, 32, 64];
/** Processes of scancel, connections to slurmrestd. */
const OTHERS: Readonly<Record<string, readonly number[]>> = {
  scancel: [1, 2, 4, 8],
  slurmrestd: [1, 2, 4, 8, 16],
};
/** Each point of a curve is the median of so many runs. */
const RUNS = 3;

/** Authenticated kills per second of one process, at its best concurrency; of `scancel` and slurmrestd too, each at its own. */
export const killsPerSecond: Measure = {
  name: 'kills-per-second',
  title: 'Authenticated kills per second',
  async run(context) {
    const measured = await atEachPlace(context, async (place) => {
      const { name, stage, slurmwire, libslurm, kill, responder } = place;
      const [kills, warmUp] = context.isQuick ? [300, 100] : [2_000, 500];
      const curve = await curveOf(context, place, slurmwire, CONCURRENCIES);
      context.log(`  slurmwire: ${show(curve)}`);
      const atATime = best(curve);
      await responder?.answered();
      const counted = await kill(slurmwire, { kills: 1_000, atATime });
      const answered = responder === null ? null : await responder.answered();

      const others: Record<string, () => ReturnType<Killer>> = {};
      const curves: Record<string, Curve> = { slurmwire: curve };
      if (responder === null) {
        const programs = { scancel: stage.scancel(), slurmrestd: await stage.slurmrestd(context.log) };
        for (const [program, killer] of Object.entries(programs)) {
          const own = await curveOf(context, place, killer, OTHERS[program] ?? [1]);
          context.log(`  ${program}: ${show(own)}`);
          curves[program] = own;
          others[program] = () => kill(killer, { kills: context.isQuick ? 50 : 300, atATime: best(own) });
        }
      }
      const rounds = await KillRounds.play(context.rounds, {
        slurmwire: () => kill(slurmwire, { kills, warmUp, atATime }),
        'libslurm, 1 thread': () => kill(libslurm, { kills, warmUp: 10, atATime: 1 }),
        'libslurm, 8 threads': () => kill(libslurm, { kills, warmUp: 10, atATime: 8 }),
        ...others,
      } as Record<string, () => ReturnType<Killer>>);
      const rpcs = answered === null ? '' : ` ${sum(answered) / counted.kills} RPCs a kill.`;
      const common = {
        what: 'kills per second',
        on: name,
        unit: '/s',
        note: `slurmwire with ${atATime} in flight (${show(curve)}).${rpcs}`,
      };
      const rows = rowsBeside(common, rounds.pairing(perSecond), 'slurmwire', {
        'libslurm, 1 thread': atLeast(1),
        'libslurm, 8 threads': atLeast(1),
        scancel: atLeast(6),
        slurmrestd: atLeast(2),
      });
      return { name, rows, raw: { curves, answered, rounds } };
    });
    return {
      rows: measured.flatMap(({ rows }) => rows),
      raw: Object.fromEntries(measured.map(({ name, raw }) => [name, raw])),
    };
  },
};

/** Kills per second by how many are in flight. */
type Curve = Readonly<Record<number, number>>;

async function curveOf(
  { isQuick }: BenchContext,
  { kill }: KillPlace,
  killer: Killer,
  concurrencies: readonly number[],
): Promise<Curve> {
  const curve: Record<number, number> = {};
  for (const atATime of concurrencies) {
    const runs: number[] = [];
    for (let run = 0; run < (isQuick ? 1 : RUNS); run++) {
      runs.push(perSecond(await kill(killer, { kills: isQuick ? 50 : 300, atATime })));
    }
    curve[atATime] = Math.round(median(runs));
  }
  return curve;
}

function best(curve: Curve): number {
  const [first] = Object.entries(curve).toSorted(([, a], [, b]) => b - a);
  return Number(first?.[0]);
}

function show(curve: Curve): string {
  return Object.entries(curve)
    .map(([atATime, rate]) => `${atATime}: ${rate}/s`)
    .join(', ');
}

const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
