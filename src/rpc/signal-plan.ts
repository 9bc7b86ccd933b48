/**
 * Which nodes get which message, for `signalJob`, `signalJobStep` and `terminateJobStep`: reads at the controller, and nothing sent to a slurmd.
 */
import type { CallContext } from '../protocol/authenticator.js';
import { type JobId, parseJobId, parseStepId, type StepTarget } from '../protocol/job-id.js';
import { KILL_FLAGS } from '../protocol/kill-flags.js';
import type { JobRecord } from '../protocol/messages/job-record.js';
import { isJobPending, isJobRunning, isJobSuspended } from '../protocol/messages/job-state.js';
import type { JobStepRecord } from '../protocol/messages/job-step-info.js';
import { headerVersionOf, isAtLeast, RELEASE_NAMES, type Release } from '../protocol/release.js';
import { NO_VAL } from '../protocol/sentinels.js';
import { SLURM_MAX_NORMAL_STEP_ID, SPECIAL_STEP_IDS, type StepId } from '../protocol/step-id.js';
import { UNIX_SIGNALS } from '../protocol/unix-signal.js';
import { sluidTooOld } from './answer.js';
import { concurrently } from './concurrently.js';
import type { ControllerLink } from './controller-link.js';
import { type FoundJobs, lookAtJob } from './job-lookup.js';
import { nodeSaid, nodesSaid } from './nodes-said.js';
import { nothingToSignal } from './nothing-to-signal.js';
import { stepRecords } from './step-lookup.js';

/** One message and the nodes it goes to: a job record or a step, which is one part of what was named. */
export interface Delivery {
  readonly target: string;
  readonly stepId: Omit<StepId, 'sluid'>;
  readonly flags: number;
  readonly nodes: readonly string[];
  /** The oldest version that its steps were started in, by node; without the nodes where no step tells. */
  readonly startedIn: ReadonlyMap<string, Release>;
}

/** Everything that is to be sent. */
export interface SignalPlan {
  /** The job or step as it was named. */
  readonly text: string;
  /** At least one. */
  readonly deliveries: readonly Delivery[];
}

/** Step lookups at a time: one for each job record, of which an array may have many. */
const STEP_LOOKUPS = 8;

/**
 * All steps of a job, of an array or a het job those of all parts that run.
 *
 * @throws SlurmServerError, `not-sent`, where there is nothing to signal.
 */
export async function jobDeliveries(
  link: ControllerLink,
  job: JobId,
  signal: number,
  context: CallContext,
): Promise<SignalPlan> {
  const parsed = parseJobId(job);
  const { release } = link.setup;
  if (parsed.kind === 'sluid' && !isAtLeast(release, '26.05')) throw sluidTooOld(parsed.text, release);
  const look = await lookAtJob(link, parsed, context);
  const { peer } = look.reply;
  const running = runningOf(look, parsed.text, link);
  const found = await concurrently(running, STEP_LOOKUPS, context, async (record, own) => {
    // A slurmd says 0 to a signal for all steps whatever these say.
    return isDeaf(record.jobState, signal)
      ? (await usersSteps(link, record, own)).map(toDelivery)
      : [await stepsOfJob(link, record, own)];
  });
  // A step without nodes has nobody who could take the signal.
  const deliveries = eachOnce(found.flat()).filter(({ nodes }) => nodes.length > 0);
  if (deliveries.length === 0)
    throw nothingToSignal(`job ${parsed.text} has no steps`, 'ESLURM_INVALID_JOB_ID', link, { peer });
  return { text: parsed.text, deliveries };
}

/**
 * KILL_STEPS_ONLY: all steps of the job but the batch step. A slurmd says 0 to it even where there is none, so only nodes that have a step are
 * asked.
 */
async function stepsOfJob(
  link: ControllerLink,
  job: number | JobRecord,
  context: CallContext,
): Promise<Delivery> {
  const jobId = typeof job === 'number' ? job : job.jobId;
  const steps = (await usersSteps(link, job, context)).map(placed);
  return {
    target: String(jobId),
    stepId: { jobId, stepId: NO_VAL, stepHetComp: NO_VAL },
    flags: KILL_FLAGS.KILL_STEPS_ONLY.bit,
    nodes: [...new Set(steps.flatMap(({ nodes }) => nodes))],
    startedIn: startedIn(steps),
  };
}

/**
 * One step, of an array or a het job that of all parts meant.
 *
 * @throws SlurmServerError, `not-sent`, where there is nothing to signal.
 */
export async function stepDeliveries(
  link: ControllerLink,
  step: StepTarget,
  signal: number,
  context: CallContext,
): Promise<SignalPlan> {
  const { job, stepId, stepHetComp, text } = parseStepId(step);
  const look = await lookAtJob(link, job, context);
  const { peer } = look.reply;
  const running = runningOf(look, job.text, link);
  // A plain number that is a het leader or an array: the step is that of the record with this very number.
  const records = running.filter(({ jobId }) => job.kind !== 'job' || jobId === job.jobId);
  const found = await concurrently(records, STEP_LOOKUPS, context, async (record, own) => {
    if (stepId === SPECIAL_STEP_IDS.SLURM_BATCH_SCRIPT) return [batchDelivery(record, signal, text, link)];
    const steps = await stepRecords(link, record, stepId, own);
    return steps
      .filter((one) => stepHetComp === null || one.stepId.stepHetComp === stepHetComp)
      .map(toDelivery);
  });
  const deliveries = eachOnce(found.flat()).filter(({ nodes }) => nodes.length > 0);
  if (deliveries.length === 0)
    throw nothingToSignal(`there is no step ${text}`, 'ESLURM_INVALID_JOB_ID', link, { peer });
  return { text, deliveries };
}

/** What is told twice, by a table or by controller and step manager, is sent once. */
function eachOnce(deliveries: readonly Delivery[]): Delivery[] {
  const all = new Map<string, Delivery>();
  for (const delivery of deliveries) {
    const { jobId, stepId, stepHetComp } = delivery.stepId;
    const key = [jobId, stepId, stepHetComp, delivery.flags].join();
    const before = all.get(key);
    const nodes = [...new Set([...(before?.nodes ?? []), ...delivery.nodes])];
    const startedIn = new Map([...(before?.startedIn ?? []), ...delivery.startedIn]);
    all.set(key, before === undefined ? delivery : { ...before, nodes, startedIn });
  }
  return [...all.values()];
}

/**
 * True while the controller still has what a delivery was for. It also has a step that has not begun on its nodes yet, so what slurmds do not know
 * is only over when this says so.
 */
export async function isStillThere(
  link: ControllerLink,
  { stepId: { jobId, stepId, stepHetComp } }: Delivery,
  context: CallContext,
): Promise<boolean> {
  if (stepId === NO_VAL) return (await stepsOfJob(link, jobId, context)).nodes.length > 0;
  const steps = await stepRecords(link, jobId, stepId, context);
  return steps.some((found) => found.stepId.stepHetComp === stepHetComp);
}

/** The batch step is on the batch host alone, and a slurmd says 0 to KILL_JOB_BATCH whether or not it has one that took the signal. */
function batchDelivery(
  { jobId, jobState, batchFlag, batchHost }: JobRecord,
  signal: number,
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
  if (isDeaf(jobState, signal)) {
    const why = `job ${jobId} is suspended, and its steps take nothing but SIGKILL`;
    throw nothingToSignal(why, 'ESLURM_TRANSITION_STATE_NO_UPDATE', link);
  }
  const stepId = { jobId, stepId: SPECIAL_STEP_IDS.SLURM_BATCH_SCRIPT, stepHetComp: NO_VAL };
  const flags = KILL_FLAGS.KILL_JOB_BATCH.bit;
  return {
    target: `${jobId}.batch`,
    stepId,
    flags,
    nodes: [nodeSaid(batchHost, 'batchHost')],
    startedIn: new Map(),
  };
}

function toDelivery(record: JobStepRecord): Delivery {
  // stepHetComp as in the record: slurmd finds a step by all three numbers. The sluid is not sent.
  const { jobId, stepId, stepHetComp } = record.stepId;
  const step = placed(record);
  return {
    target: stepName(record.stepId),
    stepId: { jobId, stepId, stepHetComp },
    flags: 0,
    nodes: step.nodes,
    startedIn: startedIn([step]),
  };
}

/**
 * The version that a step was started in is the oldest of what its srun and the slurmds of all its nodes spoke then (`step_create`; read in 20.11 to
 * 26.05), and a slurmd that was upgraded since takes it still, or the controller would not know it. Batch, extern and interactive steps have that of
 * whoever submitted the job, which says nothing about slurmds.
 */
function startedIn(steps: readonly PlacedStep[]): Map<string, Release> {
  const oldest = new Map<string, Release>();
  for (const { step, nodes } of steps) {
    const release = releaseAtMost(step.startProtocolVer);
    if (release === null || step.stepId.stepId > SLURM_MAX_NORMAL_STEP_ID) continue;
    for (const node of nodes) {
      const known = oldest.get(node);
      if (known === undefined || isAtLeast(known, release)) oldest.set(node, release);
    }
  }
  return oldest;
}

/** The newest release of the table that is not newer than a header's version word; the oldest for what is older, `null` for none at all. */
function releaseAtMost(version: number): Release | null {
  if (version === 0) return null;
  return (
    RELEASE_NAMES.findLast((release) => headerVersionOf(release) <= version) ?? (RELEASE_NAMES[0] as Release)
  );
}

/** A step as Slurm writes it, without the component of a het step. */
export function stepName({ jobId, stepId }: Pick<StepId, 'jobId' | 'stepId'>): string {
  return `${jobId}.${STEP_NAMES.get(stepId) ?? stepId}`;
}

const STEP_NAMES: ReadonlyMap<number, string> = new Map([
  [SPECIAL_STEP_IDS.SLURM_BATCH_SCRIPT, 'batch'],
  [SPECIAL_STEP_IDS.SLURM_EXTERN_CONT, 'extern'],
  [SPECIAL_STEP_IDS.SLURM_INTERACTIVE_STEP, 'interactive'],
]);

/** A step and its nodes, each once: there may be thousands, so their list is read once. */
interface PlacedStep {
  readonly step: JobStepRecord;
  readonly nodes: readonly string[];
}

function placed(step: JobStepRecord): PlacedStep {
  return { step, nodes: nodesOf(step) };
}

/** Nodes of a step, each once. */
export function nodesOf({ nodes }: JobStepRecord): string[] {
  return [...new Set(nodesSaid(nodes))];
}

/** The steps of a job but for those that are no program of its user: not the batch step either. */
export async function usersSteps(
  link: ControllerLink,
  job: number | JobRecord,
  context: CallContext,
): Promise<JobStepRecord[]> {
  const all = await stepRecords(link, job, NO_VAL, context);
  return all.filter(
    ({ stepId: { stepId } }) =>
      stepId !== SPECIAL_STEP_IDS.SLURM_BATCH_SCRIPT &&
      stepId !== SPECIAL_STEP_IDS.SLURM_EXTERN_CONT &&
      stepId !== SPECIAL_STEP_IDS.SLURM_PENDING_STEP,
  );
}

/** Suspended steps take nothing but SIGKILL (observed: 20.11 to 26.05). */
function isDeaf(jobState: number, signal: number): boolean {
  return isJobSuspended(jobState) && signal !== UNIX_SIGNALS.SIGKILL;
}

/** The records that have processes. Suspended ones do: they take SIGKILL, and refuse other signals themselves. */
function runningOf({ records, reply: { peer } }: FoundJobs, text: string, link: ControllerLink): JobRecord[] {
  const running = records.filter(({ jobState }) => isJobRunning(jobState) || isJobSuspended(jobState));
  if (running.length > 0) return running;
  const nothing = (what: string, code: Parameters<typeof nothingToSignal>[1]) =>
    nothingToSignal(what, code, link, { peer });
  if (records.length === 0) throw nothing(`there is no job ${text}`, 'ESLURM_INVALID_JOB_ID');
  const isPending = records.some(({ jobState }) => isJobPending(jobState));
  if (isPending) throw nothing(`job ${text} has not started`, 'ESLURM_JOB_PENDING');
  throw nothing(`job ${text} has finished`, 'ESLURM_ALREADY_DONE');
}
