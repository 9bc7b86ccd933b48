/** `explain`: what a verb would send where, and which processes would get the signal. The requests are those of a dry run. */
import type { CallContext } from '../protocol/authenticator.js';
import type { MessageName } from '../protocol/messages/index.js';
import type { Release } from '../protocol/release.js';
import { isSlurmError, restate } from '../protocol/slurm-error.js';
import { showEndpoint } from '../protocol/transport.js';
import type { ControllerLink } from './controller-link.js';
import { dryRun, type NotedRequest } from './dry-run.js';
import { effectsOf } from './explain-effects.js';
import { JobTables } from './job-tables.js';

/** One request that the verb would make. */
export interface ExplainedRequest {
  readonly rpc: MessageName;
  readonly to: 'slurmctld' | 'slurmd';
  /** `host:port`. */
  readonly peer: string;
  /** The node whose slurmd that is; `null` for slurmctld. */
  readonly node: string | null;
  /** Nodes that the slurmd there would pass it on to. */
  readonly forwardedTo: readonly string[];
  /** The message as it would be packed, 64-bit numbers as decimal text. */
  readonly record: unknown;
}

/** What would become of one job or step. */
export interface ExplainedEffect {
  /** As Slurm writes it: `12`, `12_3`, `12_[4-9]`, `12.0`, `12.batch`. */
  readonly target: string;
  /** Number of its job's own record, `null` where that is not known. */
  readonly jobId: number | null;
  /** Base state of its job in the words of Slurm's tools, `null` where that is not known. */
  readonly state: string | null;
  /**
   * - `signalled`: its processes get the signal.
   * - `ended`: the job ends: SIGCONT and SIGTERM to all its processes, SIGKILL after KillWait.
   * - `cancelled`: it has no processes, or none that are not being ended already, and leaves the queue.
   * - `nothing`: Slurm accepts, and no process gets anything.
   * - `refused`: Slurm, or this library from what Slurm told, says `code`.
   * - `not-sent`: it, or these nodes of it, would not be asked, for the reason in `code`.
   */
  readonly effect: 'signalled' | 'ended' | 'cancelled' | 'nothing' | 'refused' | 'not-sent';
  /**
   * Which processes: all of the job, all of the step, the batch shell alone, or the batch shell's process group. `null` for none. What they make
   * of it is theirs: an `srun` among them passes a signal on to its step.
   */
  readonly processes: 'job' | 'step' | 'batch-shell' | 'batch-group' | null;
  /** Where they are, in node order. */
  readonly nodes: readonly string[];
  /** Name of the number of a refusal. */
  readonly code: string | null;
}

/** What a call would do, had it been made when the controller was asked. */
export interface Explanation {
  readonly verb: string;
  /**
   * Everything that would be sent as long as everything is accepted, lookups and first contacts aside. After a refusal a verb may look again, and
   * ask for a single array task by another number.
   */
  readonly requests: readonly ExplainedRequest[];
  /** Whom a signal would reach; empty for verbs that send none. Whether the caller may do it only Slurm knows. */
  readonly effects: readonly ExplainedEffect[];
  readonly protocol: Release;
  /** Milliseconds, lookups included. */
  readonly elapsedMs: number;
}

/** Verbs that can be explained, and where in their arguments the options stand. `terminate` is its rungs: explain `killJob` for each. */
export const EXPLAINABLE = {
  killJob: 2,
  killJobStep: 2,
  killJobs: 2,
  signalJob: 2,
  signalJobStep: 2,
  terminateJobStep: 1,
  kill: 2,
  suspend: 1,
  resume: 1,
  requeue: 1,
  notify: 2,
} as const;

/** A method of the client that `explain` can run dry. */
export type ExplainableVerb = keyof typeof EXPLAINABLE;

/** Exchanges one after the other that the default time limit is made for: the verb's, and as many for a look at what they do. */
export const EXPLAIN_EXCHANGES = 24;

/** @param call runs the verb on the link it is given. */
export async function explain(
  shared: ControllerLink,
  verb: string,
  context: CallContext,
  call: (link: ControllerLink) => Promise<unknown>,
): Promise<Explanation> {
  const startedAt = performance.now();
  const link = await told(() => shared.settle(context));
  const tables = new JobTables(link, context);
  const dry = dryRun(link, tables);
  const result = await call(dry.link).catch((error) => unlessNodesMissed(error, dry.noted));
  const effects = await told(() => effectsOf({ link, tables, noted: dry.noted }, context));
  return {
    verb,
    requests: dry.noted.map(explainedRequest),
    effects: [...effects, ...saidBefore(result)],
    protocol: link.setup.release,
    elapsedMs: performance.now() - startedAt,
  };
}

/** Where some nodes have no address the others get the signal all the same. Any other failure is one of the explanation, which sends nothing. */
function unlessNodesMissed(error: unknown, noted: readonly NotedRequest[]): undefined {
  if (isSlurmError(error) && error.nodes !== undefined && noted.length > 0) return undefined;
  throw nothingSent(error);
}

async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw nothingSent(error);
  }
}

function nothingSent(error: unknown): unknown {
  if (!isSlurmError(error) || error.outcome === 'not-sent') return error;
  return restate(error, error.summary, { outcome: 'not-sent' });
}

/** Jobs that the verb would not ask for, since it knows the answer. */
function saidBefore(result: unknown): ExplainedEffect[] {
  const { jobs, targets } = (result ?? {}) as Record<'jobs' | 'targets', readonly Said[] | undefined>;
  const entries = jobs ?? targets ?? [(result ?? {}) as Said];
  return entries.flatMap(({ target, jobId = null, outcome, code }) => {
    if (code === null || code === undefined || (outcome !== 'refused' && outcome !== 'not-sent')) return [];
    return [{ target, jobId, state: null, effect: outcome, processes: null, nodes: [], code }];
  });
}

interface Said {
  readonly target: string;
  readonly jobId?: number | null;
  readonly outcome: string;
  readonly code?: string | null;
}

function explainedRequest({ name, record, endpoint, node, forwardedTo }: NotedRequest): ExplainedRequest {
  const to = node === null ? 'slurmctld' : 'slurmd';
  return { rpc: name, to, peer: showEndpoint(endpoint), node, forwardedTo, record: asPlain(record) };
}

/** So that an explanation can be written down as JSON. */
function asPlain(record: unknown): unknown {
  return JSON.parse(
    JSON.stringify(record, (_, value) => (typeof value === 'bigint' ? String(value) : value)),
  );
}
