/**
 * What a command says. On stdout its result: lines for people, or with `--json` one JSON document and nothing else. On stderr what
 * is not the result: warnings, progress, errors. A failure with `--json` is the document `{ "error": … }` (`SlurmError.toJSON()`), and the lines for
 * people stand on stderr all the same.
 */
import { styleText } from 'node:util';
import type { CliIo, TextOutput } from './io.js';
import { safeLines } from './safe-text.js';

/** The values of `--color`. */
export const COLOR_CHOICES = ['auto', 'always', 'never'] as const;
export type ColorChoice = (typeof COLOR_CHOICES)[number];

export interface OutputOptions {
  readonly json?: boolean | undefined;
  readonly color?: ColorChoice | undefined;
}

/** Where a command writes. Make it by {@link outputOf}. */
export interface Output {
  readonly json: boolean;
  /** The result, once: `document` with `--json`, else the lines that `human` makes. */
  result(document: unknown, human: () => string | readonly string[]): void;
  /** A line of the result for people, as it comes; nothing with `--json`. */
  line(text: string): void;
  /** A line on stderr. */
  note(text: string): void;
  /** Text for stdout in a colour or style, where stdout may have colours. */
  paint(style: Style, text: string): string;
  /** The same for stderr. */
  paintNote(style: Style, text: string): string;
}

/** What `node:util`'s styleText takes: `'red'`, `['bold', 'green']` … */
export type Style = Parameters<typeof styleText>[0];

export function outputOf(io: CliIo, { json = false, color = 'auto' }: OutputOptions = {}): Output {
  const print = (text: string) => io.stdout.write(`${safeLines(text)}\n`);
  const painter = (stream: TextOutput) => {
    const colored = hasColor(stream, color, io.env);
    return (style: Style, text: string) => (colored ? painted(style, text) : text);
  };
  return {
    json,
    result(document, human) {
      if (json) return void print(jsonText(document));
      const lines = human();
      for (const line of typeof lines === 'string' ? [lines] : lines) print(line);
    },
    line(text) {
      if (!json) print(text);
    },
    note: (text) => void io.stderr.write(`${safeLines(text)}\n`),
    paint: painter(io.stdout),
    paintNote: painter(io.stderr),
  };
}

/** Whether text on this stream may be coloured: `auto` means on a terminal, and not where NO_COLOR is set (https://no-color.org) or TERM is `dumb`. */
export function hasColor(
  stream: TextOutput,
  color: ColorChoice,
  env: Readonly<Record<string, string | undefined>>,
): boolean {
  if (color !== 'auto') return color === 'always';
  return stream.isTTY === true && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb';
}

/** JSON as all commands write it: indented, big integers as decimal text, byte blocks as hex. */
export function jsonText(document: unknown): string {
  return JSON.stringify(document, plain, 2) ?? 'null';
}

function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}`;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (value instanceof Map) return Object.fromEntries(value);
  return value instanceof Set ? [...value] : value;
}

/** Newer Nodes look at process.stdout by themselves unless told not to; whether there are colours was decided above. */
function painted(style: Style, text: string): string {
  const paint = styleText as (format: Style, text: string, options: { validateStream: boolean }) => string;
  return paint(style, text, { validateStream: false });
}
