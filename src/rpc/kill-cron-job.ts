/**
 * A kill for a scrontab job whose line in the user's scrontab is to stay on: any signal to the job as a whole, 0 and SIGUSR1 too, switches
 * that line off, so its steps are signalled one by one.
 *
 * Source: slurmctld's handling of jobs with the CRON_JOB bit in 20.11 to 26.05; observed on 26.05.
 */
import type { CallContext } from '../protocol/authenticator.js';
import { errorMeaning } from '../protocol/error-meaning.js';
import { errorNumber } from '../protocol/error-number.js';
import { parseJobId } from '../protocol/job-id.js';
import type { JobRecord } from '../protocol/messages/job-record.js';
import { isJobFinished, isJobRunning } from '../protocol/messages/job-state.js';
import { NO_VAL } from '../protocol/sentinels.js';
import { isSlurmError, type JobPart, restate, type SlurmError } from '../protocol/slurm-error.js';
import { SPECIAL_STEP_IDS } from '../protocol/step-id.js';
import { UNIX_SIGNALS } from '../protocol/unix-signal.js';
import type { ControllerLink } from './controller-link.js';
import type { KillJobOptions } from './kill-options.js';
import { type Accepted, type AlreadyEnded, type Kill, sendKill } from './kill-request.js';
import { nothingToSignal } from './nothing-to-signal.js';
import { signalJobStep } from './signal.js';
import { stepName, usersSteps } from './signal-plan.js';

const HINT =
  "It is a scrontab job, and signalling it as a whole would switch the line of its user's scrontab off: the option cron says that this is meant.";

/**
 * Signals the processes that the same call would reach in another job.
 *
 * @throws SlurmServerError `ESLURM_CANNOT_CANCEL_CRON_JOB` for SIGKILL to one that does not run; outcome `partial` with
 * `parts` where a step took it and a later one failed.
 */
export async function killCronJob(
  link: ControllerLink,
  {
    job: { jobId, jobState },
    target,
    peer,
  }: { readonly job: JobRecord; readonly target: string; readonly peer: string },
  signal: number,
  options: KillJobOptions,
  context: CallContext,
): Promise<Accepted | AlreadyEnded> {
  const kills = signal === UNIX_SIGNALS.SIGKILL;
  if (isJobFinished(jobState))
    throw nothingToSignal(`job ${target} has finished`, 'ESLURM_ALREADY_DONE', link, { peer });
  if (!isJobRunning(jobState)) {
    const code = kills ? 'ESLURM_CANNOT_CANCEL_CRON_JOB' : 'ESLURM_TRANSITION_STATE_NO_UPDATE';
    throw nothingToSignal(`scrontab job ${target} does not run`, code, link, { peer, hint: HINT });
  }
  const batch = SPECIAL_STEP_IDS.SLURM_BATCH_SCRIPT;
  if (options.batch === true && !kills) {
    // Through the controller it would be the whole batch step, and not the shell alone.
    const { nodes, elapsedMs, rpc, protocol, unixSignal } = await signalJobStep(
      link,
      { jobId, stepId: 'batch' },
      signal,
      {},
      context,
    );
    return {
      outcome: 'accepted',
      target,
      unixSignal,
      rpc,
      peer,
      protocol,
      authenticated: false,
      elapsedMs,
      message: null,
      nodes,
    };
  }
  // The job ends when its batch step does.
  const isWhole = (kills && options.stepsOnly !== true) || options.full === true;
  const steps = isWhole ? [batch] : await stepNumbers(link, jobId, context);
  if (steps.length === 0)
    throw nothingToSignal(`scrontab job ${target} has no steps`, 'ESLURM_INVALID_JOB_ID', link, { peer });
  return signalSteps(link, { jobId, target, signal, steps }, options.idempotent, context);
}

async function stepNumbers(link: ControllerLink, jobId: number, context: CallContext): Promise<number[]> {
  return [...new Set((await usersSteps(link, jobId, context)).map(({ stepId }) => stepId.stepId))];
}

async function signalSteps(
  link: ControllerLink,
  {
    jobId,
    target,
    signal,
    steps,
  }: { jobId: number; target: string; signal: number; steps: readonly number[] },
  idempotent: boolean | undefined,
  context: CallContext,
): Promise<Accepted | AlreadyEnded> {
  let taken: Accepted | undefined;
  let ended: AlreadyEnded | undefined;
  let gone: SlurmError | undefined;
  const parts: JobPart[] = [];
  for (const [index, stepId] of steps.entries()) {
    const step = stepName({ jobId, stepId });
    const kill: Kill = {
      rpc: 'REQUEST_CANCEL_JOB_STEP',
      record: { stepId: { jobId, stepId, stepHetComp: NO_VAL }, sjobId: null, signal },
      kind: 'step',
      job: parseJobId(jobId),
      target,
      repeatable: signal === UNIX_SIGNALS.SIGKILL,
    };
    try {
      const told = await sendKill(link, kill, idempotent, context);
      if (told.outcome === 'accepted') taken = told;
      // What may have been done stays so, whatever is said of the steps after it.
      else if (ended?.outcome !== 'unknown') ended = told;
      const code = told.outcome === 'accepted' ? 'SLURM_SUCCESS' : told.code;
      parts.push(partOf(step, code, told.outcome, link));
    } catch (error) {
      if (!isSlurmError(error) || error.outcome === 'partial') throw error;
      parts.push(partOf(step, error.code, error.outcome, link));
      // A step may end between the lookup and its signal: the others are still to be signalled.
      if (error.code === 'ESLURM_INVALID_JOB_ID') {
        if (gone?.outcome !== 'unknown') gone = error;
      } else if (taken === undefined) throw gone?.outcome === 'unknown' ? gone : error;
      else {
        for (const left of steps.slice(index + 1)) {
          parts.push(partOf(stepName({ jobId, stepId: left }), error.code, 'not-sent', link));
        }
        throw restate(error, `${error.summary} Other steps of the job took it before.`, {
          outcome: 'partial',
          retryable: error.retryable && kill.repeatable,
          parts,
        });
      }
    }
  }
  if (taken !== undefined) return taken;
  if (gone !== undefined) throw gone;
  return ended as AlreadyEnded; // there is at least one step
}

function partOf(
  target: string,
  code: string,
  outcome: NonNullable<JobPart['outcome']>,
  { setup }: ControllerLink,
): JobPart {
  const number = errorNumber(code) ?? -1;
  return { target, number, code, message: errorMeaning(number, setup.release).text, outcome };
}
