/**
 * REQUEST_NODE_INFO, REQUEST_NODE_INFO_SINGLE, REQUEST_PARTITION_INFO, REQUEST_RESERVATION_INFO.
 *
 * Source: `_slurm_rpc_dump_nodes`, `pack_all_nodes`, `pack_one_node` of 20.11.9, 24.11.5 and 26.05.3. There are no hidden partitions here, so
 * nodes are hidden all at once or not at all.
 */
import { isAtLeast } from '../../protocol/release.js';
import type { ClusterNode } from '../model/world.js';
import { answer, type ControllerCall, type ControllerHandler, rc } from './handler.js';
import { NO_CHANGE, nothingSince } from './no-change.js';
import { nodeRecordOf } from './records/node-record.js';
import { partitionRecordOf } from './records/partition-record.js';
import { contextOf } from './records/record-context.js';
import { ACCESS_DENIED } from './targets.js';
import { maySeeTable } from './visibility.js';

export const nodeInfo: ControllerHandler<'REQUEST_NODE_INFO'> = (call) => {
  const { world, record } = call;
  if (!maySeeTable(call, 'nodes')) return rc(ACCESS_DENIED);
  if (nothingSince(record.lastUpdate, world.lastUpdate)) return rc(NO_CHANGE);
  return nodesAnswer(call, [...world.nodes.values()], { size: world.nodes.size, set: [] });
};

export const nodeInfoSingle: ControllerHandler<'REQUEST_NODE_INFO_SINGLE'> = (call) => {
  if (!maySeeTable(call, 'nodes')) return rc(ACCESS_DENIED);
  const { nodes } = call.world;
  const { nodeName } = call.record;
  const [first] = nodes.values();
  const node = nodeName === null ? first : nodes.get(nodeName);
  return nodesAnswer(call, node === undefined ? [] : [node], null);
};

function nodesAnswer(
  call: ControllerCall<'REQUEST_NODE_INFO' | 'REQUEST_NODE_INFO_SINGLE'>,
  nodes: readonly ClusterNode[],
  hiddenNodes: { readonly size: number; readonly set: readonly number[] } | null,
) {
  const context = contextOf(call, call.record.showFlags);
  return answer('RESPONSE_NODE_INFO', {
    lastUpdate: BigInt(context.now),
    ...(isAtLeast(call.release, '24.11') ? { hiddenNodes } : {}),
    nodes: nodes.map((node) => nodeRecordOf(node, call, context)),
  });
}

export const partitionInfo: ControllerHandler<'REQUEST_PARTITION_INFO'> = (call) => {
  const { world, record } = call;
  if (!maySeeTable(call, 'partitions')) return rc(ACCESS_DENIED);
  if (nothingSince(record.lastUpdate, world.bootTime)) return rc(NO_CHANGE);
  const context = contextOf(call, record.showFlags);
  return answer('RESPONSE_PARTITION_INFO', {
    lastUpdate: BigInt(context.now),
    partitions: [partitionRecordOf(context)],
  });
};

/** There are none. */
export const reservationInfo: ControllerHandler<'REQUEST_RESERVATION_INFO'> = (call) => {
  if (nothingSince(call.record.lastUpdate, call.world.bootTime)) return rc(NO_CHANGE);
  return answer('RESPONSE_RESERVATION_INFO', { lastUpdate: BigInt(contextOf(call).now), reservations: [] });
};
