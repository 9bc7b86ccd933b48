import { Command } from 'commander';
import type { Probe, ProbedJob } from '../../rpc/index.js';
import { type ConnectionOptions, callOptions, connectionOptions, withClient } from '../connection.js';
import { EXIT, exitCodeOf } from '../failure.js';
import type { CommandIo } from '../io.js';
import { type Output, outputOf } from '../output.js';
import { checkTargets, exitCodeOfAll, forEachTarget, noteFailure, targetDocument } from '../targets.js';

/** Lookups at a time. */
const CONCURRENCY = 16;

/** `slurmwire probe`: kill -0. */
export function probeCommand(io: CommandIo): Command {
  const command = new Command('probe')
    .summary('ask whether jobs and steps are there, and whose they are')
    .description(
      'ask whether jobs and steps are there, in which state, and whether they are yours: what kill -0 asks. Sends lookups only. Exit code 0: all are there; 1: none is; 5: some are; 3: it could not be asked of all.',
    )
    .argument('<target...>', 'jobs and steps: 1234, 1234_7, 1234+1, 1234.0, 1234.batch')
    .action(async (targets: string[], options: ConnectionOptions) => {
      checkTargets(targets);
      const results = await withClient(options, io, (slurm) =>
        forEachTarget(targets, CONCURRENCY, (target) => slurm.probe(target, callOptions(options, io))),
      );
      io.signal.throwIfAborted();
      const output = outputOf(io, options);
      output.result({ targets: results.map(targetDocument) }, () =>
        results.flatMap(({ value }) => (value === undefined ? [] : linesOf(value, output))),
      );
      for (const one of results) if (one.error !== undefined) noteFailure(output, 'slurmwire probe', one);
      // Of what could not be asked nobody knows that it is not there.
      const failed = results.flatMap(({ error }) => (error === undefined ? [] : [exitCodeOf(error)]));
      const found = results.flatMap(({ value }) =>
        value === undefined ? [] : [value.exists ? EXIT.done : EXIT.refused],
      );
      io.setExitCode(exitCodeOfAll(failed.length > 0 ? failed : found));
    });
  return connectionOptions(command);
}

function linesOf(probe: Probe, output: Output): string[] {
  const { target, exists, mayBeHidden, jobs, steps } = probe;
  if (!exists) {
    const hidden = mayBeHidden ? " (somebody else's may be hidden from you)" : '';
    return [`${target}: ${output.paint('yellow', 'does not exist')}${hidden}`];
  }
  const found = steps ?? jobs;
  const [job] = jobs;
  const whose =
    probe.maySignal === true ? 'you may signal it' : 'whether you may signal it only the controller knows';
  const lines = found.map((one) => {
    const nodes = one.nodes === null ? '' : ` on ${one.nodes}`;
    const more = 'userId' in one ? aboutJob(one) : '';
    return `${one.target}: ${output.paint('green', [one.state, ...one.flags].join('+'))}${nodes}${more}`;
  });
  const owner = job === undefined ? '' : `uid ${job.userId}${probe.mine === true ? ', yours' : ''}; `;
  const last = lines.pop() ?? '';
  return [...lines, `${last}; ${owner}${whose}`];
}

function aboutJob({ cron, restarts }: ProbedJob): string {
  const parts = [cron === true ? 'scrontab' : '', restarts > 0 ? `requeued ${restarts} times` : ''];
  const said = parts.filter((text) => text !== '').join(', ');
  return said === '' ? '' : ` (${said})`;
}
