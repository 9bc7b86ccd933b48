/**
 * The states of nodes, as in `nodeState` of a node record.
 *
 * Source: `enum node_states` and the NODE_STATE_* bits of `slurm/slurm.h`; base states, DRAIN, NO_RESPOND and PLANNED compared with what
 * `scontrol` printed of live clusters. The bits above 0x8000 came bit by bit: do not rely on them before 22.05.
 */

/** The base state: the low 4 bits. */
export const NODE_STATES = {
  NODE_STATE_UNKNOWN: 0,
  NODE_STATE_DOWN: 1,
  NODE_STATE_IDLE: 2,
  NODE_STATE_ALLOCATED: 3,
  NODE_STATE_ERROR: 4,
  NODE_STATE_MIXED: 5,
  NODE_STATE_FUTURE: 6,
} as const;

/** What a node's state says besides the base state. */
export const NODE_STATE_FLAGS = {
  NODE_STATE_EXTERNAL: 0x10,
  NODE_STATE_RES: 0x20,
  NODE_STATE_UNDRAIN: 0x40,
  NODE_STATE_CLOUD: 0x80,
  NODE_STATE_DRAIN: 0x200,
  NODE_STATE_COMPLETING: 0x400,
  NODE_STATE_NO_RESPOND: 0x800,
  NODE_STATE_POWERED_DOWN: 0x1000,
  NODE_STATE_FAIL: 0x2000,
  NODE_STATE_POWERING_UP: 0x4000,
  NODE_STATE_MAINT: 0x8000,
  NODE_STATE_REBOOT_REQUESTED: 0x10000,
  NODE_STATE_REBOOT_CANCEL: 0x20000,
  NODE_STATE_POWERING_DOWN: 0x40000,
  NODE_STATE_DYNAMIC_FUTURE: 0x80000,
  NODE_STATE_REBOOT_ISSUED: 0x100000,
  /** Backfill has plans for it. */
  NODE_STATE_PLANNED: 0x200000,
  NODE_STATE_INVALID_REG: 0x400000,
  NODE_STATE_POWER_DOWN: 0x800000,
  NODE_STATE_POWER_UP: 0x1000000,
  NODE_STATE_POWER_DRAIN: 0x2000000,
  NODE_STATE_DYNAMIC_NORM: 0x4000000,
  NODE_STATE_BLOCKED: 0x8000000,
} as const;

const NODE_STATE_BASE = 0x0f;

/** The base state without its prefix, such as `IDLE`; an unknown one as `UNKNOWN(9)`. */
export function nodeStateName(nodeState: number): string {
  const base = nodeState & NODE_STATE_BASE;
  const name = Object.entries(NODE_STATES).find(([, value]) => value === base)?.[0];
  return name === undefined ? `UNKNOWN(${base})` : name.slice('NODE_STATE_'.length);
}

/** The flags of a state by upstream's names, such as `['NODE_STATE_DRAIN']`. Bits without a name are left out. */
export function nodeStateFlags(nodeState: number): (keyof typeof NODE_STATE_FLAGS)[] {
  const names = Object.keys(NODE_STATE_FLAGS) as (keyof typeof NODE_STATE_FLAGS)[];
  return names.filter((name) => (nodeState & NODE_STATE_FLAGS[name]) !== 0);
}
