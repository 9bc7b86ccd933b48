/** What one run does: data only, so that it can be printed, repeated and made smaller. */
import type { Release } from '../../src/index.js';

/** A job that is there before the calls. `$0` in targets and units stands for the number of the first one. */
export interface PlannedJob {
  readonly kind: 'running' | 'pending' | 'suspended' | 'finished' | 'array' | 'het';
  readonly user: 'root' | 'alice' | 'bob';
  /** Of the array `0-3`, two tasks run and two wait. */
  readonly nodes: number;
  /** Steps beside the batch shell, each on all nodes. */
  readonly steps: number;
}

/** What a call does to a unit where it is carried out. A unit is a job, an array task (`$0_1`) or a het component (`$0+1`). */
export type Effect =
  | { readonly unit: string; readonly kind: 'end' | 'suspended' | 'running' | 'requeued' | 'notified' }
  | {
      readonly unit: string;
      readonly kind: 'signal';
      readonly signal: string;
      /** `0`, `1`, `batch` … */
      readonly steps: readonly string[];
    };

export type PlannedVerb =
  | 'killJob'
  | 'killJobStep'
  | 'killJobs'
  | 'signalJob'
  | 'signalJobStep'
  | 'terminateJobStep'
  | 'kill'
  | 'terminate'
  | 'suspend'
  | 'resume'
  | 'requeue'
  | 'notify'
  | 'probe'
  | 'ping'
  | 'request';

export interface PlannedCall {
  readonly verb: PlannedVerb;
  /** Arguments, with `$0` in texts, and without `timeoutMs` and `signal`. The last one is the options. */
  readonly args: readonly unknown[];
  readonly effects: readonly Effect[];
  readonly timeoutMs: number;
  /** Milliseconds after which the caller aborts; -1: before the call. Default: never. */
  readonly abortAfterMs?: number | undefined;
}

/** Where on the way of a message a trouble begins: see `fault-proxy.ts`. */
export type Moment = 'request-in' | 'request-through' | 'reply-in';

export interface PlannedFault {
  /** `slurmctld`, `slurmctld2`, `n1` …, `munged`. */
  readonly daemon: string;
  /** Which connection to it: 0 is the first. With `message`: which of those that bring such a message. */
  readonly nth: number;
  readonly message?: string | undefined;
  readonly side: 'accept' | 'up' | 'down';
  readonly kind: FaultKind;
  /** Where in the frame, as a share of its length. */
  readonly at: number;
  /** For `delay`, and how long `refuse` lasts (0: for ever). */
  readonly ms: number;
}

/**
 * `refuse`: nobody listens. `fin`, `reset`: the connection ends there, both ways. `stall`: nothing passes from there on. `corrupt`: one
 * byte is another. `repeat`: some bytes come twice. `cut-out`: some are missing. `dribble`: byte by byte. `request-twice`: once the daemon has
 * answered, it gets the whole request again, on a connection of its own. `full`: the accept queue is full.
 */
export type FaultKind =
  | 'refuse'
  | 'fin'
  | 'reset'
  | 'stall'
  | 'delay'
  | 'corrupt'
  | 'repeat'
  | 'cut-out'
  | 'dribble'
  | 'request-twice'
  | 'full'
  | 'no-name';

/** Something done to a daemon, or by the caller. */
export interface PlannedTrouble {
  readonly daemon: string;
  readonly what: 'kill' | 'stop' | 'pause' | 'upgrade' | 'fail-over' | 'abort';
  /** When: so many milliseconds after the calls began … */
  readonly atMs?: number | undefined;
  /** … or when a message is at this place. */
  readonly on?: { readonly daemon: string; readonly nth: number; readonly moment: Moment } | undefined;
  /** Milliseconds after which it is undone; default: at the end of the run. */
  readonly undoAfterMs?: number | undefined;
}

export interface Plan {
  readonly seed: number;
  readonly on: 'embedded' | 'real';
  readonly release: Release;
  readonly backups: 0 | 1;
  readonly user: PlannedJob['user'];
  /** Of the client: whether it finds the version, or is told it. */
  readonly protocol: 'auto' | 'own';
  /** The client has had its first contact before any trouble. */
  readonly isWarm: boolean;
  readonly jobs: readonly PlannedJob[];
  /** Begun together, in this order. */
  readonly calls: readonly PlannedCall[];
  readonly faults: readonly PlannedFault[];
  readonly troubles: readonly PlannedTrouble[];
}

/** Requests that do something. */
export const EFFECTIVE: ReadonlySet<string | null> = new Set([
  'REQUEST_KILL_JOB',
  'REQUEST_KILL_JOBS',
  'REQUEST_CANCEL_JOB_STEP',
  'REQUEST_SIGNAL_TASKS',
  'REQUEST_TERMINATE_TASKS',
  'REQUEST_SUSPEND',
  'REQUEST_JOB_REQUEUE',
  'REQUEST_JOB_NOTIFY',
]);

/** A call with the numbers of its jobs filled in. Units stay texts. */
export function filledIn(call: PlannedCall, ids: readonly number[]): PlannedCall {
  const effects = call.effects.map((effect) => ({ ...effect, unit: `${fillIn(effect.unit, ids)}` }));
  return { ...call, args: fillIn(call.args, ids), effects };
}

/** Puts the numbers of jobs in the place of `$0`, `$1` …, in texts at any depth. */
function fillIn<T>(template: T, ids: readonly number[]): T {
  if (typeof template === 'string') {
    const filled = template.replaceAll(/\$(\d)/g, (_, index) => `${ids[Number(index)] ?? 0}`);
    // A whole number is a number: both ways to name a job are used.
    return (/^-?\d+$/.test(filled) && template.includes('$') ? Number(filled) : filled) as T;
  }
  if (Array.isArray(template)) return template.map((one) => fillIn(one, ids)) as T;
  if (typeof template !== 'object' || template === null) return template;
  return Object.fromEntries(Object.entries(template).map(([name, value]) => [name, fillIn(value, ids)])) as T;
}
