import { Command } from 'commander';
import type { ControllerPing } from '../../rpc/index.js';
import { type ConnectionOptions, callOptions, connectionOptions, withClient } from '../connection.js';
import { EXIT, failureDocument, failureLines } from '../failure.js';
import type { CommandIo } from '../io.js';
import { type Output, outputOf } from '../output.js';

/** `slurmwire ping`: scontrol ping. */
export function pingCommand(io: CommandIo): Command {
  const command = new Command('ping')
    .summary('ask every controller whether it is there')
    .description(
      'ask every controller whether it is there. Exit code 0: all are; 5: some are; 1: none is; 3: none was asked, for want of a credential.',
    )
    .action(async (options: ConnectionOptions) => {
      const pings = await withClient(options, io, (slurm) => slurm.ping(callOptions(options, io)));
      io.signal.throwIfAborted();
      const output = outputOf(io, options);
      const document = pings.map((ping) => ({
        ...ping,
        error: ping.error === null ? null : failureDocument(ping.error),
      }));
      output.result({ controllers: document }, () => pings.flatMap((ping) => linesOf(ping, output)));
      const up = pings.filter((ping) => ping.up).length;
      const isAsked = pings.some((ping) => !isUnasked(ping));
      if (up < pings.length) io.setExitCode(up > 0 ? EXIT.partial : isAsked ? EXIT.refused : EXIT.notSent);
    });
  return connectionOptions(command);
}

/** It is this host that is at fault: nothing is known of the controller. */
function isUnasked({ error }: ControllerPing): boolean {
  return error !== null && error.phase === 'authenticate' && error.outcome === 'not-sent';
}

function linesOf(ping: ControllerPing, output: Output): string[] {
  const { peer, role, protocol, version, latencyMs, authenticated, error } = ping;
  if (error === null) {
    const slurm = version === null ? '' : `Slurm ${version}, `;
    const signed = authenticated ? ', answer signed' : '';
    const state = output.paint('green', 'UP');
    return [
      `${peer} (${role}) is ${state}: ${slurm}protocol ${protocol}, ${latencyMs?.toFixed(1)} ms${signed}`,
    ];
  }
  const [first = '', ...rest] = failureLines(error);
  const state = isUnasked(ping)
    ? `was ${output.paint('yellow', 'not asked')}`
    : `is ${output.paint('red', 'DOWN')}`;
  return [`${peer} (${role}) ${state}: ${first}`, ...rest];
}
