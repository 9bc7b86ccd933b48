/**
 * The KILL_* bits of the kill messages.
 *
 * Source: `slurm/slurm.h` of each release.
 */
import { isAtLeast, type Release } from './release.js';

interface KillFlag {
  readonly bit: number;
  readonly first: Release;
  readonly last: Release | null;
  /** True where only slurmctld itself may set it: never sent by this library. */
  readonly internal: boolean;
}

/** All bits; one bit had two meanings. */
export const KILL_FLAGS = {
  /** Signal only the batch step (on the node: only the batch shell's process). */
  KILL_JOB_BATCH: { bit: 0x0001, first: '20.11', last: null, internal: false },
  KILL_JOB_ARRAY: { bit: 0x0002, first: '20.11', last: '22.05', internal: true },
  KILL_ARRAY_TASK: { bit: 0x0002, first: '23.02', last: null, internal: true },
  /** Signal the steps, not the batch shell; SIGKILL then does not end the job. */
  KILL_STEPS_ONLY: { bit: 0x0004, first: '20.11', last: null, internal: false },
  /** Signal the process group of the batch shell. */
  KILL_FULL_JOB: { bit: 0x0008, first: '20.11', last: null, internal: false },
  KILL_FED_REQUEUE: { bit: 0x0010, first: '20.11', last: null, internal: true },
  /** Do not stage out burst buffers. */
  KILL_HURRY: { bit: 0x0020, first: '20.11', last: null, internal: false },
  KILL_OOM: { bit: 0x0040, first: '20.11', last: null, internal: true },
  KILL_NO_SIBS: { bit: 0x0080, first: '20.11', last: null, internal: true },
  KILL_JOB_RESV: { bit: 0x0100, first: '20.11', last: null, internal: true },
  /** Do not touch scrontab jobs (where the cluster has `explicit_scancel`). */
  KILL_NO_CRON: { bit: 0x0200, first: '23.02', last: '25.05', internal: false },
  KILL_NO_SIG_FAIL: { bit: 0x0400, first: '23.11', last: null, internal: true },
  /** KILL_JOBS: report jobs signalled without error too. */
  KILL_JOBS_VERBOSE: { bit: 0x0800, first: '23.11', last: null, internal: false },
  /** The caller means to cancel scrontab jobs. */
  KILL_CRON: { bit: 0x1000, first: '24.05', last: null, internal: false },
  /** The job ends as FAILED in place of CANCELLED. */
  KILL_FAIL_JOB: { bit: 0x2000, first: '25.05', last: null, internal: false },
} as const satisfies Readonly<Record<string, KillFlag>>;

/** Upstream's name of a KILL flag. */
export type KillFlagName = keyof typeof KILL_FLAGS;

/** True when the release has the flag. */
export function hasKillFlag(release: Release, name: KillFlagName): boolean {
  const { first, last }: KillFlag = KILL_FLAGS[name];
  return isAtLeast(release, first) && (last === null || isAtLeast(last, release));
}

/** The bits a client may send in a release. */
export function sendableKillBits(release: Release): number {
  const known = sendable.get(release);
  if (known !== undefined) return known;
  let bits = 0;
  for (const [name, { bit, internal }] of Object.entries(KILL_FLAGS)) {
    if (!internal && hasKillFlag(release, name as KillFlagName)) bits |= bit;
  }
  sendable.set(release, bits);
  return bits;
}

/** Worked out once: every kill is looked at twice. */
const sendable = new Map<Release, number>();
