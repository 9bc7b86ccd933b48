import { SlurmConfigError, showValue } from '../protocol/slurm-error.js';
import { ConfigErrorCode } from './config-error-code.js';

/**
 * Refuses SLURM_CLUSTERS where it names another cluster than the configuration's: job numbers of one cluster are other jobs on another.
 * Slurm's tools ask slurmdbd where the other one is; this library takes it from the `controllers` option.
 *
 * @param clusterName ClusterName in lower case; `null` where the configuration has none.
 * @throws SlurmConfigError `SLURMWIRE_CONFIG_OTHER_CLUSTER`
 */
export function checkWorkingCluster(
  clusterName: string | null,
  env: Readonly<Record<string, string | undefined>> = process.env,
): void {
  const text = env.SLURM_CLUSTERS ?? '';
  const names = text
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '');
  if (names.every((name) => name === clusterName)) return;
  const own =
    clusterName === null ? 'the configuration has no ClusterName' : `this is the cluster ${clusterName}`;
  const many = new Set(names).size > 1;
  throw new SlurmConfigError(
    `the environment variable SLURM_CLUSTERS names ${many ? 'several clusters' : 'another cluster'}, ${showValue(text)}; ${own}.`,
    {
      code: ConfigErrorCode.OTHER_CLUSTER,
      hint: many
        ? "Connect to each cluster by itself, with controllers: ['host:port'] of connect()."
        : "Give connect() controllers: ['host:port'] of that cluster, or unset the variable.",
    },
  );
}
