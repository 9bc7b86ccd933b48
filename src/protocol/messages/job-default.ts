/**
 * One of JobDefaults, of the cluster or of a partition.
 *
 * Source: `job_defaults_t`, the same in 20.11 to 26.11.
 */
import { struct, u16, u64 } from '../wire-type.js';

export const jobDefault = struct({
  /** JOB_DEF_*: 1 CPUs per GPU, 2 MiB of memory per GPU. */
  type: u16,
  value: u64,
});
