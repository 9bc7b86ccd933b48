import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabPaths } from './directory.js';
import { LabError, LabUnavailableError } from './lab-error.js';
import { isRunning, type ProcessRecord, recordOf } from './processes.js';
import { becoming, environmentOf, markPoint, refuseUnderUsr, rootFor, searchPath } from './release-world.js';
import {
  groupWithOrdinaryUsers,
  hostsWithCluster,
  type LabAccount,
  type LabNode,
  labHostName,
  passwdWithOrdinaryUsers,
} from './slurm-conf.js';

/**
 * Makes namespaces of a cluster (mounts and host name) for a release's programs and returns the process that holds them open.
 *
 * In them `/etc/passwd`, `group` and `hosts` are the cluster's own, and the mark is mounted; where the release
 * has a root directory of its own, its programs take the place of the machine's. The machine sees none of it,
 * and all of it goes with the last process.
 */
export async function createNamespace(
  paths: LabPaths,
  release: string,
  root: string,
  nodes: readonly LabNode[],
  address: string,
): Promise<ProcessRecord> {
  refuseUnderUsr(root, paths.root);
  const texts = {
    passwd: passwdWithOrdinaryUsers(readFileSync(join(root, 'etc/passwd'), 'utf8'), paths.work),
    group: groupWithOrdinaryUsers(readFileSync(join(root, 'etc/group'), 'utf8')),
    hosts: hostsWithCluster(readFileSync('/etc/hosts', 'utf8'), nodes, address),
  };
  // Each release's own: the system accounts differ, and the files stay mounted.
  const etc = join(paths.etc, release);
  mkdirSync(etc);
  chmodSync(etc, 0o755);
  for (const [name, text] of Object.entries(texts)) {
    const file = join(etc, name);
    writeFileSync(file, text);
    chmodSync(file, 0o644);
  }
  const script = [
    'set -e',
    'umask 022',
    'hostname=$1 mark=$2 mark_point=$3 etc=$4 cluster=$5 release=$6',
    'echo "$hostname" > /proc/sys/kernel/hostname',
    'mount -t tmpfs -o size=4k,mode=755 "$mark" "$mark_point"',
    ...rootFor(root),
    ...useRunSlurm,
    'echo ready',
    'exec sleep infinity > /dev/null 2>&1',
  ];
  const child = spawn(
    'unshare',
    [
      ...['--mount', '--uts', '--propagation', 'private', '--'],
      ...['sh', '-c', script.join('\n'), 'lab', labHostName, paths.mark, markPoint],
      ...[etc, paths.root, root],
    ],
    { cwd: '/', detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: searchPath } },
  );
  const said = await new Promise<string>((resolve, reject) => {
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
      if (output.includes('ready\n')) resolve('ready');
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    child.on('error', reject);
    child.on('close', () => resolve(output.trim()));
  });
  if (said !== 'ready') {
    throw new LabUnavailableError(
      `no private mount namespace can be made here (${said}); a container needs CAP_SYS_ADMIN for the lab`,
    );
  }
  child.stdout.destroy();
  child.stderr.destroy();
  child.unref();
  const record = child.pid === undefined ? undefined : recordOf(child.pid);
  if (!record) throw new LabError("the process that holds the lab's namespaces is gone");
  return record;
}

/**
 * The cluster's own `/run/slurm`, which can be reached from outside too. The machine's `/run` is covered for it:
 * nothing is left there.
 */
const useRunSlurm = [
  'if [ "$release" = / ]; then mount -t tmpfs -o mode=755 slurmwire-lab-run /run; mkdir /run/lock; fi',
  // Who has no configuration yet looks for munged where the packages have it.
  'mkdir /run/slurm /run/munge',
  'ln -s "$cluster/munge/munge.socket" /run/munge/munge.socket.2',
  'mount --bind "$cluster/run-slurm" /run/slurm',
];

/** How a program is started inside a cluster. */
export interface InsideOptions {
  /** Who runs it; without, root as it is. */
  readonly account?: LabAccount;
  /** Makes it another host of the cluster: by its name, and by a directory of its own for the pid files. */
  readonly host?: { readonly name: string; readonly run: string } | undefined;
  /** Added to the environment, or taken out of it; otherwise it is the cluster's own: nothing of the caller's gets in. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly stdio: NonNullable<SpawnOptions['stdio']>;
  /** Whether it outlives this process, in a session of its own. */
  readonly detached?: boolean;
}

/**
 * Starts a program inside a cluster's namespaces, in its work directory. The child's pid is the program's
 * own: each step on the way there replaces the one before.
 */
export function spawnInside(
  paths: LabPaths,
  anchor: ProcessRecord | undefined,
  argv: readonly string[],
  options: InsideOptions,
): ChildProcess {
  if (!anchor || !isRunning(anchor, paths.mark)) throw new LabError(`no cluster is running in ${paths.root}`);
  const { account, host, env, stdio, detached = false } = options;
  const move = (name: string, run: string) => [
    ...['unshare', '--mount', '--uts', '--', 'sh', '-c', moveToHost, 'lab', name, run, paths.run],
  ];
  return spawn(
    'nsenter',
    [
      ...[`--target=${anchor.pid}`, '--mount', '--uts', '--'],
      ...(host === undefined ? [] : move(host.name, host.run)),
      ...becoming(account),
      // Not nsenter's --wd: a directory opened outside has no path inside.
      ...['env', `--chdir=${paths.work}`, '--', ...argv],
    ],
    {
      cwd: '/',
      stdio,
      detached,
      env: { ...environmentOf(account, paths.work, paths.slurmConf), ...env },
    },
  );
}

const moveToHost =
  'set -e; echo "$1" > /proc/sys/kernel/hostname; mount --bind "$2" "$3"; shift 3; exec "$@"';

/** Says so where this process is not root, without whom there is no namespace and no slurmd. */
export function requireRoot(): void {
  if (process.geteuid?.() === 0) return;
  throw new LabUnavailableError(
    'the lab needs root, for its mount namespace and its slurmds; run it with sudo',
  );
}
