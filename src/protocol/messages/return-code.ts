/**
 * The answers that any request may get: RESPONSE_SLURM_RC (8001) and RESPONSE_SLURM_RC_MSG (8002).
 *
 * Source: `return_code_msg_t`, `return_code2_msg_t`; the same in 20.11 to 26.11.
 */
import { struct, text, u32 } from '../wire-type.js';

export const returnCode = struct({
  /** 0, a Slurm error number, an errno of the server's system, or 0xffffffff for SLURM_ERROR (-1). */
  returnCode: u32,
});

export const returnCodeMsg = struct({
  returnCode: u32,
  /** Text for people; may be null, may hold line breaks. */
  errMsg: text,
});
