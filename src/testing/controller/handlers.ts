/** Every request that the embedded slurmctld serves. What is not here is answered as by a daemon that knows the message and does not serve it. */
import type { ControllerHandlers } from './handler.js';
import { ping } from './ping.js';

export const CONTROLLER_HANDLERS: ControllerHandlers = {
  REQUEST_PING: ping,
};
