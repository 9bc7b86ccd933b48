/** A completion script for bash 4 and newer; needs nothing of bash-completion. */
import type { CompletedCommand, Values } from './tree.js';

export function bashScript(program: CompletedCommand): string {
  const name = identifier(program.name);
  const all: [path: string, command: CompletedCommand][] = [
    ['', program],
    ...program.commands.map((command): [string, CompletedCommand] => [command.name, command]),
  ];
  return `# bash completion for ${program.name}, made by "${program.name} completion bash".
_${name}() {
  local cur prev word command='' i
  cur=\${COMP_WORDS[COMP_CWORD]}
  prev=\${COMP_WORDS[COMP_CWORD-1]}
  # bash splits "--option=value" at the "=".
  if [[ $cur == '=' ]]; then cur=''; prev=\${COMP_WORDS[COMP_CWORD-1]}
  elif [[ $prev == '=' ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case $word in
${all[0]?.[1].commands.map((command) => `      ${command.name}) command=$word; break ;;`).join('\n')}
    esac
  done
  COMPREPLY=()
  case $command in
${all.map(([path, command]) => commandCase(path, command)).join('\n')}
  esac
}
complete -F _${name} ${program.name}
`;
}

function commandCase(path: string, { options, args, commands }: CompletedCommand): string {
  const flags = options.flatMap(({ short, long }) => [short, long]).filter((flag) => flag !== null);
  const withValue = options.flatMap(({ short, long, value }) => {
    if (value === null || value.isOptional) return [];
    const names = [short, long].filter((flag) => flag !== null).join('|');
    return [`        ${names}) ${reply(value.values)}; return ;;`];
  });
  const words = commands.map(({ name }) => name);
  const first = args.find(({ values }) => values.kind !== 'other')?.values ?? { kind: 'other' };
  const plain = words.length > 0 ? reply({ kind: 'words', words }) : reply(first);
  return `    ${path === '' ? "''" : path})
      case $prev in
${withValue.length > 0 ? withValue.join('\n') : '        *) ;;'}
      esac
      if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W ${quoted(flags.join(' '))} -- "$cur"))
      else ${plain}; fi ;;`;
}

function reply(values: Values): string {
  switch (values.kind) {
    case 'words':
      return `COMPREPLY=($(compgen -W ${quoted(values.words.join(' '))} -- "$cur"))`;
    case 'file':
      return `compopt -o filenames 2>/dev/null; local IFS=$'\\n'; COMPREPLY=($(compgen -f -- "$cur"))`;
    case 'other':
      return ':';
  }
}

/** A text as one word of a shell, nothing in it special. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function identifier(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_]/g, '_');
}
