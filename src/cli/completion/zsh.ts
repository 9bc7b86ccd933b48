/** A completion script for zsh: a file `_slurmwire` in a directory of fpath, or evaluated after compinit. */
import { quoted } from './bash.js';
import type { CompletedCommand, CompletedOption, Values } from './tree.js';

export function zshScript(program: CompletedCommand): string {
  const { name, commands } = program;
  const described = commands.map((command) => quoted(`${escaped(command.name)}:${command.description}`));
  return `#compdef ${name}
# zsh completion for ${name}, made by "${name} completion zsh".
_${name}() {
  local context state state_descr line
  typeset -A opt_args
  _arguments -C ${program.options.flatMap(optionSpecs).join(' ')} ': :->command' '*:: :->rest' && return
  case $state in
    command)
      local -a commands=(${described.join(' ')})
      _describe -t commands command commands ;;
    rest)
      case $line[1] in
${commands.map(commandCase).join('\n')}
      esac ;;
  esac
}
if [[ $funcstack[1] == _${name} ]]; then _${name} "$@"; else compdef _${name} ${name}; fi
`;
}

function commandCase({ name, options, args }: CompletedCommand): string {
  const places = args.map(({ name: what, values, isVariadic }) =>
    quoted(
      `${isVariadic ? '*' : ''}:${escaped(what)}:${values.kind === 'other' ? message(what) : action(values)}`,
    ),
  );
  return `        ${name}) _arguments -s ${[...options.flatMap(optionSpecs), ...places].join(' ')} ;;`;
}

/** \`'(-s --signal)'{-s,--signal}…\`, written out, since the braces are the shell's and not those of _arguments. */
function optionSpecs({ short, long, description, value }: CompletedOption): string[] {
  const names = [short, long].filter((flag) => flag !== null);
  // One that may be given again does not exclude itself; which those are a shell need not know.
  const others = names.length > 1 ? `(${names.join(' ')})` : '';
  const place =
    value === null ? '' : `${value.isOptional ? '::' : ':'}${escaped(value.name)}:${action(value.values)}`;
  return names.map((flag) => {
    const joint = value === null ? '' : flag.startsWith('--') ? '=' : '+';
    return quoted(`${others}${flag}${joint}[${bracketed(description)}]${place}`);
  });
}

function action(values: Values): string {
  switch (values.kind) {
    case 'words':
      return `(${values.words.map(escaped).join(' ')})`;
    case 'file':
      return '_files';
    case 'other':
      return ' ';
  }
}

/** A place that no shell can fill says what it is for; not where an option is begun, which it would make look ambiguous. */
function message(what: string): string {
  return `{[[ $PREFIX == -* ]] || _message ${escaped(what)}}`;
}

function escaped(text: string): string {
  return text.replaceAll(/[\\:() ]/g, '\\$&');
}

function bracketed(text: string): string {
  return text.replaceAll(/[\\[\]]/g, '\\$&');
}
