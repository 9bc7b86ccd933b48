/** REQUEST_KILL_JOB. */
import { UNIX_SIGNALS } from '../../protocol/unix-signal.js';
import type { Job } from '../model/job.js';
import { type ControllerHandler, rc } from './handler.js';
import { maySignal } from './rights.js';
import { type Caller, NOT_NOW, signalJob } from './signal-job.js';
import {
  ACCESS_DENIED,
  ALREADY_DONE,
  INVALID_JOB_ID,
  isBound,
  NOT_WHOLE_HET_JOB,
  type Target,
  targetOf,
} from './targets.js';

export const killJob: ControllerHandler<'REQUEST_KILL_JOB'> = (call) => {
  const { sjobId, signal, flags, sibling } = call.record;
  if (sjobId === null) return { harm: 'KILL_JOB without an id text' };
  // For the copy of a job at another cluster of a federation, whoever asks; here no job has one.
  if (sibling !== null) {
    const job = call.world.jobs.get(Number.parseInt(sjobId, 10));
    return rc(job === undefined ? INVALID_JOB_ID : NOT_FEDERATED);
  }
  return rc(signalTarget(call, targetOf(call, sjobId), signal, flags));
};

/** ESLURM_JOB_NOT_FEDERATED. */
const NOT_FEDERATED = 7103;

/** One number for all parts: what slurmctld makes of them. */
export function signalTarget(caller: Caller, target: Target, unixSignal: number, flags: number): number {
  const signal = (job: Job) => signalJob(caller, job, unixSignal, flags);
  switch (target.kind) {
    case 'none':
      return target.rc;
    case 'job':
      return signal(target.job);
    case 'component':
      if (!maySignal(caller, target.job)) return ACCESS_DENIED;
      return isBound(target.job) ? NOT_WHOLE_HET_JOB : signal(target.job);
    case 'het':
      // The last that is not 0.
      return target.jobs.map(signal).reduce((all, one) => (one === 0 ? all : one), 0);
    case 'array': {
      const codes = target.jobs.map(signal);
      if (codes[0] === ACCESS_DENIED) return ACCESS_DENIED;
      if (codes.every((code) => code === ALREADY_DONE)) return ALREADY_DONE;
      return Math.max(...codes.filter((code) => code !== ALREADY_DONE), 0);
    }
    case 'tasks':
      return signalTasks(caller, target, unixSignal, flags);
  }
}

function signalTasks(
  caller: Caller,
  { meta, waiting, jobs }: Extract<Target, { kind: 'tasks' }>,
  unixSignal: number,
  flags: number,
): number {
  const some = meta ?? jobs.find((job) => job !== null) ?? null;
  if (some !== null && !maySignal(caller, some)) return ACCESS_DENIED;
  const codes = jobs.map((job) =>
    job === null ? INVALID_JOB_ID : signalJob(caller, job, unixSignal, flags),
  );
  if (meta !== null && waiting.length > 0) codes.push(cancelWaiting(caller, meta, waiting, unixSignal));
  return Math.max(0, ...codes);
}

/** Cancels tasks that have no record of their own yet; there is no other signal for them. */
export function cancelWaiting(
  { life }: Caller,
  meta: Job,
  tasks: readonly number[],
  unixSignal: number,
): number {
  if (unixSignal !== UNIX_SIGNALS.SIGKILL) return NOT_NOW;
  life.cancelPending(meta, undefined, tasks);
  return 0;
}
