/** How an embedded cluster comes to be: its parts, in the order in which they need one another. */
import { chmod, mkdir, mkdtemp, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { badOption } from '../rpc/check-options.js';
import { Limiter } from '../rpc/limiter.js';
import { type ClusterParts, EmbeddedCluster } from './cluster.js';
import { Slurmctld } from './controller/slurmctld.js';
import { TakeOver } from './controller/take-over.js';
import { CredentialStore } from './credentials.js';
import { startEmbeddedMunged } from './embedded-munged.js';
import { FaultList } from './faults.js';
import { Life } from './model/life.js';
import { RecordExecutor } from './model/record-executor.js';
import { World } from './model/world.js';
import { canStartAs } from './processes/as-user.js';
import { ProcessExecutor } from './processes/process-executor.js';
import { installSrun, SRUN_FILES } from './processes/srun-program.js';
import { StepServer } from './processes/step-server.js';
import { type ClusterOptions, type ClusterSettings, settingsOf } from './settings.js';
import { mungeSocketIn, slurmConfOf } from './slurm-conf-text.js';
import { MAX_LEAVES } from './slurmd/forward.js';
import { NodeDaemon } from './slurmd/node-daemon.js';
import type { RequestSeen, WireHost } from './wire-server.js';

/** Longest path of a Unix socket on Linux, in bytes. */
const MAX_SOCKET_PATH = 107;
/** By this line a slurm.conf is known for one that may be written over. */
const OWN_CONF = '# Written by slurmwire/testing for an embedded cluster.\n';
/** Times another port is tried where a standby controller cannot have the primary's. */
const PORT_TRIES = 10;

/**
 * Starts an embedded cluster: slurmctld, slurmds and munged in this process, on ports of 127.0.0.1 that the system chooses (standby
 * controllers: 127.0.0.2 and so on, which macOS does not have unless told). Needs neither root nor Slurm nor MUNGE. Each daemon has a
 * listening socket of its own: a thousand nodes are a thousand file descriptors, and a message to all of them by a tree takes about
 * as many again while it travels (`ulimit -n`: some 20,000 for 8,192 nodes, which start in a few seconds and 75 MB).
 *
 * @throws SlurmUsageError `SLURMWIRE_BAD_OPTION` for an option that cannot be, before anything is started.
 * @throws Error of node:fs or node:net where the directory or the sockets cannot be made. Nothing is left behind then.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<EmbeddedCluster> {
  const settings = settingsOf(options);
  const place = await makePlace(settings);
  let cluster: EmbeddedCluster | null = null;
  try {
    const parts = await makeParts(settings, place.directory);
    cluster = new EmbeddedCluster(parts);
    await startDaemons(parts);
    return cluster;
  } catch (error) {
    // Once munged has its socket, nobody else's cluster is in that directory.
    const isAlone = cluster !== null;
    await cluster?.down();
    await place.remove(isAlone);
    throw error;
  }
}

async function startDaemons({ world, steps, controllers, nodes, directory }: ClusterParts): Promise<void> {
  if (world.settings.jobs === 'processes')
    await Promise.all([installSrun(join(directory, 'bin')), steps.start()]);
  await startControllers(controllers);
  await allDone([...nodes.values()].map(({ server }) => server.start()));
  for (const { node, server } of nodes.values()) node.port = server.endpoint.port;
  const endpoints = controllers.map(({ server }) => server.endpoint);
  const slurmConf = join(directory, 'slurm.conf');
  const slurmConfText = OWN_CONF + slurmConfOf(world, endpoints, directory);
  world.place = { directory, slurmConf, slurmConfText, controllers: endpoints };
  await writeFile(slurmConf, slurmConfText);
}

async function makeParts(settings: ClusterSettings, directory: string): Promise<ClusterParts> {
  const world = new World(settings);
  const faults = new FaultList();
  const credentials = new CredentialStore();
  let listener: (request: RequestSeen) => void = () => {};
  const host: WireHost = {
    faults,
    messageTimeoutMs: Number(settings.parameters.MessageTimeout ?? 10) * 1000,
    seen: (request) => listener(request),
    turned: (name, how) => {
      const controller = controllers.find((one) => one.name === name);
      const isBack = how === 'started' || how === 'resumed';
      if (controller === undefined) {
        if (isBack) life.nodeIsBack();
      } else if (how === 'started') takeOver.started(controller);
      else takeOver.look();
    },
  };
  const executor =
    settings.jobs === 'records'
      ? new RecordExecutor()
      : new ProcessExecutor({
          spoolDirectory: join(directory, 'spool'),
          leftBehindMs: world.killWaitMs,
          asUsers: await canStartAsAll(settings),
          environmentOf: (job) => steps.jobEnvironment(job),
        });
  const life = new Life(world, executor);
  const steps = new StepServer(life, join(directory, 'steps.socket'), {
    clusterName: world.clusterName,
    slurmConf: join(directory, 'slurm.conf'),
    binDirectory: join(directory, 'bin'),
  });
  const nodes = new Map<string, NodeDaemon>();
  const setup = { world, life, nodes, credentials };
  const leaves = new Limiter(MAX_LEAVES);
  for (const node of world.nodes.values())
    nodes.set(node.name, new NodeDaemon(node, host, { ...setup, leaves }));
  const controllers = Array.from({ length: 1 + settings.backups }, (_, i) => new Slurmctld(i, host, setup));
  const takeOver = new TakeOver(world, controllers);
  world.isReachable = (node) => nodes.get(node)?.server.isAnswering ?? false;
  world.releaseOfNode = (node) => nodes.get(node)?.server.release ?? settings.nodeRelease;
  const munged = await startEmbeddedMunged({ socket: mungeSocketIn(directory), store: credentials });
  return {
    ...{ munged, takeOver, steps, world, life, faults, credentials, controllers, nodes, directory },
    ownsDirectory: settings.directory === null,
    onRequest: (given) => {
      listener = given;
    },
  };
}

/** On one port, each on its own address. */
async function startControllers(controllers: ClusterParts['controllers']): Promise<void> {
  const [primary, ...backups] = controllers.map(({ server }) => server);
  for (let tries = 1; ; tries++) {
    await primary?.start({ port: 0 });
    const port = primary?.endpoint.port ?? 0;
    try {
      return await allDone(backups.map((server) => server.start({ port })));
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      if (!isTaken || tries === PORT_TRIES) throw error;
      await Promise.all(controllers.map(({ server }) => server.stop()));
    }
  }
}

/** Waits for all, and only then fails as the first that did: nobody is left on the way. */
async function allDone(steps: readonly Promise<void>[]): Promise<void> {
  for (const one of await Promise.allSettled(steps)) if (one.status === 'rejected') throw one.reason;
}

/** Where it all goes, and what takes away what was made for that. */
interface Place {
  readonly directory: string;
  /** @param isAlone whether files of a cluster in there are of this one. */
  remove(isAlone: boolean): Promise<void>;
}

/** Jobs may run as other users, so what is made is reachable for them, and their work directory world-writable. */
async function makePlace({ directory: given }: ClusterSettings): Promise<Place> {
  if (given !== null) await checkDirectory(given);
  const directory = given ?? (await mkdtemp(join(tmpdir(), 'slurmwire-')));
  let [made, madeWork]: (string | undefined)[] = [];
  const remove = async (isAlone: boolean) => {
    if (given === null) return rm(directory, { recursive: true, force: true });
    // What somebody has put there meanwhile stays.
    const at = (name: string) => join(directory, name);
    const files = ['slurm.conf', ...SRUN_FILES.map((file) => join('bin', file))];
    if (isAlone) for (const file of files) await rm(at(file), { force: true });
    const own = [...(isAlone ? ['bin'] : []), ...(madeWork === undefined ? [] : ['work'])];
    for (const name of [...own, ...(made === undefined ? [] : [''])]) await rmdir(at(name)).catch(() => {});
  };
  try {
    // A directory that was there keeps the mode its owner gave it.
    made = await mkdir(directory, { recursive: true });
    if (given === null || made !== undefined) await chmod(directory, 0o755);
    const work = join(directory, 'work');
    madeWork = await mkdir(work, { recursive: true });
    await chmod(work, 0o1777);
    return { directory, remove };
  } catch (error) {
    await remove(false);
    throw error;
  }
}

async function checkDirectory(directory: string): Promise<void> {
  if (Buffer.byteLength(mungeSocketIn(directory)) > MAX_SOCKET_PATH)
    throw badOption('directory', directory, `is too long for a socket in it: ${MAX_SOCKET_PATH} bytes`);
  const conf = await readFile(join(directory, 'slurm.conf'), 'utf8').catch(() => null);
  if (conf !== null && !conf.startsWith(OWN_CONF))
    throw badOption('directory', directory, 'has a slurm.conf that is no embedded cluster’s');
}

/** Whether processes can be those of other users here: one is tried for all. */
async function canStartAsAll({ users }: ClusterSettings): Promise<boolean> {
  const other = users.find(({ uid }) => uid !== 0);
  return other === undefined || canStartAs(other.uid, other.gid);
}
