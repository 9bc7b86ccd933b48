/** Which modules one import loads: what is imported statically, from file to file. Of tsc's output, whose imports stand one a line. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

export interface ModuleGraph {
  /** Paths of the files. */
  readonly files: readonly string[];
  /** All of their text. */
  readonly bytes: number;
  /** What is imported from elsewhere: Node's own modules and packages. */
  readonly foreign: readonly string[];
}

const IMPORT = /^(?:import|export)\s(?:[^'"]*?\sfrom\s)?['"]([^'"]+)['"];/gm;

export function moduleGraph(entry: string): ModuleGraph {
  const files = new Set([resolve(entry)]);
  const foreign = new Set<string>();
  let bytes = 0;
  for (const file of files) {
    const text = readFileSync(file, 'utf8');
    bytes += Buffer.byteLength(text);
    for (const [, name = ''] of text.matchAll(IMPORT)) {
      if (name.startsWith('.')) files.add(resolve(dirname(file), name));
      else foreign.add(name);
    }
  }
  return { files: [...files], bytes, foreign: [...foreign].sort() };
}
