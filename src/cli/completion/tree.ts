/**
 * What a shell completes, read from the commands themselves. By what an option calls its value follows what may stand there: `<file>` and
 * `<path>` are files, `<signal>` is a signal, choices are choices.
 */
import type { Argument, Command, Option } from 'commander';
import { UNIX_SIGNALS } from '../../protocol/unix-signal.js';

/** What may stand in a place: one of these words, a file, or something that no shell can know. */
export type Values =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'file' }
  | { readonly kind: 'other' };

export interface CompletedOption {
  /** `-s`; `null`: it has no short form. */
  readonly short: string | null;
  readonly long: string | null;
  readonly description: string;
  /** Name and kind of its value; `null`: it takes none. */
  readonly value: { readonly name: string; readonly isOptional: boolean; readonly values: Values } | null;
}

export interface CompletedCommand {
  readonly name: string;
  readonly description: string;
  readonly options: readonly CompletedOption[];
  /** In order; the last one may be repeated. */
  readonly args: readonly { readonly name: string; readonly values: Values; readonly isVariadic: boolean }[];
  readonly commands: readonly CompletedCommand[];
}

export function completedCommand(command: Command): CompletedCommand {
  const help = command.createHelp();
  return {
    name: command.name(),
    description: firstSentence(command.summary() || command.description()),
    options: help.visibleOptions(command).map(completedOption),
    args: command.registeredArguments.map((arg: Argument) => ({
      name: arg.name(),
      values: valuesOf(arg.name(), arg.argChoices),
      isVariadic: arg.variadic,
    })),
    commands: help.visibleCommands(command).map(completedCommand),
  };
}

function completedOption(option: Option): CompletedOption {
  const [, name = 'value'] = /[<[]([^>\]]+)/.exec(option.flags) ?? [];
  const takesValue = option.required || option.optional;
  return {
    short: option.short ?? null,
    long: option.long ?? null,
    description: firstSentence(option.description),
    value: takesValue
      ? { name, isOptional: option.optional, values: valuesOf(name, option.argChoices) }
      : null,
  };
}

function valuesOf(name: string, choices: readonly string[] | undefined): Values {
  if (choices !== undefined) return { kind: 'words', words: choices };
  if (/^(file|path|dir)$|_file$/i.test(name)) return { kind: 'file' };
  if (/^signal/i.test(name)) return { kind: 'words', words: SIGNAL_WORDS };
  return { kind: 'other' };
}

/** As people type them, without `SIG`. */
const SIGNAL_WORDS = Object.keys(UNIX_SIGNALS).map((name) => name.slice('SIG'.length));

/** One line, for a menu. */
function firstSentence(text: string): string {
  const [sentence = ''] = text.replaceAll(/ \(default:[^)]*\)/g, '').split(/(?<=[a-z)])[.;:](?: |$)/);
  return sentence.replaceAll(/\s+/g, ' ').trim();
}
