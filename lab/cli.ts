import { parseArgs } from 'node:util';
import {
  attach,
  defaultDirectory,
  defaultRelease,
  down,
  type LabCluster,
  LabError,
  type LabStatus,
  LabUnavailableError,
  status,
  up,
} from './cluster.js';
import type { LabUser } from './record.js';
import { findRelease } from './releases.js';

const help = `Runs a real, private Slurm cluster on loopback, for live tests. Needs root.

Usage: npm run lab -- COMMAND [RELEASE] [--dir DIRECTORY]

  up       start a cluster and wait until its nodes are idle; installs Debian's packages if they are missing
  status   which daemons run, and how the nodes are; exit code 3 if the cluster is not up
  down     stop everything in the cluster, jobs included, and leave nothing behind
  exec     [--user alice|bob|slurm|root] -- COMMAND [ARGUMENT…]
           run a command inside the cluster, as alice where no user is named; its exit code is passed on

RELEASE is ${defaultRelease}, the one the lab knows. Without --dir, a release's cluster is in
\${SLURMWIRE_LAB_DIR:-<temporary directory>/slurmwire-lab-<uid>}/RELEASE.

Exit codes: 0, 1 an error, 2 a wrong command line, 3 not up (status) or this machine cannot run the lab (up).
`;

async function main(args: readonly string[]): Promise<number> {
  try {
    return await runCommand(readCommandLine(args));
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(`lab: ${error.message} (--help says more)`);
      return 2;
    }
    // The system's refusals (no space left, no permission) say enough; anything else is a bug and wants its
    // stack.
    const expected = error instanceof LabError || (error instanceof Error && 'syscall' in error);
    if (!expected) throw error;
    console.error(`lab: ${error.message}`);
    return error instanceof LabUnavailableError ? 3 : 1;
  }
}

interface CommandLine {
  readonly command: 'up' | 'down' | 'status' | 'exec' | 'help';
  readonly release: string;
  readonly directory: string;
  readonly user: LabUser;
  readonly argv: readonly string[];
}

async function runCommand({ command, release, directory, user, argv }: CommandLine): Promise<number> {
  switch (command) {
    case 'help':
      process.stdout.write(help);
      return 0;
    case 'up': {
      const startedMs = Date.now();
      const cluster = await up({ release, directory, log: (line) => console.error(`lab: ${line}`) });
      const seconds = ((Date.now() - startedMs) / 1000).toFixed(1);
      console.log(
        cluster.wasRunning ? `Slurm ${release} was up already` : `Slurm ${release} is up (${seconds} s)`,
      );
      console.log(describe(cluster));
      return 0;
    }
    case 'down': {
      const { processes, removed } = await down(directory);
      const found = processes > 0 || removed;
      console.log(
        found ? `stopped ${processes} processes, removed ${directory}` : `no cluster in ${directory}`,
      );
      return 0;
    }
    case 'status': {
      const found = await status(directory);
      console.log(describeStatus(found));
      return found.running ? 0 : 3;
    }
    case 'exec':
      return attach(directory).execInherited(argv, { user });
  }
}

function describe(cluster: LabCluster): string {
  const { controller, users, daemons } = cluster;
  const shown = [users.alice, users.bob, users.slurm].map(({ name, uid }) => `${name} ${uid}`);
  return table([
    ['slurm.conf', cluster.slurmConf],
    ['controller', `${controller.host}:${controller.port}`],
    ['munge socket', cluster.mungeSocket],
    ['nodes', cluster.nodes.map(({ name, port }) => `${name} 127.0.0.1:${port}`).join(', ')],
    ['users', shown.join(', ')],
    [
      'pids',
      Object.entries(daemons)
        .map(([name, { pid }]) => `${name} ${pid}`)
        .join(', '),
    ],
    ['work', cluster.workDirectory],
    ['logs', cluster.logDirectory],
  ]);
}

function describeStatus(found: LabStatus): string {
  if (found.release === null) {
    return `no cluster in ${found.directory}${found.processes > 0 ? `, but ${found.processes} processes of one` : ''}`;
  }
  const rows: [string, string][] = [
    [`Slurm ${found.release}`, `${found.running ? 'up' : 'not up'}, in ${found.directory}`],
    ...found.daemons.map(({ name, pid, state }): [string, string] => [name, `${state}, pid ${pid}`]),
    ['nodes', found.nodes.map(({ name, state }) => `${name} ${state}`).join(', ') || 'cannot be asked'],
    ['processes', String(found.processes)],
  ];
  return table(rows);
}

function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, value]) => `${label.padEnd(width)}  ${value}`).join('\n');
}

function readCommandLine(args: readonly string[]): CommandLine {
  // What follows `--` is the command's, options and all.
  const end = args.indexOf('--');
  const own = end === -1 ? args : args.slice(0, end);
  const argv = end === -1 ? [] : args.slice(end + 1);
  const { values, positionals } = parse(own);
  const [command = 'help', release = defaultRelease, ...excess] = values.help ? ['help'] : positionals;
  if (!isOneOf(command, ['up', 'down', 'status', 'exec', 'help']))
    throw new UsageError(`no command "${command}"`);
  if (excess.length > 0) throw new UsageError(`"${excess[0]}" is one argument too many`);
  if (command === 'exec' && argv.length === 0) throw new UsageError('exec needs a command after "--"');
  if (command !== 'exec' && argv.length > 0) throw new UsageError(`${command} takes nothing after "--"`);
  const user = values.user ?? 'alice';
  if (!isOneOf(user, ['alice', 'bob', 'slurm', 'root'])) throw new UsageError(`no user "${user}"`);
  findRelease(release);
  return { command, release, directory: values.dir ?? defaultDirectory(release), user, argv };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { help: { type: 'boolean', short: 'h' }, user: { type: 'string' }, dir: { type: 'string' } },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function isOneOf<T extends string>(value: string, allowed: readonly T[]): value is T {
  return (allowed as readonly string[]).includes(value);
}

/** The command line makes no sense. */
class UsageError extends Error {
  override readonly name = 'UsageError';
}

// Last: what it calls has to be defined.
process.exitCode = await main(process.argv.slice(2));
