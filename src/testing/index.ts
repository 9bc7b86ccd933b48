/** `slurmwire/testing`: Slurm's daemons in this process. */
export { EmbeddedCluster, type EmbeddedDaemon, startCluster } from './cluster.js';
export type { Fault, FaultHandle, FaultMatch, FaultMoment, FaultRequest } from './faults.js';
export type { JobView } from './job-view.js';
export type { ComponentOptions, SubmitOptions } from './model/submit-options.js';
export type { ClusterUser } from './model/user.js';
export type { SignalSeen } from './model/world.js';
export type { ClusterOptions, NodeOptions, RateLimitOptions } from './settings.js';
export type { RequestSeen } from './wire-server.js';
