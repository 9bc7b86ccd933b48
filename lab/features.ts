import { LabError } from './lab-error.js';
import { releaseNames } from './releases.js';

/** What a cluster can have besides the lab's ordinary set-up. Kept in its record: daemons are started anew. */
export interface LabFeatures {
  /** Daemons accept tokens too (auth/jwt): see `LabCluster.token`. All releases. */
  readonly jwt?: boolean;
  /** auth/slurm and cred/slurm with a key, no munged; a sackd serves the clients. 24.11 and newer. */
  readonly authSlurm?: boolean;
}

/** The releases that have a feature, for those not all of them have. */
const since: Readonly<Partial<Record<keyof LabFeatures, string>>> = { authSlurm: '24.11' };

/** Refuses what a release has not got, or what does not go together. */
export function checkFeatures(features: LabFeatures, release: string): void {
  for (const [name, first] of Object.entries(since)) {
    if (!features[name as keyof LabFeatures] || release >= first) continue;
    const having = releaseNames.filter((one) => one >= first).join(', ');
    throw new LabError(`Slurm ${release} has no ${name}: of the lab's releases, ${having} have it`);
  }
}

/** The features alone, out of options that say more. */
export function featuresOf({ jwt, authSlurm }: LabFeatures): LabFeatures {
  return { ...(jwt ? { jwt } : {}), ...(authSlurm ? { authSlurm } : {}) };
}

/** Where the keys are that features need, as slurm.conf names them. */
export interface FeaturePaths {
  readonly jwtKey: string;
}

/** The slurm.conf parameters that features come to. */
export function featureParameters(features: LabFeatures, paths: FeaturePaths): Record<string, string> {
  return {
    ...(features.authSlurm
      ? {
          AuthType: 'auth/slurm',
          CredType: 'cred/slurm',
          // The daemons would fight for the socket that is sackd's.
          AuthInfo: 'disable_sack',
        }
      : {}),
    ...(features.jwt ? { AuthAltTypes: 'auth/jwt', AuthAltParameters: `jwt_key=${paths.jwtKey}` } : {}),
  };
}
