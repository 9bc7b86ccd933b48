/** What scancel says, on stderr: `scancel: error: …`, and more the more `-v` there are. */
import type { CliIo } from '../io.js';
import { safeLines } from '../safe-text.js';

export interface Voice {
  /** `-1` with --quiet, 0, one more for each --verbose. */
  readonly verbosity: number;
  error(text: string): void;
  /** Said unless --quiet. */
  info(text: string): void;
  /** Said with --verbose. */
  verbose(text: string): void;
  /** A line without the program's name before it. */
  bare(text: string): void;
}

export function voiceOf({ stderr }: CliIo, verbosity: number): Voice {
  const say = (text: string) => void stderr.write(`${safeLines(text)}\n`);
  return {
    verbosity,
    error: (text) => say(`scancel: error: ${text}`),
    info: (text) => (verbosity >= 0 ? say(`scancel: ${text}`) : undefined),
    verbose: (text) => (verbosity > 0 ? say(`scancel: ${text}`) : undefined),
    bare: say,
  };
}
