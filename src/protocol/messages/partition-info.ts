/**
 * REQUEST_PARTITION_INFO (2009) and RESPONSE_PARTITION_INFO (2010): the partitions, which squeue and sinfo want beside jobs and nodes.
 *
 * Source: `part_info_request_msg_t`, `partition_info_msg_t`, `partition_info_t`, which `pack_part` writes and
 * `_unpack_partition_info_members` reads; requests checked against those of squeue, sinfo and scontrol of 20.11, 22.05, 24.11 and 26.05,
 * answers against replies of live slurmctld of these in every version they speak (20.11 to 26.05). 26.11 is from reading.
 */
import { INFINITE, NO_VAL, NO_VAL16 } from '../sentinels.js';
import {
  bitString,
  counted,
  countOf,
  type Decoded,
  list,
  struct,
  text,
  time,
  u16,
  u32,
  u64,
  versions,
} from '../wire-type.js';
import { jobDefault } from './job-default.js';

export const partitionInfoRequest = struct({
  /** Partitions as of this time are known: the answer is RC 1900 if nothing changed since. 0: tell in any case. */
  lastUpdate: time.else(0n),
  /** See `show-flags.ts`. */
  showFlags: u16,
});

export const partitionRecord = struct({
  /** PartitionName. */
  name: text,
  cpuBind: u32,
  /** Seconds between notice and end of a preempted job. */
  graceTime: u32,
  /** Minutes; INFINITE: no limit. */
  maxTime: u32,
  /** Minutes; NO_VAL: MaxTime. */
  defaultTime: u32,
  /** INFINITE: no limit. */
  maxNodes: u32,
  minNodes: u32,
  totalNodes: u32,
  totalCpus: u32,
  /** MiB per CPU, or per node with the top bit set; 0: no limit. */
  defMemPerCpu: u64,
  /** INFINITE: no limit. */
  maxCpusPerNode: u32,
  /** INFINITE: no limit. */
  maxCpusPerSocket: u32.since('23.02').else(INFINITE),
  /** As `defMemPerCpu`. */
  maxMemPerCpu: u64,
  /** PART_FLAG_* bits. */
  flags: versions({ '20.11': u16, '24.05': u32 }),
  /** OverSubscribe: jobs per node, 0x8000 for FORCE. */
  maxShare: u16,
  /** Minutes; NO_VAL16: the cluster's own. */
  overTimeLimit: u16,
  /** PREEMPT_MODE_* bits; NO_VAL16: the cluster's own. */
  preemptMode: u16,
  priorityJobFactor: u16,
  priorityTier: u16,
  /** See {@link PARTITION_STATES}. */
  stateUp: u16,
  crType: u16,
  /** Seconds; NO_VAL16: the cluster's own. */
  resumeTimeout: u16.since('21.08').else(NO_VAL16),
  /** Seconds; NO_VAL16: the cluster's own. */
  suspendTimeout: u16.since('21.08').else(NO_VAL16),
  /** Seconds; INFINITE: never; NO_VAL: the cluster's own. */
  suspendTime: u32.since('21.08').else(NO_VAL),
  allowAccounts: text,
  allowGroups: text,
  allowAllocNodes: text,
  allowQos: text,
  /** QOS of the partition. */
  qosChar: text,
  alternate: text,
  denyAccounts: text,
  denyQos: text,
  /** Hostlist expression. */
  nodes: text,
  /** Nodes as slurm.conf has them, names of sets included. */
  nodesets: text.since('22.05').else(null),
  /** Positions in the node table. */
  nodeInx: bitString,
  billingWeightsStr: text,
  topologyName: text.since('25.05').else(null),
  tresFmtStr: text,
  jobDefaultsList: list(jobDefault),
});

/** A decoded partition record. */
export type PartitionRecord = Decoded<typeof partitionRecord>;

export const partitionInfo = struct({
  recordCount: countOf('partitions'),
  lastUpdate: time,
  /** `partition_array` upstream. */
  partitions: counted(partitionRecord, 'recordCount'),
});

/** States of a partition, as in `stateUp`: bit 0 takes jobs, bit 1 starts them. */
export const PARTITION_STATES = {
  PARTITION_INACTIVE: 0,
  PARTITION_DOWN: 1,
  PARTITION_DRAIN: 2,
  PARTITION_UP: 3,
} as const;

/** The flags of a partition that are ever in an answer; others clear them in an update. */
export const PARTITION_FLAGS = {
  PART_FLAG_DEFAULT: 0x0001,
  PART_FLAG_HIDDEN: 0x0002,
  PART_FLAG_NO_ROOT: 0x0004,
  PART_FLAG_ROOT_ONLY: 0x0008,
  PART_FLAG_REQ_RESV: 0x0010,
  PART_FLAG_LLN: 0x0020,
  PART_FLAG_EXCLUSIVE_USER: 0x0040,
  PART_FLAG_PDOI: 0x0080,
  PART_FLAG_EXCLUSIVE_TOPO: 0x10000,
} as const;
