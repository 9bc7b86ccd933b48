/**
 * RESPONSE_PING_SLURMD (1016): a slurmd's answer to root's or SlurmUser's REQUEST_PING; others get RC 2010.
 *
 * Source: `ping_slurmd_resp_msg_t`; checked against bytes of Slurm's own library of every release and replies of live slurmd.
 */
import { struct, text, u32, u64 } from '../wire-type.js';

export const pingSlurmd = struct({
  /** Load × 100. */
  cpuLoad: u32,
  /** MiB. */
  freeMem: u64,
  nodeName: text.since('26.05').else(null),
});
