/** Makes a copy of the compiled program in which `src` counts what it runs: `build/fuzz`. */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { instrument } from './instrument.js';

/** Numbers and short strings in the code, by file. */
export type Literals = Readonly<Record<string, readonly (string | number)[]>>;

/** Where the copy is, and what stands in its code. */
export interface Prepared {
  readonly directory: string;
  readonly literals: Literals;
  /** Line of each counter, by file. */
  readonly lines: Readonly<Record<string, readonly number[]>>;
}

/** @param build where `tsc -p tsconfig.tools.json` has put the program. */
export function prepare(build: string): Prepared {
  const directory = join(build, 'fuzz');
  rmSync(directory, { recursive: true, force: true });
  cpSync(join(build, 'prove'), join(directory, 'prove'), { recursive: true });
  const lines: Record<string, readonly number[]> = {};
  const literals: Record<string, readonly (string | number)[]> = {};
  for (const path of readdirSync(join(build, 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.js')) continue;
    const source = readFileSync(join(build, 'src', path), 'utf8');
    const to = join(directory, 'src', path);
    mkdirSync(dirname(to), { recursive: true });
    // Tables of thousands of numbers would drown the words that are compared with.
    const isTable = path.includes('generated');
    const made = source.startsWith('#!') || isTable ? null : instrument(source, path);
    writeFileSync(to, made?.code ?? source);
    if (made === null) continue;
    literals[path] = [...made.literals];
    lines[path] = made.lines;
  }
  return { directory, literals, lines };
}
