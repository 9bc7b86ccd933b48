/** Messages without a body: REQUEST_PING (1008), RESPONSE_FORWARD_FAILED (9001). The same in 20.11 to 26.11. */
import { struct } from '../wire-type.js';

export const empty = struct({});
