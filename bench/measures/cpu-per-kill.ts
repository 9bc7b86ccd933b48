import { KillRounds, type KillTurn } from '../kills/kill-rounds.js';
import { cpuOf } from '../kills/kill-run.js';
import { atEachPlace } from '../kills/places.js';
import { atMost, type Measure, rowsBeside } from '../measure.js';

/** Enough in flight that a process never waits; more would be a line before munged. */
const AT_A_TIME = 16;

/** Time of CPU that the client's process takes for a kill: all its threads, user and system. */
export const cpuPerKill: Measure = {
  name: 'cpu-per-kill',
  title: "CPU time of the client's process for a kill",
  async run(context) {
    const kills = context.isQuick ? 300 : 2_000;
    const warmUp = context.isQuick ? 100 : 1_000;
    const measured = await atEachPlace(context, async ({ name, slurmwire, libslurm, responder, kill }) => {
      // Of what a kill cannot do without, how much is Node's: in sum this is the floor.
      const floors: Record<string, KillTurn> = {};
      if (responder !== null) {
        const [net, credential] = [await responder.floor('net'), await responder.floor('credential')];
        floors['node:net alone'] = () => kill(net, { kills, warmUp, atATime: AT_A_TIME });
        floors['munge() alone'] = () => kill(credential, { kills, warmUp, atATime: AT_A_TIME });
      }
      const turns: Record<string, KillTurn> = {
        ...floors,
        slurmwire: () => kill(slurmwire, { kills, warmUp, atATime: AT_A_TIME }),
        'slurmwire, one at a time': () => kill(slurmwire, { kills, warmUp, atATime: 1 }),
        'libslurm, 1 thread': () => kill(libslurm, { kills, warmUp: 10, atATime: 1 }),
        'libslurm, 8 threads': () => kill(libslurm, { kills, warmUp: 10, atATime: 8 }),
      };
      const rounds = await KillRounds.play(context.rounds, turns);
      const common = { what: 'client CPU per kill', on: name, unit: 'µs' };
      const rows = rowsBeside(common, rounds.pairing(cpuOf), 'slurmwire', {
        'libslurm, 1 thread': atMost(1),
        'libslurm, 8 threads': atMost(1),
      });
      return { name, rows, rounds };
    });
    return {
      rows: measured.flatMap(({ rows }) => rows),
      raw: Object.fromEntries(measured.map(({ name, rounds }) => [name, rounds])),
    };
  },
};
