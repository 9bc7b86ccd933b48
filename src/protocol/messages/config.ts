/**
 * REQUEST_CONFIG (2015) and RESPONSE_CONFIG (2016): the configuration files of a "configless" cluster.
 *
 * Source: `config_request_msg_t`, `config_response_msg_t`, `config_file_t`; checked against bytes of Slurm's own library of every release
 * and replies of live slurmctld.
 */
import { bool, list, struct, text, u16, u32 } from '../wire-type.js';

/** Who asks. */
export const CONFIG_REQUEST_FLAGS = { CLIENT: 0, SLURMD: 1, SACKD: 2 } as const;

export const configRequest = struct({
  /** See {@link CONFIG_REQUEST_FLAGS}. */
  flags: u32,
  /** 0 for clients. */
  port: u16.since('25.05').else(0),
});

const configFile = struct({
  /** False: a copy that was kept is to be deleted. */
  exists: bool,
  execute: bool.since('23.11').else(false),
  fileName: text,
  fileContent: text,
});

/** Until 20.11 one text for each file, null where there is none; since 21.08 a list of files. */
export const configResponse = struct({
  /** slurm.conf. */
  config: text.through('20.11').else(null),
  acctGatherConfig: text.through('20.11').else(null),
  cgroupConfig: text.through('20.11').else(null),
  cgroupAllowedDevicesFileConfig: text.through('20.11').else(null),
  extSensorsConfig: text.through('20.11').else(null),
  gresConfig: text.through('20.11').else(null),
  knlCrayConfig: text.through('20.11').else(null),
  knlGenericConfig: text.through('20.11').else(null),
  plugstackConfig: text.through('20.11').else(null),
  topologyConfig: text.through('20.11').else(null),
  jobContainerConfig: text.through('20.11').else(null),
  configFiles: list(configFile).since('21.08').else(null),
  /** Null for clients. */
  slurmdSpooldir: text,
});
