/**
 * REQUEST_BUILD_INFO, REQUEST_CONFIG, REQUEST_FED_INFO, REQUEST_CONTROL_STATUS: what the cluster is.
 *
 * Source: `_slurm_rpc_dump_conf`, `_slurm_rpc_config_request` of 24.11.5; files as sent by live slurmctld (`fixtures/golden`).
 */
import { CONFIG_REQUEST_FLAGS } from '../../protocol/messages/config.js';
import { isAtLeast, type Release } from '../../protocol/release.js';
import { answer, type ControllerHandler, rc, since } from './handler.js';
import { NO_CHANGE, nothingSince } from './no-change.js';
import { configurationOf } from './records/configuration-record.js';
import { contextOf } from './records/record-context.js';

/** ESLURM_USER_ID_MISSING, ESLURM_CONFIGLESS_DISABLED. */
const [USER_ID_MISSING, CONFIGLESS_DISABLED] = [2010, 2126];

export const buildInfo: ControllerHandler<'REQUEST_BUILD_INFO'> = (call) => {
  if (nothingSince(call.record.lastUpdate, call.world.bootTime)) return rc(NO_CHANGE);
  return answer('RESPONSE_BUILD_INFO', configurationOf(contextOf(call)));
};

export const config: ControllerHandler<'REQUEST_CONFIG'> = (call) => {
  const { world, record, release, uid } = call;
  const { slurmctldParams } = configurationOf(contextOf(call));
  if (!(slurmctldParams ?? '').split(',').includes('enable_configless')) return rc(CONFIGLESS_DISABLED);
  const isForSlurmd = (record.flags & CONFIG_REQUEST_FLAGS.SLURMD) !== 0;
  if (isForSlurmd && !world.users.isSuper(uid)) return rc(USER_ID_MISSING);
  const text = world.place?.slurmConfText ?? '';
  const slurmdSpooldir = isForSlurmd ? (world.place?.directory ?? null) : null;
  if (!isAtLeast(release, '21.08')) return answer('RESPONSE_CONFIG', { config: text, slurmdSpooldir });
  const absent = absentFiles(call.own).map((fileName) => ({ exists: false, fileName, fileContent: null }));
  const configFiles = [{ exists: true, fileName: 'slurm.conf', fileContent: text }, ...absent];
  return answer('RESPONSE_CONFIG', { configFiles, slurmdSpooldir });
};

/** Files that a client is told not to have (observed: 22.05, 24.11, 26.05). */
function absentFiles(own: Release): string[] {
  const files = ['cli_filter.lua', 'plugstack.conf', 'topology.conf'];
  if (since({ own }, '23.02')) files.push('oci.conf', 'scrun.lua');
  if (since({ own }, '25.05')) files.push('topology.yaml');
  return files;
}

/** The cluster is in none. */
export const fedInfo: ControllerHandler<'REQUEST_FED_INFO'> = () =>
  answer('RESPONSE_FED_INFO', { federation: null });

/** A standby controller answers it too, see `slurmctld.ts`. */
export const controlStatus: ControllerHandler<'REQUEST_CONTROL_STATUS'> = ({ controller, world }) =>
  answer('RESPONSE_CONTROL_STATUS', {
    backupInx: controller.index,
    controlTime: controller.isInCharge ? BigInt(world.bootTime) : 0n,
  });
