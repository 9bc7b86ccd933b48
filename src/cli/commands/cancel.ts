/** `slurmwire cancel`: a drop-in scancel(1). */
import { Command, Option } from 'commander';
import { isSlurmError, type Outcome } from '../../protocol/slurm-error.js';
import { callOptions, connectionOptions, withClient } from '../connection.js';
import { EXIT, failureDocument, failureLines } from '../failure.js';
import { type GetoptRules, getopt, nameOf } from '../getopt.js';
import { type CommandIo, Stopped } from '../io.js';
import { outputOf } from '../output.js';
import { safeText } from '../safe-text.js';
import { type Cancelled, carryOut } from '../scancel/carry-out.js';
import { confirmOn } from '../scancel/confirm.js';
import { numberOfError, textOfError } from '../scancel/error-texts.js';
import { requestLines } from '../scancel/listing.js';
import { type CancelOptions, requestOf, verbosityOf } from '../scancel/request.js';
import { ScancelTrouble } from '../scancel/trouble.js';
import { type Voice, voiceOf } from '../scancel/voice.js';
import { VERSION } from '../version.js';

/** scancel's own exit codes are Slurm's error numbers cut to 8 bits: docs/scancel.md. */
export function cancelCommand(io: CommandIo): Command {
  const command = new ScancelCommand('cancel', io);
  command
    .usage('[options] [job_id[_array_id][.step_id]...]')
    .description('signal or cancel jobs, array tasks and steps: a drop-in scancel(1)')
    .argument(
      '[job_id...]',
      'jobs (12, 12_3, 12_[1-5,9], 12_*, 12+1) and steps (12.0), also several with commas between',
    )
    .helpOption(false);
  for (const option of scancelOptions(io)) command.addOption(option);
  const ownOptions = command.options.length;
  connectionOptions(command).addOption(
    new Option(
      '--no-retry',
      'do not ask again while a job is in transition (scancel does, for up to 95 s)',
    ).helpGroup('Cluster:'),
  );
  for (const option of command.options.slice(ownOptions)) command.foreign.add(nameOf(option));
  // Two names for one thing.
  command.on('option:jobname', (value: string) => command.setOptionValue('name', value));
  command.on('option:cluster', (value: string) => command.setOptionValue('clusters', value));
  // Where nobody has a uid it is no name of a user either, and not root.
  command.on('option:me', () => command.setOptionValue('user', String(process.getuid?.() ?? '--me')));
  command.on('option:quiet', () => command.setOptionValue('verbose', -1));
  return command.action(async (operands: string[], options: CancelOptions) => {
    io.setExitCode(await cancel(operands, options, command, io));
  });
}

/** The options of scancel(1) of 26.05, and so those of 22.05 too. The descriptions are ours. */
function scancelOptions(io: CommandIo): Option[] {
  const group = 'scancel(1):';
  return [
    new Option('-A, --account <account>', 'only jobs charged to this account'),
    new Option(
      '--admin-comment <comment>',
      'leave this AdminComment on the jobs (administrators; 25.11 and newer); implies --ctld',
    ),
    new Option('--autocomplete <text>', 'print the options that have this text in them').hideHelp(),
    new Option('-b, --batch', 'signal the batch shell only'),
    new Option(
      '--ctld',
      'one request for all jobs, filtered by the controller (23.11 and newer); steps are signalled through the controller',
    ),
    new Option('-c, --cron', 'also scrontab jobs, where the cluster wants that said'),
    new Option('-f, --full', 'signal the batch shell and all steps'),
    new Option('-H, --hurry', 'do not stage out burst buffers'),
    new Option('-i, --interactive', 'ask before each job'),
    new Option('-M, --clusters <names>', 'clusters; only the own one can be reached, without slurmdbd'),
    new Option('--cluster <names>', 'as --clusters').hideHelp(),
    new Option('--me', 'only own jobs'),
    new Option('-n, --name <name>', 'only jobs of this name'),
    new Option('--jobname <name>', 'as --name').hideHelp(),
    new Option(
      '-w, --nodelist <hosts>',
      'only jobs on one of these nodes; with a slash in it, a file of them',
    ),
    new Option('-p, --partition <partition>', 'only jobs in this partition'),
    new Option('-q, --qos <qos>', 'only jobs of this quality of service'),
    new Option('-Q, --quiet', 'no word about jobs that there are not'),
    new Option('-R, --reservation <name>', 'only jobs in this reservation'),
    new Option('--sibling <cluster>', "of a federated job remove this cluster's copy"),
    new Option('-s, --signal <signal>', 'signal by name or number (default: SIGKILL, which ends the job)'),
    new Option('-t, --state <state>', 'only jobs in this state: PENDING, RUNNING or SUSPENDED'),
    new Option('-u, --user <user>', 'only jobs of this user, by name or uid'),
    new Option('-v, --verbose', 'say what is done; more of it, say more')
      .default(verbosityOf(io.env), '0')
      .argParser((_value: string, before: number) => before + 1),
    new Option('-V, --version', 'print the version'),
    new Option('--wckey <key>', 'only jobs with this workload characterization key'),
    new Option('--help', 'print this help'),
    new Option('--usage', 'print a short help'),
  ].map((option) => option.helpGroup(group));
}

/** commander with the manners of getopt_long. */
class ScancelCommand extends Command {
  readonly #io: CommandIo;
  /** Long options that scancel has not: they are to be written out. */
  readonly foreign = new Set<string>();
  /** What getopt_long has to complain about. */
  trouble: string | null = null;
  /** Whether `--json` is there, also where it stands behind what is wrong. */
  wantsJson = false;

  constructor(name: string, io: CommandIo) {
    super(name);
    this.#io = io;
  }

  override parseOptions(argv: string[]): ReturnType<Command['parseOptions']> {
    const rules: GetoptRules = {
      aliases: { cluster: 'clusters', jobname: 'name' },
      whole: this.foreign,
      last: new Set(['help', 'usage', 'version', 'autocomplete']),
      posix: this.#io.env.POSIXLY_CORRECT !== undefined,
    };
    const { args, trouble } = getopt(this, argv, rules);
    this.trouble = trouble;
    this.wantsJson = argv.includes('--json');
    return super.parseOptions(args);
  }
}

async function cancel(
  operands: readonly string[],
  options: CancelOptions,
  command: ScancelCommand,
  io: CommandIo,
): Promise<number> {
  if (command.trouble !== null) {
    const { trouble, wantsJson } = command;
    io.stderr.write(`scancel: ${safeText(trouble)}\nTry "scancel --help" for more information\n`);
    const error = { name: 'ScancelTrouble', message: trouble, outcome: 'not-sent' };
    outputOf(io, { json: wantsJson }).result({ error }, () => []);
    return EXIT_FAILURE;
  }
  if (toldInstead(options, command, io)) return EXIT.done;
  const voice = voiceOf(io, options.verbose);
  const output = outputOf(io, options);
  const confirm = confirmOn(io, output.json ? io.stderr : io.stdout);
  try {
    const request = await requestOf(operands, options, io, voice.error);
    if (voice.verbosity > 2) for (const line of requestLines(request, voice.verbosity)) voice.info(line);
    const call = callOptions(options, io);
    const done = await withClient(options, io, (slurm) =>
      carryOut({ slurm, request, voice, io, call, confirm }),
    );
    if (done.trouble !== undefined) report(done.trouble, voice);
    const { reason } = io.signal;
    if (reason instanceof Stopped) voice.bare(`scancel: ${stopLine(reason.by, done.jobs)}`);
    output.result(documentOf(done), () => []);
    return reason instanceof Stopped ? EXIT[reason.by] : done.exitCode;
  } catch (error) {
    const { reason } = io.signal;
    const isKnown = error instanceof ScancelTrouble || isSlurmError(error);
    if (!isKnown && !(reason instanceof Stopped)) throw error;
    // What was stopped before anything was sent needs no explanation.
    const isNothing = reason instanceof Stopped && !(isSlurmError(error) && error.outcome !== 'not-sent');
    if (isNothing) voice.bare(`scancel: ${stopLine(reason.by, [])}`);
    else report(error, voice);
    if (output.json) output.result({ error: failureDocument(error) }, () => []);
    if (reason instanceof Stopped) return EXIT[reason.by];
    return isSlurmError(error) ? numberOfError(error) & 0xff || EXIT_FAILURE : EXIT_FAILURE;
  } finally {
    confirm.close();
  }
}

const EXIT_FAILURE = 1;
/** The release whose scancel this is. */
const PLAYED = '26.05';

/** `--help` and the like, in place of a cancel. */
function toldInstead(options: CancelOptions, command: Command, { stdout }: CommandIo): boolean {
  const { help, usage, version, autocomplete } = options;
  if (help === true) command.outputHelp();
  else if (usage === true) stdout.write(`Usage: scancel ${command.usage()}\n`);
  // The first two words as scancel has them, for who looks at the second one.
  else if (version === true) stdout.write(`slurm ${PLAYED} (slurmwire ${VERSION})\n`);
  else if (autocomplete !== undefined) stdout.write(completions(command, autocomplete));
  else return false;
  return true;
}

function completions({ options }: Command, text: string): string {
  if (text === '') return '';
  const isLetter = /^[a-z]/i.test(text);
  const shorts = text.startsWith('-') || isLetter;
  const longs = text.length > 1 || isLetter;
  const flags = options.flatMap(({ short, long, required }) => [
    ...(short !== undefined && shorts && short.includes(text) ? [short] : []),
    ...(long != null && longs && long.includes(text) ? [`${long}${required ? '=' : ''}`] : []),
  ]);
  return flags.map((flag) => `${flag}\n`).join('');
}

function documentOf({ signal, protocol, jobs, exitCode, trouble }: Cancelled): unknown {
  const error = trouble === undefined ? {} : { error: failureDocument(trouble) };
  return { command: 'cancel', signal, protocol, exitCode, jobs, ...error };
}

/** Who stopped it is told what is on its way all the same. */
function stopLine(by: Stopped['by'], jobs: Cancelled['jobs']): string {
  const parts = STOP_PARTS.flatMap(([what, outcomes]) => {
    const found = jobs.filter(({ outcome }) => outcome !== null && outcomes.includes(outcome));
    return found.length === 0 ? [] : [`${what}: ${listOf(found.map(({ target }) => target))}`];
  });
  return `stopped by ${by}; ${parts.length === 0 ? 'nothing was sent' : parts.join('; ')}`;
}

const STOP_PARTS: readonly (readonly [string, readonly (Outcome | null)[]])[] = [
  ['accepted', ['accepted']],
  ['may or may not have been done', ['unknown', 'partial']],
  ['refused', ['refused']],
  ['not sent', ['not-sent']],
];
const MOST_LISTED = 20;

function listOf(targets: readonly string[]): string {
  const more = targets.length - MOST_LISTED;
  return `${targets.slice(0, MOST_LISTED).join(' ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function report(error: unknown, voice: Voice): void {
  if (error instanceof ScancelTrouble) {
    if (error.isBare) voice.bare(error.message);
    else voice.error(error.message);
    if (error.hint !== undefined) voice.bare(`  to do:    ${error.hint}`);
    return;
  }
  if (!isSlurmError(error)) return;
  const text = textOfError(error);
  voice.error(text);
  const [what = '', ...lines] = failureLines(error);
  voice.bare(`  error:    ${what}`);
  for (const line of lines) voice.bare(line);
}
