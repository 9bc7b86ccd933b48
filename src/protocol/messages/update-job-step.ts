/**
 * REQUEST_UPDATE_JOB_STEP (5007), to slurmctld: sets the time limit of a step.
 *
 * Source: `step_update_request_msg_t`; checked against bytes of Slurm's own library of every release.
 */
import { NO_VAL } from '../sentinels.js';
import { NO_STEP_ID, type StepId, stepId } from '../step-id.js';
import { optional, struct, text, time, u32, undescribed } from '../wire-type.js';
import { jobIdUntil2505 } from './job-id-field.js';

export const updateJobStep = struct({
  endTime: time.through('20.11').else(0n),
  exitCode: u32.through('20.11').else(NO_VAL),
  jobId: jobIdUntil2505,
  jobacct: optional(undescribed('accounting of a step')).through('20.11').else(null),
  name: text.through('20.11').else(null),
  startTime: time.through('20.11').else(0n),
  /** The step's number, upstream's `step_id` until 25.05; since then it is in `stepId`. */
  stepNumber: u32.through('25.05').elseFrom((own) => own.stepId?.stepId as number | undefined),
  /** Not on the wire until 25.05: made of `jobId` and `stepNumber`. */
  stepId: stepId
    .since('25.11')
    .elseFrom((own): StepId | undefined =>
      own.jobId === undefined || own.stepNumber === undefined
        ? undefined
        : { ...NO_STEP_ID, jobId: own.jobId, stepId: own.stepNumber },
    ),
  /** Minutes. */
  timeLimit: u32,
});
