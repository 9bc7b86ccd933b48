/** The options that all commands which talk to a cluster share, and the client they make. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { defaultMunge, jwt, mungeSocket, slurmAuth } from '../auth/index.js';
import { isNowhere, loadSlurmConfig, type SlurmConfig } from '../config/index.js';
import type { Authenticator } from '../protocol/authenticator.js';
import { RELEASE_NAMES, type Release } from '../protocol/release.js';
import { badOption } from '../rpc/check-options.js';
import { type CallOptions, connect, type SlurmClient } from '../rpc/index.js';
import type { CliIo } from './io.js';
import { COLOR_CHOICES, type ColorChoice, type OutputOptions } from './output.js';

/** Values of `--auth`. */
export const AUTH_CHOICES = ['munge', 'munge-socket', 'jwt', 'slurm'] as const;

/** What commander makes of {@link connectionOptions}. */
export interface ConnectionOptions extends OutputOptions {
  readonly conf?: string | undefined;
  readonly controller?: readonly string[] | undefined;
  readonly protocol?: 'auto' | Release | undefined;
  readonly auth?: (typeof AUTH_CHOICES)[number] | undefined;
  readonly mungeSocket?: string | undefined;
  /** Milliseconds. */
  readonly timeout?: number | undefined;
  readonly color?: ColorChoice | undefined;
}

/** Adds `--json` and `--color`: every command has them. */
export function outputOptions(command: Command): Command {
  return command
    .addOption(new Option('--json', 'write the result as one JSON document on stdout').helpGroup('Output:'))
    .addOption(
      new Option('--color <when>', 'colour the output; auto: only on a terminal')
        .choices(COLOR_CHOICES)
        .default('auto')
        .helpGroup('Output:'),
    );
}

/** Adds the options that say which cluster is meant and how to talk to it, and {@link outputOptions}. */
export function connectionOptions(command: Command): Command {
  for (const option of [
    new Option('--conf <file>', "slurm.conf to read (default: found as Slurm's own tools find it)"),
    new Option(
      '--controller <host:port>',
      'controller to ask, with no slurm.conf; may be repeated, in order of rank',
    ).argParser((value: string, all: readonly string[] | undefined) => [...(all ?? []), value]),
    new Option(
      '--protocol <release>',
      'protocol to speak (default: the newest that the controller speaks)',
    ).choices(['auto', ...RELEASE_NAMES]),
    new Option(
      '--auth <method>',
      'how to say who you are: munge (libmunge, else the socket), munge-socket (no native library), jwt (SLURM_JWT), slurm (SACK) ' +
        '(default: by SLURM_JWT and slurm.conf)',
    ).choices(AUTH_CHOICES),
    new Option(
      '--munge-socket <path>',
      "munged's socket (default: AuthInfo of slurm.conf, else munged's own)",
    ),
    new Option(
      '--timeout <duration>',
      'time for each call: 1500ms, 10s, 2m; a plain number is seconds',
    ).argParser(parseDuration),
  ]) {
    command.addOption(option.helpGroup('Cluster:'));
  }
  return outputOptions(command);
}

/** The client that the options describe. Close it: `await using` is not in Node 20. @throws as `connect()`. */
export async function connectFrom(options: ConnectionOptions, io: CliIo): Promise<SlurmClient> {
  const { conf, controller, protocol } = options;
  const config = await configOf(options, io);
  return (io.connect ?? connect)({
    conf: config ?? conf,
    controllers: controller,
    protocol,
    auth: authOf(options, config),
    signal: io.signal,
  });
}

/** Connects, works, and closes whatever happened. */
export async function withClient<T>(
  options: ConnectionOptions,
  io: CliIo,
  work: (slurm: SlurmClient) => Promise<T>,
): Promise<T> {
  const slurm = await connectFrom(options, io);
  try {
    return await work(slurm);
  } finally {
    await slurm.close();
  }
}

/** `timeoutMs` and `signal` for each call of the client. */
export function callOptions({ timeout }: ConnectionOptions, { signal }: CliIo): CallOptions {
  return { timeoutMs: timeout, signal };
}

/** A duration as people write it, in milliseconds. For `Option.argParser()`. */
export function parseDuration(text: string): number {
  const [, digits, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  const ms = Math.round(Number(digits) * (UNIT_MS[unit] ?? Number.NaN));
  if (!(ms >= 1 && ms < 2 ** 31)) {
    throw new InvalidArgumentError(
      'It is not a duration such as 1500ms, 10s, 2m or 1h, above 0 and below 24 days.',
    );
  }
  return ms;
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Read here only where the way to authenticate needs it; `connect()` reads it else, and asks the servers of a configless cluster. */
async function configOf(options: ConnectionOptions, { signal }: CliIo): Promise<SlurmConfig | undefined> {
  const { conf, controller, auth, mungeSocket: socket } = options;
  if (auth === undefined && socket === undefined) return undefined;
  if (conf === undefined && controller !== undefined) return undefined;
  return loadSlurmConfig({ conf, signal }).catch((error: unknown) => {
    if (conf === undefined && isNowhere(error)) return undefined;
    throw error;
  });
}

function authOf(options: ConnectionOptions, config: SlurmConfig | undefined): Authenticator | undefined {
  const { auth, mungeSocket: path } = options;
  const { socket, ttlSeconds } = config?.authInfo ?? {};
  const munge = { socket: path ?? socket ?? undefined, ttl: ttlSeconds ?? undefined };
  switch (auth ?? (path === undefined ? undefined : 'munge')) {
    case undefined:
      return undefined;
    case 'munge':
      return defaultMunge(munge);
    case 'munge-socket':
      return mungeSocket(munge);
    case 'jwt':
      if ((process.env.SLURM_JWT ?? '') === '')
        throw badOption(
          '--auth',
          'jwt',
          'needs a token in SLURM_JWT, which is not set',
          'scontrol token makes one.',
        );
      return jwt({ token: process.env.SLURM_JWT });
    case 'slurm':
      return slurmAuth({ clusterName: config?.clusterName ?? undefined });
  }
}
