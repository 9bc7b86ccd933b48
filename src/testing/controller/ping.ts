import type { ControllerHandler } from './handler.js';
import { rc } from './handler.js';

/** A standby controller answers it too, see `slurmctld.ts`. */
export const ping: ControllerHandler<'REQUEST_PING'> = () => rc(0);
