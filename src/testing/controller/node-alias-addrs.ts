/**
 * REQUEST_NODE_ALIAS_ADDRS (23.11 and newer): a credential that says where nodes are.
 *
 * Source: `_slurm_rpc_node_alias_addrs` of 24.11.5; that anybody gets it, and 1900 for unknown nodes, observed on 24.11 and 26.05.
 */
import { compressHostlist, expandHostlist } from '../../config/index.js';
import { AF_INET } from '../../protocol/address.js';
import { encodeBody } from '../../protocol/body.js';
import { isSlurmError } from '../../protocol/slurm-error.js';
import { answer, type ControllerHandler, rc, since } from './handler.js';
import { NO_CHANGE } from './no-change.js';

/** EINVAL. */
const NOT_SERVED = 22;

export const nodeAliasAddrs: ControllerHandler<'REQUEST_NODE_ALIAS_ADDRS'> = (call) => {
  if (!since(call, '23.11')) return rc(NOT_SERVED);
  const { world, record, credentials, own } = call;
  const named = new Set(namesIn(record.nodeList, world.nodes.size));
  const nodes = [...world.nodes.values()].filter(({ name }) => named.has(name));
  if (nodes.length === 0) return rc(NO_CHANGE);
  const payload = encodeBody('REQUEST_NODE_ALIAS_ADDRS', own, {
    nodeAddrs: nodes.map(({ port }) => ({ family: AF_INET, address: '127.0.0.1', port })),
    nodeCnt: nodes.length,
    nodeList: compressHostlist(nodes.map(({ name }) => name)),
  });
  const netCred = credentials.mint({ ...world.users.slurmUser, payload });
  return answer('RESPONSE_NODE_ALIAS_ADDRS', { netCred });
};

function namesIn(nodeList: string | null, maxHosts: number): readonly string[] {
  try {
    return expandHostlist(nodeList ?? '', { maxHosts });
  } catch (error) {
    // What is no hostlist names no node.
    if (isSlurmError(error)) return [];
    throw error;
  }
}
