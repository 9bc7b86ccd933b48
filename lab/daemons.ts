import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect, createServer, type NetConnectOpts, type Server } from 'node:net';
import { join } from 'node:path';
import type { LabPaths } from './directory.js';
import { loopback } from './features.js';
import { LabError, LabPortTakenError } from './lab-error.js';
import { type InsideOptions, spawnInside } from './namespace.js';
import { isRunning, type ProcessRecord, recordOf, signalProcess } from './processes.js';
import { anchorOf, type LabRecord } from './record.js';
import { backupHost, type LabAccount, labHostName } from './slurm-conf.js';
import { waitUntil } from './wait.js';

/** A daemon that was just started. */
export interface StartedDaemon {
  readonly record: ProcessRecord;
  /** Rejects when the daemon ends, with the last lines of its log; never resolves. */
  readonly ended: Promise<never>;
}

/**
 * Starts a daemon by its name: `munged`, `sackd`, `slurmctld`, `slurmctld2`, or a node's for its slurmd. It outlives this process.
 */
export function startDaemon(name: string, paths: LabPaths, lab: LabRecord): StartedDaemon {
  const { argv, ...how } = commandOf(name, paths, lab);
  const log = openSync(outputFile(name, paths), 'a', 0o644);
  let child: ReturnType<typeof spawnInside>;
  try {
    child = spawnInside(paths, anchorOf(lab, name), argv, {
      ...how,
      detached: true,
      stdio: ['ignore', log, log],
    });
  } finally {
    closeSync(log);
  }
  const ended = new Promise<never>((_, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      const log = lastLogLines(paths, name);
      const message = `${name} ended (${signal ?? `exit code ${code}`}); its log ends with:\n${log}`;
      reject(/address already in use/i.test(log) ? new LabPortTakenError(message) : new LabError(message));
    });
  });
  ended.catch(() => {}); // who is interested listens; nobody has to
  child.unref();
  const record = child.pid === undefined ? undefined : recordOf(child.pid);
  if (!record) throw new LabError(`${name} could not be started`);
  return { record, ended };
}

/** Ends one daemon at once (SIGKILL); `false` if it is gone already. */
export async function killDaemon(name: string, record: ProcessRecord, mark: string): Promise<boolean> {
  if (!signalProcess(record, mark, 'SIGKILL')) return false;
  const gone = () => !isRunning(record, mark);
  await waitUntil(`${name} to be gone`, gone, { timeoutMs: 5_000, intervalMs: 5 });
  return true;
}

/** Ends one daemon: SIGTERM, then SIGKILL if it will not. Nothing happens if it is gone already. */
export async function stopDaemon(name: string, record: ProcessRecord, mark: string): Promise<void> {
  const gone = () => !isRunning(record, mark);
  if (!signalProcess(record, mark, 'SIGTERM')) return;
  signalProcess(record, mark, 'SIGCONT');
  const limits = { timeoutMs: 5_000, intervalMs: 10 };
  await waitUntil(`${name} to end`, gone, limits).catch(() => signalProcess(record, mark, 'SIGKILL'));
  await waitUntil(`${name} to be gone`, gone, limits);
}

/** Waits until a daemon takes connections. Whether slurmctld counts on a slurmd is another question: see its node. */
export async function daemonReady(
  name: string,
  paths: LabPaths,
  lab: LabRecord,
  signal: AbortSignal,
): Promise<void> {
  if (name === 'munged') await accepts(name, { path: paths.mungeSocket }, signal);
  if (name === 'sackd') await accepts(name, { path: paths.sackSocket }, signal);
  const controller = controllersOf(lab).find((one) => one.daemon === name);
  const node = lab.nodes.find((one) => one.name === name);
  if (controller) await accepts(name, { host: controller.host, port: controller.port }, signal);
  if (node) await accepts(name, { host: loopback(lab.features), port: node.port }, signal);
}

/**
 * The result of `body`, or the failure of the first of the daemons that ends meanwhile; `body` is told to
 * stop then.
 */
export async function whileAlive<T>(
  daemons: readonly StartedDaemon[],
  body: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  try {
    return await Promise.race([body(over.signal), ...daemons.map((daemon) => daemon.ended)]);
  } finally {
    over.abort();
  }
}

/** The last lines a daemon wrote. */
export function lastLogLines(paths: LabPaths, name: string, count = 12): string {
  // A daemon's stderr matters only as long as it has no log.
  for (const file of [`${name}.log`, `${name}.stderr`]) {
    try {
      const text = readFileSync(join(paths.log, file), 'utf8').trimEnd();
      if (text !== '') return text.split('\n').slice(-count).join('\n');
    } catch {
      // Not there yet.
    }
  }
  return '(it wrote nothing)';
}

/**
 * Ports nobody listens on, chosen by the system. They are free again when this returns, and anyone may take
 * them.
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = [];
  try {
    for (let i = 0; i < count; i++) {
      const server = createServer();
      servers.push(server);
      await new Promise<void>((resolve, reject) => {
        server.on('error', reject);
        server.listen(0, '127.0.0.1', resolve);
      });
    }
    return servers.map((server) => {
      const address = server.address();
      if (!address || typeof address === 'string') throw new LabError('the system chose no port');
      return address.port;
    });
  } finally {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

/**
 * Where a daemon's stderr goes. munged and sackd log there and nowhere else. Slurm's daemons write a log file besides,
 * and into stderr the same again, with what went wrong before they knew their log file.
 */
function outputFile(name: string, paths: LabPaths): string {
  return join(paths.log, name === 'munged' || name === 'sackd' ? `${name}.log` : `${name}.stderr`);
}

/** A slurmctld of the cluster. */
export interface LabController {
  /** Its daemon's name. */
  readonly daemon: 'slurmctld' | 'slurmctld2';
  /** Its name in slurm.conf. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** The controllers, in slurm.conf's order. */
export function controllersOf({ controllerPort: port, features }: LabRecord): LabController[] {
  const { name, address: host } = backupHost;
  const primary: LabController = { daemon: 'slurmctld', name: labHostName, host: loopback(features), port };
  return features.backup ? [primary, { daemon: 'slurmctld2', name, host, port }] : [primary];
}

/** How a daemon is started. */
interface DaemonCommand {
  readonly argv: string[];
  readonly account: LabAccount;
  readonly host?: InsideOptions['host'];
  readonly env?: Readonly<Record<string, string | undefined>>;
}

function commandOf(name: string, paths: LabPaths, lab: LabRecord): DaemonCommand {
  // All in the foreground: the pid we start is the daemon's, and its end is an event.
  if (name === 'munged') {
    const argv = [
      ...['munged', '--foreground', '--force', '--num-threads', '10'],
      ...['--key-file', join(paths.munge, 'munge.key')],
      ...['--socket', paths.mungeSocket, '--pid-file', join(paths.munge, 'munged.pid')],
      ...['--seed-file', join(paths.munge, 'munged.seed')],
    ];
    return { argv, account: lab.mungeAccount };
  }
  if (name === 'sackd') {
    return { argv: ['sackd', '-D', '-f', paths.slurmConf], account: lab.users.slurm };
  }
  if (name === 'slurmctld') {
    return { argv: ['slurmctld', '-D', '-f', paths.slurmConf], account: lab.users.slurm };
  }
  if (name === 'slurmctld2' && lab.features.backup) {
    const argv = ['slurmctld', '-D', '-f', paths.slurmConf, '-L', join(paths.log, `${name}.log`)];
    // A controller finds itself in slurm.conf by its host's name, and ends the one whose pid file it finds.
    const host = { name: backupHost.name, run: paths.backupRun };
    return { argv, account: lab.users.slurm, host };
  }
  const node = lab.nodes.find((one) => one.name === name);
  if (node === undefined) throw new LabError(`the cluster has no daemon "${name}"`);
  const itself = node.dynamic ? ['-Z', '--conf', `Port=${node.port} CPUs=16 RealMemory=16000`] : [];
  const argv = ['slurmd', '-D', '-N', name, ...itself];
  const account = lab.users.root;
  if (!lab.features.configless) return { argv: [...argv, '-f', paths.slurmConf], account };
  const server = ['--conf-server', `127.0.0.1:${lab.controllerPort}`];
  return { argv: [...argv, ...server], account, env: { SLURM_CONF: undefined } };
}

async function accepts(name: string, address: NetConnectOpts, signal: AbortSignal): Promise<void> {
  const look = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(address);
      socket.on('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
  await waitUntil(`${name} to take connections`, look, { timeoutMs: 20_000, intervalMs: 20, signal });
}
