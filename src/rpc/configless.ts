/**
 * The configuration of a "configless" cluster: where there is no slurm.conf, slurmctld is asked for it.
 *
 * Source: `fetch_config()` in `src/common/fetch_config.c` and `_establish_config_source()` in `src/common/read_config.c` upstream, 20.11 to
 * 26.05. In one point better: a server that fails is passed over at once, and what each of them said is told.
 */
import { isAbsolute } from 'node:path';
import {
  ConfigErrorCode,
  type ConfServers,
  type FindConfServersOptions,
  findConfServers,
  type IncludeReader,
  type InterpretSlurmConfOptions,
  readSlurmConfig,
  readTextFile,
  type SlurmConfig,
} from '../config/index.js';
import type { CallContext } from '../protocol/authenticator.js';
import { errorMeaning, signedReturnCode } from '../protocol/error-meaning.js';
import { CONFIG_REQUEST_FLAGS } from '../protocol/messages/config.js';
import type { MessageRecord } from '../protocol/messages/index.js';
import { serverError } from '../protocol/server-error.js';
import {
  isSlurmError,
  SlurmConfigError,
  type SlurmError,
  SlurmProtocolError,
  SlurmTimeoutError,
} from '../protocol/slurm-error.js';
import { type Endpoint, showEndpoint } from '../protocol/transport.js';
import { ControllerLink, type LinkSetup } from './controller-link.js';
import { Deadline } from './deadline.js';

/** MessageTimeout of Slurm's, which is all there is before there is a configuration. */
const SERVER_TIMEOUT_MS = 10_000;

export interface FetchConfigOptions extends FindConfServersOptions, InterpretSlurmConfOptions {
  readonly setup: Pick<LinkSetup, 'transport' | 'auth' | 'maxReplyBytes' | 'release' | 'findsVersion'>;
  /** Milliseconds for all servers together. Default 10,000 for each. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Asks the servers of SLURM_CONF_SERVER or of the DNS SRV record for the cluster's configuration, one after the other; `null` where there is
 * neither. The files are kept in memory: nothing is written.
 *
 * @throws SlurmConfigError: `SLURMWIRE_CONFIG_NOT_FETCHED` where no server gave one (`cause` is what the last one said), else as
 * `loadSlurmConfig()`; SlurmTimeoutError `SLURMWIRE_ABORTED` when the signal fires.
 */
export async function fetchConfig(options: FetchConfigOptions): Promise<SlurmConfig | null> {
  const { timeoutMs = SERVER_TIMEOUT_MS, signal } = options;
  const found = await search(options, timeoutMs);
  if (found === null) return null;
  const { servers, source } = found;
  const endsAt = performance.now() + (options.timeoutMs ?? SERVER_TIMEOUT_MS * servers.length);
  const failures: SlurmError[] = [];
  for (const [index, server] of servers.entries()) {
    // A silent server leaves the others their share.
    const share = (endsAt - performance.now()) / (servers.length - index);
    const deadline = new Deadline(Math.max(1, share), signal);
    try {
      return await readFiles(await askServer(server, options, deadline), server, options);
    } catch (error) {
      if (!isSlurmError(error) || error.code === 'SLURMWIRE_ABORTED' || isOfTheFiles(error)) throw error;
      failures.push(error);
    } finally {
      deadline.dispose();
    }
  }
  throw notFetched(source, failures);
}

/** A name service that is too slow to tell has not told. */
async function search(options: FetchConfigOptions, timeoutMs: number): Promise<ConfServers | null> {
  const deadline = new Deadline(timeoutMs, options.signal);
  try {
    return await findConfServers({ ...options, signal: deadline.signal });
  } catch (error) {
    if (error instanceof SlurmTimeoutError && error.code !== 'SLURMWIRE_ABORTED') return null;
    throw error;
  } finally {
    deadline.dispose();
  }
}

function isOfTheFiles(error: SlurmError): boolean {
  return error instanceof SlurmConfigError;
}

function notFetched(source: string, failures: readonly SlurmError[]): SlurmConfigError {
  const told = failures.map(({ message }) => message).join(' ');
  return new SlurmConfigError(
    `there is no slurm.conf, and none of the ${failures.length} servers of ${source} gave a configuration. ${told}`,
    {
      code: ConfigErrorCode.NOT_FETCHED,
      errno: failures.at(-1)?.errno ?? 'EIO',
      hint: 'slurmctld needs SlurmctldParameters=enable_configless, and credentials go over the default socket of MUNGE unless the auth option says otherwise.',
      cause: failures.at(-1),
    },
  );
}

// --- one server ----------------------------------------------------------------------------------------------------

/** Names of files → their text. */
type Files = ReadonlyMap<string, string>;

async function askServer(
  endpoint: Endpoint,
  { setup, slurmUser }: FetchConfigOptions,
  context: CallContext,
): Promise<Files> {
  const name = 'REQUEST_CONFIG';
  const link = new ControllerLink({
    ...setup,
    controllers: [endpoint],
    // Who slurmctld runs as stands in what is asked for.
    slurmUser: slurmUser ?? null,
    trusted: slurmUser === undefined ? null : new Set([0, slurmUser]),
    slurmdUser: null,
    nodes: undefined,
    nodeAddress: undefined,
    treeWidth: undefined,
    cluster: null,
    messageTimeoutMs: SERVER_TIMEOUT_MS,
  });
  const record = { flags: CONFIG_REQUEST_FLAGS.CLIENT };
  const settled = await link.settle(context);
  const reply = await settled.call({ name, record, repeatable: true }, context);
  if (reply.name === 'RESPONSE_CONFIG') return filesOf(reply.record);
  const peer = showEndpoint(endpoint);
  const where = { outcome: 'refused', peer, rpc: name, phase: 'wait' } as const;
  if (reply.name !== 'RESPONSE_SLURM_RC') {
    throw new SlurmProtocolError(`${name} to ${peer}: the answer was ${reply.name}.`, {
      ...where,
      code: 'SLURM_UNEXPECTED_MSG_ERROR',
      errno: 'EPROTO',
      protocol: reply.protocol,
    });
  }
  const number = signedReturnCode(reply.record.returnCode);
  const { text } = errorMeaning(number, reply.protocol);
  throw serverError(`${name} to ${peer}: ${text}`, number, reply.protocol, where);
}

/** 20.11 has a text for each file it knows, later releases a list of them. */
function filesOf({ config, configFiles }: MessageRecord<'RESPONSE_CONFIG'>): Files {
  const files = new Map<string, string>();
  if (config !== null) files.set(MAIN_FILE, config);
  for (const { exists, fileName, fileContent } of configFiles ?? []) {
    if (exists && fileName !== null) files.set(fileName, fileContent ?? '');
  }
  return files;
}

// --- the files -----------------------------------------------------------------------------------------------------

const MAIN_FILE = 'slurm.conf';

async function readFiles(files: Files, server: Endpoint, options: FetchConfigOptions): Promise<SlurmConfig> {
  const from = showEndpoint(server);
  const main = files.get(MAIN_FILE);
  if (main === undefined) {
    throw new SlurmConfigError(`${from} gave no slurm.conf.`, {
      code: ConfigErrorCode.NOT_FOUND,
      errno: 'ENOENT',
    });
  }
  const { signal } = options;
  // As Slurm does: whole paths are this host's own files, names are those that came along.
  const readInclude: IncludeReader = async ({ name, path, file, line }) => {
    if (isAbsolute(name)) {
      return await readTextFile(path, { what: 'the included file', namedAt: { file, line }, signal });
    }
    const text = files.get(name);
    if (text !== undefined) return text;
    throw new SlurmConfigError(`the included file ${name} is not among those that ${from} gave.`, {
      code: ConfigErrorCode.NOT_FOUND,
      errno: 'ENOENT',
      file,
      line,
      hint: 'slurmctld hands out included files since 21.08, and only those named without a directory.',
    });
  };
  const config = await readSlurmConfig(main, { ...options, file: MAIN_FILE, readInclude });
  return { ...config, file: null };
}
