/** What is known of a run when it is over: what was planned, what the library said, and what happened. */
import type { Outcome } from '../../src/index.js';
import type { Passage } from './fault-proxy.js';
import type { Plan, PlannedCall } from './plan.js';
import type { Executed, UnitState } from './stage.js';

/** What the library said of one part. */
export interface Claim {
  /** `12`, `12_[1-3]`, `12.0`. */
  readonly target: string;
  /** Of a fan-out. */
  readonly node?: string | undefined;
  readonly outcome: Outcome;
  readonly perhapsTwice?: boolean | undefined;
}

/** What the library said. */
export interface Said {
  readonly settled: 'resolved' | 'rejected' | 'never';
  /** `null` for what has none: a read, or an error that is none of the family. */
  readonly outcome: Outcome | 'nothing-matched' | null;
  /** Class of the error, or `null`. */
  readonly error: string | null;
  readonly code: string | null;
  readonly message: string | null;
  readonly claims: readonly Claim[];
  /** `terminate`: it said that all is gone. */
  readonly dead: boolean;
  /** Of errors: false for what is no SlurmError with all that one has. */
  readonly isTyped: boolean;
  /** What stood in it that nobody may see. */
  readonly secrets: readonly string[];
}

export interface CallHistory {
  /** With the numbers filled in. */
  readonly call: PlannedCall;
  readonly said: Said;
  readonly beganMs: number;
  readonly elapsedMs: number;
  /** Beyond its time limit, as a timer of our own saw it pass; 0: in time. */
  readonly lateMs: number;
}

export interface History {
  readonly plan: Plan;
  readonly ids: readonly number[];
  readonly calls: readonly CallHistory[];
  readonly before: readonly UnitState[];
  readonly after: readonly UnitState[];
  readonly passages: readonly Passage[];
  readonly executed: readonly Executed[] | null;
  /** What was done to daemons, and when. */
  readonly timeline: readonly string[];
  /** Longest time the event loop was held up meanwhile: what no deadline can beat. */
  readonly lagMs: number;
  /** Connections the client had left open some seconds after it was closed. */
  readonly leftOpen: number;
}
