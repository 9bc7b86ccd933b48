/** Credentials: ways to prove who you are to a Slurm daemon. */
export { type MungeOptions, munge } from './munge.js';
export { loadMunge } from './munge-library.js';
