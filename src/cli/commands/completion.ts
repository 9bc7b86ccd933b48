import { Argument, Command } from 'commander';
import { bashScript } from '../completion/bash.js';
import { fishScript } from '../completion/fish.js';
import { type CompletedCommand, completedCommand } from '../completion/tree.js';
import { zshScript } from '../completion/zsh.js';
import type { CommandIo } from '../io.js';

const SCRIPTS: Readonly<Record<string, (program: CompletedCommand) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** `slurmwire completion`: a script for the shell, made from the commands as they are; it starts no process when it completes. */
export function completionCommand(io: CommandIo): Command {
  return new Command('completion')
    .summary('print a completion script for a shell')
    .description(
      'print a script that completes commands, options and their values. bash: source <(slurmwire completion bash). zsh: slurmwire completion zsh > a file _slurmwire in a directory of $fpath. fish: slurmwire completion fish > ~/.config/fish/completions/slurmwire.fish.',
    )
    .addArgument(new Argument('<shell>', 'which shell').choices(Object.keys(SCRIPTS)))
    .action((shell: string, _options: unknown, command: Command) => {
      const program = completedCommand(command.parent ?? command);
      io.stdout.write((SCRIPTS[shell] as (typeof SCRIPTS)[string])(program));
    });
}
