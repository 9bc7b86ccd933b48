/** What `killJobs` resolves to. */
import { errorMeaning } from '../protocol/error-meaning.js';
import type { Release } from '../protocol/release.js';
import { isSlurmError, type Outcome, type SlurmError, showValue } from '../protocol/slurm-error.js';

/** What became of one job. */
export interface KilledJob {
  /** The job as Slurm writes it: `12`, `12_3`, `12_[4-9]` for pending tasks that share a record, `12+1`. */
  readonly target: string;
  /** Number of its own record; `null` where there is none or it is not known. */
  readonly jobId: number | null;
  /**
   * `accepted`: the controller took it; it signals the nodes afterwards. `refused`: nothing was done. `unknown`: it may have been
   * signalled, also in part. `not-sent`: nothing was asked for it.
   */
  readonly outcome: Exclude<Outcome, 'partial'>;
  /** Slurm's number, 0 for success; `null` where there was no answer. */
  readonly number: number | null;
  /** POSIX name of the nearest errno, such as `EPERM`; `null` for success. */
  readonly errno: string | null;
  /** Name of the number, or the code of the trouble; `null` for success. */
  readonly code: string | null;
  /** One sentence; `null` for success. */
  readonly message: string | null;
  /** Where the controller gave a reason of its own. */
  readonly serverMessage?: string | undefined;
}

/** What became of all of them. */
export interface KilledJobs {
  /**
   * `accepted`: all were (with `idempotent`: or had ended). `partial`: some were. `refused`, `not-sent`: none was, and it is certain.
   * `unknown`: none was for certain. `nothing-matched`: there was no such job, so nothing was signalled.
   */
  readonly outcome: Outcome | 'nothing-matched';
  /**
   * One entry per job record, and one per id that names none. A het job that was named or found by its leader is one job; a component
   * that was named beside its leader is not asked for again and has the leader's answer.
   */
  readonly jobs: readonly KilledJob[];
  /** The sum of it in one sentence. */
  readonly message: string;
  /** Number of the Unix signal. */
  readonly unixSignal: number;
  /** The message that most was asked with; `null` where there was nothing to ask. */
  readonly rpc: 'REQUEST_KILL_JOBS' | 'REQUEST_KILL_JOB' | null;
  /** Uid of those whose jobs alone were looked at; `null`: anybody's. */
  readonly userId: number | null;
  /** `host:port` of the controller that answered first; `null` where none was asked. */
  readonly peer: string | null;
  /** Release whose protocol was spoken. */
  readonly protocol: Release;
  /**
   * Exchanges with controllers that this took: a first contact where this call made it, lookups, kills, looks at what a refusal means,
   * those repeated because the controller said to wait, and those that failed.
   */
  readonly rpcs: number;
  /** How many of them were answered with SLURMCTLD_COMMUNICATIONS_BACKOFF, too many requests, and so did nothing. */
  readonly backoffs: number;
  /** Milliseconds, lookups and waits included. */
  readonly elapsedMs: number;
}

/** The entry of a job that was answered with a number, whose outcome was judged. */
export function answeredJob(
  target: string,
  jobId: number | null,
  number: number,
  outcome: KilledJob['outcome'],
  protocol: Release,
  said: string | null = null,
): KilledJob {
  if (number === 0) return { target, jobId, outcome, number, errno: null, code: null, message: null };
  const meaning = errorMeaning(number, protocol);
  const { code, errno } = meaning;
  const text = code === 'ESLURM_JOB_SIGNAL_FAILED' ? 'The job does not fit the filter.' : meaning.text;
  const told = { target, jobId, outcome, number, errno, code };
  if (said === null) return { ...told, message: text };
  return { ...told, message: `${text} The controller said ${showValue(said)}.`, serverMessage: said };
}

/** The entry of a job whose call went wrong. */
export function failedJob(target: string, jobId: number | null, error: SlurmError): KilledJob {
  const { outcome, number = null, errno, code, message } = error;
  // No single call says `partial`; if one ever did, `unknown` is what is left of it.
  return {
    target,
    jobId,
    outcome: outcome === 'partial' ? 'unknown' : outcome,
    number,
    errno,
    code,
    message,
  };
}

/** The entry of a het component that was not asked for by itself, since its leader was named too. */
export function perhapsSignalled(target: string, error: SlurmError): KilledJob {
  const message = `Its leader was asked for; whether that reached it is not known: ${error.summary}`;
  const { errno, code } = error;
  return { target, jobId: null, outcome: 'unknown', number: null, errno, code, message };
}

/** The entry of a job that nothing was sent for, since the call had ended. */
export function unsentJob(target: string, jobId: number | null, reason: unknown): KilledJob {
  const { code, errno } = isSlurmError(reason) ? reason : { code: 'SLURMWIRE_ABORTED', errno: 'ECANCELED' };
  const why = isSlurmError(reason) ? reason.message : 'the call ended';
  return { target, jobId, outcome: 'not-sent', number: null, errno, code, message: `Not sent: ${why}.` };
}

const ENDED: ReadonlySet<string | null> = new Set(['ESLURM_ALREADY_DONE', 'ESLURM_INVALID_JOB_ID']);

/** The sum of all entries. */
export function summary(
  jobs: readonly KilledJob[],
  idempotent: boolean,
): Pick<KilledJobs, 'outcome' | 'message'> {
  if (jobs.length === 0)
    return { outcome: 'nothing-matched', message: 'No job matched: nothing was signalled.' };
  const count = (outcome: KilledJob['outcome']) => jobs.filter((job) => job.outcome === outcome).length;
  const counts = (['accepted', 'refused', 'unknown', 'not-sent'] as const)
    .filter((outcome) => count(outcome) > 0)
    .map((outcome) => `${count(outcome)} ${outcome}`);
  const message = `${jobs.length} ${jobs.length === 1 ? 'job' : 'jobs'}: ${counts.join(', ')}.`;
  const isFine = (job: KilledJob) => job.outcome === 'accepted' || (idempotent && ENDED.has(job.code));
  if (jobs.every(isFine)) return { outcome: 'accepted', message };
  if (count('accepted') > 0) return { outcome: 'partial', message };
  if (count('unknown') > 0) return { outcome: 'unknown', message };
  return { outcome: count('not-sent') === jobs.length ? 'not-sent' : 'refused', message };
}
