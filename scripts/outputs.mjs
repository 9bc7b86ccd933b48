/**
 * Generated files: written, or with --check compared with what is checked in.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);

/**
 * A generated file: where it is, from the root of the repository; what it is made of, for people; what belongs in it.
 *
 * @typedef {{ readonly target: string, readonly source: string, readonly text: string }} Output
 */

/**
 * Writes the files. With --check on the command line nothing is written, and the process fails when one is not what it should be.
 *
 * @param {readonly Output[]} outputs
 * @param {string} command what writes them, for the message
 */
export async function settle(outputs, command) {
  const check = process.argv.includes('--check');
  for (const { source, target, text } of outputs) {
    const path = new URL(target, root);
    if (check) {
      const current = await readFile(path, 'utf8').catch(() => '');
      if (current === text) continue;
      process.exitCode = 1;
      console.error(`${target} is not what ${source} gives: run "${command}" and commit the result`);
    } else {
      await mkdir(fileURLToPath(new URL('./', path)), { recursive: true });
      await writeFile(path, text);
    }
  }
}
