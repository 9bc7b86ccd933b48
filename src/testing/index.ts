/** `slurmwire/testing`: Slurm's daemons in this process. */
export { EmbeddedCluster, type EmbeddedDaemon } from './cluster.js';
export { authenticatorOf, type EmbeddedUser } from './credential-authenticator.js';
export {
  type CredentialHostOptions,
  CredentialStore,
  type MintRequest,
  type OpenedCredential,
  type Opening,
  type UserAndGroup,
} from './credentials.js';
export {
  EmbeddedMunged,
  type EmbeddedMungedOptions,
  type MungedCounts,
  type MungedFault,
  type MungedFaultScope,
  startEmbeddedMunged,
} from './embedded-munged.js';
export type { Fault, FaultHandle, FaultMatch, FaultMoment, FaultRequest } from './faults.js';
export type { JobView, ProcessView } from './job-view.js';
export type { ComponentOptions, SubmitOptions } from './model/submit-options.js';
export type { ClusterUser } from './model/user.js';
export type { SignalSeen } from './model/world.js';
export type { ClusterOptions, NodeOptions, RateLimitOptions } from './settings.js';
export { startCluster } from './start-cluster.js';
export type { RequestSeen } from './wire-server.js';
