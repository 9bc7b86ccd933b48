/** `signalJob`, `signalJobStep`, `terminateJobStep`: straight to the slurmds, each of which answers for itself. */
import type { CallContext } from '../protocol/authenticator.js';
import { type JobId, parseJobId, parseStepId, type StepTarget } from '../protocol/job-id.js';
import type { MessageName } from '../protocol/messages/index.js';
import type { NodeResult } from '../protocol/node-result.js';
import { isAtLeast, type Release } from '../protocol/release.js';
import { isSlurmError } from '../protocol/slurm-error.js';
import { UNIX_SIGNALS, type UnixSignal, unixSignalNumber } from '../protocol/unix-signal.js';
import { checkAuthForNodes } from './auth-fits.js';
import { badOption, checkBoolean } from './check-options.js';
import { concurrently } from './concurrently.js';
import type { ControllerLink } from './controller-link.js';
import {
  checkNodes,
  type FanOutSetup,
  fanOut,
  MAX_CONNECTIONS,
  type NodeAnswer,
  type NodeMessage,
} from './fan-out.js';
import { fanOutFailed } from './fan-out-failure.js';
import { MAX_TREE_WIDTH } from './forward-tree.js';
import { CALL_OPTIONS, type CallOptions } from './kill-options.js';
import { type EndedCode, isEnded } from './kill-request.js';
import { Limiter } from './limiter.js';
import { nodeAddresses } from './node-addresses.js';
import {
  type Delivery,
  isStillThere,
  jobDeliveries,
  type SignalPlan,
  stepDeliveries,
} from './signal-plan.js';
import { treeWidthFor } from './tree-width.js';
import { oldestForSlurmds, slurmdVersion } from './version-choice.js';

/** What every node that was meant took. A refusal or trouble of any of them rejects, with the same list in the error's `nodes`. */
export interface FanOut {
  readonly outcome: 'accepted';
  /** The job or step as it was named. */
  readonly target: string;
  /** Number of the Unix signal; 9 for `terminateJobStep`. */
  readonly unixSignal: number;
  readonly rpc: 'REQUEST_SIGNAL_TASKS' | 'REQUEST_TERMINATE_TASKS';
  /** The oldest version that was spoken with a node, which may be older than the controller's; each entry of `nodes` has its own. */
  readonly protocol: Release;
  /** One entry per step and node, in node order. */
  readonly nodes: readonly NodeResult[];
  /**
   * Parts (array tasks, het components, steps of several) that had ended when the signal came: all their nodes refused with
   * `ESLURM_INVALID_JOB_ID`, and the controller has them no more. Mostly empty.
   */
  readonly ended: readonly string[];
  /** Milliseconds, lookups included. */
  readonly elapsedMs: number;
}

/** With `idempotent`: there was nothing left to signal. */
export interface NothingLeft {
  /** `not-sent`: the controller said so. `refused`: all nodes did. */
  readonly outcome: 'not-sent' | 'refused';
  readonly code: EndedCode;
  readonly number: number;
  readonly target: string;
  readonly unixSignal: number;
  readonly rpc: FanOut['rpc'];
  readonly protocol: Release;
  /** What the nodes said, where they were asked. */
  readonly nodes: readonly NodeResult[];
  /** Milliseconds, lookups included. */
  readonly elapsedMs: number;
}

/** Options of the calls that go to the slurmds. */
export interface FanOutOptions extends CallOptions {
  /** Resolve with a {@link NothingLeft} in place of rejecting when the job has finished or there is no such job or step (any more). Default false. */
  readonly idempotent?: boolean | undefined;
  /**
   * `direct`: every slurmd is contacted by this client. `tree`: the first of each branch passes it on, as Slurm's own tools do; forwarders
   * in trouble may send twice. `auto` (default): directly up to 32 nodes, else by the tree. Dynamic nodes, and those with an address of their own from
   * `nodeAddress`, are contacted by this client whatever is chosen: forwarders do not know where they are.
   */
  readonly fanOut?: 'auto' | 'direct' | 'tree' | undefined;
  /** Width of the tree, 1 to 65533. Default: SLURM_TREE_WIDTH (from 23.11 on), else TreeWidth of slurm.conf, else 50, from 23.11 on 16. */
  readonly treeWidth?: number | undefined;
}

export const FAN_OUT_OPTIONS = [
  ...CALL_OPTIONS,
  'idempotent',
  'fanOut',
  'treeWidth',
] as const satisfies (keyof FanOutOptions)[];

/** Exchanges a fan-out may take one after the other: first contact, three lookups, a deep tree, a look at what has ended. */
export const FAN_OUT_EXCHANGES = 12;

/** What libslurm sends where slurmd does not look at the signal. */
const NO_SIGNAL = 0xffff;

export async function signalJob(
  link: ControllerLink,
  job: JobId,
  unixSignal: UnixSignal,
  options: FanOutOptions,
  context: CallContext,
): Promise<FanOut | NothingLeft> {
  const signal = unixSignalNumber(unixSignal);
  const order = { rpc: 'REQUEST_SIGNAL_TASKS', signal, target: parseJobId(job).text } as const;
  return deliver(link, order, (settled) => jobDeliveries(settled, job, signal, context), options, context);
}

export async function signalJobStep(
  link: ControllerLink,
  step: StepTarget,
  unixSignal: UnixSignal,
  options: FanOutOptions,
  context: CallContext,
): Promise<FanOut | NothingLeft> {
  const signal = unixSignalNumber(unixSignal);
  const order = { rpc: 'REQUEST_SIGNAL_TASKS', signal, target: parseStepId(step).text } as const;
  return deliver(link, order, (settled) => stepDeliveries(settled, step, signal, context), options, context);
}

export async function terminateJobStep(
  link: ControllerLink,
  step: StepTarget,
  options: FanOutOptions,
  context: CallContext,
): Promise<FanOut | NothingLeft> {
  const { SIGKILL: signal } = UNIX_SIGNALS;
  const order = { rpc: 'REQUEST_TERMINATE_TASKS', signal, target: parseStepId(step).text } as const;
  return deliver(link, order, (settled) => stepDeliveries(settled, step, signal, context), options, context);
}

/** Before anything is asked of anybody. */
function checkFanOutOptions({ fanOut: strategy, treeWidth, idempotent }: FanOutOptions): void {
  checkBoolean('idempotent', idempotent);
  if (strategy !== undefined && !['auto', 'direct', 'tree'].includes(strategy))
    throw badOption('fanOut', strategy, 'is none of auto, direct, tree');
  if (treeWidth === undefined) return;
  if (!Number.isInteger(treeWidth) || treeWidth < 1 || treeWidth > MAX_TREE_WIDTH) {
    throw badOption('treeWidth', treeWidth, `is not from 1 to ${MAX_TREE_WIDTH}`);
  }
}

interface Order {
  readonly rpc: FanOut['rpc'];
  /** As it was named. */
  readonly target: string;
  readonly signal: number;
}

/** Finds out who gets what, sends it, and makes one result or error of the answers. */
async function deliver(
  shared: ControllerLink,
  order: Order,
  plan: (link: ControllerLink) => Promise<SignalPlan>,
  options: FanOutOptions,
  context: CallContext,
): Promise<FanOut | NothingLeft> {
  const startedAt = performance.now();
  checkFanOutOptions(options);
  checkAuthForNodes(shared.setup.auth, { rpc: order.rpc });
  const link = await shared.settle(context);
  try {
    return await deliverOrThrow(link, order, plan, options, context);
  } catch (error) {
    if (options.idempotent !== true || !isSlurmError(error)) throw error;
    const { code, number, outcome, nodes = [] } = error;
    if (!isEnded(code) || number === undefined || (outcome !== 'not-sent' && outcome !== 'refused'))
      throw error;
    const { rpc, target, signal: unixSignal } = order;
    const elapsedMs = performance.now() - startedAt;
    return { outcome, code, number, target, unixSignal, rpc, protocol: link.setup.release, nodes, elapsedMs };
  }
}

async function deliverOrThrow(
  link: ControllerLink,
  { rpc, signal }: Order,
  plan: (link: ControllerLink) => Promise<SignalPlan>,
  options: FanOutOptions,
  context: CallContext,
): Promise<FanOut> {
  const startedAt = performance.now();
  const { text, deliveries } = await plan(link);
  const repeatable = signal === UNIX_SIGNALS.SIGKILL;
  const { fanOutSetup, versions } = await fanOutSetupFor(link, deliveries, options, context);
  const parts = await Promise.all(
    deliveries.map(async (delivery) => {
      const { stepId, flags, target, nodes } = delivery;
      const record = { stepId, flags, signal: rpc === 'REQUEST_TERMINATE_TASKS' ? NO_SIGNAL : signal };
      const message = { name: rpc, record, ...versions(delivery), repeatable, target };
      return { delivery, answers: await fanOut(fanOutSetup, message, nodes, context) };
    }),
  );
  const answers = parts.flatMap((part) => part.answers);
  const protocol = answers.reduce<Release>(
    (oldest, { result }) => (isAtLeast(result.protocol, oldest) ? oldest : result.protocol),
    link.setup.release,
  );
  const order = { rpc, target: text, protocol, repeatable };

  const failed = answers.filter((answer) => !isAccepted(answer) && !isGone(answer));
  if (failed.length > 0) throw fanOutFailed(order, answers, failed);
  const gone = parts.filter((part) => part.answers.every(isGone));
  if (gone.length === parts.length) throw fanOutFailed(order, answers, answers);
  const over = await concurrently(gone, LOOKS, context, ({ delivery }, own) => isOver(link, delivery, own));
  const notOver = gone.filter((_, index) => over[index] !== true);
  if (notOver.length > 0)
    throw fanOutFailed(
      order,
      answers,
      notOver.flatMap((part) => part.answers),
      NOT_OVER,
    );
  return {
    outcome: 'accepted',
    target: text,
    unixSignal: signal,
    rpc,
    protocol,
    nodes: answers.map(({ result }) => result),
    ended: gone.map(({ delivery }) => delivery.target),
    elapsedMs: performance.now() - startedAt,
  };
}

/** In which version a delivery is sent, and in which to nodes that do not take that. */
type Versions = Pick<NodeMessage<MessageName>, 'release' | 'fallback'>;

async function fanOutSetupFor(
  link: ControllerLink,
  deliveries: readonly Delivery[],
  { fanOut: strategy = 'auto', treeWidth }: FanOutOptions,
  context: CallContext,
): Promise<{ fanOutSetup: FanOutSetup; versions: (delivery: Delivery) => Versions }> {
  const { setup } = link;
  const all = [...new Set(deliveries.flatMap(({ nodes }) => nodes))];
  checkNodes(all);
  const { release: controller, findsVersion = false } = setup;
  const untold = deliveries.flatMap(({ nodes, startedIn }) => nodes.filter((node) => !startedIn.has(node)));
  const places = await nodeAddresses(link, setup, all, context, new Set(findsVersion ? untold : []));
  const versions = ({ nodes, startedIn }: Delivery): Versions => {
    if (!findsVersion) return { release: controller, fallback: undefined };
    const slurmds = nodes.map((node) => startedIn.get(node) ?? places.get(node)?.newest ?? null);
    const { since } = setup.auth;
    return {
      release: slurmdVersion(controller, slurmds, since),
      fallback: oldestForSlurmds(controller, since),
    };
  };
  const fanOutSetup: FanOutSetup = {
    ...setup,
    strategy,
    treeWidth: treeWidth ?? treeWidthFor(setup.release, setup.treeWidth),
    restrictUid: setup.slurmdUser,
    limiter: new Limiter(MAX_CONNECTIONS),
    addressOf: (node) => places.get(node)?.endpoint ?? null,
    isKnownToSlurmds: (node) => places.get(node)?.isKnownToSlurmds ?? false,
  };
  return { fanOutSetup, versions };
}

function isAccepted({ result }: NodeAnswer): boolean {
  return result.outcome === 'accepted';
}

/**
 * The node does not have the step. While another node took the signal for it, it has ended there; where none did, it has ended everywhere or has
 * not begun yet (a slurmd knows a step from the moment its slurmstepd listens, read in 20.11 to 26.05), and only the controller can tell.
 */
function isGone({ result: { outcome, code } }: NodeAnswer): boolean {
  return outcome === 'refused' && code === 'ESLURM_INVALID_JOB_ID';
}

/** Looks at parts that no node knows, at a time. */
const LOOKS = 8;

const NOT_OVER =
  'The controller still has it: its processes have not begun yet, or have only just ended. The nodes of the error say what the others did.';

async function isOver(link: ControllerLink, delivery: Delivery, context: CallContext): Promise<boolean> {
  try {
    return !(await isStillThere(link, delivery, context));
  } catch (error) {
    // Not known to be over. That the look failed is no news beside what the nodes did.
    if (isSlurmError(error)) return false;
    throw error;
  }
}
