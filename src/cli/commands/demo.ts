/** `slurmwire demo`: a cluster in this process, a job of real processes, and a kill of it that can be watched. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { RELEASE_NAMES, type Release } from '../../protocol/release.js';
import { outputOptions } from '../connection.js';
import { Narrator } from '../demo/narrator.js';
import { type DemoEvent, playDemo } from '../demo/play.js';
import { EXIT } from '../failure.js';
import { type CommandIo, widthOf } from '../io.js';
import { type OutputOptions, outputOf } from '../output.js';

interface DemoOptions extends OutputOptions {
  readonly release: Release;
  readonly nodes: number;
}

/** Every node has processes of its own: more would be a crowd on one machine, and on one screen. */
const MAX_NODES = 8;

export function demoCommand(io: CommandIo): Command {
  const command = new Command('demo')
    .summary('kill a job of real processes on a cluster inside this process, explained')
    .description(
      'start a cluster inside this process, run a job of real processes on it, kill that job, and show what happened: which request went where in which ' +
        'version, which processes got which signal, who was left. Needs no Slurm, no MUNGE and no root; takes a few seconds and leaves nothing.',
    )
    .addOption(
      new Option('--release <release>', 'release of Slurm that the cluster speaks')
        .choices(RELEASE_NAMES)
        .default('26.05'),
    )
    .addOption(
      new Option('--nodes <count>', `nodes of the cluster, 1 to ${MAX_NODES}`)
        .argParser(parseNodes)
        .default(3),
    )
    .action(async (options: DemoOptions) => {
      const output = outputOf(io, options);
      const narrator = new Narrator(output, Math.min(widthOf(io.stdout), 110));
      const events: DemoEvent[] = [];
      const survivors = await playDemo(options, io, (event) => {
        events.push(event);
        narrator.tell(event);
      });
      const { release, nodes } = options;
      output.result({ release, nodes, events }, () => []);
      io.setExitCode(survivors === 0 ? EXIT.done : EXIT.unconfirmed);
    });
  return outputOptions(command);
}

function parseNodes(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= MAX_NODES) return count;
  throw new InvalidArgumentError(`It is not a number from 1 to ${MAX_NODES}.`);
}
