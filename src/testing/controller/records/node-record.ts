/**
 * The record of a node, as `_pack_node` of each release fills it.
 *
 * Source: records of live slurmctld of 20.11, 22.05, 24.11 and 26.05 (`fixtures/golden/replies-*`). MIXED is not among the states that
 * a controller sends: clients make it of the CPUs (`_set_node_mixed` of libslurm).
 */
import { nodeRecord } from '../../../protocol/messages/node-record.js';
import { NODE_STATE_FLAGS, NODE_STATES } from '../../../protocol/messages/node-state.js';
import { SHOW_FLAGS } from '../../../protocol/messages/show-flags.js';
import { INFINITE, NO_VAL, NO_VAL64 } from '../../../protocol/sentinels.js';
import { type Encodable, FLOAT_MULT } from '../../../protocol/wire-type.js';
import type { Life } from '../../model/life.js';
import type { ClusterNode } from '../../model/world.js';
import type { NodeDaemon } from '../../slurmd/node-daemon.js';
import { since } from '../handler.js';
import { carriedIn } from './carried.js';
import type { RecordContext } from './record-context.js';
import { versionText } from './version-text.js';

export type NodeRecordInput = Encodable<typeof nodeRecord>;

export interface NodeSources {
  readonly life: Life;
  readonly nodes: ReadonlyMap<string, NodeDaemon>;
}

export function nodeRecordOf(
  node: ClusterNode,
  { life, nodes }: NodeSources,
  context: RecordContext,
): NodeRecordInput {
  const { world, release } = context;
  const { name, cpus, features } = node;
  const allocCpus = life.cpusTaken(name);
  const allocTres = allocCpus === 0 ? null : `cpu=${allocCpus}`;
  const reason = reasonOf(node, context);
  const bootTime = BigInt(world.bootTime);
  const isOld = !since(context, '23.11');
  return carriedIn(nodeRecord, release, {
    name,
    nodeHostname: 'localhost',
    nodeAddr: '127.0.0.1',
    bcastAddress: null,
    port: node.port,
    nextState: NO_VAL,
    nodeState: stateOf(node, allocCpus, context),
    version: versionText(nodes.get(name)?.server.release ?? world.settings.nodeRelease),
    cpus,
    boards: 1,
    sockets: cpus,
    cores: 1,
    threads: 1,
    realMemory: BigInt(node.memory),
    tmpDisk: 0,
    mcsLabel: null,
    owner: NO_VAL,
    coreSpecCnt: 0,
    cpuBind: 0,
    memSpecLimit: 0n,
    cpuSpecList: null,
    cpusEfctv: cpus,
    cpuLoad: allocCpus * 100,
    freeMem: BigInt(node.memory),
    weight: 1,
    reasonUid: reason === null ? NO_VAL : world.users.slurmUser.uid,
    suspendTime: INFINITE,
    bootTime,
    lastBusy: bootTime,
    reasonTime: reason === null ? 0n : bootTime,
    slurmdStartTime: bootTime,
    selectNodeinfo: {
      pluginId: 109,
      allocCpus,
      allocMemory: 0n,
      tresAllocFmtStr: allocTres,
      tresAllocWeighted: since(context, '25.05') ? 0 : allocCpus * FLOAT_MULT,
    },
    allocCpus,
    allocMemory: 0n,
    allocTresFmtStr: allocTres,
    arch: 'x86_64',
    features,
    featuresAct: features,
    gres: null,
    gresDrain: (context.showFlags & SHOW_FLAGS.SHOW_DETAIL) === 0 ? null : 'N/A',
    gresUsed: null,
    os: 'Linux',
    comment: null,
    reason,
    energy: {
      baseConsumed: 0n,
      aveWatts: 0,
      consumed: 0n,
      currentWatts: 0,
      previousConsumed: 0n,
      pollTime: 0n,
    },
    extSensors: {
      consumedEnergy: isOld ? NO_VAL64 : 0n,
      temperature: isOld ? NO_VAL : 0,
      energyUpdate: 0n,
      currentWatts: 0,
    },
    power: { capWatts: NO_VAL },
    tresFmtStr: `cpu=${cpus},mem=${node.memory}M,billing=${cpus}`,
  });
}

function stateOf({ name, isDrained }: ClusterNode, allocCpus: number, { world }: RecordContext): number {
  const { NODE_STATE_DRAIN, NODE_STATE_NO_RESPOND } = NODE_STATE_FLAGS;
  const drain = isDrained ? NODE_STATE_DRAIN : 0;
  if (!world.isReachable(name)) return NODE_STATES.NODE_STATE_DOWN | NODE_STATE_NO_RESPOND | drain;
  return (allocCpus > 0 ? NODE_STATES.NODE_STATE_ALLOCATED : NODE_STATES.NODE_STATE_IDLE) | drain;
}

function reasonOf({ name, isDrained }: ClusterNode, { world }: RecordContext): string | null {
  if (!world.isReachable(name)) return 'Not responding';
  return isDrained ? 'drained' : null;
}
