export { type RequestOptions, SlurmClient } from './client.js';
export { type ConnectOptions, connect } from './connect.js';
export type { Accepted, AlreadyEnded } from './kill.js';
export type { CallOptions, KillCallOptions, KillJobOptions } from './kill-options.js';
export type { ControllerPing } from './ping.js';
export type { Reply, ReplyOf } from './reply.js';
export { type TcpOptions, tcpTransport } from './tcp-transport.js';
