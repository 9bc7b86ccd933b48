/** Whether a way to authenticate suits what it is asked for: looked at before anything is sent to anybody. */
import type { Authenticator } from '../protocol/authenticator.js';
import { isAtLeast, type Release } from '../protocol/release.js';
import { SlurmAuthError } from '../protocol/slurm-error.js';

/** What is about to be sent, for the error. */
export interface AuthUse {
  /** Upstream's name of the message; left out where there is none yet. */
  readonly rpc?: string;
  /** Left out where it is not known yet. */
  readonly release?: Release;
}

/**
 * Refuses a protocol that does not know the method.
 *
 * @throws SlurmAuthError `SLURMWIRE_NOT_IN_RELEASE`, outcome `not-sent`.
 */
export function checkAuthFor({ name, since }: Authenticator, { rpc, release }: AuthUse): void {
  if (since === undefined || release === undefined || isAtLeast(release, since)) return;
  throw new SlurmAuthError(
    `${rpc === undefined ? '' : `${rpc} is not sent: `}${name} exists since Slurm ${since}, and the protocol is that of ${release}.`,
    {
      code: 'SLURMWIRE_NOT_IN_RELEASE',
      errno: 'ENOTSUP',
      outcome: 'not-sent',
      phase: 'authenticate',
      rpc,
      protocol: release,
      hint: `Speak ${since} or newer (option protocol), or authenticate in another way (option auth).`,
    },
  );
}

/**
 * Refuses a method whose credentials slurmds do not take. Asked before the nodes of a job are looked up, and again before each message.
 *
 * @throws SlurmAuthError `SLURMWIRE_AUTH_NOT_FOR_NODES`, outcome `not-sent`.
 */
export function checkAuthForNodes({ name, reach }: Authenticator, { rpc, release }: AuthUse): void {
  if (reach !== 'controllers') return;
  throw new SlurmAuthError(
    `${rpc} is not sent: it goes to the nodes themselves, whose slurmds do not take ${name}.`,
    {
      code: 'SLURMWIRE_AUTH_NOT_FOR_NODES',
      errno: 'ENOTSUP',
      outcome: 'not-sent',
      phase: 'authenticate',
      rpc,
      protocol: release,
      hint: "Use the cluster's AuthType (auth/munge or auth/slurm) for it, or a verb that goes through the controller: killJob, killJobStep, killJobs.",
    },
  );
}
