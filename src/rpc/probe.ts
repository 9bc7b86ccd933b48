/**
 * `probe`: what `kill(pid, 0)` asks, as reads without side effect.
 *
 * Signal 0 is never sent: to slurmctld it is a signal like any other, which costs a message to each node and switches off the line
 * of a scrontab job.
 */
import type { CallContext } from '../protocol/authenticator.js';
import type { JobId, ParsedStepId, StepTarget } from '../protocol/job-id.js';
import type { JobRecord } from '../protocol/messages/job-record.js';
import { JOB_STATES, jobStateFlags, jobStateName } from '../protocol/messages/job-state.js';
import type { JobStepRecord } from '../protocol/messages/job-step-info.js';
import type { Release } from '../protocol/release.js';
import { NO_VAL } from '../protocol/sentinels.js';
import { SPECIAL_STEP_IDS } from '../protocol/step-id.js';
import type { ControllerLink } from './controller-link.js';
import { taskId } from './job-filter.js';
import { lookAtJob, recordTasks, stepRecords } from './job-lookup.js';
import { type Identity, isOwn, isPrivileged } from './kill-jobs-identity.js';
import { type ParsedTarget, parseTarget } from './target.js';

/** What the controller tells about a job or step at one moment. */
export interface Probe {
  /** The job or step as it was named. */
  readonly target: string;
  /**
   * Whether the controller knows it: finished jobs too, until it forgets them (MinJobAge, 5 minutes by default). A step exists while
   * it runs. See `mayBeHidden` for what `false` does not say.
   */
  readonly exists: boolean;
  /**
   * True where `exists: false` may mean somebody else's job: with PrivateData=jobs a controller denies knowing it. Never for root and
   * SlurmUser, from whom nothing is hidden.
   */
  readonly mayBeHidden: boolean;
  /** Whether the caller owns all of it; `null` where there is nothing, or where it is not known who the cluster takes the caller for. */
  readonly mine: boolean | null;
  /**
   * True for the owner, root and SlurmUser. `null`: only the server knows, since operators and coordinators of the account may signal
   * jobs of others too. That a signal is allowed does not mean that it would do anything.
   */
  readonly maySignal: true | null;
  /**
   * The base state in Slurm's words: `RUNNING`, `PENDING`, `CANCELLED`. A step's own for a step. `null` where there is nothing, or where
   * the parts of the target are in different states: see `jobs`.
   */
  readonly state: string | null;
  /** What the state says besides, such as `COMPLETING`: of all parts together. */
  readonly flags: readonly string[];
  /** One entry per job record: several for an array or a het leader. For a step, the record of its job. */
  readonly jobs: readonly ProbedJob[];
  /** For a step only: one entry, or one per component of a het step. */
  readonly steps?: readonly ProbedStep[];
  /** `host:port` of the controller that answered. */
  readonly peer: string;
  readonly protocol: Release;
  /** Milliseconds, all lookups. */
  readonly elapsedMs: number;
}

/** One job record. */
export interface ProbedJob {
  /** As Slurm writes it: `1234`, `1234_7`, `1234_[1-5,9]` for pending tasks that are one record, `1234+1`. */
  readonly target: string;
  /** The record's own number. */
  readonly jobId: number;
  /** Number of the array; `null`: no array. */
  readonly arrayJobId: number | null;
  /** The array task, or the pending tasks that are still one record. Empty: no array. */
  readonly arrayTasks: readonly number[];
  /** Number of the het leader; `null`: no het job. */
  readonly hetJobId: number | null;
  readonly hetJobOffset: number | null;
  readonly userId: number;
  readonly mine: boolean | null;
  /** Base state in Slurm's words. */
  readonly state: string;
  /** Such as `['COMPLETING']`: the names of `JOB_STATE_FLAGS` without `JOB_`. */
  readonly flags: readonly string[];
  /** Whether it is a scrontab job, whose line any signal switches off; `null` where the controller does not tell. */
  readonly cron: boolean | null;
  /** Whether it has a batch script. */
  readonly batch: boolean;
  /** How often it was requeued. */
  readonly restarts: number;
  /** Its nodes as a hostlist; `null` while it has none. */
  readonly nodes: string | null;
}

/** One step record. */
export interface ProbedStep {
  /** `1234.0`, `1234.batch`; `1234.0+1` for a component of a het step. */
  readonly target: string;
  readonly jobId: number;
  /** Component of a het step; `null` for all others. */
  readonly stepHetComp: number | null;
  readonly state: string;
  readonly flags: readonly string[];
  readonly nodes: string | null;
}

/** Exchanges a probe may take: first contact, the job, its steps. */
export const PROBE_EXCHANGES = 3;

export async function probe(
  link: ControllerLink,
  target: JobId | StepTarget,
  context: CallContext,
): Promise<Probe> {
  return probeParsed(link, parseTarget(target), context);
}

export async function probeParsed(
  link: ControllerLink,
  { job, step, text }: ParsedTarget,
  context: CallContext,
): Promise<Probe> {
  const startedAt = performance.now();
  const identity = await link.identity(context);
  const { records, reply } = await lookAtJob(link, job, context);
  // A plain number that is a het leader or an array: the step is that of the record with this very number.
  const meant = step === null || job.kind !== 'job' ? records : records.filter((r) => r.jobId === job.jobId);
  const jobs = meant.map((record) => probedJob(record, identity));
  const steps = step === null ? undefined : await stepsOf(link, step, meant, context);
  const found = steps ?? jobs;
  const privileged = isPrivileged(identity);
  const mine = jobs.length === 0 ? null : allMine(jobs);
  return {
    target: text,
    exists: found.length > 0,
    mayBeHidden: meant.length === 0 && !privileged,
    mine,
    maySignal: found.length > 0 && (mine === true || privileged) ? true : null,
    state: common(found.map(({ state }) => state)),
    flags: [...new Set(found.flatMap(({ flags }) => flags))],
    jobs,
    ...(steps === undefined ? {} : { steps }),
    peer: reply.peer,
    protocol: reply.protocol,
    elapsedMs: performance.now() - startedAt,
  };
}

async function stepsOf(
  link: ControllerLink,
  { stepId, stepHetComp, text }: ParsedStepId,
  records: readonly JobRecord[],
  context: CallContext,
): Promise<ProbedStep[]> {
  const name = text.slice(text.lastIndexOf('.') + 1);
  const probed: ProbedStep[] = [];
  for (const record of records) {
    if (stepId === SPECIAL_STEP_IDS.SLURM_BATCH_SCRIPT) {
      if (runsBatchScript(record)) probed.push(batchStep(record));
      continue;
    }
    const found = await stepRecords(link, record.jobId, stepId, context);
    const meant = found.filter((one) => stepHetComp === null || one.stepId.stepHetComp === stepHetComp);
    probed.push(...meant.map((one) => probedStep(one, name)));
  }
  return probed;
}

/** The job's own record tells of the batch step: it is on the batch host while the job runs. */
function runsBatchScript({ jobState, batchFlag, batchHost }: JobRecord): boolean {
  const base = jobState & 0xff;
  const runs = base === JOB_STATES.JOB_RUNNING || base === JOB_STATES.JOB_SUSPENDED;
  return runs && batchFlag !== 0 && batchHost !== null;
}

function batchStep({ jobId, jobState, batchHost }: JobRecord): ProbedStep {
  return {
    target: `${jobId}.batch`,
    jobId,
    stepHetComp: null,
    ...stateOf(jobState),
    nodes: batchHost,
  };
}

function probedStep({ stepId, state, nodes }: JobStepRecord, name: string): ProbedStep {
  const { jobId } = stepId;
  const stepHetComp = stepId.stepHetComp === NO_VAL ? null : stepId.stepHetComp;
  return {
    target: `${jobId}.${name}${stepHetComp === null ? '' : `+${stepHetComp}`}`,
    jobId,
    stepHetComp,
    ...stateOf(state),
    nodes,
  };
}

function probedJob(record: JobRecord, identity: Identity): ProbedJob {
  const { jobId, arrayJobId, hetJobId, hetJobOffset, userId, jobState, nodes } = record;
  const arrayTasks = arrayJobId === 0 ? [] : recordTasks(record);
  return {
    target: nameOf(record, arrayTasks),
    jobId,
    arrayJobId: arrayJobId === 0 ? null : arrayJobId,
    arrayTasks,
    hetJobId: hetJobId === 0 ? null : hetJobId,
    hetJobOffset: hetJobId === 0 ? null : hetJobOffset,
    userId,
    mine: isOwn(identity, record),
    ...stateOf(jobState),
    cron: record.hasDetails ? record.cronspec !== null : null,
    batch: record.batchFlag !== 0,
    restarts: record.restartCnt,
    nodes,
  };
}

function nameOf({ jobId, arrayJobId, hetJobId, hetJobOffset }: JobRecord, tasks: readonly number[]): string {
  if (arrayJobId !== 0) return tasks.length === 0 ? String(jobId) : taskId(arrayJobId, tasks).text;
  return hetJobId === 0 ? String(jobId) : `${hetJobId}+${hetJobOffset}`;
}

function stateOf(jobState: number): { state: string; flags: string[] } {
  const flags = jobStateFlags(jobState).map((flag) => flag.slice('JOB_'.length));
  return { state: jobStateName(jobState), flags };
}

function allMine(jobs: readonly ProbedJob[]): boolean | null {
  if (jobs.some(({ mine }) => mine === null)) return null;
  return jobs.every(({ mine }) => mine === true);
}

function common(states: readonly string[]): string | null {
  const [first = null] = states;
  return states.every((state) => state === first) ? first : null;
}
