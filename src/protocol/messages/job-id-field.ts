/**
 * A job as a bare number until 25.05, as a step id since 25.11: upstream replaced the field in many messages. Both fields are in the
 * record in every release and say the same; a caller may give either.
 */
import { NO_STEP_ID, type StepId, stepId } from '../step-id.js';
import { u32 } from '../wire-type.js';

/** Not on the wire since 25.11: the job id in `stepId`. */
export const jobIdUntil2505 = u32.through('25.05').elseFrom((own) => own.stepId?.jobId as number | undefined);

/** Not on the wire until 25.05: `jobId`, with step and component NO_VAL. */
export const stepIdSince2511 = stepId
  .since('25.11')
  .elseFrom((own): StepId | undefined =>
    own.jobId === undefined ? undefined : { ...NO_STEP_ID, jobId: own.jobId },
  );
