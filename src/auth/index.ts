/** Credentials: ways to prove who you are to a Slurm daemon. */
export { defaultMunge } from './default-munge.js';
export { type JwtOptions, jwt } from './jwt.js';
export { loadMunge, munge } from './munge.js';
export type { MungeAuthenticator, MungeVia } from './munge-authenticator.js';
export type { MungeOptions, MungeSocketOptions } from './munge-options.js';
export { mungeSocket } from './munge-socket.js';
export { type SlurmAuthOptions, slurmAuth } from './slurm-auth.js';
export type { ProvideToken } from './token-source.js';
