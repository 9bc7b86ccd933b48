/** Programs of a release as clients of a cluster that is not the lab's: one embedded in some process of this machine. */
import { spawn } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { prepare } from './cluster.js';
import { type ExecResult, gather } from './exec.js';
import { LabError } from './lab-error.js';
import { requireRoot } from './namespace.js';
import { becoming, environmentOf, markPoint, refuseUnderUsr, rootFor } from './release-world.js';
import {
  groupWithOrdinaryUsers,
  type LabAccount,
  ordinaryUsers,
  passwdWithOrdinaryUsers,
} from './slurm-conf.js';

/** Where the programs are from, and what they are to talk to. */
export interface ClientProgramsOptions {
  /** The release of the programs. */
  readonly release: string;
  /** The cluster's slurm.conf, which names the addresses of its daemons and munged's socket. */
  readonly slurmConf: string;
  /** The only directory of the machine that the programs see, under its own path; the one slurm.conf is in where not given. */
  readonly directory?: string;
  /** Users who run the programs and whom these know by name, beside root and the accounts of the release; alice and bob where not given. */
  readonly users?: readonly LabAccount[];
}

/** How one program runs. */
export interface ClientProgramOptions {
  /** Name of one of the users, or `root`. */
  readonly user: string;
  /** Its standard input; empty where not given. */
  readonly input?: string;
  /** After it the program is killed and the call fails; 60 s where not given. */
  readonly timeoutMs?: number;
  /** Added to its environment, or taken out of it (undefined); nothing of the caller's gets in otherwise. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Runs `squeue`, `scancel` and their like of any of the lab's releases, or a program linked to that release's libslurm, against a cluster
 * that is a slurm.conf and a munge socket on this machine. Each program has a mount namespace of its own, which goes with it: there is
 * nothing to take down.
 */
export class ClientPrograms {
  readonly release: string;
  /** Where the programs run; what is in it can be run. */
  readonly workDirectory: string;
  readonly #slurmConf: string;
  readonly #root: string;
  readonly #users: readonly LabAccount[];

  private constructor(
    { release, slurmConf, directory, users }: Required<ClientProgramsOptions>,
    root: string,
  ) {
    this.release = release;
    this.workDirectory = directory;
    this.#slurmConf = slurmConf;
    this.#users = users;
    this.#root = root;
  }

  /**
   * Fails with `LabUnavailableError` where the release cannot be had, and where this process is not root.
   */
  static async of(options: ClientProgramsOptions): Promise<ClientPrograms> {
    requireRoot();
    const { release, users = ordinaryUsers } = options;
    const slurmConf = resolve(options.slurmConf);
    const directory = resolve(options.directory ?? dirname(slurmConf));
    const root = await prepare({ release });
    refuseUnderUsr(root, directory);
    if ((statSync(directory).mode & 0o001) === 0) {
      throw new LabError(
        `ordinary users cannot enter ${directory}, so no program of theirs can read slurm.conf`,
      );
    }
    return new ClientPrograms({ release, slurmConf, directory, users }, root);
  }

  /** Runs a program. Fails only if it cannot be started or does not end in time. */
  async exec(argv: readonly string[], options: ClientProgramOptions): Promise<ExecResult> {
    const { user, env = {} } = options;
    const account = user === 'root' ? undefined : this.#users.find(({ name }) => name === user);
    if (user !== 'root' && account === undefined) throw new LabError(`there is no user "${user}"`);
    const home = this.workDirectory;
    const etc = (name: string) => readFileSync(join(this.#root, 'etc', name), 'utf8');
    const texts = [
      passwdWithOrdinaryUsers(etc('passwd'), home, this.#users),
      groupWithOrdinaryUsers(etc('group'), this.#users),
      readFileSync('/etc/hosts', 'utf8'),
    ];
    const command = [...becoming(account), 'env', `--chdir=${home}`, '--', ...argv];
    const child = spawn(
      'unshare',
      [
        ...['--mount', '--propagation', 'private', '--', 'sh', '-c', this.#script(), 'lab'],
        ...[this.#root, home, markPoint, ...texts, ...command],
      ],
      {
        cwd: '/',
        stdio: 'pipe',
        env: { ...environmentOf(account, home, this.#slurmConf), ...env },
      },
    );
    return gather(child, argv, options);
  }

  #script(): string {
    return [
      'set -e',
      'umask 022',
      'release=$1 cluster=$2 etc=$3',
      'mount -t tmpfs -o size=1m,mode=755 slurmwire-lab-etc "$etc"',
      'printf %s "$4" > "$etc/passwd"; printf %s "$5" > "$etc/group"; printf %s "$6" > "$etc/hosts"',
      'shift 6',
      ...rootFor(this.#root),
      'exec "$@"',
    ].join('\n');
  }
}
