/** What a verb that takes jobs as well as steps was given. */
import {
  type JobId,
  type ParsedJobId,
  type ParsedStepId,
  parseJobId,
  parseStepId,
  type StepTarget,
} from '../protocol/job-id.js';
import { SlurmUsageError } from '../protocol/slurm-error.js';

/** A job, or one step of it. */
export interface ParsedTarget {
  readonly job: ParsedJobId;
  /** `null`: the whole job. */
  readonly step: ParsedStepId | null;
  /** As Slurm writes it. */
  readonly text: string;
}

/**
 * A step has a dot in its text, or a `stepId`.
 *
 * @throws SlurmUsageError `SLURMWIRE_BAD_JOB_ID`, `SLURMWIRE_BAD_STEP_ID`; the former for a sluid too, since lookups go by job number.
 */
export function parseTarget(given: JobId | StepTarget, field = 'target'): ParsedTarget {
  if (isStep(given)) {
    const step = parseStepId(given, field);
    return { job: step.job, step, text: step.text };
  }
  const job = parseJobId(given, field);
  if (job.kind !== 'sluid') return { job, step: null, text: job.text };
  throw new SlurmUsageError(`job ${job.text} cannot be looked up by its sluid.`, {
    code: 'SLURMWIRE_BAD_JOB_ID',
    field,
    value: given,
    hint: "Give the job's number.",
  });
}

function isStep(given: JobId | StepTarget): given is StepTarget {
  if (typeof given === 'string') return given.includes('.');
  return typeof given === 'object' && given !== null && 'stepId' in given;
}
