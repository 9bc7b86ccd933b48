/**
 * A manual page (groff's man macros) from a command of commander and a few words of prose.
 *
 * What the command says of itself (synopsis, options, arguments) is never written a second time; the prose has what it does not say.
 */

/**
 * @typedef {import('commander').Command} Command
 * @typedef {import('commander').Option} Option
 */

/**
 * @param {Command} command
 * @param {object} more
 * @param {string} more.prose sections in the small markup that {@link proseToMan} reads; '' for none
 * @param {string} more.version of the package
 * @param {readonly string[]} more.seeAlso names of pages
 * @returns {string}
 */
export function manPage(command, { prose, version, seeAlso }) {
  const help = command.createHelp();
  const name = pageName(command);
  const summary = command.summary() || command.description();
  const lines = [
    '.\\" Made by "npm run generate" from the command itself and man/prose; do not edit.',
    `.TH ${quoted(name.toUpperCase())} 1 "" ${quoted(`slurmwire ${version}`)} "slurmwire"`,
    '.nh',
    '.ad l',
    '.SH NAME',
    `${escaped(name)} \\- ${escaped(withoutStop(summary))}`,
    '.SH SYNOPSIS',
    `.B ${escaped(spokenName(command))}`,
    escaped(synopsisOf(command)),
    '.SH DESCRIPTION',
    sentence(command.description()),
  ];
  const commands = help.visibleCommands(command).filter((below) => below.name() !== 'help');
  if (commands.length > 0) {
    lines.push('.SH COMMANDS');
    for (const below of commands) {
      lines.push('.TP', `.B ${escaped(below.name())}`);
      lines.push(`${sentence(below.summary() || below.description())} See ${reference(pageName(below))}.`);
    }
  }
  const args = command.registeredArguments.filter((argument) => argument.description !== '');
  if (args.length > 0) {
    lines.push('.SH ARGUMENTS');
    for (const argument of args) {
      const choices = argument.argChoices === undefined ? '' : ` One of ${argument.argChoices.join(', ')}.`;
      lines.push(
        '.TP',
        `.I ${escaped(argument.name())}`,
        `${sentence(argument.description)}${escaped(choices)}`,
      );
    }
  }
  lines.push(...optionSections(help.visibleOptions(command)));
  lines.push(...proseToMan(prose));
  lines.push(
    '.SH "SEE ALSO"',
    seeAlso
      .filter((other) => other !== name)
      .map(reference)
      .join(',\n'),
  );
  return `${lines.join('\n')}\n`;
}

/** @param {Command} command */
export function pageName(command) {
  return spokenName(command).replaceAll(' ', '-');
}

/**
 * @param {Command} command
 * @returns {string}
 */
function spokenName(command) {
  return command.parent === null ? command.name() : `${spokenName(command.parent)} ${command.name()}`;
}

/** @param {Command} command */
function synopsisOf(command) {
  return command.usage();
}

/**
 * One section for each group of the help.
 *
 * @param {readonly Option[]} options
 */
function optionSections(options) {
  /** @type {Map<string, Option[]>} */
  const groups = new Map();
  for (const option of options) {
    const group = option.helpGroupHeading ?? 'Options:';
    groups.set(group, [...(groups.get(group) ?? []), option]);
  }
  return [...groups].flatMap(([group, ofGroup]) => {
    const title = group.replace(/:$/, '');
    return [
      `.SH ${quoted((title === 'Options' ? title : `${title} options`).toUpperCase())}`,
      ...ofGroup.flatMap((option) => [
        '.TP',
        flagsOf(option),
        `${sentence(option.description)}${choicesOf(option)}`,
      ]),
    ];
  });
}

/** @param {Option} option */
function flagsOf({ flags }) {
  const [, names = flags, value = ''] = /^(.*?)(?:[ =]([<[].*))?$/.exec(flags) ?? [];
  const shown = names
    .split(', ')
    .map((flag) => `\\fB${escaped(flag)}\\fR`)
    .join(', ');
  return value === '' ? shown : `${shown} \\fI${escaped(value.replaceAll(/[<>]/g, ''))}\\fR`;
}

/** @param {Option} option */
function choicesOf({ argChoices, defaultValue, defaultValueDescription }) {
  const choices = argChoices === undefined ? '' : ` One of ${argChoices.join(', ')}.`;
  const byDefault = defaultValueDescription ?? defaultValue;
  const value = byDefault === undefined || byDefault === false ? '' : ` Default: ${byDefault}.`;
  return escaped(`${choices}${value}`);
}

/**
 * The markup of man/prose: `# TITLE` begins a section, an empty line a paragraph, `- term: text` an entry of a list, four spaces are
 * shown as they stand, `\`word\`` is bold.
 *
 * @param {string} prose
 * @returns {string[]}
 */
export function proseToMan(prose) {
  /** @type {string[]} */
  const lines = [];
  let isExample = false;
  const endExample = () => {
    if (isExample) lines.push('.fi', '.RE');
    isExample = false;
  };
  for (const line of prose.split('\n')) {
    if (line.startsWith('    ')) {
      if (!isExample) lines.push('.RS 4', '.nf');
      isExample = true;
      lines.push(escaped(line.slice(4)));
      continue;
    }
    endExample();
    const [, title] = /^# (.*)$/.exec(line) ?? [];
    const [, term, text] = /^- (.+?): (.*)$/.exec(line) ?? [];
    if (title !== undefined) lines.push(`.SH ${quoted(title.toUpperCase())}`);
    else if (term !== undefined && text !== undefined) lines.push('.TP', marked(term), marked(text));
    else if (line.trim() === '') lines.push('.PP');
    else lines.push(marked(line));
  }
  endExample();
  // A paragraph that nothing is in: before a heading, before a list, at the end.
  return lines
    .filter((line, index) => line !== '.PP' || !/^(\.SH|\.TP|\.PP|\.RS)/.test(lines[index + 1] ?? '.SH'))
    .filter((line, index, all) => line !== '.PP' || !/^\.SH/.test(all[index - 1] ?? '.SH'));
}

/** @param {string} text */
function marked(text) {
  return text
    .split('`')
    .map((part, index) => (index % 2 === 0 ? escaped(part) : `\\fB${escaped(part)}\\fR`))
    .join('');
}

/** @param {string} page */
function reference(page) {
  return `\\fB${escaped(page)}\\fR(1)`;
}

/** A help text as a sentence. @param {string} text */
function sentence(text) {
  const begun = /^[a-z]+(?: |$)/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text;
  return escaped(/[.!?]$/.test(begun) ? begun : `${begun}.`);
}

/** @param {string} text */
function withoutStop(text) {
  return text.replace(/\.$/, '');
}

/** An argument of a macro. @param {string} text */
function quoted(text) {
  return `"${escaped(text).replaceAll('"', '\\(dq')}"`;
}

/** Nothing in it that roff would act on. @param {string} text */
function escaped(text) {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('…', '...')
    .replaceAll("'", '\\(aq')
    .replaceAll('~', '\\(ti')
    .replaceAll('^', '\\(ha')
    .replaceAll('`', '\\(ga')
    .replace(/^\./, '\\&.');
}
