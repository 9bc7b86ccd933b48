/**
 * A user's own program: loads everything as root, gives up root for an ordinary user, and then makes calls of slurmwire. So it works
 * also where the checkout is closed to that user.
 *
 * Argument: JSON of a {@link UserTask}. Prints JSON of a {@link UserTaskResult}.
 */
import {
  type Authenticator,
  connect,
  type Endpoint,
  isSlurmError,
  loadMunge,
  loadSlurmConfig,
  munge,
  type SlurmClient,
  type SlurmConfig,
  tcpTransport,
} from '../src/index.js';
import { encodeFixture, type Provenance, Recorder } from '../src/replay/index.js';

/** A call of the client that makes a conversation. */
export interface UserCall {
  readonly method: Exclude<keyof SlurmClient, 'paces' | 'close' | typeof Symbol.asyncDispose>;
  readonly args: readonly unknown[];
}

/** What the program is to do. */
export interface UserTask {
  readonly uid: number;
  readonly gid: number;
  /** Path of slurm.conf. */
  readonly conf: string;
  /** Calls of one client, in order. */
  readonly calls: readonly UserCall[];
  /** Record the conversation. */
  readonly record?: Provenance;
}

/** What came of it. */
export interface UserTaskResult {
  readonly results: readonly ({ readonly value: unknown } | { readonly error: unknown })[];
  /** The recorded conversation as base64 of a fixture file. */
  readonly fixture?: string;
}

const task: UserTask = JSON.parse(process.argv[2] ?? '{}');
await loadMunge();
process.setgroups?.([task.gid]);
process.setgid?.(task.gid);
process.setuid?.(task.uid);
process.stdout.write(`${JSON.stringify(await perform(task), showBigint)}\n`);

async function perform({ uid, gid, conf, calls, record }: UserTask): Promise<UserTaskResult> {
  const config = await loadSlurmConfig({ conf });
  const auth: Authenticator = munge({ socket: config.authInfo.socket ?? undefined });
  const recorder =
    record === undefined
      ? undefined
      : new Recorder(record, { clientUid: uid, clientGid: gid, label: rolesOf(config) });
  const transport = tcpTransport({ connectTimeoutMs: config.tcpTimeoutMs });
  const slurm = await connect({
    conf: config,
    auth: recorder?.auth(auth) ?? auth,
    transport: recorder?.transport(transport) ?? transport,
  });
  const results = [];
  for (const { method, args } of calls) {
    try {
      const call = slurm[method] as (...args: unknown[]) => PromiseLike<unknown>;
      results.push({ value: await call.apply(slurm, [...args]) });
    } catch (error) {
      if (!isSlurmError(error)) throw error;
      results.push({ error: error.toJSON() });
    }
  }
  await slurm.close();
  if (recorder === undefined) return { results };
  return { results, fixture: Buffer.from(encodeFixture(recorder.fixture())).toString('base64') };
}

/** `slurmctld`, and `slurmd-1` and so on in the order of slurm.conf: what the recording proxies call them. */
function rolesOf({ nodes = [] }: SlurmConfig): (endpoint: Endpoint) => string {
  return ({ port }) => {
    const index = nodes.findIndex((node) => node.port === port);
    return index < 0 ? 'slurmctld' : `slurmd-${index + 1}`;
  };
}

/** JSON has none. */
function showBigint(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}` : value;
}
