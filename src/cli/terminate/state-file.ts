/** How far terminations have come, in a file: what `--save` writes and `--resume` reads. Plain JSON, nothing secret. */
import { randomUUID } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { badOption } from '../../rpc/check-options.js';
import { checkState, type TerminateState } from '../../rpc/terminate-state.js';

const KIND = 'slurmwire terminate';
/** Thousands of jobs fit in it. */
const MAX_BYTES = 64 * 1024 * 1024;

/** @throws SlurmUsageError for a file that cannot be read or is none of these. */
export async function readStates(path: string, cwd: string): Promise<TerminateState[]> {
  const bad = (why: string) => badOption('--resume', path, why, 'Give a file that "terminate --save" wrote.');
  let text: string;
  try {
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
