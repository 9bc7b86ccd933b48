import { KillRounds } from '../kills/kill-rounds.js';
import type { Killed } from '../kills/kill-run.js';
import { atEachPlace } from '../kills/places.js';
import { atMost, type Measure, rowsBeside } from '../measure.js';
import { quantile } from '../paired.js';

/** From call to answer, one kill at a time, with a pause before each so that nobody is at work. */
export const killLatency: Measure = {
  name: 'kill-latency',
  title: 'Time of one kill where nothing else goes on',
  async run(context) {
    const kills = context.isQuick ? 100 : 1_000;
    const warmUp = context.isQuick ? 20 : 300;
    const run = { kills, warmUp, atATime: 1, pauseMs: 2 };
    const measured = await atEachPlace(context, async ({ name, slurmwire, libslurm, kill }) => {
      const rounds = await KillRounds.play(context.rounds, {
        slurmwire: () => kill(slurmwire, run),
        libslurm: () => kill(libslurm, run),
      });
      const rows = [0.5, 0.99].flatMap((share) => {
        const pairing = rounds.pairing(({ latencies }: Killed) => quantile(latencies, share));
        const common = { what: `latency of one kill, p${share * 100}`, on: name, unit: 'µs' };
        return rowsBeside(common, pairing, 'slurmwire', { libslurm: atMost(1.2) });
      });
      const latencies = [0.5, 0.9, 0.99, 1].map((share) => [
        `p${share * 100}`,
        rounds.pairing(({ latencies }) => quantile(latencies, share)),
      ]);
      return { name, rows, raw: { rounds, latencies: Object.fromEntries(latencies) } };
    });
    return {
      rows: measured.flatMap(({ rows }) => rows),
      raw: Object.fromEntries(measured.map(({ name, raw }) => [name, raw])),
    };
  },
};
