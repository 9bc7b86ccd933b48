/** slurm.conf: found, read, understood. Imports nothing but `node:` and `../protocol/`. */
export type { SlurmAuthInfo, SlurmAuthParameters } from './auth-parameters.js';
export type { SlurmClusterParameters } from './cluster-parameters.js';
export type { AddressFamilies, SlurmCommunication } from './communication.js';
export { type ConfServers, type FindConfServersOptions, findConfServers } from './conf-servers.js';
export { ConfigErrorCode } from './config-error-code.js';
export {
  BAD_ENDPOINT,
  DEFAULT_SLURMCTLD_PORT,
  type ParseEndpointOptions,
  parseEndpoint,
} from './endpoint.js';
export { type FindSlurmConfOptions, findSlurmConf, isNowhere, SLURM_CONF_PLACES } from './find-slurm-conf.js';
export type { FindSrvOptions, SrvEntry } from './find-srv.js';
export { type ExpandHostlistOptions, expandHostlist, MAX_HOSTS } from './hostlist.js';
export { compressHostlist } from './hostlist-compress.js';
export { BAD_HOSTLIST, MAX_NAME_LENGTH, splitNames } from './hostlist-name.js';
export { uniqueSorted } from './hostlist-order.js';
export {
  type LoadSlurmConfigOptions,
  loadSlurmConf,
  loadSlurmConfig,
  type ReadSlurmConfigOptions,
  readSlurmConfig,
  slurmConfigOf,
} from './load-slurm-config.js';
export {
  type ConfNode,
  DEFAULT_SLURMD_PORT,
  hasStaticAddress,
  type InterpretNodeLinesOptions,
  interpretNodeLines,
  interpretNodeParameters,
  type NodeParameters,
} from './node-lines.js';
export { type ConfNodeSet, interpretNodeSets } from './node-sets.js';
export type { OptionList } from './option-list.js';
export { type ReadTextFileOptions, readTextFile } from './read-text-file.js';
export { type ResolveUserOptions, resolveUser } from './resolve-user.js';
export {
  type ConfEntry,
  type ConfPair,
  type ConfValue,
  type EntryKey,
  type IncludeReader,
  type IncludeRequest,
  type ParseSlurmConfOptions,
  parseSlurmConf,
  type SlurmConf,
} from './slurm-conf.js';
export {
  type InterpretSlurmConfOptions,
  interpretSlurmConf,
  type SlurmConfig,
  type SlurmController,
  type SlurmUserId,
} from './slurm-config.js';
export { checkWorkingCluster } from './working-cluster.js';
