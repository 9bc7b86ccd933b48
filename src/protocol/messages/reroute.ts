/**
 * RESPONSE_SLURM_REROUTE_MSG (8003): "ask that controller instead", with the record of its cluster.
 *
 * Source: `reroute_msg_t`; checked against bytes of Slurm's own library of every release.
 */
import { optional, struct, text } from '../wire-type.js';
import { clusterRec } from './cluster-rec.js';

export const reroute = struct({
  workingClusterRec: optional(clusterRec),
  /** Host whose slurmd or slurmstepd manages the steps of the job. */
  stepmgr: text.since('24.05').else(null),
});
