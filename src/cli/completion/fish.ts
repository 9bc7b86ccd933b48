/** A completion script for fish 3 and newer. */
import type { CompletedCommand, CompletedOption, Values } from './tree.js';

export function fishScript(program: CompletedCommand): string {
  const { name, commands } = program;
  const names = commands.map((command) => command.name).join(' ');
  const atTop = `not __fish_seen_subcommand_from ${names}`;
  const lines = [
    `# fish completion for ${name}, made by "${name} completion fish".`,
    `complete -c ${name} -f`,
    ...program.options.map((option) => optionLine(name, atTop, option)),
    ...commands.map(
      (command) =>
        `complete -c ${name} -n ${quoted(atTop)} -a ${quoted(command.name)} -d ${quoted(command.description)}`,
    ),
  ];
  for (const { name: command, options, args } of commands) {
    const inside = `__fish_seen_subcommand_from ${command}`;
    lines.push(...options.map((option) => optionLine(name, inside, option)));
    for (const { values } of args) {
      if (values.kind === 'words')
        lines.push(`complete -c ${name} -n ${quoted(inside)} -a ${quoted(values.words.join(' '))}`);
      if (values.kind === 'file') lines.push(`complete -c ${name} -n ${quoted(inside)} -F`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function optionLine(program: string, condition: string, option: CompletedOption): string {
  const { short, long, description, value } = option;
  const flags = [
    short === null ? '' : ` -s ${short.slice(1)}`,
    long === null ? '' : ` -l ${long.slice(2)}`,
    value === null || value.isOptional ? '' : argument(value.values),
  ].join('');
  return `complete -c ${program} -n ${quoted(condition)}${flags} -d ${quoted(description)}`;
}

function argument(values: Values): string {
  switch (values.kind) {
    case 'words':
      return ` -x -a ${quoted(values.words.join(' '))}`;
    case 'file':
      return ' -r -F';
    case 'other':
      return ' -x';
  }
}

/** fish knows two escapes inside single quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll(/[\\']/g, '\\$&')}'`;
}
