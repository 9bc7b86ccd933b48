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
  prepare,
  type RateLimit,
  releaseNames,
  status,
  type UpOptions,
  up,
} from './cluster.js';
import type { LabUser } from './record.js';
import { findRelease } from './releases.js';

const help = `Runs real, private Slurm clusters on loopback, for live tests. Needs root.

Usage: npm run lab -- COMMAND [RELEASE…] [--dir DIRECTORY] [OPTION…]

  up       start a cluster and wait until its nodes are idle; prepares its release first
  status   which daemons run, and how the nodes are; exit code 3 if the cluster is not up
  down     stop everything in the cluster, jobs included, and leave nothing behind
  exec     [RELEASE] [--user alice|bob|slurm|root] -- COMMAND [ARGUMENT…]
           run a command inside the cluster, as alice where no user is named; its exit code is passed on
  prepare  install or build what the releases need, and start nothing; without RELEASE, all of them

RELEASE is one of ${releaseNames.join(', ')}, or "all" (not for exec); ${defaultRelease} where none is named. ${defaultRelease} is
installed on the machine. The others are built with debootstrap as roots in
\${SLURMWIRE_LAB_CACHE:-/var/cache/slurmwire-lab}/RELEASE, once, from the Debian mirror of the machine's apt sources
or $SLURMWIRE_LAB_MIRROR; inside such a cluster there are the release's programs, not the machine's.
Without --dir, a release's cluster is in \${SLURMWIRE_LAB_DIR:-<temporary directory>/slurmwire-lab-<uid>}/RELEASE.

Options of up, for more than the lab's ordinary set-up:
  --jwt    slurmctld takes tokens too (AuthAltTypes=auth/jwt); "exec --user slurm -- scontrol token username=alice"
           makes one
  --auth-slurm
           credentials of auth/slurm and no munged; clients ask the sackd (24.11 and newer)
  --backup a second slurmctld on 127.0.0.2, which takes over when the first is silent
  --tls    a TLS proxy before slurmctld and each slurmd, with a slurm.conf of its own for clients
  --rate-limit BUCKET/RATE/SECONDS[/USERS]
           a user has BUCKET requests and gets RATE back every SECONDS (24.11 and newer)
  --node-release RELEASE
           slurmds of another release, one that the controller accepts: 20.11 with 22.05, 24.11 with 26.05
  --configless
           slurmctld hands out its configuration, and the slurmds take it
  --stepmgr
           jobs submitted with --stepmgr manage their own steps (24.11 and newer)

Exit codes: 0, 1 an error, 2 a wrong command line, 3 not up (status) or this machine cannot run the lab
(up, prepare). With several releases, the worst.
`;

async function main(args: readonly string[]): Promise<number> {
  return reportingErrors(async () => {
    const line = readCommandLine(args);
    if (line.command === 'help') {
      process.stdout.write(help);
      return 0;
    }
    if (line.command === 'exec') {
      return attach(line.directory(line.release)).execInherited(line.argv, { user: line.user });
    }
    const { command, releases, directory, options } = line;
    const outcomes = releases.map((release) => commands[command](release, directory(release), options));
    const codes: number[] = [];
    // All are under way; what came of them is told in the order of the releases.
    for (const outcome of await Promise.allSettled(outcomes)) {
      codes.push(
        await reportingErrors(async () => {
          if (outcome.status === 'rejected') throw outcome.reason;
          console.log(outcome.value.text);
          return outcome.value.code;
        }),
      );
    }
    return Math.max(...codes);
  });
}

/** The exit code, that of a failure included, which is told here. */
async function reportingErrors(body: () => Promise<number>): Promise<number> {
  try {
    return await body();
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

/** What came of a command: what to say, and the exit code. */
interface Outcome {
  readonly text: string;
  readonly code: number;
}

/** What can be done to several releases at once. */
const commands = {
  async up(release: string, directory: string, options: UpOptions): Promise<Outcome> {
    const seconds = stopwatch();
    const cluster = await up({ ...options, release, directory, log: logged });
    const state = cluster.wasRunning ? 'was up already' : `is up (${seconds()} s)`;
    return { text: `Slurm ${release} ${state}\n${describe(cluster)}`, code: 0 };
  },
  async down(_release: string, directory: string): Promise<Outcome> {
    const { processes, removed } = await down(directory);
    const found = processes > 0 || removed;
    const text = found
      ? `stopped ${processes} processes, removed ${directory}`
      : `no cluster in ${directory}`;
    return { text, code: 0 };
  },
  async status(_release: string, directory: string): Promise<Outcome> {
    const found = await status(directory);
    return { text: describeStatus(found), code: found.running ? 0 : 3 };
  },
  async prepare(release: string): Promise<Outcome> {
    const seconds = stopwatch();
    const root = await prepare({ release, log: logged });
    return { text: `Slurm ${release} is ready in ${root} (${seconds()} s)`, code: 0 };
  },
};

const logged = (line: string) => console.error(`lab: ${line}`);

function stopwatch(): () => string {
  const startedMs = Date.now();
  return () => ((Date.now() - startedMs) / 1000).toFixed(1);
}

function describe(cluster: LabCluster): string {
  const { controllers, users, daemons } = cluster;
  const shown = [users.alice, users.bob, users.slurm].map(({ name, uid }) => `${name} ${uid}`);
  return table([
    ['slurm.conf', cluster.slurmConf],
    ['controller', controllers.map(({ host, port }) => `${host}:${port}`).join(', ')],
    ...(cluster.tlsSlurmConf === null ? [] : [['TLS slurm.conf', cluster.tlsSlurmConf] as const]),
    cluster.sackSocket === null ? ['munge socket', cluster.mungeSocket] : ['sack socket', cluster.sackSocket],
    [
      cluster.nodeRelease === cluster.release ? 'nodes' : `nodes ${cluster.nodeRelease}`,
      cluster.nodes.map(({ name, port }) => `${name} 127.0.0.1:${port}`).join(', '),
    ],
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

type CommandLine =
  | { readonly command: 'help' }
  | {
      readonly command: 'exec';
      readonly release: string;
      readonly directory: (release: string) => string;
      readonly user: LabUser;
      readonly argv: readonly string[];
    }
  | {
      readonly command: keyof typeof commands;
      readonly releases: readonly string[];
      readonly directory: (release: string) => string;
      readonly options: UpOptions;
    };

function readCommandLine(args: readonly string[]): CommandLine {
  // What follows `--` is the command's, options and all.
  const end = args.indexOf('--');
  const own = end === -1 ? args : args.slice(0, end);
  const argv = end === -1 ? [] : args.slice(end + 1);
  const { values, positionals } = parse(own);
  const [command = 'help', ...named] = values.help ? ['help'] : positionals;
  if (!isOneOf(command, ['up', 'down', 'status', 'exec', 'prepare', 'help']))
    throw new UsageError(`no command "${command}"`);
  if (command === 'help') return { command };
  if (command !== 'exec' && argv.length > 0) throw new UsageError(`${command} takes nothing after "--"`);
  const releases = named.includes('all') && command !== 'exec' ? releaseNames : [...new Set(named)];
  for (const release of releases) findRelease(release);
  const { dir } = values;
  if (dir !== undefined && (releases.length > 1 || command === 'prepare'))
    throw new UsageError('--dir is the directory of one cluster');
  const directory = (release: string) => dir ?? defaultDirectory(release);
  const options = readOptions(values);
  const [option] = Object.keys(options);
  if (option !== undefined && command !== 'up') throw new UsageError(`${command} has no option "${option}"`);
  if (command !== 'exec') {
    const unnamed = command === 'prepare' ? releaseNames : [defaultRelease];
    return { command, releases: releases.length > 0 ? releases : unnamed, directory, options };
  }
  const [release = defaultRelease, ...excess] = releases;
  if (excess.length > 0) throw new UsageError(`"${excess[0]}" is one argument too many`);
  if (argv.length === 0) throw new UsageError('exec needs a command after "--"');
  const user = values.user ?? 'alice';
  if (!isOneOf(user, ['alice', 'bob', 'slurm', 'root'])) throw new UsageError(`no user "${user}"`);
  return { command, release, directory, user, argv };
}

/** What "up" is to start besides the lab's ordinary set-up. */
function readOptions(values: ReturnType<typeof parse>['values']): UpOptions {
  const {
    jwt,
    'auth-slurm': authSlurm,
    backup,
    tls,
    'rate-limit': rateLimit,
    configless,
    stepmgr,
    'node-release': nodeRelease,
  } = values;
  return {
    ...(jwt ? { jwt } : {}),
    ...(authSlurm ? { authSlurm } : {}),
    ...(backup ? { backup } : {}),
    ...(tls ? { tls } : {}),
    ...(rateLimit === undefined ? {} : { rateLimit: readRateLimit(rateLimit) }),
    ...(configless ? { configless } : {}),
    ...(stepmgr ? { stepmgr } : {}),
    ...(nodeRelease === undefined ? {} : { nodeRelease }),
  };
}

function readRateLimit(text: string): RateLimit {
  const numbers = text.split('/').map((part) => (/^[1-9]\d{0,8}$/.test(part) ? Number(part) : Number.NaN));
  const [bucketSize, refillRate, refillPeriod, tableSize, ...excess] = numbers;
  const isWhole = bucketSize !== undefined && refillRate !== undefined && refillPeriod !== undefined;
  if (!isWhole || excess.length > 0 || numbers.some(Number.isNaN)) {
    throw new UsageError(`--rate-limit is three or four numbers, as in 30/2/1; not "${text}"`);
  }
  return { bucketSize, refillRate, refillPeriod, ...(tableSize === undefined ? {} : { tableSize }) };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        user: { type: 'string' },
        dir: { type: 'string' },
        jwt: { type: 'boolean' },
        'auth-slurm': { type: 'boolean' },
        backup: { type: 'boolean' },
        tls: { type: 'boolean' },
        'rate-limit': { type: 'string' },
        configless: { type: 'boolean' },
        stepmgr: { type: 'boolean' },
        'node-release': { type: 'string' },
      },
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
