/** The embedded cluster with the face of a lab's: what tests of real clusters do with theirs, they do with this one. */
import { spawn } from 'node:child_process';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClientPrograms } from '../../../lab/client-programs.js';
import type { ExecOptions, ExecResult, LabCluster, LabUser, UpOptions } from '../../../lab/cluster.js';
import { gather } from '../../../lab/exec.js';
import { findRelease } from '../../../lab/releases.js';
import { findAccount, type LabAccount, ordinaryUsers } from '../../../lab/slurm-conf.js';
import { waitUntil } from '../../../lab/wait.js';
import type { Release } from '../../../src/index.js';
import { type EmbeddedCluster, type JobView, startCluster } from '../../../src/testing/index.js';
import { submissionOf } from './sbatch-arguments.js';
import { SbatchServer } from './sbatch-server.js';

/** What tests use of a cluster, whichever it is. */
export type LiveCluster = Pick<
  LabCluster,
  | 'controller'
  | 'controllers'
  | 'directory'
  | 'down'
  | 'exec'
  | 'jobState'
  | 'killDaemon'
  | 'mungeSocket'
  | 'nodeRelease'
  | 'pauseDaemon'
  | 'pauseMunged'
  | 'release'
  | 'resumeDaemon'
  | 'resumeMunged'
  | 'saveState'
  | 'slurmConf'
  | 'startDaemon'
  | 'startMunged'
  | 'stopDaemon'
  | 'stopMunged'
  | 'submit'
  | 'switchRelease'
  | 'users'
  | 'waitFor'
  | 'waitForJob'
  | 'workDirectory'
> & {
  readonly nodes: readonly { readonly name: string; readonly port: number; readonly dynamic?: boolean }[];
};

/** As the lab sets its clusters up, but for the wait from SIGTERM to SIGKILL of a job, which is waited out often. */
const PARAMETERS = { ClusterName: 'lab', KillWait: '1', SlurmctldTimeout: '4' };

/** Slurm's own programs, which run as they are; their like for jobs are taken over. */
const PROGRAMS = new Set(['sacct', 'scancel', 'scontrol', 'sinfo', 'squeue', 'sstat']);

export class EmbeddedLab implements LiveCluster {
  readonly directory: string;
  readonly workDirectory: string;
  readonly slurmConf: string;
  readonly mungeSocket: string;
  readonly users: Readonly<Record<LabUser, LabAccount>>;
  readonly #cluster: EmbeddedCluster;
  readonly #sbatch: SbatchServer;
  #programs: ClientPrograms;
  #release: Release;
  #nodeRelease: Release;
  /** Lets munged go on. */
  #resumeMunged: (() => void) | null = null;

  private constructor(
    cluster: EmbeddedCluster,
    users: EmbeddedLab['users'],
    programs: ClientPrograms,
    { release, nodeRelease = release }: { release: Release; nodeRelease?: Release | undefined },
  ) {
    this.#cluster = cluster;
    this.directory = cluster.directory;
    this.workDirectory = cluster.workDirectory;
    this.slurmConf = cluster.slurmConf;
    this.mungeSocket = cluster.munged.socket;
    this.users = users;
    this.#programs = programs;
    this.#release = release;
    this.#nodeRelease = nodeRelease;
    this.#sbatch = new SbatchServer(join(this.directory, 'shims'), (argv, script, uid) =>
      this.#sbatchAs(argv, script, uid),
    );
  }

  static async up(options: UpOptions): Promise<EmbeddedLab> {
    const { directory = '', parameters = {}, rateLimit, nodes = 4, backup = false } = options;
    const release = (options.release ?? '22.05') as Release;
    const nodeRelease = options.nodeRelease as Release | undefined;
    const slurm = findAccount(await readFile('/etc/passwd', 'utf8'), 'slurm') as LabAccount;
    const all = [...ordinaryUsers, slurm];
    const { PrivateData, ...further } = parameters;
    await mkdir(directory, { recursive: true });
    await chmod(directory, 0o755);
    const cluster = await startCluster({
      release,
      nodeRelease,
      nodes,
      backups: backup ? 1 : 0,
      jobs: 'processes',
      users: all,
      slurmUser: 'slurm',
      privateData: PrivateData?.split(','),
      rateLimit:
        rateLimit === undefined
          ? undefined
          : {
              bucketSize: rateLimit.bucketSize,
              refillRate: rateLimit.refillRate,
              refillPeriodSeconds: rateLimit.refillPeriod,
            },
      parameters: { ...PARAMETERS, ...further },
      directory,
    });
    try {
      const { slurmConf } = cluster;
      const programs = await ClientPrograms.of({ release, slurmConf, directory, users: all });
      const root = { name: 'root', uid: 0, gid: 0 };
      const [alice, bob] = ordinaryUsers as [LabAccount, LabAccount];
      const lab = new EmbeddedLab(cluster, { root, slurm, alice, bob }, programs, { release, nodeRelease });
      await lab.#sbatch.start();
      return lab;
    } catch (error) {
      await cluster.down();
      throw error;
    }
  }

  get release(): string {
    return this.#release;
  }

  get nodeRelease(): string {
    return this.#nodeRelease;
  }

  get controllers(): LabCluster['controllers'] {
    const [primary, backup] = this.#cluster.daemons.filter(({ name }) => name.startsWith('slurmctld'));
    const place = (daemon: 'slurmctld' | 'slurmctld2', name: string, of: typeof primary) =>
      of === undefined ? [] : [{ daemon, name, host: of.endpoint.host, port: of.endpoint.port }];
    return [...place('slurmctld', 'embedded', primary), ...place('slurmctld2', 'embedded2', backup)];
  }

  get controller(): LabCluster['controller'] {
    return { host: '127.0.0.1', port: this.controllers[0]?.port ?? 0 };
  }

  get nodes(): LiveCluster['nodes'] {
    const slurmds = this.#cluster.daemons.filter(({ name }) => !name.startsWith('slurmctld'));
    return slurmds.map(({ name, endpoint: { port } }) => ({ name, port }));
  }

  async submit(
    script: string,
    { user, sbatchArgs = [] }: { readonly user: LabUser; readonly sbatchArgs?: readonly string[] },
  ): Promise<number> {
    return this.#cluster.submit(submissionOf(sbatchArgs, script, user)).jobId;
  }

  #sbatchAs(argv: readonly string[], script: string, uid: number): number {
    const user = Object.values(this.users).find((one) => one.uid === uid)?.name ?? `${uid}`;
    return this.#cluster.submit(submissionOf(argv, script, user)).jobId;
  }

  async jobState(jobId: number): Promise<string> {
    return shownState(this.#cluster.job(jobId));
  }

  async waitForJob(jobId: number, states: readonly string[], timeoutMs = 30_000): Promise<string> {
    const is = (job: JobView) => states.includes(shownState(job));
    return shownState(await this.#cluster.waitForJob(jobId, is, timeoutMs));
  }

  waitFor(predicate: () => boolean | Promise<boolean>, timeoutMs: number, what: string): Promise<void> {
    return waitUntil(what, predicate, { timeoutMs, intervalMs: 20 }).then(() => {});
  }

  /** squeue and its like are those of the release; other programs are the machine's, and find an sbatch and an srun of the cluster. */
  exec(argv: readonly string[], options: ExecOptions): Promise<ExecResult> {
    const [program = '', ...args] = argv;
    if (PROGRAMS.has(program)) return this.#programs.exec(argv, options);
    return program === 'srun' ? this.#srun(args, options) : this.#execHere(argv, options);
  }

  #execHere(
    [program = '', ...args]: readonly string[],
    { user, env = {}, ...how }: ExecOptions,
    more: Readonly<Record<string, string>> = {},
  ): Promise<ExecResult> {
    const { uid, gid } = this.users[user];
    const PATH = `${join(this.directory, 'shims')}:${process.env.PATH}`;
    const child = spawn(program, args, {
      uid,
      gid,
      cwd: this.workDirectory,
      stdio: 'pipe',
      env: { PATH, LANG: 'C.UTF-8', HOME: this.workDirectory, USER: user, ...more, ...env },
    });
    return gather(child, [program, ...args], how);
  }

  /** A step of a job that is there, or one of a job of its own, which ends with it. */
  async #srun(argv: readonly string[], options: ExecOptions): Promise<ExecResult> {
    const given = argv.find((word) => word.startsWith('--jobid='))?.split('=')[1];
    const rest = argv.filter((word) => !word.startsWith('--jobid='));
    const name = rest[rest.indexOf('--job-name') + 1];
    const named = rest.includes('--job-name') ? name : undefined;
    const { user } = options;
    const jobId =
      given === undefined ? this.#cluster.submit({ user, script: null, name: named }).jobId : Number(given);
    await this.#cluster.waitForJob(jobId, 'RUNNING');
    const environment = this.#cluster.environmentOf(jobId);
    const srun = join(this.directory, 'bin', 'srun');
    const done = await this.#execHere([srun, ...rest], options, environment);
    if (given === undefined) this.#cluster.completeJob(jobId, done.code);
    return done;
  }

  /** What a controller knows, all know: they have one table. */
  async saveState(): Promise<void> {}

  async startDaemon(name: string): Promise<void> {
    if (name === 'munged') await this.#cluster.munged.start();
    else await this.#cluster.daemon(name).start();
  }

  async stopDaemon(name: string): Promise<void> {
    if (name !== 'munged') return this.#cluster.daemon(name).stop();
    this.#resumeMunged?.();
    this.#resumeMunged = null;
    await this.#cluster.munged.stop();
  }

  async killDaemon(name: string): Promise<void> {
    if (name === 'munged') await this.#cluster.munged.crash();
    else await this.#cluster.daemon(name).kill();
  }

  async pauseDaemon(name: string): Promise<void> {
    if (name === 'munged') this.#resumeMunged ??= this.#cluster.munged.fault('hang');
    else this.#cluster.daemon(name).pause();
  }

  async resumeDaemon(name: string): Promise<void> {
    if (name !== 'munged') return this.#cluster.daemon(name).resume();
    this.#resumeMunged?.();
    this.#resumeMunged = null;
  }

  stopMunged(): Promise<void> {
    return this.stopDaemon('munged');
  }

  startMunged(): Promise<void> {
    return this.startDaemon('munged');
  }

  pauseMunged(): Promise<void> {
    return this.pauseDaemon('munged');
  }

  resumeMunged(): Promise<void> {
    return this.resumeDaemon('munged');
  }

  async switchRelease(name: string): Promise<void> {
    const keepsJobs = [name, ...findRelease(name).accepts].includes(this.#release);
    const release = name as Release;
    const { daemons } = this.#cluster;
    await Promise.all(daemons.map((daemon) => daemon.stop()));
    if (!keepsJobs) await this.#cluster.forgetJobs();
    const { slurmConf, directory } = this;
    const users = Object.values(this.users).filter(({ uid }) => uid !== 0);
    this.#programs = await ClientPrograms.of({ release: name, slurmConf, directory, users });
    await Promise.all(daemons.map((daemon) => daemon.start({ release })));
    this.#release = this.#nodeRelease = release;
    // A real one takes longer to come up: that it was there before a request is told by whole seconds.
    const second = () => Math.floor(Date.now() / 1000);
    const isOld = second() + 2;
    await waitUntil('the controllers to be old', () => second() >= isOld, { timeoutMs: 3_000 });
  }

  async down(): Promise<void> {
    await this.#sbatch.stop();
    await this.#cluster.down();
  }
}

/** As scontrol shows it: a job that completes is just that, whatever it will be. */
function shownState(job: JobView | null): string {
  if (job === null) return 'NOT_FOUND';
  if (job.flags.includes('JOB_COMPLETING')) return 'COMPLETING';
  if (job.flags.includes('JOB_SPECIAL_EXIT')) return 'SPECIAL_EXIT';
  return job.state;
}
