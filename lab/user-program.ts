/**
 * A user's own program: loads everything as root, gives up root for an ordinary user, and then makes calls of slurmwire. So it works
 * also where the checkout is closed to that user.
 *
 * Argument: JSON of a {@link UserTask}. Prints JSON of a {@link UserTaskResult}.
 */
import {
  type Authenticator,
  connect,
  isSlurmError,
  loadMunge,
  loadSlurmConfig,
  munge,
  tcpTransport,
} from '../src/index.js';
import { encodeFixture, type Provenance, Recorder } from '../src/replay/index.js';

/** What the program is to do. */
export interface UserTask {
  readonly uid: number;
  readonly gid: number;
  /** Path of slurm.conf. */
  readonly conf: string;
  /** Calls of one client, in order. */
  readonly calls: readonly {
    readonly method: 'killJob' | 'killJobStep' | 'ping';
    readonly args: readonly unknown[];
  }[];
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
process.stdout.write(`${JSON.stringify(await perform(task))}\n`);

async function perform({ uid, gid, conf, calls, record }: UserTask): Promise<UserTaskResult> {
  const config = await loadSlurmConfig({ conf });
  const auth: Authenticator = munge({ socket: config.authInfo.socket ?? undefined });
  const recorder =
    record === undefined
      ? undefined
      : new Recorder(record, { clientUid: uid, clientGid: gid, label: () => 'slurmctld' });
  const transport = tcpTransport({ connectTimeoutMs: config.tcpTimeoutMs });
  const slurm = await connect({
    conf: config,
    auth: recorder?.auth(auth) ?? auth,
    transport: recorder?.transport(transport) ?? transport,
  });
  const results = [];
  for (const { method, args } of calls) {
    try {
      const call = slurm[method] as (...args: unknown[]) => Promise<unknown>;
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
