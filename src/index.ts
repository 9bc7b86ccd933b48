/**
 * slurmwire: signals and kills Slurm jobs over Slurm's own binary RPC protocol.
 *
 * @module
 */
export {
  defaultMunge,
  type JwtOptions,
  jwt,
  loadMunge,
  type MungeAuthenticator,
  type MungeOptions,
  type MungeSocketOptions,
  type MungeVia,
  munge,
  mungeSocket,
  type ProvideToken,
  type SlurmAuthOptions,
  slurmAuth,
} from './auth/index.js';
export type { LoadSlurmConfigOptions, SlurmConfig } from './config/index.js';
export { loadSlurmConfig } from './config/load-when-asked.js';
export type { AuthSection } from './protocol/auth-section.js';
export type {
  Authenticator,
  AuthIdentity,
  CallContext,
  VerifiedCredential,
} from './protocol/authenticator.js';
export type { JobId, JobIdParts, StepIdParts, StepTarget } from './protocol/job-id.js';
export type { MessageInput, MessageName, MessageRecord } from './protocol/messages/index.js';
export type { NodeResult } from './protocol/node-result.js';
export { RELEASE_NAMES, type Release } from './protocol/release.js';
export {
  isSlurmError,
  type JobPart,
  type Outcome,
  type Phase,
  SlurmAuthError,
  SlurmConfigError,
  SlurmConnectionError,
  SlurmError,
  type SlurmErrorDetails,
  SlurmProtocolError,
  SlurmProtocolVersionError,
  SlurmServerError,
  SlurmTimeoutError,
  SlurmUsageError,
} from './protocol/slurm-error.js';
export type { Connection, Endpoint, Transport } from './protocol/transport.js';
export type { UnixSignal } from './protocol/unix-signal.js';
export * from './rpc/index.js';
