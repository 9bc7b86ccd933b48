import { Argument, Command, Option } from 'commander';
import { unixSignalName, unixSignalNumber } from '../../protocol/unix-signal.js';
import { badOption } from '../../rpc/check-options.js';
import type {
  ExplainableVerb,
  ExplainedEffect,
  ExplainedRequest,
  Explanation,
  SlurmClient,
} from '../../rpc/index.js';
import { parseTarget } from '../../rpc/target.js';
import { type ConnectionOptions, callOptions, connectionOptions, withClient } from '../connection.js';
import { failureDocument } from '../failure.js';
import type { CommandIo } from '../io.js';
import { type Output, outputOf } from '../output.js';
import { exitCodeOfResults, forEachTarget, noteFailure, type TargetResult } from '../targets.js';

interface ExplainOptions extends ConnectionOptions {
  readonly signal?: string;
  readonly batch?: true;
  readonly full?: true;
  readonly stepsOnly?: true;
  readonly hurry?: true;
  readonly cron?: true;
  readonly wholeHetJob?: true;
  readonly broad?: true;
  readonly fanOut?: 'auto' | 'direct' | 'tree';
  readonly message?: string;
}

/** What the options say about the call. */
type Call = readonly [verb: ExplainableVerb, args: readonly unknown[]];

/** By the name of the verb: the call for a target, and the options that it takes. */
interface VerbRow {
  readonly call: (target: string, options: ExplainOptions, more: object) => Call;
  readonly takes: readonly (keyof ExplainOptions)[];
}

const KILL = ['signal', 'batch', 'full', 'stepsOnly', 'hurry', 'cron', 'wholeHetJob'] as const;

const signalling =
  (verb: ExplainableVerb, byDefault: string): VerbRow['call'] =>
  (target, { signal = byDefault }, more) => [verb, [target, signal, more]];
const plain =
  (verb: ExplainableVerb): VerbRow['call'] =>
  (target, _options, more) => [verb, [target, more]];

/** The commands of this program first, then the verbs of the library by their own names. */
const VERBS: Readonly<Record<string, VerbRow>> = {
  cancel: {
    call: (target, { signal = 'SIGKILL' }, more) => [
      parseTarget(target).step === null ? 'killJob' : 'killJobStep',
      [target, signal, more],
    ],
    takes: KILL,
  },
  signal: {
    call: (target, { signal = 'SIGTERM', batch, fanOut }, _more) => {
      const isStep = parseTarget(target).step !== null;
      const way = { fanOut };
      if (isStep) return ['signalJobStep', [target, signal, way]];
      return batch === true
        ? ['signalJobStep', [`${target}.batch`, signal, way]]
        : ['signalJob', [target, signal, way]];
    },
    takes: ['signal', 'batch', 'fanOut'],
  },
  killJob: { call: signalling('killJob', 'SIGKILL'), takes: KILL },
  killJobStep: { call: signalling('killJobStep', 'SIGKILL'), takes: ['signal'] },
  killJobs: {
    call: (target, { signal = 'SIGKILL' }, more) => ['killJobs', [[target], signal, more]],
    takes: KILL,
  },
  kill: {
    // A group is a negative number.
    call: (target, { signal = 'SIGKILL' }, more) => [
      'kill',
      [/^-?\d+$/.test(target) ? Number(target) : target, signal, more],
    ],
    takes: [...KILL, 'broad'],
  },
  signalJob: { call: signalling('signalJob', 'SIGTERM'), takes: ['signal', 'fanOut'] },
  signalJobStep: { call: signalling('signalJobStep', 'SIGTERM'), takes: ['signal', 'fanOut'] },
  terminateJobStep: { call: plain('terminateJobStep'), takes: ['fanOut'] },
  suspend: { call: plain('suspend'), takes: [] },
  resume: { call: plain('resume'), takes: [] },
  requeue: { call: plain('requeue'), takes: [] },
  notify: {
    call: (target, { message = '' }, more) => [
      'notify',
      [/^\d+$/.test(target) ? Number(target) : target, message, more],
    ],
    takes: ['message'],
  },
};

const CONCURRENCY = 4;

/** `slurmwire explain`: what would be sent where, and whom it would reach. */
export function explainCommand(io: CommandIo): Command {
  const command = new Command('explain')
    .summary('show what a command would send, and which processes it would reach')
    .description(
      'show which requests a command would send where, and which processes would get the signal. Sends lookups only. Of "terminate", explain "signal" and "cancel".',
    )
    .addArgument(
      new Argument('<verb>', 'cancel, signal, or a verb of the library').choices(Object.keys(VERBS)),
    )
    .argument('<target...>', 'jobs and steps')
    .option('-s, --signal <signal>', 'name or number (default: SIGKILL; of signal verbs SIGTERM)')
    .option('-b, --batch', 'as of the verb')
    .option('-f, --full', 'as of the verb')
    .option('--steps-only', 'as of the verb')
    .option('-H, --hurry', 'as of the verb')
    .option('-c, --cron', 'as of the verb')
    .option('--whole-het-job', 'as of the verb')
    .option('--broad', 'of kill: target -1 is meant')
    .addOption(new Option('--fan-out <way>', 'of calls to the nodes').choices(['auto', 'direct', 'tree']))
    .option('--message <text>', 'of notify')
    .action(async (verb: string, targets: string[], options: ExplainOptions) => {
      const row = VERBS[verb] as VerbRow; // one of the choices
      const more = moreFor(verb, row, options);
      if (options.signal !== undefined && options.signal !== '0') {
        unixSignalNumber(options.signal, '--signal');
      }
      const calls = targets.map((target) => row.call(target, options, more));
      const results = await withClient(options, io, (slurm) =>
        forEachTarget(targets, CONCURRENCY, (target) =>
          explainOne(slurm, calls[targets.indexOf(target)] as Call, callOptions(options, io)),
        ),
      );
      io.signal.throwIfAborted();
      const output = outputOf(io, options);
      output.result({ explanations: results.map(documentOf) }, () =>
        results.flatMap(({ target, value }) =>
          value === undefined ? [] : linesOf(target, options, value, output),
        ),
      );
      for (const one of results) if (one.error !== undefined) noteFailure(output, 'slurmwire explain', one);
      io.setExitCode(exitCodeOfResults(results));
    });
  return connectionOptions(command);
}

const ABOUT_CALL = [...KILL, 'broad', 'fanOut', 'message'] as const satisfies (keyof ExplainOptions)[];

/** The options of the verb's own. @throws SlurmUsageError for one that it does not take. */
function moreFor(verb: string, { takes }: VerbRow, options: ExplainOptions): object {
  const more: Record<string, unknown> = {};
  for (const name of ABOUT_CALL) {
    const value = options[name];
    if (value === undefined) continue;
    if (!takes.includes(name)) throw badOption(name, value, `is no option of ${verb}`);
    if (name !== 'signal' && name !== 'message') more[name] = value;
  }
  return more;
}

function explainOne(slurm: SlurmClient, [verb, args]: Call, call: object): Promise<Explanation> {
  // The time and the wish to stop go beside the options of the verb itself, which are its last argument.
  const all = [...args.slice(0, -1), { ...(args.at(-1) as object), ...call }];
  return (slurm.explain as (verb: ExplainableVerb, ...args: readonly unknown[]) => Promise<Explanation>)(
    verb,
    ...all,
  );
}

function documentOf({ target, value, error }: TargetResult<Explanation>): unknown {
  return value === undefined ? { target, error: failureDocument(error) } : { target, ...value };
}

function linesOf(
  target: string,
  { signal }: ExplainOptions,
  { verb, requests, effects, protocol }: Explanation,
  output: Output,
): string[] {
  const what = signal === undefined || signal === '0' ? '' : ` ${unixSignalName(unixSignalNumber(signal))}`;
  const lines = [output.paint('bold', `${verb} ${target}${what}`), `  would send (protocol ${protocol}):`];
  if (requests.length === 0) lines.push('    nothing');
  for (const request of requests) lines.push(`    ${showRequest(request)}`);
  if (effects.length > 0) lines.push('  would do:');
  for (const effect of effects) lines.push(`    ${showEffect(effect)}`);
  return lines;
}

function showRequest({ rpc, to, peer, node, forwardedTo }: ExplainedRequest): string {
  const whom = node === null ? `${to} ${peer}` : `${to} ${node} (${peer})`;
  const onward = forwardedTo.length === 0 ? '' : `, which passes it on to ${forwardedTo.join(', ')}`;
  return `${rpc} to ${whom}${onward}`;
}

const PROCESSES: Readonly<Record<NonNullable<ExplainedEffect['processes']>, string>> = {
  job: 'all processes of the job',
  step: 'all processes of the step',
  'batch-shell': 'the batch shell alone',
  'batch-group': "the batch shell's process group",
};

const EFFECTS: Readonly<Record<ExplainedEffect['effect'], string>> = {
  signalled: 'gets the signal',
  ended: 'ends: SIGTERM to all, SIGKILL after KillWait',
  cancelled: 'leaves the queue',
  nothing: 'is accepted, and no process gets anything',
  refused: 'is refused',
  'not-sent': 'is not asked for',
};

function showEffect({ target, state, effect, processes, nodes, code }: ExplainedEffect): string {
  const known = state === null ? '' : ` (${state})`;
  const why = code === null ? '' : ` [${code}]`;
  const which = processes === null ? '' : `: ${PROCESSES[processes]}`;
  const where = nodes.length === 0 ? '' : ` on ${nodes.join(', ')}`;
  return `${target}${known} ${EFFECTS[effect]}${why}${which}${where}`;
}
