import { Command } from 'commander';
import { connectionOptions } from '../connection.js';
import type { CommandIo } from '../io.js';

/** `slurmwire cancel`: scancel(1). */
export function cancelCommand(_io: CommandIo): Command {
  return connectionOptions(new Command('cancel'))
    .description('signal or cancel jobs, array tasks and steps: a drop-in scancel(1)')
    .argument('[job_id[_array_id][.step_id]...]', 'jobs and steps')
    .action(async () => {
      throw new Error('not there yet');
    });
}
