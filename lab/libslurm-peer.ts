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
    options: {
      readonly user: User;
      readonly env?: Readonly<Record<string, string>>;
      readonly timeoutMs?: number;
    },
  ): Promise<ExecResult>;
}

/** What a program is linked to, where it is more than the public libslurm. */
export interface PeerBuildOptions {
  /** What the program is called; `libslurm-peer` where not given. */
  readonly name?: string;
  /** The library of Slurm's own programs, which has what libslurm hides; its functions are no API. */
  readonly full?: boolean;
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
    { name = 'libslurm-peer', full = false }: PeerBuildOptions = {},
  ): Promise<LibslurmPeer<User>> {
    const program = join(place.workDirectory, name);
    await compilePeer(place.release, source, program, { full });
    return new LibslurmPeer(place, program);
  }

  /** Makes one call as a user; `env` as in `cluster.exec`. */
  async call(
    user: User,
    [name, ...args]: readonly [string, ...(string | number)[]],
    env: Readonly<Record<string, string>> = {},
  ): Promise<LibslurmAnswer> {
    return (await this.run(user, [name, ...args], { env })) as LibslurmAnswer;
  }

  /** Runs the program, which prints JSON. */
  async run(
    user: User,
    args: readonly (string | number)[],
    options: { readonly env?: Readonly<Record<string, string>>; readonly timeoutMs?: number } = {},
  ): Promise<unknown> {
    const argv = [this.#program, ...args.map(String)];
    const { code, stdout, stderr } = await this.#place.exec(argv, { ...options, user });
    if (code !== 0) throw new LabError(`"${argv.join(' ')}" failed (exit code ${code}): ${stderr.trim()}`);
    return JSON.parse(stdout);
  }
}

/** Compiles `source` to the file `program`, linked to a release's libslurm: with the machine's gcc and everything else of the release. */
export async function compilePeer(
  release: string,
  source: string,
  program: string,
  { full = false }: Pick<PeerBuildOptions, 'full'> = {},
): Promise<void> {
  const root = await prepare({ release, install: false });
  const libraries = join(root, 'usr/lib/x86_64-linux-gnu');
  const plugins = 'usr/lib/x86_64-linux-gnu/slurm-wlm';
  const libslurm = full ? [`-L${join(root, plugins)}`, '-lslurmfull', `-Wl,-rpath,/${plugins}`] : ['-lslurm'];
  // libc by its file: the linker script for -lc names the loader by a link that leads out of an old root.
  const link = ['-nodefaultlibs', ...libslurm, '-l:libc.so.6', '-l:libc_nonshared.a'];
  const where = [`--sysroot=${root}`, `-B${libraries}`, `-L${libraries}`];
  const argv = ['-O2', '-Wall', '-Wextra', '-Werror', ...where, '-o', program, source, ...link];
  await run('gcc', argv, { cwd: '/' });
}

const run = promisify(execFile);
