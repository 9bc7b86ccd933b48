/** Clusters that speak TLS to their clients: a proxy before each daemon, since Debian builds no TLS plugin of Slurm's. */
import { spawn } from 'node:child_process';
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LabPaths } from './directory.js';
import { LabError } from './lab-error.js';
import { isRunning, type ProcessRecord, recordOf } from './processes.js';
import type { LabRecord } from './record.js';
import { makeTlsCa } from './tls-ca.js';
import { waitUntil } from './wait.js';

/** The proxy's name among the daemons. */
export const tlsProxyName = 'tls-proxy';

/** The slurm.conf for clients that are to speak TLS, with `ca_cert.pem` beside it. The daemons have the ordinary one. */
export function tlsSlurmConf(paths: LabPaths): string {
  return join(paths.root, 'tls', 'slurm.conf');
}

/**
 * Makes a CA, starts the proxy and writes the clients' slurm.conf. The proxy outlives this process and ends with the cluster: it has the
 * cluster's mark, in a mount namespace of its own, since inside the cluster's there may be no Node.
 */
export async function startTlsProxy(paths: LabPaths, record: LabRecord): Promise<ProcessRecord> {
  if (record.features.backup || record.nodes.some(({ dynamic }) => dynamic)) {
    throw new LabError(
      'a cluster with tls has no backup and no dynamic nodes: clients would go past the proxy',
    );
  }
  const directory = join(paths.root, 'tls');
  mkdirSync(directory);
  chmodSync(directory, 0o755);
  const ca = await makeTlsCa(directory);
  chmodSync(ca.certFile, 0o644);
  // No name of the host's: Slurm's clients do not look at it.
  await ca.issue('daemon');
  const ports = join(directory, 'ports.json');
  const task = join(directory, 'proxy.json');
  const targets = [{ name: 'slurmctld', port: record.controllerPort }, ...record.nodes];
  const identity = { cert: join(directory, 'daemon.pem'), key: join(directory, 'daemon_key.pem') };
  writeFileSync(task, JSON.stringify({ ...identity, ports, targets }));
  const proxy = await spawnMarked(paths, [process.execPath, proxyProgram(), task]);
  writeClientConf(paths, record, await portsOf(ports, proxy, paths));
  return proxy;
}

/** Beside the sources, from where this file is built too. */
function proxyProgram(): string {
  const [here, fromBuild] = ['./tls-proxy.mjs', '../../lab/tls-proxy.mjs'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  const program = [here, fromBuild].find((path) => path !== undefined && existsSync(path));
  if (program === undefined) throw new LabError(`${here} is missing`);
  return program;
}

async function spawnMarked(paths: LabPaths, argv: readonly string[]): Promise<ProcessRecord> {
  const log = openSync(join(paths.log, `${tlsProxyName}.log`), 'a', 0o644);
  const mount = 'mount -t tmpfs -o size=4k,mode=755 "$1" /proc/driver && shift && exec "$@"';
  const child = spawn(
    'unshare',
    ['--mount', '--propagation', 'private', '--', 'sh', '-c', mount, 'tls', paths.mark, ...argv],
    { cwd: '/', detached: true, stdio: ['ignore', log, log] },
  );
  closeSync(log);
  child.on('error', () => {}); // seen by its missing pid
  child.unref();
  const record = child.pid === undefined ? undefined : recordOf(child.pid);
  if (!record) throw new LabError('the TLS proxy could not be started');
  await waitUntil('the TLS proxy to have its mark', () => isRunning(record, paths.mark), {
    timeoutMs: 10_000,
  });
  return record;
}

async function portsOf(file: string, proxy: ProcessRecord, paths: LabPaths): Promise<Record<string, number>> {
  const written = () => {
    if (existsSync(file)) return true;
    if (isRunning(proxy, paths.mark)) return false;
    throw new LabError(`the TLS proxy ended: see ${join(paths.log, `${tlsProxyName}.log`)}`);
  };
  await waitUntil('the TLS proxy to listen', written, { timeoutMs: 20_000, intervalMs: 20 });
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** The cluster's own slurm.conf, with the proxy's ports for the daemons'. */
function writeClientConf(paths: LabPaths, record: LabRecord, ports: Readonly<Record<string, number>>): void {
  let text = readFileSync(paths.slurmConf, 'utf8');
  const replace = (line: RegExp, port: number | undefined) => {
    if (port === undefined || !line.test(text)) throw new LabError(`slurm.conf has no line like ${line}`);
    text = text.replace(line, `$1${port}`);
  };
  replace(/^(SlurmctldPort=)\d+$/m, ports.slurmctld);
  for (const { name } of record.nodes)
    replace(new RegExp(`^(NodeName=${name} .*\\bPort=)\\d+`, 'm'), ports[name]);
  const file = tlsSlurmConf(paths);
  writeFileSync(file, `${text}TLSType=tls/s2n\n`);
  chmodSync(file, 0o644);
}
