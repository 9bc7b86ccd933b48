/**
 * The record of the one partition, as `pack_part` of each release fills it.
 *
 * Source: records of live slurmctld of 20.11, 22.05, 24.11 and 26.05 (`fixtures/golden/replies-*-partitions`).
 */
import { compressHostlist } from '../../../config/index.js';
import {
  PARTITION_FLAGS,
  PARTITION_STATES,
  partitionRecord,
} from '../../../protocol/messages/partition-info.js';
import { isAtLeast } from '../../../protocol/release.js';
import { INFINITE, NO_VAL, NO_VAL16 } from '../../../protocol/sentinels.js';
import type { Encodable } from '../../../protocol/wire-type.js';
import { carriedIn } from './carried.js';
import { nodeBits, type RecordContext } from './record-context.js';

export function partitionRecordOf(context: RecordContext): Encodable<typeof partitionRecord> {
  const { world, release } = context;
  const nodes = [...world.nodes.values()];
  const names = nodes.map(({ name }) => name);
  const cpus = nodes.reduce((total, node) => total + node.cpus, 0);
  const memory = nodes.reduce((total, node) => total + node.memory, 0);
  return carriedIn(partitionRecord, release, {
    name: 'main',
    cpuBind: 0,
    graceTime: 0,
    maxTime: INFINITE,
    defaultTime: NO_VAL,
    maxNodes: INFINITE,
    minNodes: 0,
    totalNodes: nodes.length,
    totalCpus: cpus,
    defMemPerCpu: 0n,
    maxCpusPerNode: INFINITE,
    maxMemPerCpu: 0n,
    flags: PARTITION_FLAGS.PART_FLAG_DEFAULT,
    maxShare: 1,
    overTimeLimit: NO_VAL16,
    preemptMode: NO_VAL16,
    priorityJobFactor: 1,
    priorityTier: 1,
    stateUp: PARTITION_STATES.PARTITION_UP,
    crType: 0,
    allowAccounts: null,
    allowGroups: null,
    allowAllocNodes: null,
    allowQos: null,
    qosChar: null,
    alternate: null,
    denyAccounts: null,
    denyQos: null,
    nodes: compressHostlist(names),
    // Nodes=ALL of slurm.conf counts as the name of a set since 23.11.
    nodesets: isAtLeast(context.own, '23.11') ? 'ALL' : null,
    nodeInx: nodeBits(world, names),
    billingWeightsStr: null,
    tresFmtStr: `cpu=${cpus},mem=${memory}M,node=${nodes.length},billing=${cpus}`,
    jobDefaultsList: null,
  });
}
