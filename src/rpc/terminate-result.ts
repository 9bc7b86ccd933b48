/** What a termination tells: its result, its events, its error. */
import type { Release } from '../protocol/release.js';
import { type Outcome, SlurmError, type SlurmErrorDetails } from '../protocol/slurm-error.js';
import type { ProbedJob, ProbedStep } from './probe.js';
import type { SentSignal, TerminateState } from './terminate-state.js';

/** A part of the target that is still there. */
export type Survivor = Pick<ProbedJob | ProbedStep, 'target' | 'jobId' | 'state' | 'flags' | 'nodes'>;

/** A termination that ended well. Accepted, delivered and dead are three things. */
export interface Terminated {
  /**
   * Of the signals together: `accepted`; `not-sent` where none was needed; `refused` or `unknown` where the job or step is gone although
   * none is known to have been accepted.
   */
  readonly outcome: Outcome;
  readonly target: string;
  /** Each signal with its own outcome: what the controller accepted. */
  readonly sent: readonly SentSignal[];
  /** Not known, ever: the controller signals the nodes after it has accepted, and tells nobody how that went. */
  readonly delivered: null;
  /**
   * True: the controller says that the job has ended and that its nodes have cleaned up, or that the step is gone. A node that does
   * not answer counts as clean once the controller has given it up as down. `null` with `confirm: false`.
   */
  readonly dead: true | null;
  /** Why nothing was sent: `ESLURM_ALREADY_DONE` or `ESLURM_INVALID_JOB_ID` with `idempotent`, else `null`. */
  readonly code: string | null;
  /** Job numbers that were requeued meanwhile. */
  readonly requeued: readonly number[];
  /** The last look at it: a job that was just ended is still known, as `CANCELLED` or how it ended. */
  readonly jobs: readonly ProbedJob[];
  readonly peer: string;
  readonly protocol: Release;
  /** Milliseconds in this process. */
  readonly elapsedMs: number;
}

/** What happens in a termination, as it happens. */
export type TerminateEvent = TerminateEventBase &
  (
    | {
        /** `signalling`: a signal is about to leave. `signalled`: what became of it. */
        readonly type: 'signalling' | 'signalled';
        readonly signal: SentSignal;
      }
    | {
        /** `waiting`: a look during a grace. `confirming`: one after the last signal. */
        readonly type: 'waiting' | 'confirming';
        /** End of this wait in milliseconds since 1970. */
        readonly until: number;
        /** As of the last look that was answered. */
        readonly alive: readonly Survivor[];
        /** Name of the error where the look failed. Looking goes on. */
        readonly trouble: string | null;
      }
    | {
        /** The grace is over, or there is nothing to wait for: the next rung follows. */
        readonly type: 'escalating';
        readonly alive: readonly Survivor[];
      }
    | {
        /** These were requeued: see the option of that name. */
        readonly type: 'requeued';
        readonly alive: readonly Survivor[];
      }
    | { readonly type: 'gone' }
  );

/** What every event has. */
export interface TerminateEventBase {
  readonly target: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Index in the ladder; its length when all signals are through. */
  readonly rung: number;
  /** For `terminate(target, { resume })` in another process. */
  readonly resume: TerminateState;
}

/** What a {@link SlurmTerminationError} has beside the common. */
export interface TerminationDetails extends SlurmErrorDetails {
  readonly survivors: readonly Survivor[];
  readonly resume: TerminateState;
}

/**
 * A termination that had begun did not end well. `code` says what stopped it: `SLURMWIRE_SURVIVORS` when the ladder is through and parts
 * are still there, else that of the trouble, which is the `cause`. `outcome` is that of the signals together: `partial` when the ladder
 * was not through. Accepted is not dead: see `survivors`.
 */
export class SlurmTerminationError extends SlurmError {
  override readonly name = 'SlurmTerminationError';
  /** What was still there at the last look that was answered, with states and nodes. */
  readonly survivors: readonly Survivor[];
  /** For `terminate(target, { resume })`. */
  readonly resume: TerminateState;

  constructor(summary: string, details: TerminationDetails) {
    super(summary, details);
    this.survivors = details.survivors;
    this.resume = details.resume;
  }
}
