import { userInfo } from 'node:os';
import { Command } from 'commander';
import { defaultMunge } from '../../auth/index.js';
import {
  isNowhere,
  loadSlurmConf,
  type SlurmConf,
  type SlurmConfig,
  slurmConfigOf,
} from '../../config/index.js';
import type { Authenticator } from '../../protocol/authenticator.js';
import { SlurmUsageError } from '../../protocol/slurm-error.js';
import { type Endpoint, showEndpoint } from '../../protocol/transport.js';
import {
  checkFixture,
  decodeFixture,
  type Fixture,
  ReplayMismatchError,
  type ReplayServer,
  serveReplay,
} from '../../replay/index.js';
import { outputOptions } from '../connection.js';
import { EXIT } from '../failure.js';
import type { CommandIo } from '../io.js';
import { type LeadingConf, writeLeadingConf } from '../leading-conf.js';
import { type OutputOptions, outputOf } from '../output.js';
import { readInputFile } from '../read-input.js';
import { runCommand, untilStopped } from '../run-command.js';
import { safeText } from '../safe-text.js';

interface ReplayOptions extends OutputOptions {
  readonly check?: boolean | undefined;
  readonly sign?: boolean | undefined;
  readonly conf?: string | undefined;
}

/** `slurmwire replay`: a recording in the place of a cluster. */
export function replayCommand(io: CommandIo): Command {
  const command = new Command('replay')
    .description('serve a recording to a client, in place of the cluster; or look it over')
    .argument('<fixture>', 'what slurmwire record or slurmwire/replay wrote; - for stdin')
    .argument(
      '[command...]',
      'a client to start, and its arguments, behind --; without one it listens until all was served',
    )
    .option('--check', 'serve nothing: decode every frame and verify the digests')
    .option(
      '--sign',
      'make the credentials of signed replies anew, as the user that runs this (needs munged): for clients that verify them',
    )
    .option(
      '--conf <file>',
      'slurm.conf that the client is given, with other addresses (default: found as Slurm finds it, else a minimal one)',
    )
    .action((file: string, words: readonly string[], options: ReplayOptions) =>
      replay(io, file, words, options),
    );
  command.addHelpText('after', HELP);
  return outputOptions(command);
}

const HELP = `
A client's requests have to be those recorded, but for their credentials; what was answered follows.
Exit code: the client's; 1 where it asked something else than was recorded, or not all of it; with --check 1 for a problem.

  slurmwire replay kill.msgpack --check
  slurmwire replay kill.msgpack --sign -- scancel 1234
`;

async function replay(
  io: CommandIo,
  file: string,
  words: readonly string[],
  options: ReplayOptions,
): Promise<void> {
  const fixture = decodeFixture(await readInputFile(file, io, 'fixture'));
  if (options.check === true) {
    if (words.length > 0) throw usage('--check takes no command.', words.join(' '));
    check(io, fixture, options);
    return;
  }
  const found = await configOf(options, io);
  const server = await serveReplay(fixture, {
    auth: options.sign === true ? signer(found?.config) : undefined,
  });
  try {
    const written = await confFor(server, fixture, found, options);
    try {
      await serve(io, server, written, words, options);
    } finally {
      await written.remove();
    }
  } finally {
    await server.close();
  }
}

async function serve(
  io: CommandIo,
  server: ReplayServer,
  { path }: LeadingConf,
  words: readonly string[],
  options: ReplayOptions,
): Promise<void> {
  const output = outputOf(io, options);
  let exitCode: number = EXIT.done;
  if (words.length > 0) exitCode = await runCommand(words, { SLURM_CONF: path }, io);
  else {
    for (const [label, endpoint] of server.endpoints) output.note(`${label}: ${showEndpoint(endpoint)}`);
    output.note(`SLURM_CONF=${path}`);
    await untilStopped(io, server.served);
  }
  const mismatch = mismatchOf(server);
  if (mismatch !== null) {
    for (const line of mismatch.message.split('\n')) output.note(safeText(line));
    exitCode = EXIT.refused;
  }
  const document = { served: mismatch === null, mismatch: mismatch?.toJSON() ?? null };
  if (output.json) output.result(document, () => []);
  io.setExitCode(exitCode);
}

function mismatchOf(server: ReplayServer): ReplayMismatchError | null {
  try {
    server.finish();
    return null;
  } catch (thrown) {
    if (thrown instanceof ReplayMismatchError) return thrown;
    throw thrown;
  }
}

function check(io: CommandIo, fixture: Fixture, options: OutputOptions): void {
  const problems = checkFixture(fixture);
  const { connections, provenance } = fixture;
  outputOf(io, options).result({ provenance, connections: connections.length, problems }, () => [
    ...problems.map(({ connection, direction, frame, messageName, fieldPath, offset, reason }) =>
      safeText(
        `connection ${connection + 1} ${direction} ${messageName ?? `frame ${frame + 1}`}: ${fieldPath === '' ? '' : `${fieldPath}: `}${reason} (byte ${offset})`,
      ),
    ),
    problems.length === 0 ? `${connections.length} connections, all is well` : `${problems.length} problems`,
  ]);
  if (problems.length > 0) io.setExitCode(EXIT.refused);
}

interface FoundConf {
  readonly conf: SlurmConf;
  readonly config: SlurmConfig;
}

async function configOf(
  { conf: named }: ReplayOptions,
  { env, signal }: CommandIo,
): Promise<FoundConf | null> {
  try {
    const conf = await loadSlurmConf({ conf: named, env, signal });
    return { conf, config: await slurmConfigOf(conf, { signal }) };
  } catch (error) {
    if (named === undefined && isNowhere(error)) return null;
    throw error;
  }
}

function signer(config: SlurmConfig | undefined): Authenticator {
  const { socket = null, ttlSeconds = null } = config?.authInfo ?? {};
  return defaultMunge({ socket: socket ?? undefined, ttl: ttlSeconds ?? undefined });
}

/** The client is led to the first controller alone; a node to the role that has its number. */
async function confFor(
  server: ReplayServer,
  fixture: Fixture,
  found: FoundConf | null,
  { sign = false }: ReplayOptions,
): Promise<LeadingConf> {
  const controller = server.endpoints.get('slurmctld');
  if (
    controller === undefined &&
    fixture.connections.some(({ endpoint }) => endpoint.startsWith('slurmctld'))
  ) {
    throw usage('The recording does not begin with the first controller.', 'slurmctld');
  }
  const nodes = new Map<string, Endpoint>();
  for (const [i, { name }] of (found?.config.nodes ?? []).entries()) {
    const endpoint = server.endpoints.get(`slurmd-${i + 1}`);
    if (endpoint !== undefined) nodes.set(name, endpoint);
  }
  const user = userInfo().username;
  const minimal = { ClusterName: 'replay', SlurmUser: user, AuthType: 'auth/munge' };
  // What plays speaks no TLS, and signs in the name of this user.
  const plain = found?.conf.values.has('tlstype') === true ? { TLSType: 'tls/none' } : {};
  const parameters = found === null ? minimal : { ...plain, ...(sign ? { SlurmUser: user } : {}) };
  const config = found?.config ?? { controllers: [{ name: 'replay', host: '127.0.0.1', port: 6817 }] };
  const controllers = [controller ?? { host: '127.0.0.1', port: 6817 }];
  return writeLeadingConf(found?.conf ?? null, config, { controllers, nodes, parameters });
}

function usage(summary: string, value: string): SlurmUsageError {
  return new SlurmUsageError(summary, { code: 'SLURMWIRE_BAD_OPTION', field: 'fixture', value });
}
