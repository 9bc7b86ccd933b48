/**
 * Which nodes get which message, for `signalJob`, `signalJobStep` and `terminateJobStep`: reads at the controller, and nothing sent to a slurmd.
 */
import { expandHostlist } from '../config/index.js';
import type { CallContext } from '../protocol/authenticator.js';
import { errorMeaning } from '../protocol/error-meaning.js';
import { type JobId, parseJobId, parseStepId, type StepTarget } from '../protocol/job-id.js';
import { KILL_FLAGS } from '../protocol/kill-flags.js';
import type { JobRecord } from '../protocol/messages/job-record.js';
import { JOB_STATES } from '../protocol/messages/job-state.js';
import type { JobStepRecord } from '../protocol/messages/job-step-info.js';
import { NO_VAL } from '../protocol/sentinels.js';
import { SlurmServerError, SlurmUsageError } from '../protocol/slurm-error.js';
import { SPECIAL_STEP_IDS, type StepId } from '../protocol/step-id.js';
import { concurrently } from './concurrently.js';
import type { ControllerLink } from './controller-link.js';
import { jobRecords, stepRecords } from './job-lookup.js';

/** One message and the nodes it goes to: a job record or a step, which is one part of what was named. */
export interface Delivery {
  readonly target: string;
  readonly stepId: Omit<StepId, 'sluid'>;
  readonly flags: number;
  readonly nodes: readonly string[];
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
  context: CallContext,
): Promise<SignalPlan> {
  const parsed = parseJobId(job);
  if (parsed.kind === 'sluid') throw sluidNotFollowed(parsed.text);
  const running = runningOf(await jobRecords(link, parsed, context), parsed.text, link);
  const found = await concurrently(running, STEP_LOOKUPS, context, ({ jobId }, own) =>
    stepsOfJob(link, jobId, own),
  );
  const deliveries = found.filter(({ nodes }) => nodes.length > 0);
  if (deliveries.length === 0)
    throw nothingToSignal(`job ${parsed.text} has no steps`, 'ESLURM_INVALID_JOB_ID', link);
  return { text: parsed.text, deliveries };
}

/**
 * KILL_STEPS_ONLY: all steps of the job but the batch step. A slurmd says 0 to it even where there is none, so only nodes that have a step are
 * asked.
 */
async function stepsOfJob(link: ControllerLink, jobId: number, context: CallContext): Promise<Delivery> {
  const steps = (await stepRecords(link, jobId, NO_VAL, context)).filter(isUsersStep);
  return {
    target: String(jobId),
    stepId: { jobId, stepId: NO_VAL, stepHetComp: NO_VAL },
    flags: KILL_FLAGS.KILL_STEPS_ONLY.bit,
    nodes: [...new Set(steps.flatMap(nodesOf))],
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
  context: CallContext,
): Promise<SignalPlan> {
  const { job, stepId, stepHetComp, text } = parseStepId(step);
  const running = runningOf(await jobRecords(link, job, context), job.text, link);
  // A plain number that is a het leader or an array: the step is that of the record with this very number.
  const records = running.filter(({ jobId }) => job.kind !== 'job' || jobId === job.jobId);
  const found = await concurrently(records, STEP_LOOKUPS, context, async (record, own) => {
    if (stepId === SPECIAL_STEP_IDS.SLURM_BATCH_SCRIPT) return [batchDelivery(record, text, link)];
    const steps = await stepRecords(link, record.jobId, stepId, own);
    return steps
      .filter((one) => stepHetComp === null || one.stepId.stepHetComp === stepHetComp)
      .map(toDelivery);
  });
  // A step without nodes has nobody who could take the signal.
  const deliveries = found.flat().filter(({ nodes }) => nodes.length > 0);
  if (deliveries.length === 0)
    throw nothingToSignal(`there is no step ${text}`, 'ESLURM_INVALID_JOB_ID', link);
  return { text, deliveries };
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

const NUMBERS = {
  ESLURM_JOB_SCRIPT_MISSING: 2009,
  ESLURM_INVALID_JOB_ID: 2017,
  ESLURM_ALREADY_DONE: 2021,
  ESLURM_JOB_PENDING: 2024,
} as const;

/** Told by this library from what the controller knows: no slurmd was asked. */
function nothingToSignal(
  what: string,
  code: keyof typeof NUMBERS,
  { setup }: ControllerLink,
): SlurmServerError {
  const number = NUMBERS[code];
  const { errno, retryable } = errorMeaning(number, setup.release);
  return new SlurmServerError(`Nothing was signalled: ${what}.`, {
    code,
    number,
    errno: code === 'ESLURM_JOB_SCRIPT_MISSING' ? 'ESRCH' : errno,
    retryable,
    outcome: 'not-sent',
    protocol: setup.release,
    phase: 'wait',
  });
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
