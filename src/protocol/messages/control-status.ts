/**
 * RESPONSE_CONTROL_STATUS (2054): which controller answers, and whether it is in charge. A standby answers too.
 *
 * Source: `control_status_msg_t`, the same in 20.11 to 26.11; checked against bytes of Slurm's own library of every release.
 */
import { struct, time, u16 } from '../wire-type.js';

export const controlStatus = struct({
  /** Position in the order of SlurmctldHost; 0 is the primary. */
  backupInx: u16,
  /** When it took control; 0: it is a standby. */
  controlTime: time,
});
