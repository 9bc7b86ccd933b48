/**
 * REQUEST_STEP_LAYOUT (5021) and RESPONSE_STEP_LAYOUT (5022): the nodes and tasks of one step. The cheapest way to its node list.
 *
 * Source: `slurm_step_id_t`, `slurm_step_layout_t` with `pack_slurm_step_layout`; checked against bytes of Slurm's own library of every
 * release and replies of live slurmctld.
 */
import { stepId } from '../step-id.js';
import { array, counted, countOf, optional, struct, text, u16, u32 } from '../wire-type.js';

export const stepLayoutRequest = struct({ stepId });

const layout = struct({
  frontEnd: text.else(null),
  /** Hostlist expression. */
  nodeList: text,
  /** Length of `tids`. */
  nodeCnt: countOf('tids'),
  /** Protocol version, as in a header, that the step was started with. Its slurmds may speak a newer one by now. */
  startProtocolVer: u16,
  taskCnt: u32,
  taskDist: u32,
  /** Task ids of each node. */
  tids: counted(array(u32), 'nodeCnt'),
  /** CPUs per task, run-length coded. */
  cptCompactArray: array(u16).since('23.11').else([]),
  /** Run lengths of `cptCompactArray`. */
  cptCompactReps: array(u32).since('23.11').else([]),
  /** Credential with the addresses of the nodes; null for static nodes, mostly. */
  netCred: text.since('23.11').else(null),
});

export const stepLayout = struct({ slurmStepLayout: optional(layout, { width: 'u16' }) });
