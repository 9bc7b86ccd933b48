import { Command, Option } from 'commander';
import type { NodeResult } from '../../protocol/node-result.js';
import { unixSignalName, unixSignalNumber } from '../../protocol/unix-signal.js';
import { badOption } from '../../rpc/check-options.js';
import type { Accepted, AlreadyEnded, FanOut, NothingLeft, SlurmClient } from '../../rpc/index.js';
import { parseTarget } from '../../rpc/target.js';
import { type ConnectionOptions, callOptions, connectionOptions, withClient } from '../connection.js';
import type { CommandIo } from '../io.js';
import { parseCount } from '../numbers.js';
import { type Output, outputOf } from '../output.js';
import {
  checkTargets,
  exitCodeOfResults,
  forEachTarget,
  noteFailure,
  type TargetResult,
  targetDocument,
} from '../targets.js';

interface SignalOptions extends ConnectionOptions {
  readonly signal: string;
  readonly direct?: true;
  readonly tree?: true;
  readonly treeWidth?: number;
  readonly viaController?: true;
  readonly batch?: true;
  readonly full?: true;
  readonly cron?: true;
  readonly wholeHetJob?: true;
  readonly idempotent?: true;
}

type Signalled = FanOut | NothingLeft | Accepted | AlreadyEnded;

/** Targets at a time; the client has a limit of its own for connections. */
const CONCURRENCY = 8;

/** `slurmwire signal`: straight to the nodes, each of which answers for itself; or through the controller. */
export function signalCommand(io: CommandIo): Command {
  const command = new Command('signal')
    .summary('signal the processes of jobs and steps on their nodes')
    .description(
      'signal the processes of jobs and steps straight on their nodes: each node answers for itself, once its slurmd has handled the signal. A job means all of its steps and not the batch shell, which is 1234.batch or --batch.',
    )
    .argument('<target...>', 'jobs and steps: 1234, 1234_7, 1234+1, 1234.0, 1234.batch')
    .option('-s, --signal <signal>', 'name or number, Linux numbering', 'SIGTERM')
    .option('-b, --batch', 'the batch shell alone')
    .option('--idempotent', 'it is no error that there is nothing (left) to signal')
    .addOption(
      new Option('--direct', 'contact every node from here').helpGroup('To the nodes:').conflicts('tree'),
    )
    .addOption(
      new Option(
        '--tree',
        "let the nodes pass it on, as Slurm's own tools do (default: beyond 32 nodes)",
      ).helpGroup('To the nodes:'),
    )
    .addOption(
      new Option(
        '--tree-width <n>',
        'width of that tree (default: SLURM_TREE_WIDTH, TreeWidth of slurm.conf)',
      )
        .argParser(parseCount)
        .helpGroup('To the nodes:'),
    )
    .addOption(
      new Option(
        '--via-controller',
        'let slurmctld do it, as scancel --signal does: it says only that it will',
      )
        .conflicts(['direct', 'tree', 'treeWidth'])
        .helpGroup('Through the controller:'),
    )
    .addOption(
      new Option('--full', 'the batch shell and its process group')
        .conflicts(['batch', 'direct', 'tree', 'treeWidth'])
        .implies({ viaController: true })
        .helpGroup('Through the controller:'),
    )
    .addOption(
      new Option('--cron', "a scrontab job is meant as such: its user's line is switched off")
        .implies({ viaController: true })
        .helpGroup('Through the controller:'),
    )
    .addOption(
      new Option('--whole-het-job', 'all components of a heterogeneous job are meant')
        .implies({ viaController: true })
        .helpGroup('Through the controller:'),
    )
    .action(async (targets: string[], options: SignalOptions) => {
      checkTargets(targets);
      const signal = unixSignalName(unixSignalNumber(options.signal, '--signal'));
      for (const target of targets) refuseStepWith(options, target);
      const results = await withClient(options, io, (slurm) =>
        forEachTarget(targets, CONCURRENCY, (target) => signalOne(slurm, target, signal, options, io)),
      );
      const output = outputOf(io, options);
      output.result({ signal, targets: results.map(targetDocument) }, () =>
        results.flatMap((one) => linesOf(one, signal, output)),
      );
      for (const one of results) if (one.error !== undefined) noteFailure(output, 'slurmwire signal', one);
      io.signal.throwIfAborted();
      io.setExitCode(exitCodeOfResults(results));
    });
  return connectionOptions(command);
}

/** What says something about a whole job makes no sense for a step. */
function refuseStepWith({ batch, full, cron, wholeHetJob }: SignalOptions, target: string): void {
  if (parseTarget(target).step === null) return;
  for (const [name, value] of Object.entries({ batch, full, cron, 'whole-het-job': wholeHetJob })) {
    if (value === true) throw badOption(`--${name}`, true, `is for jobs, and ${target} is a step`);
  }
}

function signalOne(
  slurm: SlurmClient,
  target: string,
  signal: string,
  options: SignalOptions,
  io: CommandIo,
): Promise<Signalled> {
  const { batch, full, cron, wholeHetJob, idempotent = false, direct, tree, treeWidth } = options;
  const isStep = parseTarget(target).step !== null;
  const call = { ...callOptions(options, io), idempotent };
  if (options.viaController === true) {
    return isStep
      ? slurm.killJobStep(target, signal, call)
      : slurm.killJob(target, signal, { ...call, batch, full, cron, wholeHetJob });
  }
  const fanOut = direct === true ? 'direct' : tree === true || treeWidth !== undefined ? 'tree' : 'auto';
  const way = { ...call, fanOut, treeWidth } as const;
  if (isStep) return slurm.signalJobStep(target, signal, way);
  return batch === true
    ? slurm.signalJobStep(`${target}.batch`, signal, way)
    : slurm.signalJob(target, signal, way);
}

function linesOf(
  { target, value, error }: TargetResult<Signalled>,
  signal: string,
  output: Output,
): string[] {
  const nodes = (value === undefined ? nodesOf(error) : 'nodes' in value ? value.nodes : undefined) ?? [];
  const lines = nodes.map((node) => lineOf(node, output));
  if (value === undefined) {
    const accepted = nodes.filter(({ outcome }) => outcome === 'accepted').length;
    return nodes.length === 0
      ? []
      : [`${target}: ${signal} was taken by ${accepted} of ${nodes.length} nodes`, ...lines];
  }
  if (value.outcome !== 'accepted') return [`${target}: nothing to signal [${value.code}]`, ...lines];
  if (nodes.length === 0) return [`${target}: slurmctld has accepted ${signal}, and signals the nodes`];
  const accepted = nodes.filter(({ outcome }) => outcome === 'accepted').length;
  const isOver = 'ended' in value && value.ended.length > 0;
  const ended = isOver ? `; had ended: ${value.ended.join(', ')}` : '';
  return [`${target}: ${signal} was taken by ${accepted} of ${nodes.length} nodes${ended}`, ...lines];
}

function nodesOf(error: unknown): readonly NodeResult[] {
  return (error as { nodes?: readonly NodeResult[] }).nodes ?? [];
}

const STYLES = { accepted: 'green', refused: 'red', 'not-sent': 'red', unknown: 'yellow' } as const;

function lineOf(
  { node, target, outcome, code, elapsedMs, via, perhapsTwice }: NodeResult,
  output: Output,
): string {
  const why = code === null ? '' : ` [${code}]`;
  const way = via === null ? '' : ` via ${via}`;
  const twice = perhapsTwice ? ', perhaps twice' : '';
  return `  ${node}  ${target}  ${output.paint(STYLES[outcome], outcome)}${why}  ${Math.round(elapsedMs)} ms${way}${twice}`;
}
