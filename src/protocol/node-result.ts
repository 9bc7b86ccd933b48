import type { Release } from './release.js';

/** What one node of a fan-out said, or why nothing is known of it. Part of results and of errors. */
export interface NodeResult {
  readonly node: string;
  /** The job or step that was meant: `1234.0`. */
  readonly target: string;
  /** The version in which it was sent, or would have been. All nodes of one tree get the same. */
  readonly protocol: Release;
  /** `accepted`: its slurmd did it. `refused`: it said why not. `not-sent`: it cannot have got it. `unknown`: it may have. */
  readonly outcome: 'accepted' | 'refused' | 'not-sent' | 'unknown';
  /** Slurm's number or an errno; `null` where there was no answer of its own. */
  readonly number: number | null;
  /** Name of the number, or the code of the error; `null` for success. */
  readonly code: string | null;
  /** POSIX name: `EPERM`, `ESRCH`, `ECONNREFUSED` …; `null` for success. */
  readonly errno: string | null;
  /** One sentence; `null` for success. */
  readonly message: string | null;
  /** Milliseconds until its answer was here, a forwarder's time included. */
  readonly elapsedMs: number;
  /** The node that passed the message on and the answer back; `null` for direct contact. */
  readonly via: string | null;
  /** True where a forwarder had trouble on the way to it and may have sent the message twice. */
  readonly perhapsTwice: boolean;
}
