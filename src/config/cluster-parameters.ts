/** Parameters of a slurm.conf that tell a client what to expect of the daemons. None decides where a request goes. */
import { badValue, findValue, listOf, readNumber, readSeconds, textOf } from './conf-values.js';
import type { SlurmConf } from './slurm-conf.js';

/** Left out of a configuration written by hand: the defaults. */
export interface SlurmClusterParameters {
  /** SlurmctldTimeout, default 120,000: a backup takes over when the primary was silent for so long. */
  readonly slurmctldTimeoutMs?: number | undefined;
  /** KillWait, default 30,000: from SIGTERM to SIGKILL where Slurm itself ends a job. */
  readonly killWaitMs?: number | undefined;
  /** MaxArraySize, default 1001: ids of array tasks are below it. */
  readonly maxArraySize?: number | undefined;
  /** PrivateData: `jobs`: others' jobs are hidden from lookups. Words in lower case. */
  readonly privateData?: readonly string[] | undefined;
  /** SlurmctldParameters: names of cloud nodes can be resolved. */
  readonly cloudDns?: boolean | undefined;
  /** SlurmctldParameters: the controller hands out its configuration (REQUEST_CONFIG). */
  readonly configless?: boolean | undefined;
  /** SlurmctldParameters (23.02+): requests of a user beyond a rate are answered with SLURMCTLD_COMMUNICATIONS_BACKOFF. */
  readonly rateLimited?: boolean | undefined;
  /** TopologyParam=RouteTree (23.11+) or RoutePlugin=route/topology: Slurm's own fan-out follows the switches. Ours does not have to. */
  readonly routeTree?: boolean | undefined;
  /** CredType (old name CryptoType), default `cred/munge`. */
  readonly credType?: string | undefined;
  /** HashPlugin (24.05+), default `hash/k12`. */
  readonly hashPlugin?: string | undefined;
}

/** @throws SlurmConfigError `SLURMWIRE_CONFIG_VALUE` */
export function readClusterParameters(conf: SlurmConf): SlurmClusterParameters {
  const has = (parameter: string, word: string) =>
    (textOf(conf, parameter) ?? '').toLowerCase().includes(word);
  return {
    slurmctldTimeoutMs: readSeconds(conf, 'SlurmctldTimeout', 120, 0) * 1000,
    killWaitMs: readSeconds(conf, 'KillWait', 30, 0) * 1000,
    maxArraySize: readCount(conf, 'MaxArraySize', 1001),
    privateData: listOf(conf, 'PrivateData').map((word) => word.toLowerCase()),
    cloudDns: has('SlurmctldParameters', 'cloud_dns'),
    configless: has('SlurmctldParameters', 'enable_configless'),
    rateLimited: has('SlurmctldParameters', 'rl_enable'),
    routeTree: has('TopologyParam', 'routetree') || /tree|topology$/i.test(textOf(conf, 'RoutePlugin') ?? ''),
    credType:
      textOf(conf, 'CredType') ?? textOf(conf, 'CryptoType')?.replace('crypto', 'cred') ?? 'cred/munge',
    hashPlugin: textOf(conf, 'HashPlugin') ?? 'hash/k12',
  };
}

/** A u32. */
function readCount(conf: SlurmConf, parameter: string, defaultCount: number): number {
  const found = findValue(conf, parameter);
  if (found === undefined) return defaultCount;
  const count = /^(infinite|unlimited)$/i.test(found.value) ? 0xffff_ffff : readNumber(found.value);
  if (count === undefined || count > 0xffff_ffff) throw badValue(found, 'Give a number below 2^32.');
  return count;
}
