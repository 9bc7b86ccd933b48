/**
 * The pure half of slurmwire: bytes to messages and back, and the tables around them. No I/O, nothing of Node.
 *
 * The codec is complete, since recorders and embedded clusters need it: it also encodes what must never reach a daemon. What
 * could do harm is refused where things are sent (`SlurmClient.request` and the verbs).
 *
 * @module
 */
export { type Address, AF_INET, AF_INET6, AF_UNSPEC, NO_ADDRESS } from './address.js';
export type { AuthSection } from './auth-section.js';
export type { Authenticator, AuthIdentity, CallContext, VerifiedCredential } from './authenticator.js';
export { decodeBody, encodeBody } from './body.js';
export type { Span, Trace } from './byte-reader.js';
export { OWN_ERROR_CODES, type OwnErrorCode } from './error-codes.js';
export { type ErrorMeaning, errorMeaning, signedReturnCode } from './error-meaning.js';
export { errorNumber } from './error-number.js';
export { decodeFrame, encodeFrame, type Frame, type FrameInput, MAX_FRAME_LENGTH } from './frame.js';
export { HEADER_FLAGS, type Header, type HeaderInput, type ReturnItem } from './header.js';
export {
  type JobId,
  type JobIdParts,
  type ParsedJobId,
  type ParsedStepId,
  parseJobId,
  parseStepId,
  type StepIdParts,
  type StepTarget,
} from './job-id.js';
export { KILL_FLAGS, type KillFlagName } from './kill-flags.js';
export { messageTypeName, messageTypeNumber } from './message-type.js';
export { CONFIG_REQUEST_FLAGS } from './messages/config.js';
export {
  isMessageName,
  MESSAGES,
  type MessageInput,
  type MessageName,
  type MessageRecord,
} from './messages/index.js';
export type { JobRecord } from './messages/job-record.js';
export {
  isJobFinished,
  JOB_STATE_FLAGS,
  JOB_STATES,
  jobStateFlags,
  jobStateName,
} from './messages/job-state.js';
export type { JobStepRecord } from './messages/job-step-info.js';
export type { NodeRecord } from './messages/node-record.js';
export { NODE_STATE_FLAGS, NODE_STATES, nodeStateFlags, nodeStateName } from './messages/node-state.js';
export { PARTITION_FLAGS, PARTITION_STATES, type PartitionRecord } from './messages/partition-info.js';
export type { ReservationRecord } from './messages/reservation-info.js';
export { SHOW_FLAGS } from './messages/show-flags.js';
export { SUSPEND_OPS } from './messages/suspend.js';
export { isPayloadOf, payloadDigest } from './payload-digest.js';
export {
  headerVersionOf,
  isAtLeast,
  isRelease,
  protocolOf,
  RELEASE_NAMES,
  RELEASES,
  type Release,
  type ReleaseRow,
  releaseOfHeaderVersion,
} from './release.js';
export * from './sentinels.js';
export * from './slurm-error.js';
export { NO_STEP_ID, SLURM_MAX_NORMAL_STEP_ID, SPECIAL_STEP_IDS, type StepId } from './step-id.js';
export { type Connection, type Endpoint, showEndpoint, type Transport } from './transport.js';
export {
  UNIX_SIGNALS,
  type UnixSignal,
  type UnixSignalName,
  unixSignalName,
  unixSignalNumber,
} from './unix-signal.js';
export { type BitString, type Decoded, type Encodable, FLOAT_MULT, type WireType } from './wire-type.js';
