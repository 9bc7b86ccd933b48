import { LabError } from './lab-error.js';
import { releaseNames } from './releases.js';
import { onOneAddress } from './slurm-conf.js';

/** What a cluster can have besides the lab's ordinary set-up. Kept in its record: daemons are started anew. */
export interface LabFeatures {
  /** Daemons accept tokens too (auth/jwt): see `LabCluster.token`. All releases. */
  readonly jwt?: boolean;
  /** auth/slurm and cred/slurm with a key, no munged; a sackd serves the clients. 24.11 and newer. */
  readonly authSlurm?: boolean;
  /** A second slurmctld, `slurmctld2`, which takes over when the first is silent for some seconds. All releases. */
  readonly backup?: boolean;
  /** A TLS proxy before slurmctld and each slurmd: see `LabCluster.tlsSlurmConf`. All releases; not with `backup` or dynamic nodes. */
  readonly tls?: boolean;
  /** Ordinary users are refused (1804) when they ask too much; root and SlurmUser are not. 24.11 and newer. */
  readonly rateLimit?: RateLimit;
  /** The slurmds get their configuration from slurmctld, and so can clients (REQUEST_CONFIG). All releases; not with `authSlurm`. */
  readonly configless?: boolean;
  /** A job submitted with `--stepmgr` has a step manager of its own on its first node. 24.11 and newer. */
  readonly stepmgr?: boolean;
  /** The daemons listen on ::1, and on nothing else. All releases; not with `backup`. */
  readonly ipv6?: boolean;
}

/** Where the daemons listen, the second controller's apart. */
export function loopback({ ipv6 }: LabFeatures): '127.0.0.1' | '::1' {
  return ipv6 ? '::1' : '127.0.0.1';
}

/** A bucket of requests for each user, as slurm.conf's `rl_` parameters describe it. */
export interface RateLimit {
  /** How many requests a full bucket has (`rl_bucket_size`). */
  readonly bucketSize: number;
  /** How many it gets back each period (`rl_refill_rate`). */
  readonly refillRate: number;
  /** In seconds (`rl_refill_period`). */
  readonly refillPeriod: number;
  /** For how many users there is one (`rl_table_size`); 8192 where not given, as Slurm has it. */
  readonly tableSize?: number;
}

/** The releases that have a feature, for those not all of them have. */
const since: Readonly<Partial<Record<keyof LabFeatures, string>>> = {
  authSlurm: '24.11',
  rateLimit: '24.11',
  stepmgr: '24.11',
};

/** Refuses what a release has not got, or what does not go together. */
export function checkFeatures(features: LabFeatures, release: string): void {
  for (const [name, first] of Object.entries(since)) {
    if (!features[name as keyof LabFeatures] || release >= first) continue;
    const having = releaseNames.filter((one) => one >= first).join(', ');
    throw new LabError(`Slurm ${release} has no ${name}: of the lab's releases, ${having} have it`);
  }
  if (features.configless && features.authSlurm) {
    throw new LabError('configless and authSlurm: the lab has not got both in one cluster');
  }
  if (features.ipv6 && features.backup) {
    throw new LabError('ipv6 and backup: the lab has not got both in one cluster');
  }
}

/** The features alone, out of options that say more. */
export function featuresOf(options: LabFeatures): LabFeatures {
  const { jwt, authSlurm, backup, tls, rateLimit, configless, stepmgr, ipv6 } = options;
  const all = { jwt, authSlurm, backup, tls, rateLimit, configless, stepmgr, ipv6 };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value));
}

/** Where the keys are that features need, as slurm.conf names them. */
export interface FeaturePaths {
  readonly jwtKey: string;
}

/** The slurm.conf parameters that features come to, and those given besides: which hold where both have a word to say. */
export function parametersOf(
  features: LabFeatures,
  paths: FeaturePaths,
  given: Readonly<Record<string, string>>,
): Record<string, string> {
  const controller = [given.SlurmctldParameters ?? '', ...controllerParameters(features)].filter(Boolean);
  return {
    ...(features.authSlurm
      ? {
          AuthType: 'auth/slurm',
          CredType: 'cred/slurm',
          // The daemons would fight for the socket that is sackd's.
          AuthInfo: 'disable_sack',
        }
      : {}),
    // Not less: on a busy machine a controller may be slow for a moment.
    ...(features.backup ? { SlurmctldTimeout: '4' } : {}),
    ...(features.jwt ? { AuthAltTypes: 'auth/jwt', AuthAltParameters: `jwt_key=${paths.jwtKey}` } : {}),
    ...(features.ipv6 ? { CommunicationParameters: `${onOneAddress},EnableIPv6` } : {}),
    // Steps are managed from the extern step.
    ...(features.stepmgr ? { PrologFlags: 'contain' } : {}),
    ...given,
    ...(controller.length > 0 ? { SlurmctldParameters: controller.join(',') } : {}),
  };
}

function controllerParameters({ rateLimit, configless, stepmgr }: LabFeatures): string[] {
  return [
    ...(rateLimit ? rateLimitParameters(rateLimit) : []),
    ...(configless ? ['enable_configless'] : []),
    ...(stepmgr ? ['enable_stepmgr'] : []),
  ];
}

function rateLimitParameters({ bucketSize, refillRate, refillPeriod, tableSize }: RateLimit): string[] {
  const numbers = { bucket_size: bucketSize, refill_rate: refillRate, refill_period: refillPeriod };
  const all = { ...numbers, ...(tableSize === undefined ? {} : { table_size: tableSize }) };
  return ['rl_enable', ...Object.entries(all).map(([name, value]) => `rl_${name}=${value}`)];
}
