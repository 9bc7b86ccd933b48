/** Messages without a body: REQUEST_PING (1008), REQUEST_FED_INFO (2049), REQUEST_CONTROL_STATUS (2053), RESPONSE_FORWARD_FAILED (9001). The same in 20.11 to 26.11. */
import { struct } from '../wire-type.js';

export const empty = struct({});
