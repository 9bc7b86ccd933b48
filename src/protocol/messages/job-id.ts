/**
 * REQUEST_JOB_ID (2013) and RESPONSE_JOB_ID (2014): to which job a process belongs, to the slurmd of its node. A process of no job is
 * RC 2017.
 *
 * Source: `job_id_request_msg_t`, `job_id_response_msg_t`; checked against bytes of Slurm's own library of every release.
 */
import { struct, u32 } from '../wire-type.js';
import { jobIdUntil2505, stepIdSince2511 } from './job-id-field.js';

export const jobIdRequest = struct({ jobPid: u32 });

export const jobIdResponse = struct({ jobId: jobIdUntil2505, stepId: stepIdSince2511, returnCode: u32 });
