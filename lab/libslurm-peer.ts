import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { prepare } from './cluster.js';
import type { LabCluster } from './lab-cluster.js';
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

/** A program linked to the libslurm of a cluster's own release. */
export class LibslurmPeer {
  readonly #cluster: LabCluster;
  readonly #program: string;

  private constructor(cluster: LabCluster, program: string) {
    this.#cluster = cluster;
    this.#program = program;
  }

  /** Compiles `source` into the cluster's work directory, with the machine's gcc and everything else of the release. */
  static async build(cluster: LabCluster, source: string): Promise<LibslurmPeer> {
    const root = await prepare({ release: cluster.release, install: false });
    const libraries = join(root, 'usr/lib/x86_64-linux-gnu');
    const program = join(cluster.workDirectory, 'libslurm-peer');
    // libc by its file: the linker script for -lc names the loader by a link that leads out of an old root.
    const link = ['-nodefaultlibs', '-lslurm', '-l:libc.so.6', '-l:libc_nonshared.a'];
    const where = [`--sysroot=${root}`, `-B${libraries}`, `-L${libraries}`];
    await run('gcc', ['-Wall', '-Wextra', '-Werror', ...where, '-o', program, source, ...link], { cwd: '/' });
    return new LibslurmPeer(cluster, program);
  }

  /** Makes one call as a user; `env` as in `cluster.exec`. */
  async call(
    user: LabUser,
    [name, ...args]: readonly [string, ...(string | number)[]],
    env: Readonly<Record<string, string>> = {},
  ): Promise<LibslurmAnswer> {
    const argv = [this.#program, name, ...args.map(String)];
    const { code, stdout, stderr } = await this.#cluster.exec(argv, { user, env });
    if (code !== 0) throw new LabError(`"${argv.join(' ')}" failed (exit code ${code}): ${stderr.trim()}`);
    return JSON.parse(stdout);
  }
}

const run = promisify(execFile);
