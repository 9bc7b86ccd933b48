/**
 * REQUEST_JOB_NOTIFY (4022): a text for the user of a running batch job. To slurmctld; a slurmd never answers it.
 *
 * Source: `job_notify_msg_t`, packed alike in 20.11 to 26.11 but for the sluid inside the step id; checked against bytes of Slurm's own
 * library of every release.
 */
import { stepId } from '../step-id.js';
import { struct, text } from '../wire-type.js';

export const jobNotify = struct({ stepId, message: text });
