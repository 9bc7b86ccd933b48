/**
 * REQUEST_NODE_ALIAS_ADDRS (3016) and RESPONSE_NODE_ALIAS_ADDRS (3017), 23.11 and newer: a credential with the addresses of nodes.
 *
 * Source: `slurm_node_alias_addrs_t`; checked against bytes of Slurm's own library of every release that has them and replies of live
 * slurmctld.
 */
import { address } from '../address.js';
import { array, struct, text, u32 } from '../wire-type.js';

export const nodeAliasAddrsRequest = struct({
  nodeAddrs: array(address).else([]),
  nodeCnt: u32.else(0),
  /** Hostlist expression. */
  nodeList: text,
});

export const nodeAliasAddrsResponse = struct({
  /** With auth/munge a MUNGE credential whose payload is the body of the request, with addresses. */
  netCred: text,
});
