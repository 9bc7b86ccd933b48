/**
 * What a lookup of jobs, steps or nodes asks for: bits of its `showFlags`.
 *
 * Source: `slurm/slurm.h`; the same in 20.11 to 26.11.
 */
export const SHOW_FLAGS = {
  /** Also what is in hidden partitions. */
  SHOW_ALL: 0x0001,
  /** Jobs: `jobResources` and `gresDetail`; nodes: `gresUsed`. */
  SHOW_DETAIL: 0x0002,
  /** Nodes: the state MIXED. */
  SHOW_MIXED: 0x0008,
  /** This cluster only, not its federation. */
  SHOW_LOCAL: 0x0010,
  SHOW_SIBLING: 0x0020,
  SHOW_FEDERATION: 0x0040,
  /** Nodes: also those of state FUTURE. */
  SHOW_FUTURE: 0x0080,
} as const;
