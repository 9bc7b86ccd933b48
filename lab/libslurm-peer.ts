import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { prepare } from './cluster.js';
import type { ExecResult } from './exec.js';
import { LabError } from './lab-error.js';
import type { LabUser } from './record.js';
import { defaultRelease, type LabPackage, libslurmPackages } from './releases.js';

/** What the machine needs to build the peer, on top of the lab's own. */
export const libslurmPeerPackages: readonly LabPackage[] = [
  ...libslurmPackages(`${defaultRelease}.`),
  { name: 'gcc', versionPrefix: '' },
];

/** What a call of libslurm's came to. */
export interface LibslurmAnswer {
  /** What the function returned. */
  readonly value: number;
  /** Slurm's number (`slurm_get_errno`); 0 where the function returned 0. */
  readonly number: number;
}

/** Where the peer runs: a `LabCluster`, or `ClientPrograms`. */
export interface PeerPlace<User extends string> {
  readonly release: string;
  readonly workDirectory: string;
  exec(
    argv: readonly string[],
    options: { readonly user: User; readonly env?: Readonly<Record<string, string>> },
  ): Promise<ExecResult>;
}

/** A program linked to the libslurm of the release of the place where it runs. */
export class LibslurmPeer<User extends string = LabUser> {
  readonly #place: PeerPlace<User>;
  readonly #program: string;

  private constructor(place: PeerPlace<User>, program: string) {
    this.#place = place;
    this.#program = program;
  }

  /** Compiles `source` into the place's work directory, with the machine's gcc and everything else of the release. */
  static async build<User extends string>(
    place: PeerPlace<User>,
    source: string,
  ): Promise<LibslurmPeer<User>> {
    const program = join(place.workDirectory, 'libslurm-peer');
    await compilePeer(place.release, source, program);
    return new LibslurmPeer(place, program);
  }

  /** Makes one call as a user; `env` as in `cluster.exec`. */
  async call(
    user: User,
    [name, ...args]: readonly [string, ...(string | number)[]],
    env: Readonly<Record<string, string>> = {},
  ): Promise<LibslurmAnswer> {
    const argv = [this.#program, name, ...args.map(String)];
    const { code, stdout, stderr } = await this.#place.exec(argv, { user, env });
    if (code !== 0) throw new LabError(`"${argv.join(' ')}" failed (exit code ${code}): ${stderr.trim()}`);
    return JSON.parse(stdout);
  }
}

/** Compiles `source` to `program`, linked to a release's libslurm: with the machine's gcc and everything else of the release. */
export async function compilePeer(release: string, source: string, program: string): Promise<void> {
  const root = await prepare({ release, install: false });
  const libraries = join(root, 'usr/lib/x86_64-linux-gnu');
  // libc by its file: the linker script for -lc names the loader by a link that leads out of an old root.
  const link = ['-nodefaultlibs', '-lslurm', '-l:libc.so.6', '-l:libc_nonshared.a'];
  const where = [`--sysroot=${root}`, `-B${libraries}`, `-L${libraries}`];
  const argv = ['-O2', '-Wall', '-Wextra', '-Werror', ...where, '-o', program, source, ...link];
  await run('gcc', argv, { cwd: '/' });
}

const run = promisify(execFile);
