import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { Command } from 'commander';
import {
  type ConfNode,
  expandHostlist,
  hasStaticAddress,
  loadSlurmConf,
  type SlurmConfig,
  slurmConfigOf,
} from '../../config/index.js';
import { RELEASE_NAMES } from '../../protocol/release.js';
import {
  isSlurmError,
  SlurmConfigError,
  SlurmProtocolError,
  SlurmUsageError,
} from '../../protocol/slurm-error.js';
import { type Endpoint, showEndpoint } from '../../protocol/transport.js';
import {
  dissect,
  type Fixture,
  framesOf,
  type RecordedTarget,
  type RecordingProxies,
  startRecordingProxies,
  writeFixture,
} from '../../replay/index.js';
import { outputOptions } from '../connection.js';
import { EXIT } from '../failure.js';
import type { CommandIo } from '../io.js';
import { writeLeadingConf } from '../leading-conf.js';
import { type OutputOptions, outputOf } from '../output.js';
import { whyNoFile } from '../output-file.js';
import { runCommand, untilStopped } from '../run-command.js';

interface RecordOptions extends OutputOptions {
  readonly conf?: string | undefined;
  readonly output: string;
  readonly slurmds?: string | true | undefined;
  readonly listen?: boolean | undefined;
  readonly note: string;
  readonly client?: string | undefined;
  readonly slurmVersion?: string | undefined;
}

/** Proxies for so many nodes at most: each is a listening socket. */
const MAX_NODES = 512;

/** `slurmwire record`: a command's conversation with its cluster, redacted, in a file. */
export function recordCommand(io: CommandIo): Command {
  const command = new Command('record')
    .description(
      'record what a command and the cluster say to each other into a fixture, without credentials',
    )
    .argument('[command...]', 'the command and its arguments, behind --')
    .requiredOption('-o, --output <file>', 'fixture to write')
    .option('--slurmds [nodes]', 'record slurmds too: all, or those of a hostlist such as n[1-4]')
    .option('--listen', 'start no command: print where to connect to, and record until stopped (^C)')
    .option('--conf <file>', "slurm.conf to read (default: found as Slurm's own tools find it)")
    .option('--note <text>', 'for people: what this shows', '')
    .option('--client <text>', 'who speaks, as it is to stand in the fixture (default: the command line)')
    .option(
      '--slurm-version <text>',
      'version of the daemons, as it is to stand in the fixture (default: their protocol)',
    )
    .passThroughOptions()
    .action((words: readonly string[], options: RecordOptions) => record(io, words, options));
  command.addHelpText('after', HELP);
  return outputOptions(command);
}

const HELP = `
The command gets a slurm.conf (by SLURM_CONF) that leads through proxies on 127.0.0.1. Credentials and tokens are taken out before
anything is written; names, paths, scripts and environments are not: see docs/replay.md before you give a fixture away.
Exit code: the command's; where it is 0 and nothing was recorded, 1, and 74 where the recording could not be written.

  slurmwire record -o kill.msgpack -- scancel 1234
  slurmwire record -o step.msgpack --slurmds -- scancel -s USR1 1234.0
`;

async function record(io: CommandIo, words: readonly string[], options: RecordOptions): Promise<void> {
  const { listen = false, note, client } = options;
  if (listen === words.length > 0) {
    throw new SlurmUsageError(listen ? '--listen takes no command.' : 'There is no command to record.', {
      code: 'SLURMWIRE_BAD_OPTION',
      field: 'command',
      value: words.join(' '),
      hint: 'Give the command behind --, or --listen.',
    });
  }
  const conf = await loadSlurmConf({ conf: options.conf, env: io.env, signal: io.signal });
  const config = await slurmConfigOf(conf, { signal: io.signal });
  refuseTls(config);
  const nodes = nodesToRecord(config, options.slurmds);
  await checkOutput(options, io);
  const output = outputOf(io, options);
  const provenance = {
    slurm: options.slurmVersion ?? 'unknown',
    daemon: 'slurmctld',
    client: client ?? (listen ? 'unknown' : words.join(' ')),
    recordedAt: new Date().toISOString(),
    note,
  } as const;
  const recording = await startProxies(config, nodes, (targets) =>
    startRecordingProxies({ provenance, targets, clientUid: process.geteuid?.() }),
  );
  let exitCode: number = EXIT.done;
  try {
    const controllers = recording.endpoints.slice(0, config.controllers.length);
    const atNode = (i: number) => recording.endpoints[controllers.length + i] as Endpoint;
    const leading = { controllers, nodes: new Map(nodes.map(({ name }, i) => [name, atNode(i)])) };
    const written = await writeLeadingConf(conf, config, leading);
    try {
      if (listen) {
        for (const [i, label] of labelsOf(config, nodes).entries()) {
          output.note(`${label}: ${showEndpoint(recording.endpoints[i] as Endpoint)}`);
        }
        output.note(`SLURM_CONF=${written.path}`);
        await untilStopped(io);
      } else exitCode = await runCommand(words, { SLURM_CONF: written.path }, io);
    } finally {
      await written.remove();
    }
    await recording.close();
    exitCode = await save(io, recording, options, exitCode);
  } finally {
    await recording.close();
  }
  io.setExitCode(exitCode);
}

async function save(
  io: CommandIo,
  recording: RecordingProxies,
  options: RecordOptions,
  exitCode: number,
): Promise<number> {
  const output = outputOf(io, options);
  const { leftOut } = recording;
  const recorded = recording.fixture();
  const connections = recorded.connections.length;
  if (leftOut > 0) output.note(`${leftOut} connections are not in it: it is full`);
  if (connections === 0) {
    output.note('nothing was recorded: no connection came. Does the command read SLURM_CONF?');
    if (output.json) output.result({ fixture: null, connections, leftOut }, () => []);
    return exitCode === 0 ? EXIT.refused : exitCode;
  }
  const slurm = options.slurmVersion ?? protocolsIn(recorded);
  const path = resolve(io.cwd, options.output);
  try {
    await writeFixture(path, { ...recorded, provenance: { ...recorded.provenance, slurm } });
  } catch (error) {
    // The command has run: nothing here may say that nothing was sent.
    const why = isSlurmError(error)
      ? error.message
      : ((error as NodeJS.ErrnoException).code ?? String(error));
    output.note(
      `slurmwire record: the command has run, and its recording is lost: ${options.output}: ${why}`,
    );
    if (output.json) output.result({ fixture: null, connections, leftOut }, () => []);
    return exitCode === EXIT.done ? EXIT.outputLost : exitCode;
  }
  output.note(`${connections} connections recorded in ${options.output}, credentials taken out`);
  if (output.json) output.result({ fixture: path, connections, leftOut }, () => []);
  return exitCode;
}

/** Before the command runs: what it does cannot be done again for the sake of a recording. */
async function checkOutput({ output }: RecordOptions, { cwd }: CommandIo): Promise<void> {
  const why = await whyNoFile(resolve(cwd, output));
  if (why === null) return;
  throw new SlurmUsageError(`${output} ${why}.`, {
    code: 'SLURMWIRE_BAD_FILE',
    field: 'output',
    value: output,
    hint: 'Name a file in a directory that can be written to. The command was not started.',
  });
}

/** Through TLS a proxy sees nothing that it could record, and nothing that it could take out. */
function refuseTls({ tlsType = 'none', file }: SlurmConfig): void {
  if (/^(tls\/)?none$/i.test(tlsType)) return;
  throw new SlurmConfigError('conversations in TLS cannot be recorded by a proxy.', {
    code: 'SLURMWIRE_CONFIG_TLS',
    file: file ?? undefined,
    hint: "Record slurmwire's own calls with Recorder of slurmwire/replay: it stands before TLS.",
  });
}

function nodesToRecord({ nodes = [] }: SlurmConfig, wanted: string | true | undefined): readonly ConfNode[] {
  if (wanted === undefined) return [];
  const names = wanted === true ? null : new Set(expandHostlist(wanted, { field: 'slurmds' }));
  const found = nodes.filter((node) => hasStaticAddress(node) && (names === null || names.has(node.name)));
  const missing = [...(names ?? [])].find((name) => !found.some((node) => node.name === name));
  const bad = (summary: string) =>
    new SlurmUsageError(summary, {
      code: 'SLURMWIRE_BAD_OPTION',
      field: 'slurmds',
      value: wanted === true ? 'all' : wanted,
    });
  if (missing !== undefined) throw bad(`slurm.conf has no node ${missing} with an address.`);
  if (found.length === 0) throw bad('slurm.conf has no nodes with an address.');
  if (found.length > MAX_NODES)
    throw bad(`${found.length} nodes are more than ${MAX_NODES}: name those that matter.`);
  return found;
}

/** `slurmctld`, `slurmctld-2` …, then `slurmd-1` … as nodes stand in slurm.conf: never a host name. */
function labelsOf({ controllers, nodes: all = [] }: SlurmConfig, nodes: readonly ConfNode[]): string[] {
  return [
    ...controllers.map((_, i) => (i === 0 ? 'slurmctld' : `slurmctld-${i + 1}`)),
    ...nodes.map((node) => `slurmd-${all.indexOf(node) + 1}`),
  ];
}

/** Ports are chosen by the system; that of all controllers has to be free on each of their addresses. */
const ATTEMPTS = 8;

/** slurm.conf knows one port for all controllers, so each proxy of theirs has an address of its own: 127.0.0.1, 127.0.0.2 … */
async function startProxies(
  config: SlurmConfig,
  nodes: readonly ConfNode[],
  start: (targets: readonly RecordedTarget[]) => Promise<RecordingProxies>,
): Promise<RecordingProxies> {
  const { controllers, slurmUser, slurmdUser } = config;
  const labels = labelsOf(config, nodes);
  const slurmds = nodes.map(({ address, port }, i) => ({
    target: { host: address, port },
    label: labels[controllers.length + i],
    serverUid: slurmdUser.uid,
  }));
  for (let attempt = 1; ; attempt++) {
    const port = controllers.length > 1 ? await freePort() : 0;
    const targets = controllers.map(({ host, port: theirs }, i) => ({
      target: { host, port: theirs },
      label: labels[i],
      serverUid: slurmUser.uid,
      host: `127.0.0.${i + 1}`,
      port,
    }));
    try {
      return await start([...targets, ...slurmds]);
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code;
      if (cause instanceof SlurmProtocolError) throw cause; // a command line that looks like a secret
      if (code === 'EADDRINUSE' && attempt < ATTEMPTS) continue;
      throw new SlurmUsageError(`The proxies cannot listen: ${code ?? (cause as Error).message}.`, {
        code: 'SLURMWIRE_CANNOT_LISTEN',
        errno: code ?? 'EIO',
        field: 'controllers',
        value: controllers.length,
        hint:
          controllers.length > 1
            ? 'For a second controller 127.0.0.2 is needed, which not every system has.'
            : undefined,
        cause,
      });
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done, reject) => server.once('error', reject).listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** `22.05 (by the protocol of the replies)`. */
function protocolsIn({ connections }: Fixture): string {
  const found = new Set<string | null>();
  for (const connection of connections) {
    for (const frame of framesOf(connection, '<')) found.add(dissect(frame).release);
  }
  const newest = [...RELEASE_NAMES].reverse().find((release) => found.has(release));
  return newest === undefined ? 'unknown' : `${newest} (by the protocol of the replies)`;
}
