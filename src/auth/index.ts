/** Credentials: ways to prove who you are to a Slurm daemon. */
export { type JwtOptions, jwt } from './jwt.js';
export { type MungeOptions, munge } from './munge.js';
export { loadMunge } from './munge-library.js';
export { type SlurmAuthOptions, slurmAuth } from './slurm-auth.js';
export type { ProvideToken } from './token-source.js';
