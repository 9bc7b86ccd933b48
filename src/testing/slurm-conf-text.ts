/** The slurm.conf of an embedded cluster: as slurmwire and Slurm's own tools of its release take it. */
import { join } from 'node:path';
import type { Endpoint } from '../protocol/transport.js';
import { DEFAULT_TIMEOUT } from './controller/take-over.js';
import type { World } from './model/world.js';

/** @param controllers where each listens. slurm.conf has one port for all, so further ones have addresses of their own. */
export function slurmConfOf(world: World, controllers: readonly Endpoint[], directory: string): string {
  const parameters = parametersOf(world, controllers, directory);
  const hosts = controllers.map(({ host }, i) => `SlurmctldHost=embedded${i === 0 ? '' : i + 1}(${host})`);
  const nodes = [...world.nodes.values()].map(
    ({ name, port, cpus, memory }) =>
      `NodeName=${name} NodeHostname=localhost NodeAddr=127.0.0.1 Port=${port} CPUs=${cpus} RealMemory=${memory} State=UNKNOWN`,
  );
  const lines = Object.entries(parameters).map(([key, value]) => `${key}=${value}`);
  return [
    ...hosts,
    ...lines,
    ...nodes,
    'PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP',
    '',
  ].join('\n');
}

/** Its parameters: those of the cluster, and those that were asked for. Names as they were given. */
export function parametersOf(
  world: World,
  controllers: readonly Endpoint[],
  directory: string,
): Readonly<Record<string, string>> {
  const { settings } = world;
  return {
    ClusterName: world.clusterName,
    SlurmctldPort: `${controllers[0]?.port}`,
    AuthType: 'auth/munge',
    AuthInfo: `socket=${mungeSocketIn(directory)}`,
    SlurmUser: settings.slurmUser.name,
    SlurmdUser: 'root',
    StateSaveLocation: directory,
    SlurmdSpoolDir: directory,
    AccountingStorageType: 'accounting_storage/none',
    ProctrackType: 'proctrack/linuxproc',
    TaskPlugin: 'task/none',
    MpiDefault: 'none',
    SlurmctldTimeout: `${DEFAULT_TIMEOUT}`,
    SelectType: 'select/cons_tres',
    SelectTypeParameters: 'CR_CPU',
    ReturnToService: '2',
    ...(settings.privateData.size > 0 ? { PrivateData: [...settings.privateData].join(',') } : {}),
    ...settings.parameters,
  };
}

/** Where munged listens. */
export function mungeSocketIn(directory: string): string {
  return join(directory, 'munge.socket');
}
