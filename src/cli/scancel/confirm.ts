/** The questions of `--interactive`. */
import { createInterface } from 'node:readline';
import type { CliIo, TextOutput } from '../io.js';
import { ScancelTrouble } from './trouble.js';

/** Asks until the answer begins with y or n. */
export type Confirm = ((question: string) => Promise<boolean>) & {
  /** Lets go of stdin. */
  close(): void;
};

/**
 * @param output where the questions stand.
 * @throws (when asked) ScancelTrouble at the end of stdin: scancel asks for ever there; `io.signal.reason` when the signal fires.
 */
export function confirmOn({ stdin, signal }: CliIo, output: TextOutput): Confirm {
  let reader: { readonly lines: AsyncIterator<string>; close(): void } | undefined;
  const open = () => {
    const lines = createInterface({ input: stdin, crlfDelay: Number.POSITIVE_INFINITY, signal });
    return { lines: lines[Symbol.asyncIterator](), close: () => lines.close() };
  };
  const ask = async (question: string): Promise<boolean> => {
    reader ??= open();
    for (;;) {
      output.write(question);
      const { value, done } = await reader.lines.next();
      signal.throwIfAborted();
      if (done === true) throw new ScancelTrouble('No answer on standard input', 'Nothing more is sent.');
      if (/^y/i.test(value)) return true;
      if (/^n/i.test(value)) return false;
    }
  };
  return Object.assign(ask, { close: () => reader?.close() });
}
