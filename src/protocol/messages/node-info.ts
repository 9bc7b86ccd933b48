/**
 * REQUEST_NODE_INFO (2007), REQUEST_NODE_INFO_SINGLE (2040) and their answer, RESPONSE_NODE_INFO (2008).
 *
 * Source: `node_info_request_msg_t`, `node_info_single_msg_t`, `node_info_msg_t`; requests checked against bytes of Slurm's own library
 * of every release, answers against replies of live slurmctld in every version from 20.11 to 26.11.
 */
import type { BitString } from '../wire-type.js';
import { bitString, counted, countOf, struct, text, time, u16 } from '../wire-type.js';
import { nodeRecord } from './node-record.js';

export const nodeInfoRequest = struct({
  /** Nodes as of this time are known: the answer is RC 1900 if nothing changed since. 0: tell in any case. */
  lastUpdate: time.else(0n),
  /** See `show-flags.ts`. */
  showFlags: u16,
});

/** One node by its name; an unknown one is answered with no records. */
export const nodeInfoSingleRequest = struct({ nodeName: text, showFlags: u16 });

const hidden = (own: Record<string, unknown>) => (own.hiddenNodes as BitString | null)?.set?.length ?? 0;

export const nodeInfo = struct({
  /** Nodes of the table: those in `nodes` and, since 24.11, those in `hiddenNodes`. */
  recordCount: countOf('nodes', hidden),
  lastUpdate: time,
  /** Positions in the node table that the caller may not see and for which there is no record. Before 24.11 these had one without name. */
  hiddenNodes: bitString.since('24.11').else(null),
  /** `node_array` upstream. Bit strings of jobs and steps count positions in the whole table, hidden nodes included. */
  nodes: counted(nodeRecord, 'recordCount', hidden),
});
