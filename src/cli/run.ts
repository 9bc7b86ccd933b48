/** A whole run of the command, in this process: arguments in, exit code out. */
import { Command, CommanderError } from 'commander';
import { COMMANDS } from './commands/index.js';
import { EXIT, reportFailure } from './failure.js';
import { type CliIo, type CommandIo, Stopped, widthOf } from './io.js';
import { COLOR_CHOICES, type ColorChoice, hasColor, type OutputOptions, outputOf } from './output.js';
import { VERSION } from './version.js';

/**
 * Runs `slurmwire` with these arguments (without the program's own name).
 *
 * Invoked by a link named `scancel` it is `slurmwire cancel`.
 *
 * @returns the exit code: see `EXIT`. Never rejects, ends no process, and leaves nothing running.
 */
export async function run(argv: readonly string[], io: CliIo): Promise<number> {
  let exitCode: number = EXIT.done;
  const commandIo: CommandIo = {
    ...io,
    setExitCode(code) {
      exitCode = code;
    },
  };
  const program = programOf(commandIo);
  const args = io.invokedAs === 'scancel' ? ['cancel', ...argv] : argv;
  let running = program;
  program.hook('preAction', (_program, command) => {
    running = command;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return afterParsing(error, io, args);
    if (io.signal.reason instanceof Stopped) return EXIT[io.signal.reason.by];
    return reportFailure(io, nameOf(running), error, running === program ? outputFrom(args) : running.opts());
  }
}

/** The command with all that is below it, as data: for completion, manual pages and help. */
export function programOf(io: CommandIo): Command {
  const program = new Command('slurmwire')
    .description("Signals and kills Slurm jobs over Slurm's own protocol; needs no Slurm on this machine.")
    .version(VERSION, '-V, --version', 'print the version')
    .enablePositionalOptions();
  for (const commandOf of COMMANDS) program.addCommand(commandOf(io));
  adopt(program, io);
  return program;
}

/** Makes commander write to the given streams and throw where it would end the process. */
function adopt(command: Command, io: CliIo): void {
  command.exitOverride().configureOutput({
    writeOut: (text) => void io.stdout.write(text),
    writeErr: (text) => void io.stderr.write(text),
    getOutHelpWidth: () => widthOf(io.stdout),
    getErrHelpWidth: () => widthOf(io.stderr),
    getOutHasColors: () => hasColor(io.stdout, 'auto', io.env),
    getErrHasColors: () => hasColor(io.stderr, 'auto', io.env),
    outputError: (text, write) => {
      write(`${nameOf(command)}: ${text.replace(/^error: /, '')}`);
      write(`Try '${nameOf(command)} --help'.\n`);
    },
  });
  for (const below of command.commands) adopt(below, io);
}

/** `slurmwire signal`. */
function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
}

/** What the arguments say of the output, where they could not be parsed. */
function outputFrom(args: readonly string[]): OutputOptions {
  const color = COLOR_CHOICES.find((choice): choice is ColorChoice => args.includes(`--color=${choice}`));
  return { json: args.includes('--json'), color };
}

const EXIT_FAILURE = 1;

/** commander has written its lines already: help, version or what is wrong. */
function afterParsing(error: CommanderError, io: CliIo, args: readonly string[]): number {
  if (error.exitCode === 0) return EXIT.done;
  const { json, color } = outputFrom(args);
  const message = error.message.replace(/^error: /, '');
  const document = {
    error: { name: 'CommanderError', code: error.code, message, outcome: 'not-sent' },
  };
  if (json) outputOf(io, { json, color }).result(document, () => []);
  // cancel has scancel's code for what is wrong with its command line.
  return args[0] === 'cancel' ? EXIT_FAILURE : EXIT.usage;
}
