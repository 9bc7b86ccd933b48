/** What happens in `slurmwire demo`, as events. */
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout } from 'node:timers/promises';
import { isSlurmError, type SlurmError } from '../../protocol/slurm-error.js';
import type { UnixSignal } from '../../protocol/unix-signal.js';
import {
  type ControllerPing,
  connect,
  type Explanation,
  SLURMWIRE_CHANNELS,
  type SlurmClient,
  type SlurmwireExchangeEvent,
  type SlurmwireTerminateEvent,
  type Survivor,
  type Terminated,
} from '../../rpc/index.js';
import {
  type EmbeddedCluster,
  type ProcessView,
  type SignalSeen,
  startCluster,
} from '../../testing/index.js';
import { canStartAs } from '../../testing/processes/as-user.js';
import type { CliIo } from '../io.js';
import { STEPS, scriptFor } from './job-script.js';

/** What is told, as it happens. */
export type DemoEvent =
  /** The daemons listen. */
  | {
      readonly type: 'cluster';
      readonly release: string;
      readonly daemons: readonly { readonly name: string; readonly address: string }[];
      /** Path of munged's socket. */
      readonly munged: string;
      /** Of this process, in which all daemons are. */
      readonly pid: number;
    }
  /** A job runs. */
  | {
      readonly type: 'job';
      readonly jobId: number;
      readonly user: string;
      readonly script: string;
      /** Whose its processes are in truth; `null` where nobody has a uid. */
      readonly uid: number | null;
      readonly processes: readonly ProcessView[];
    }
  /** Somebody calls something. What comes of it follows. */
  | { readonly type: 'call'; readonly verb: Verb; readonly user: string; readonly code: string }
  /** The call was refused. */
  | { readonly type: 'refused'; readonly verb: Verb; readonly error: SlurmError }
  | { readonly type: 'pong'; readonly ping: ControllerPing }
  /** What a signal would do. */
  | ({ readonly type: 'explained'; readonly signal: string } & Pick<Explanation, 'requests' | 'effects'>)
  /** A request and its answer, on the wire. */
  | {
      readonly type: 'request';
      readonly rpc: string;
      /** `slurmctld`, or the node of a slurmd. */
      readonly to: string;
      readonly peer: string;
      readonly protocol: string;
      readonly bytes: number;
      readonly reply: string | null;
      /** Name of the error; `null` for success. */
      readonly code: string | null;
      readonly ms: number;
      /** A question and nothing else. */
      readonly isLook: boolean;
      /** Of a signal, its number and KILL_* bits. */
      readonly signal: number | null;
      readonly flags: number | null;
    }
  /** A signal that reached processes. */
  | ({ readonly type: 'signal' } & SignalSeen)
  /** A line that a process wrote. */
  | { readonly type: 'output'; readonly line: string }
  /** The grace is over. */
  | {
      readonly type: 'escalating';
      readonly to: string;
      readonly alive: readonly Survivor[];
      readonly processes: readonly ProcessView[];
    }
  /** `terminate()` has resolved. */
  | ({ readonly type: 'terminated'; readonly state: string | null } & Pick<
      Terminated,
      'outcome' | 'sent' | 'dead' | 'elapsedMs'
    >)
  /** Each process of the job was looked for with kill(pid, 0). */
  | { readonly type: 'confirmed'; readonly gone: readonly number[]; readonly left: readonly number[] };

type Verb = 'ping' | 'killJob' | 'explain' | 'terminate';

export interface DemoSettings {
  readonly release: EmbeddedCluster['release'];
  readonly nodes: number;
}

const [OWNER, OTHER] = ['alice', 'bob'];
const GRACE_MS = 500;

/** KillWait of slurm.conf, in seconds; Slurm's default is 30. */
export const KILL_WAIT = 1;

/**
 * Plays it.
 *
 * @returns how many processes are left: none, unless something is wrong.
 * @throws SlurmError where a call fails, and what `io.signal` was aborted with. The cluster is down by then.
 */
export async function playDemo(
  { release, nodes }: DemoSettings,
  { signal }: CliIo,
  tell: (event: DemoEvent) => void,
): Promise<number> {
  const parameters = { KillWait: `${KILL_WAIT}` };
  const cluster = await startCluster({ release, nodes, jobs: 'processes', parameters });
  try {
    const [owner, other] = await Promise.all([OWNER, OTHER].map((user) => connect(cluster.options(user))));
    const play = new Play(
      cluster,
      nodes,
      { owner: owner as SlurmClient, other: other as SlurmClient },
      signal,
      tell,
    );
    return await play.run();
  } finally {
    await cluster.down();
  }
}

class Play {
  readonly #cluster: EmbeddedCluster;
  readonly #nodes: number;
  readonly #owner: SlurmClient;
  readonly #other: SlurmClient;
  readonly #signal: AbortSignal;
  readonly #tell: (event: DemoEvent) => void;
  #signalsTold = 0;

  constructor(
    cluster: EmbeddedCluster,
    nodes: number,
    { owner, other }: { readonly owner: SlurmClient; readonly other: SlurmClient },
    signal: AbortSignal,
    tell: (event: DemoEvent) => void,
  ) {
    this.#cluster = cluster;
    this.#nodes = nodes;
    this.#owner = owner;
    this.#other = other;
    this.#signal = signal;
    this.#tell = tell;
  }

  /** Listens to what the library tells of its own calls: anybody can. */
  async run(): Promise<number> {
    const exchanges = tracingChannel(SLURMWIRE_CHANNELS.exchange);
    const onExchange = (event: unknown) => this.#onExchange(event as SlurmwireExchangeEvent);
    const onTerminate = (event: unknown) => this.#onTerminate(event as SlurmwireTerminateEvent);
    exchanges.asyncEnd.subscribe(onExchange);
    subscribe(SLURMWIRE_CHANNELS.terminate, onTerminate);
    try {
      await this.#ping();
      const { jobId, pids } = await this.#submit();
      await this.#refused(jobId);
      await this.#explain(jobId);
      await this.#terminate(jobId);
      const left = pids.filter(isThere);
      this.#tell({ type: 'confirmed', gone: pids.filter((pid) => !left.includes(pid)), left });
      return left.length;
    } finally {
      exchanges.asyncEnd.unsubscribe(onExchange);
      unsubscribe(SLURMWIRE_CHANNELS.terminate, onTerminate);
    }
  }

  async #ping(): Promise<void> {
    const { release, munged } = this.#cluster;
    const daemons = this.#cluster.daemons.map(({ name, endpoint }) => ({
      name,
      address: `${endpoint.host}:${endpoint.port}`,
    }));
    this.#tell({ type: 'cluster', release, daemons, munged: munged.socket, pid: process.pid });
    this.#tell({ type: 'call', verb: 'ping', user: OWNER, code: 'ping()' });
    for (const ping of await this.#owner.ping({ signal: this.#signal })) this.#tell({ type: 'pong', ping });
  }

  async #submit(): Promise<{ jobId: number; pids: number[] }> {
    const nodes = this.#nodes;
    const script = scriptFor(nodes);
    const { jobId } = this.#cluster.submit({ user: OWNER, name: 'demo', script, nodes });
    const wanted = 1 + Object.keys(STEPS).length * nodes;
    const areReady = (output: string) => output.split(' ready\n').length > wanted;
    await orStopped(this.#cluster.waitForOutput(jobId, areReady), this.#signal);
    const processes = this.#cluster.processes(jobId);
    const uid = await uidOfProcesses(this.#cluster);
    this.#tell({ type: 'job', jobId, user: OWNER, script, uid, processes });
    return { jobId, pids: processes.map(({ pid }) => pid) };
  }

  async #refused(jobId: number): Promise<void> {
    const signal = this.#signal;
    const mistakes = [
      {
        user: OTHER,
        code: `killJob(${jobId})`,
        call: () => this.#other.killJob(jobId, 'SIGKILL', { signal }),
      },
      {
        user: OWNER,
        code: `killJob(${jobId}, 'SIGTREM')`,
        call: () => this.#owner.killJob(jobId, 'SIGTREM' as UnixSignal, { signal }),
      },
    ];
    for (const { user, code, call } of mistakes) {
      this.#tell({ type: 'call', verb: 'killJob', user, code });
      this.#tell({ type: 'refused', verb: 'killJob', error: await refusalOf(call()) });
    }
  }

  async #explain(jobId: number): Promise<void> {
    const code = `explain('killJob', ${jobId}, 'SIGTERM')`;
    this.#tell({ type: 'call', verb: 'explain', user: OWNER, code });
    const explanation = await this.#owner.explain('killJob', jobId, 'SIGTERM', { signal: this.#signal });
    const { requests, effects } = explanation;
    this.#tell({ type: 'explained', signal: 'SIGTERM', requests, effects });
  }

  async #terminate(jobId: number): Promise<void> {
    const ladder = [{ signal: 'SIGTERM', graceMs: GRACE_MS }, { signal: 'SIGKILL' }] as const;
    const code = `terminate(${jobId}, { ladder: [{ signal: 'SIGTERM', graceMs: ${GRACE_MS} }, { signal: 'SIGKILL' }] })`;
    this.#tell({ type: 'call', verb: 'terminate', user: OWNER, code });
    const stop = await this.#followOutput(jobId);
    try {
      const result = await this.#owner.terminate(jobId, { ladder, signal: this.#signal });
      await stop();
      const { outcome, sent, dead, elapsedMs, jobs } = result;
      this.#tell({ type: 'terminated', outcome, sent, dead, elapsedMs, state: jobs[0]?.state ?? null });
    } finally {
      await stop();
    }
  }

  /** Tells of the lines that are new, until it is stopped. */
  async #followOutput(jobId: number): Promise<() => Promise<void>> {
    let told = (await this.#cluster.output(jobId)).length;
    const look = async () => {
      const output = await this.#cluster.output(jobId);
      const end = output.lastIndexOf('\n') + 1;
      const lines = output.slice(told, end).split('\n');
      told = Math.max(told, end);
      for (const line of lines) if (line !== '') this.#tell({ type: 'output', line });
    };
    let isStopped = false;
    const following = (async () => {
      for (; !isStopped; await setTimeout(20)) await look();
      await look();
    })();
    return () => {
      isStopped = true;
      return following;
    };
  }

  #onExchange(event: SlurmwireExchangeEvent): void {
    const client = event.call?.client;
    if (client !== this.#owner && client !== this.#other) return;
    const request = requestOf(event);
    // What came of a request is told after it, what happened meanwhile before the next look.
    if (request.isLook) this.#tellSignals();
    this.#tell(request);
    this.#tellSignals();
  }

  #tellSignals(): void {
    const { signals } = this.#cluster;
    for (const seen of signals.slice(this.#signalsTold)) this.#tell({ type: 'signal', ...seen });
    this.#signalsTold = signals.length;
  }

  #onTerminate({ call, event }: SlurmwireTerminateEvent): void {
    if (call?.client !== this.#owner || event.type !== 'escalating') return;
    const { ladder, rung, target } = event.resume;
    const processes = this.#cluster.processes(Number(target));
    this.#tell({ type: 'escalating', to: ladder[rung + 1]?.signal ?? '', alive: event.alive, processes });
  }
}

function requestOf(event: SlurmwireExchangeEvent): Extract<DemoEvent, { type: 'request' }> {
  const { rpc, node, peer, protocol, bytesSent: bytes, reply, code, durationMs, record } = event;
  const isLook = rpc !== 'REQUEST_KILL_JOB';
  const { signal = null, flags = null } = isLook ? {} : (record as { signal?: number; flags?: number });
  const ms = durationMs ?? 0;
  return {
    type: 'request',
    rpc,
    to: node ?? 'slurmctld',
    peer,
    protocol,
    bytes,
    reply,
    code,
    ms,
    isLook,
    signal,
    flags,
  };
}

async function refusalOf(call: Promise<unknown>): Promise<SlurmError> {
  try {
    await call;
  } catch (error) {
    if (isSlurmError(error)) return error;
    throw error;
  }
  throw new Error('a mistake was not refused');
}

/** Only root can make processes that are another user's. */
async function uidOfProcesses({ users }: EmbeddedCluster): Promise<number | null> {
  const owner = users.find(({ name }) => name === OWNER);
  if (owner !== undefined && (await canStartAs(owner.uid, owner.gid))) return owner.uid;
  return process.getuid?.() ?? null;
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // EPERM: somebody else's by now.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

async function orStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop: (() => void) | undefined;
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    if (stop !== undefined) signal.removeEventListener('abort', stop);
  }
}
