/** Every request that the embedded slurmctld serves. What is not here is answered as by a daemon that knows the message and does not serve it. */

import { cancelJobStep } from './cancel-job-step.js';
import type { ControllerHandlers } from './handler.js';
import { killJob } from './kill-job.js';
import { killJobs } from './kill-jobs.js';
import { notify } from './notify.js';
import { ping } from './ping.js';
import { requeue } from './requeue.js';
import { suspend } from './suspend.js';

export const CONTROLLER_HANDLERS: ControllerHandlers = {
  REQUEST_PING: ping,

  REQUEST_KILL_JOB: killJob,
  REQUEST_CANCEL_JOB_STEP: cancelJobStep,
  REQUEST_KILL_JOBS: killJobs,
  REQUEST_SUSPEND: suspend,
  REQUEST_JOB_REQUEUE: requeue,
  REQUEST_JOB_NOTIFY: notify,
};
