/** How far terminations have come, in a file: what `--save` writes and `--resume` reads. Plain JSON, nothing secret. */
import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { badOption } from '../../rpc/check-options.js';
import { checkState, type TerminateState } from '../../rpc/terminate-state.js';
import { whyNoFile } from '../output-file.js';

const KIND = 'slurmwire terminate';
/** Thousands of jobs fit in it. */
const MAX_BYTES = 64 * 1024 * 1024;

/**
 * Looks at what `--save` would replace: never a file that is something else, nor terminations that nobody has finished.
 *
 * @throws SlurmUsageError
 */
export async function checkPlace(path: string, cwd: string): Promise<void> {
  const place = resolve(cwd, path);
  const bad = (why: string) => badOption('--save', path, why, 'Name a new file.');
  const why = await whyNoFile(place);
  if (why !== null) throw bad(why);
  const size = await stat(place).then(
    (found) => found.size,
    () => 0,
  );
  if (size === 0) return;
  const left = await readStates(path, cwd).catch(() => null);
  if (left === null) throw bad(`names ${path}, which is there already and is no saved termination`);
  if (left.length > 0)
    throw badOption(
      '--save',
      path,
      `names ${path}, which has terminations in it that are not finished`,
      'Go on with it by --resume, or name another file.',
    );
}

/** @throws SlurmUsageError for a file that cannot be read or is none of these. */
export async function readStates(path: string, cwd: string): Promise<TerminateState[]> {
  const bad = (why: string) => badOption('--resume', path, why, 'Give a file that "terminate --save" wrote.');
  let text: string;
  try {
    if (!(await stat(resolve(cwd, path))).isFile()) throw bad('is not a regular file');
    const bytes = await readFile(resolve(cwd, path));
    if (bytes.length > MAX_BYTES) throw bad('is too large for a saved termination');
    text = bytes.toString('utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'SLURMWIRE_BAD_OPTION' || code === undefined) throw error;
    throw bad(`cannot be read (${code})`);
  }
  let document: { kind?: unknown; terminations?: unknown } | null;
  try {
    document = JSON.parse(text) as typeof document;
  } catch {
    throw bad('is no JSON');
  }
  const { kind, terminations } = document ?? {};
  if (kind !== KIND || !Array.isArray(terminations)) throw bad('is no saved termination');
  return terminations.map((state: TerminateState) => checkState(state));
}

/** Writes to one file, one write after the other, the last state always; a reader sees a whole file or none. */
export class StateFile {
  readonly path: string;
  #pending: readonly TerminateState[] | null = null;
  #writing: Promise<void> | null = null;

  constructor(path: string, cwd: string) {
    this.path = resolve(cwd, path);
  }

  /** A new one in the directory for temporary files. */
  static temporary(): StateFile {
    return new StateFile(join(tmpdir(), `slurmwire-terminate-${randomUUID()}.json`), '/');
  }

  /** Resolves when these states, or later ones, are in the file. */
  save(states: readonly TerminateState[]): Promise<void> {
    this.#pending = states;
    this.#writing ??= this.#drain().finally(() => {
      this.#writing = null;
    });
    return this.#writing;
  }

  async #drain(): Promise<void> {
    while (this.#pending !== null) {
      const states = this.#pending;
      this.#pending = null;
      const beside = `${this.path}.${randomUUID()}.part`;
      try {
        await writeFile(beside, `${JSON.stringify({ kind: KIND, terminations: states })}\n`, {
          flag: 'wx',
          mode: 0o600,
        });
        await rename(beside, this.path);
      } catch (error) {
        await rm(beside, { force: true });
        throw error;
      }
    }
  }
}
