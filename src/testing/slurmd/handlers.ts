/** Every request that the embedded slurmd serves. */
import type { MessageName } from '../../protocol/messages/index.js';
import { returnCode } from '../wire-server.js';
import type { SlurmdHandler } from './node-daemon.js';

/** ESLURM_USER_ID_MISSING: a slurmd tells only root and SlurmUser whether it is there. */
const USER_ID_MISSING = 2010;

const ping: SlurmdHandler<'REQUEST_PING'> = ({ uid, world }) =>
  returnCode(world.users.isSuper(uid) ? 0 : USER_ID_MISSING);

export const SLURMD_HANDLERS: { readonly [N in MessageName]?: SlurmdHandler<N> } = {
  REQUEST_PING: ping,
};
