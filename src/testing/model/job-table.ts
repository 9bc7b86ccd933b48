/** The jobs that the controller knows: by number, in order of submission, and by what else they are asked for. */
import { isJobFinished, JOB_STATE_FLAGS } from '../../protocol/messages/job-state.js';
import type { Job } from './job.js';

export class JobTable extends Map<number, Job> {
  readonly #arrays = new Map<number, Job[]>();
  readonly #sluids = new Map<bigint, Job>();
  /** The second in which old jobs were last looked for. */
  #purgedAt = 0;

  override set(jobId: number, job: Job): this {
    const before = this.get(jobId);
    if (before !== undefined && before !== job) this.delete(jobId);
    this.#sluids.set(job.sluid, job);
    if (job.array !== null && before !== job) {
      const records = this.#arrays.get(job.array.jobId) ?? [];
      records.push(job);
      this.#arrays.set(job.array.jobId, records);
    }
    return super.set(jobId, job);
  }

  override delete(jobId: number): boolean {
    const job = this.get(jobId);
    if (job === undefined) return false;
    this.#sluids.delete(job.sluid);
    if (job.array !== null) {
      const records = this.#arrays.get(job.array.jobId) ?? [];
      records.splice(records.lastIndexOf(job), 1);
      if (records.length === 0) this.#arrays.delete(job.array.jobId);
    }
    return super.delete(jobId);
  }

  override clear(): void {
    this.#arrays.clear();
    this.#sluids.clear();
    super.clear();
  }

  /**
   * All records of an array, that of its waiting tasks (or of the last of them) first, then those split off in their order. Empty for what
   * is no array.
   */
  ofArray(jobId: number): readonly Job[] {
    return this.#arrays.get(jobId) ?? [];
  }

  withSluid(sluid: bigint): Job | null {
    return this.#sluids.get(sluid) ?? null;
  }

  /**
   * Forgets jobs that have been over for so long, at most once a second: slurmctld does it once a minute, so nobody can count on more.
   * The first record of an array stays as long as another does, the components of a heterogeneous job go together.
   *
   * Source: `_list_find_job_old` of 22.05.8.
   *
   * @param minJobAge seconds; 0: never.
   * @param now seconds since 1970.
   * @returns whether any was forgotten.
   */
  purge(minJobAge: number, now: number): boolean {
    if (minJobAge === 0 || this.#purgedAt === now) return false;
    this.#purgedAt = now;
    const size = this.size;
    const isOld = (job: Job | undefined) => job === undefined || hasEndedBefore(job, now - minJobAge);
    for (const job of [...this.values()].reverse()) {
      if (!isOld(job)) continue;
      const { array, het } = job;
      if (array?.jobId === job.jobId && this.ofArray(job.jobId).length > 1) continue;
      if (het?.jobIds.every((id) => isOld(this.get(id))) === false) continue;
      this.delete(job.jobId);
    }
    return this.size < size;
  }
}

function hasEndedBefore({ state, endTime }: Job, time: number): boolean {
  return isJobFinished(state) && (state & JOB_STATE_FLAGS.JOB_COMPLETING) === 0 && endTime <= time;
}
