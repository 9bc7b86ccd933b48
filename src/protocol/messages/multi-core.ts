/**
 * How a job wants its cores laid out; part of a job record.
 *
 * Source: `multi_core_data_t` with `pack_multi_core_data`; checked against replies of live slurmctld in every version from 20.11 to
 * 26.11. NO_VAL16 in a field: not asked for.
 */
import { optional, struct, u16 } from '../wire-type.js';

export const multiCore = optional(
  struct({
    boardsPerNode: u16,
    socketsPerBoard: u16,
    socketsPerNode: u16,
    coresPerSocket: u16,
    threadsPerCore: u16,
    ntasksPerBoard: u16,
    ntasksPerSocket: u16,
    ntasksPerCore: u16,
    planeSize: u16,
  }),
  // Upstream writes and expects 0xff for "follows".
  { present: 0xff },
);
