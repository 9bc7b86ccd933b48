export type { RequestOptions, SlurmClient } from './client.js';
export { type ConnectOptions, connect } from './connect.js';
export {
  SLURMWIRE_CHANNELS,
  type SlurmwireCallEvent,
  type SlurmwireContactEvent,
  type SlurmwireExchangeEvent,
  type SlurmwirePassedOverEvent,
  type SlurmwirePhases,
  type SlurmwireTerminateEvent,
  type SlurmwireVerb,
  type SlurmwireWaitEvent,
} from './diagnostics.js';
export type { ExplainableVerb, ExplainedEffect, ExplainedRequest, Explanation } from './explain.js';
export type { JobControlAccepted, NothingToDo } from './job-control.js';
export type { JobControlOptions, RequeueOptions } from './job-control-options.js';
export type { JobFilter, JobStateFilter } from './job-filter.js';
export type { KillJobsOptions } from './kill-jobs.js';
export type { KilledJob, KilledJobs } from './kill-jobs-result.js';
export type { CallOptions, KillCallOptions, KillJobOptions } from './kill-options.js';
export type { Accepted, AlreadyEnded } from './kill-request.js';
export type { NodeAddress } from './node-addresses.js';
export type { Pace } from './pacer.js';
export type { ControllerPing } from './ping.js';
export type { Killed, KilledTarget, KillTarget, PosixKillOptions } from './posix-kill.js';
export type { Probe, ProbedJob, ProbedStep } from './probe.js';
export type { Reply, ReplyOf } from './reply.js';
export type { FanOut, FanOutOptions, NothingLeft } from './signal.js';
export { type TcpOptions, tcpTransport } from './tcp-transport.js';
export type { PlannedRung, Rung, SignalledPart } from './terminate-ladder.js';
export type { TerminateOptions } from './terminate-options.js';
export {
  SlurmTerminationError,
  type Survivor,
  type Terminated,
  type TerminateEvent,
  type TerminateEventBase,
  type TerminationDetails,
} from './terminate-result.js';
export type { SentSignal, TerminateState } from './terminate-state.js';
export type { Termination } from './termination.js';
export type { TlsOptions } from './tls-options.js';
export { type Pem, type TlsTransportOptions, tlsTransport } from './tls-transport.js';
