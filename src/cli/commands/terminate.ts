import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { badOption } from '../../rpc/check-options.js';
import type { SignalledPart, Terminated, TerminateOptions, TerminateState } from '../../rpc/index.js';
import { SlurmTerminationError } from '../../rpc/index.js';
import { SIGNALLED_PARTS } from '../../rpc/terminate-ladder.js';
import { terminatePlan } from '../../rpc/terminate-options.js';
import {
  type ConnectionOptions,
  callOptions,
  connectionOptions,
  parseDuration,
  withClient,
} from '../connection.js';
import type { CommandIo } from '../io.js';
import { parseCount } from '../numbers.js';
import { type Output, outputOf } from '../output.js';
import { openProgress } from '../progress.js';
import {
  checkTargets,
  exitCodeOfResults,
  forEachTarget,
  noteFailure,
  type TargetResult,
  targetDocument,
} from '../targets.js';
import { Follower, showAlive } from '../terminate/follow.js';
import { parseLadder } from '../terminate/ladder-text.js';
import { checkPlace, readStates, StateFile } from '../terminate/state-file.js';

interface TerminateCliOptions extends ConnectionOptions {
  readonly ladder?: string;
  readonly grace?: number;
  readonly to?: readonly SignalledPart[];
  /** Milliseconds, or false: `--no-confirm`. */
  readonly confirm?: number | false;
  readonly requeued?: 'end' | 'leave';
  readonly cron?: true;
  readonly idempotent?: true;
  readonly save?: string;
  readonly resume?: string;
  readonly concurrency: number;
  readonly quiet?: true;
}

const WHO = 'slurmwire terminate';
const CONCURRENCY = 64;

/** `slurmwire terminate`: signal, grace, escalate, see that it is gone. */
export function terminateCommand(io: CommandIo): Command {
  const command = new Command('terminate')
    .summary('end jobs and steps gently, and see that they are gone')
    .description(
      'end jobs and steps and see that they are gone: a signal, time to act on it, the next signal, and in the end the word of slurmctld that nothing is left. Ctrl-C stops the waiting, not the job; it says how to go on.',
    )
    .argument('[target...]', 'jobs and steps: 1234, 1234_7, 1234_[1-5], 1234+1, 1234.0')
    .option(
      '--ladder <rungs>',
      'signals in order, each with the time it is given: SIGINT:10s,SIGTERM:1m,SIGKILL (default: SIGTERM,SIGKILL)',
    )
    .addOption(
      new Option('--grace <duration>', 'time for each signal that names none (default: 30s)').argParser(
        parseDuration,
      ),
    )
    .addOption(
      new Option(
        '--to <parts>',
        'whom a signal other than SIGKILL is for: some of steps, batch, full (default: everything, each process once)',
      ).argParser(parseParts),
    )
    .addOption(
      new Option(
        '--confirm <duration>',
        'time until slurmctld says that it is gone, after the last signal (default: 2m)',
      ).argParser(parseDuration),
    )
    .option('--no-confirm', 'do not wait for that')
    .addOption(
      new Option('--requeued <what>', 'a job that was requeued meanwhile: end it too, or leave it')
        .choices(['end', 'leave'])
        .default(undefined, 'end'),
    )
    .option('--cron', "a scrontab job is meant as such: its user's line is switched off")
    .option('--idempotent', 'it is no error that it is gone already')
    .option('--save <file>', 'keep in this file how far it has come')
    .option('--resume <file>', 'go on from such a file, and keep it; takes no targets')
    .addOption(
      new Option('--concurrency <n>', 'how many at a time').argParser(parseCount).default(CONCURRENCY),
    )
    .option('-q, --quiet', 'tell nothing meanwhile')
    .action((targets: string[], options: TerminateCliOptions) => terminateAll(targets, options, io));
  return connectionOptions(command);
}

async function terminateAll(
  targets: readonly string[],
  options: TerminateCliOptions,
  io: CommandIo,
): Promise<void> {
  const { json, quiet, save, resume } = options;
  const output = outputOf(io, options);
  const states = await plannedStates(targets, options, io);
  const file = fileOf(save ?? resume, io);
  if (save !== undefined && save !== resume) await checkPlace(save, io.cwd);
  // Before anything is sent: a place where nothing can be written is told at once.
  await file?.save([...states.values()]).catch((error: NodeJS.ErrnoException) => {
    throw badOption('--save', save ?? resume, `cannot be written (${error.code ?? error.message})`);
  });
  const tellsAll = quiet !== true && json !== true;
  const progress = tellsAll ? await openProgress(io) : { line: () => {}, bar: () => {}, stop: () => {} };
  const isMany = states.size > 1;
  const follower = new Follower(progress, states.size, !(isMany && io.stderr.isTTY === true));
  const isLost = { told: false };
  const keep = () => {
    file?.save([...states.values()]).catch((error: Error) => {
      if (!isLost.told) progress.line(`${WHO}: ${file.path} can no longer be written: ${error.message}`);
      isLost.told = true;
    });
  };
  let results: TargetResult<Terminated>[];
  try {
    results = await withClient(options, io, (slurm) =>
      forEachTarget([...states.keys()], options.concurrency, async (target) => {
        const call: TerminateOptions = {
          ...callOptions(options, io),
          idempotent: options.idempotent ?? false,
          resume: states.get(target),
        };
        try {
          io.signal.throwIfAborted();
          const termination = slurm.terminate(target, call);
          for await (const event of termination) {
            states.set(target, event.resume);
            keep();
            follower.take(event);
          }
          const result = await termination;
          states.delete(target);
          return result;
        } catch (error) {
          if (error instanceof SlurmTerminationError) states.set(target, error.resume);
          throw error;
        } finally {
          keep();
          follower.end(target);
        }
      }),
    );
  } finally {
    follower.stop();
  }
  await file?.save([...states.values()]).catch(() => {});
  const left = file ?? (io.signal.aborted && states.size > 0 ? StateFile.temporary() : null);
  let saved = left !== null && states.size > 0 ? left.path : null;
  if (left !== file)
    await left?.save([...states.values()]).catch((error: NodeJS.ErrnoException) => {
      // What is known is still to be told.
      output.note(`${WHO}: ${left.path} cannot be written (${error.code}): name a place by --save.`);
      saved = null;
    });
  report(results, saved, options, output, io);
}

/** What is to be done, by target: new plans, or those of the file. Nothing is sent for a target or ladder that makes no sense. */
async function plannedStates(
  targets: readonly string[],
  options: TerminateCliOptions,
  { cwd }: CommandIo,
): Promise<Map<string, TerminateState>> {
  const { ladder, grace, to, confirm, requeued, cron, resume } = options;
  if (resume !== undefined) {
    const beside = Object.entries({
      ladder,
      grace,
      to,
      confirm,
      requeued,
      cron,
    });
    const given = beside.find(([, value]) => value !== undefined)?.[0];
    if (given !== undefined)
      throw badOption(`--${given}`, given, 'cannot be given beside --resume, which has it in it');
    if (targets.length > 0)
      throw badOption('target', targets[0], 'cannot be given beside --resume, which has its targets in it');
    const states = await readStates(resume, cwd);
    return new Map(states.map((state) => [state.target, state]));
  }
  if (targets.length === 0)
    throw badOption('target', undefined, 'is missing', 'Name a job or step, or --resume a file.');
  checkTargets(targets);
  const plan: TerminateOptions = {
    ladder:
      ladder === undefined && grace === undefined && to === undefined
        ? undefined
        : parseLadder(ladder, { graceMs: grace, to }),
    confirm: confirm !== false,
    confirmMs: typeof confirm === 'number' ? confirm : undefined,
    requeued,
    cron: cron ?? false,
  };
  return new Map(
    targets.map((target) => {
      const { state } = terminatePlan(target, plan);
      return [state.target, state];
    }),
  );
}

function fileOf(path: string | undefined, { cwd }: CommandIo): StateFile | null {
  return path === undefined ? null : new StateFile(path, cwd);
}

function report(
  results: readonly TargetResult<Terminated>[],
  saved: string | null,
  options: TerminateCliOptions,
  output: Output,
  io: CommandIo,
): void {
  output.result({ targets: results.map(targetDocument), saved }, () =>
    results.flatMap(({ target, value }) => (value === undefined ? [] : [lineOf(target, value, output)])),
  );
  const stopped = io.signal.aborted;
  for (const one of results) {
    if (one.error === undefined) continue;
    if (stopped && isStopped(one.error)) output.note(`${WHO}: ${one.target}: ${whatIsKnown(one.error)}`);
    else {
      noteFailure(output, WHO, one);
      if (one.error instanceof SlurmTerminationError)
        output.note(`  alive:    ${showAlive(one.error.survivors)}`);
    }
  }
  if (stopped)
    output.note(
      `${WHO}: stopped waiting. Signals that were sent stay sent; nothing else is sent from now on.`,
    );
  if (saved !== null)
    output.note(
      `${WHO}: to go on: ${['slurmwire', 'terminate', ...again(options, io), '--resume', saved].map(quoted).join(' ')}`,
    );
  io.signal.throwIfAborted();
  io.setExitCode(exitCodeOfResults(results));
}

function isStopped(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return !(error instanceof SlurmTerminationError) || code === 'SLURMWIRE_ABORTED';
}

function whatIsKnown(error: unknown): string {
  if (!(error instanceof SlurmTerminationError)) return 'nothing was sent yet';
  const { sent } = error.resume;
  const signals = sent.map(({ signal, outcome }) => `${signal} ${outcome}`).join(', ');
  return `${signals === '' ? 'nothing was sent yet' : signals}; when last looked at: ${showAlive(error.survivors)}`;
}

function lineOf(
  target: string,
  { dead, code, sent, elapsedMs, requeued }: Terminated,
  output: Output,
): string {
  const signals = sent.map(
    ({ signal, part, outcome }) =>
      `${signal}${part === 'job' || part === 'step' ? '' : ` to ${part}`} ${outcome}`,
  );
  const said = signals.length === 0 ? 'no signal was needed' : signals.join(', ');
  const again = requeued.length === 0 ? '' : `; requeued meanwhile: ${requeued.join(', ')}`;
  if (code !== null) return `${target}: ${output.paint('green', 'gone already')} [${code}]`;
  const after = `after ${(elapsedMs / 1_000).toFixed(1)} s`;
  if (dead === null) return `${target}: ${said} ${after}; not waited for${again}`;
  return `${target}: ${output.paint('green', 'gone')} ${after}: ${said}${again}`;
}

/** The options that say which cluster is meant, for a shell in any directory. */
function again(
  { conf, controller = [], protocol, auth, mungeSocket }: ConnectionOptions,
  { cwd, env }: CommandIo,
): string[] {
  // The variable of this shell is not that of the next one, where the number may be another cluster's job.
  const named = conf ?? (controller.length === 0 ? env.SLURM_CONF || undefined : undefined);
  const file = (path: string | undefined) => (path === undefined ? undefined : resolve(cwd, path));
  const options = Object.entries({
    '--conf': file(named),
    '--protocol': protocol,
    '--auth': auth,
    '--munge-socket': file(mungeSocket),
  });
  return [
    ...options.flatMap(([name, value]) => (value === undefined ? [] : [name, value])),
    ...controller.flatMap((one) => ['--controller', one]),
  ];
}

/** For a shell. */
function quoted(word: string): string {
  return /^[\w./:@%+=,[\]-]+$/.test(word) && !/[[\]]/.test(word)
    ? word
    : `'${word.replaceAll("'", "'\\''")}'`;
}

function parseParts(text: string): SignalledPart[] {
  const parts = text.split(',').map((part) => part.trim());
  const other = parts.find((part) => !SIGNALLED_PARTS.includes(part as SignalledPart));
  if (other !== undefined)
    throw badOption('--to', text, `is not a list of some of ${SIGNALLED_PARTS.join(', ')}`);
  return parts as SignalledPart[];
}
