/**
 * What happens to jobs: submitted, started, signalled, suspended, ended. The one place that changes a {@link Job}; handlers of requests
 * decide whether something may be done, and have it done here.
 */
import { JOB_STATES } from '../../protocol/messages/job-state.js';
import type { Executor } from './executor.js';
import type { Job } from './job.js';
import { nowSeconds, type World } from './world.js';

export class Life {
  readonly world: World;
  readonly executor: Executor;

  constructor(world: World, executor: Executor) {
    this.world = world;
    this.executor = executor;
  }

  /** Takes a job that waits out of the queue. */
  cancelPending(job: Job): void {
    job.state = JOB_STATES.JOB_CANCELLED;
    job.startTime = nowSeconds();
    job.endTime = job.startTime;
    this.world.changed();
  }
}
