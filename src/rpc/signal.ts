/** `signalJob`, `signalJobStep`, `terminateJobStep`: straight to the slurmds, each of which answers for itself. */
import { expandHostlist } from '../config/index.js';
import type { CallContext } from '../protocol/authenticator.js';
import { errorMeaning } from '../protocol/error-meaning.js';
import { type JobId, parseJobId, parseStepId, type StepTarget } from '../protocol/job-id.js';
import { KILL_FLAGS } from '../protocol/kill-flags.js';
import type { JobRecord } from '../protocol/messages/job-record.js';
import { JOB_STATES } from '../protocol/messages/job-state.js';
import type { JobStepRecord } from '../protocol/messages/job-step-info.js';
import type { NodeResult } from '../protocol/node-result.js';
import type { Release } from '../protocol/release.js';
import { NO_VAL } from '../protocol/sentinels.js';
import { type Outcome, SlurmServerError, SlurmUsageError } from '../protocol/slurm-error.js';
import { SPECIAL_STEP_IDS, type StepId } from '../protocol/step-id.js';
import { UNIX_SIGNALS, type UnixSignal, unixSignalNumber } from '../protocol/unix-signal.js';
import { badOption } from './check-options.js';
import type { ControllerLink } from './controller-link.js';
import { checkNodes, fanOut, MAX_CONNECTIONS } from './fan-out.js';
import { MAX_TREE_WIDTH } from './forward-tree.js';
import { jobRecords, stepRecords } from './job-lookup.js';
import { CALL_OPTIONS, type CallOptions } from './kill-options.js';
import { Limiter } from './limiter.js';
import { nodeAddresses } from './node-addresses.js';
import { nothingToSignal } from './nothing-to-signal.js';

/** What every node that was meant took. A refusal or trouble of any of them rejects, with the same list in the error's `nodes`. */
export interface FanOut {
  readonly outcome: 'accepted';
  /** The job or step as it was named. */
  readonly target: string;
  /** Number of the Unix signal; 9 for `terminateJobStep`. */
  readonly unixSignal: number;
  readonly rpc: 'REQUEST_SIGNAL_TASKS' | 'REQUEST_TERMINATE_TASKS';
  readonly protocol: Release;
  /** One entry per step and node, in node order. */
  readonly nodes: readonly NodeResult[];
  /** Milliseconds, lookups included. */
  readonly elapsedMs: number;
}

/** Options of the calls that go to the slurmds. */
export interface FanOutOptions extends CallOptions {
  /**
   * `direct`: every slurmd is contacted by this client. `tree`: the first of each branch passes it on, as Slurm's own tools do; forwarders
   * in trouble may send twice. `auto` (default): directly up to 32 nodes, else by the tree.
   */
  readonly fanOut?: 'auto' | 'direct' | 'tree' | undefined;
  /** Width of the tree, 1 to 65533. Default: TreeWidth of slurm.conf, else 16. */
  readonly treeWidth?: number | undefined;
}

export const FAN_OUT_OPTIONS = [
  ...CALL_OPTIONS,
  'fanOut',
  'treeWidth',
] as const satisfies (keyof FanOutOptions)[];

/** Exchanges a fan-out may take one after the other: first contact, three lookups, a deep tree. */
export const FAN_OUT_EXCHANGES = 12;

const DEFAULT_TREE_WIDTH = 16;
/** What libslurm sends where slurmd does not look at the signal. */
const NO_SIGNAL = 0xffff;

export async function signalJob(
  link: ControllerLink,
  job: JobId,
  unixSignal: UnixSignal,
  options: FanOutOptions,
  context: CallContext,
): Promise<FanOut> {
  const parsed = parseJobId(job);
  const signal = unixSignalNumber(unixSignal);
  checkFanOutOptions(options);
  if (parsed.kind === 'sluid') throw sluidNotFollowed(parsed.text);
  const records = await jobRecords(link, parsed, context);
  const running = runningOf(records, parsed.text, link);
  const deliveries: Delivery[] = [];
  for (const { jobId } of running) {
    const steps = (await stepRecords(link, jobId, NO_VAL, context)).filter(isUsersStep);
    // KILL_STEPS_ONLY: all steps of the job but the batch step; a slurmd says 0 to it even where there is none, so only nodes
    // that have a step are asked.
    const nodes = [...new Set(steps.flatMap(nodesOf))];
    const flags = KILL_FLAGS.KILL_STEPS_ONLY.bit;
    const stepId = { jobId, stepId: NO_VAL, stepHetComp: NO_VAL };
    if (nodes.length > 0) deliveries.push({ target: String(jobId), stepId, flags, nodes });
  }
  if (deliveries.length === 0)
    throw nothingToSignal(`job ${parsed.text} has no steps`, 'ESLURM_INVALID_JOB_ID', link);
  return deliver(
    link,
    { rpc: 'REQUEST_SIGNAL_TASKS', target: parsed.text, signal },
    deliveries,
    options,
    context,
  );
}

export async function signalJobStep(
  link: ControllerLink,
  step: StepTarget,
  unixSignal: UnixSignal,
  options: FanOutOptions,
  context: CallContext,
): Promise<FanOut> {
  const signal = unixSignalNumber(unixSignal);
  checkFanOutOptions(options);
  const { text, deliveries } = await stepDeliveries(link, step, context);
  return deliver(link, { rpc: 'REQUEST_SIGNAL_TASKS', target: text, signal }, deliveries, options, context);
}

export async function terminateJobStep(
  link: ControllerLink,
  step: StepTarget,
  options: FanOutOptions,
  context: CallContext,
): Promise<FanOut> {
  checkFanOutOptions(options);
  const { text, deliveries } = await stepDeliveries(link, step, context);
  const { SIGKILL } = UNIX_SIGNALS;
  return deliver(
    link,
    { rpc: 'REQUEST_TERMINATE_TASKS', target: text, signal: SIGKILL },
    deliveries,
    options,
    context,
  );
}

/** One message and the nodes it goes to. */
interface Delivery {
  readonly target: string;
  readonly stepId: Omit<StepId, 'sluid'>;
  readonly flags: number;
  readonly nodes: readonly string[];
}

async function stepDeliveries(
  link: ControllerLink,
  step: StepTarget,
  context: CallContext,
): Promise<{ text: string; deliveries: Delivery[] }> {
  const { job, stepId, stepHetComp, text } = parseStepId(step);
  const running = runningOf(await jobRecords(link, job, context), job.text, link);
  const deliveries: Delivery[] = [];
  for (const record of running) {
    // A plain number that is a het leader or an array: the step is that of the record with this very number.
    if (job.kind === 'job' && record.jobId !== job.jobId) continue;
    if (stepId === SPECIAL_STEP_IDS.SLURM_BATCH_SCRIPT) deliveries.push(batchDelivery(record, text, link));
    else {
      const steps = await stepRecords(link, record.jobId, stepId, context);
      const meant = steps.filter((found) => stepHetComp === null || found.stepId.stepHetComp === stepHetComp);
      // A step without nodes has nobody who could take the signal.
      deliveries.push(...meant.map(toDelivery).filter(({ nodes }) => nodes.length > 0));
    }
  }
  if (deliveries.length === 0)
    throw nothingToSignal(`there is no step ${text}`, 'ESLURM_INVALID_JOB_ID', link);
  return { text, deliveries };
}

/** The batch step is on the batch host alone, and a slurmd says 0 to KILL_JOB_BATCH whether or not it has one. */
function batchDelivery(
  { jobId, batchFlag, batchHost }: JobRecord,
  text: string,
  link: ControllerLink,
): Delivery {
  if (batchFlag === 0 || batchHost === null) {
    throw nothingToSignal(
      `job ${jobId} has no batch script, so there is no step ${text}`,
      'ESLURM_JOB_SCRIPT_MISSING',
      link,
    );
  }
  const stepId = { jobId, stepId: SPECIAL_STEP_IDS.SLURM_BATCH_SCRIPT, stepHetComp: NO_VAL };
  return { target: `${jobId}.batch`, stepId, flags: KILL_FLAGS.KILL_JOB_BATCH.bit, nodes: [batchHost] };
}

function toDelivery(record: JobStepRecord): Delivery {
  // stepHetComp as in the record: slurmd finds a step by all three numbers. The sluid is not sent.
  const { jobId, stepId, stepHetComp } = record.stepId;
  return {
    target: `${jobId}.${STEP_NAMES.get(stepId) ?? stepId}`,
    stepId: { jobId, stepId, stepHetComp },
    flags: 0,
    nodes: nodesOf(record),
  };
}

const STEP_NAMES: ReadonlyMap<number, string> = new Map([
  [SPECIAL_STEP_IDS.SLURM_EXTERN_CONT, 'extern'],
  [SPECIAL_STEP_IDS.SLURM_INTERACTIVE_STEP, 'interactive'],
]);

function nodesOf({ nodes }: JobStepRecord): string[] {
  return [...new Set(expandHostlist(nodes ?? ''))];
}

function isUsersStep({ stepId: { stepId } }: JobStepRecord): boolean {
  return (
    stepId !== SPECIAL_STEP_IDS.SLURM_BATCH_SCRIPT &&
    stepId !== SPECIAL_STEP_IDS.SLURM_EXTERN_CONT &&
    stepId !== SPECIAL_STEP_IDS.SLURM_PENDING_STEP
  );
}

/** The records that have processes. Suspended ones do: they take SIGKILL, and refuse other signals themselves. */
function runningOf(records: readonly JobRecord[], text: string, link: ControllerLink): JobRecord[] {
  const base = ({ jobState }: JobRecord) => jobState & 0xff;
  const running = records.filter(
    (r) => base(r) === JOB_STATES.JOB_RUNNING || base(r) === JOB_STATES.JOB_SUSPENDED,
  );
  if (running.length > 0) return running;
  if (records.length === 0) throw nothingToSignal(`there is no job ${text}`, 'ESLURM_INVALID_JOB_ID', link);
  const isPending = records.some((record) => base(record) === JOB_STATES.JOB_PENDING);
  if (isPending) throw nothingToSignal(`job ${text} has not started`, 'ESLURM_JOB_PENDING', link);
  throw nothingToSignal(`job ${text} has finished`, 'ESLURM_ALREADY_DONE', link);
}

/** Before anything is asked of anybody. */
function checkFanOutOptions({ fanOut: strategy, treeWidth }: FanOutOptions): void {
  if (strategy !== undefined && !['auto', 'direct', 'tree'].includes(strategy))
    throw badOption('fanOut', strategy, 'is none of auto, direct, tree');
  if (treeWidth === undefined) return;
  if (!Number.isInteger(treeWidth) || treeWidth < 1 || treeWidth > MAX_TREE_WIDTH) {
    throw badOption('treeWidth', treeWidth, `is not from 1 to ${MAX_TREE_WIDTH}`);
  }
}

/** The lookups go by job number, and "no such job" would be untrue. */
function sluidNotFollowed(text: string): SlurmUsageError {
  return new SlurmUsageError(`job ${text} cannot be signalled at its nodes by its sluid.`, {
    code: 'SLURMWIRE_BAD_JOB_ID',
    field: 'job',
    value: text,
    hint: "Give the job's number, or use killJob().",
  });
}

interface Order {
  readonly rpc: FanOut['rpc'];
  readonly target: string;
  readonly signal: number;
}

async function deliver(
  link: ControllerLink,
  order: Order,
  deliveries: readonly Delivery[],
  { fanOut: strategy = 'auto', treeWidth }: FanOutOptions,
  context: CallContext,
): Promise<FanOut> {
  const width = treeWidth ?? link.setup.treeWidth ?? DEFAULT_TREE_WIDTH;
  const startedAt = performance.now();
  const { rpc, target, signal } = order;
  const { setup } = link;
  const all = [...new Set(deliveries.flatMap(({ nodes }) => nodes))];
  checkNodes(all);
  const addresses = await nodeAddresses(link, setup, all, context);
  const fanOutSetup = {
    ...setup,
    strategy,
    treeWidth: width,
    restrictUid: setup.slurmdUser,
    limiter: new Limiter(MAX_CONNECTIONS),
    addressOf: (node: string) => addresses.get(node) ?? null,
  };
  const repeatable = signal === UNIX_SIGNALS.SIGKILL;
  const answers = await Promise.all(
    deliveries.map((delivery) => {
      const { stepId, flags } = delivery;
      const record = { stepId, flags, signal: rpc === 'REQUEST_TERMINATE_TASKS' ? NO_SIGNAL : signal };
      const message = { name: rpc, record, release: setup.release, repeatable, target: delivery.target };
      return fanOut(fanOutSetup, message, delivery.nodes, context);
    }),
  );
  const nodes = answers.flat();
  // A node whose part of the job has ended since the lookup says 2017; that is no failure while another took the signal.
  const isGone = ({ code }: NodeResult) => code === 'ESLURM_INVALID_JOB_ID';
  const isTaken = nodes.some(({ outcome }) => outcome === 'accepted');
  const failed = nodes.filter((result) => result.outcome !== 'accepted' && !(isTaken && isGone(result)));
  if (failed.length > 0) throw fanOutFailed(order, nodes, failed, setup.release, repeatable);
  const elapsedMs = performance.now() - startedAt;
  return { outcome: 'accepted', target, unixSignal: signal, rpc, protocol: setup.release, nodes, elapsedMs };
}

function fanOutFailed(
  { rpc, target }: Order,
  nodes: readonly NodeResult[],
  failed: readonly NodeResult[],
  protocol: Release,
  repeatable: boolean,
): SlurmServerError {
  const outcome = joint(nodes);
  // The refusal of a node says more than its silence.
  const worst = failed.find((result) => result.outcome === 'refused') ?? (failed[0] as NodeResult);
  const meaning = worst.number === null ? undefined : errorMeaning(worst.number, protocol);
  const shown = failed.slice(0, 5).map(({ node, code }) => `${node} ${code}`);
  const more = failed.length > shown.length ? ` and ${failed.length - shown.length} more` : '';
  const summary = `${target}: ${failed.length} of ${nodes.length} nodes did not take it: ${shown.join(', ')}${more}. ${worst.message ?? ''}`;
  return new SlurmServerError(summary.trim(), {
    code: worst.code ?? 'SLURM_ERROR',
    number: worst.number ?? undefined,
    errno: meaning?.errno ?? 'EIO',
    outcome,
    rpc,
    protocol,
    phase: 'wait',
    nodes,
    retryable: outcome === 'not-sent' || (repeatable && outcome !== 'refused'),
    hint:
      outcome === 'unknown' || outcome === 'partial'
        ? "The error's nodes say which node did what."
        : undefined,
  });
}

/** What is known of all together. */
function joint(nodes: readonly NodeResult[]): Outcome {
  const kinds = new Set(nodes.map(({ outcome }) => outcome));
  if (kinds.has('accepted')) return 'partial';
  if (kinds.has('unknown')) return 'unknown';
  return kinds.has('refused') ? 'refused' : 'not-sent';
}
