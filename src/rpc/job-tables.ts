/** The controller's tables as one explanation needs them: each job and its steps asked for once. */
import type { CallContext } from '../protocol/authenticator.js';
import type { ParsedJobId } from '../protocol/job-id.js';
import type { JobRecord } from '../protocol/messages/job-record.js';
import type { JobStepRecord } from '../protocol/messages/job-step-info.js';
import { NO_VAL } from '../protocol/sentinels.js';
import type { ClusterFacts } from './cluster-facts.js';
import type { ControllerLink } from './controller-link.js';
import { isMeant, jobRecords } from './job-lookup.js';
import { allJobs } from './kill-jobs-singles.js';
import { stepRecords } from './step-lookup.js';

/** Up to so many jobs are asked for one by one. */
const SINGLE_LOOKUPS = 8;

export class JobTables {
  readonly #link: ControllerLink;
  readonly #context: CallContext;
  readonly #jobs = new Map<string, Promise<readonly JobRecord[]>>();
  readonly #steps = new Map<number, Promise<readonly JobStepRecord[]>>();
  #all: Promise<readonly JobRecord[]> | undefined;

  constructor(link: ControllerLink, context: CallContext) {
    this.#link = link;
    this.#context = context;
  }

  /** Where so many jobs are going to be looked at, all are asked for at once. */
  async expect(count: number): Promise<void> {
    if (count > SINGLE_LOOKUPS) await this.all();
  }

  /** All jobs, by one lookup; from then on no job is asked for by itself. */
  all(): Promise<readonly JobRecord[]> {
    this.#all ??= allJobs(this.#link, null, this.#context).then(({ records }) => records);
    return this.#all;
  }

  /** As `jobRecords`. */
  async jobs(id: ParsedJobId): Promise<readonly JobRecord[]> {
    if (this.#all !== undefined && id.kind !== 'sluid')
      return (await this.#all).filter((job) => isMeant(job, id));
    return once(this.#jobs, id.text, () => jobRecords(this.#link, id, this.#context));
  }

  clusterFacts(): Promise<ClusterFacts> {
    return this.#link.clusterFacts(this.#context);
  }

  /** All steps of one job record, which may be given by its number. */
  steps(job: number | JobRecord): Promise<readonly JobStepRecord[]> {
    const jobId = typeof job === 'number' ? job : job.jobId;
    return once(this.#steps, jobId, () => stepRecords(this.#link, job, NO_VAL, this.#context));
  }
}

function once<K, V>(known: Map<K, V>, key: K, make: () => V): V {
  const value = known.get(key) ?? make();
  known.set(key, value);
  return value;
}
