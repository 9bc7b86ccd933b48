/** Which way to authenticate is used where the caller names none. Decided once, by what is configured; never by what a daemon refuses. */
import { defaultMunge, jwt, slurmAuth } from '../auth/index.js';
import type { SlurmConfig } from '../config/index.js';
import type { Authenticator } from '../protocol/authenticator.js';
import { SlurmConfigError } from '../protocol/slurm-error.js';

/** Variables of the environment that decide. */
export interface AuthEnvironment {
  readonly SLURM_JWT?: string | undefined;
  readonly SLURM_SACK_KEY?: string | undefined;
  readonly SLURM_SACK_JWKS?: string | undefined;
}

/** What slurm.conf says; `null` where there is none. */
export type AuthConfig = Pick<SlurmConfig, 'authType' | 'authTypeAt' | 'file'>;

/** A way, and what it was chosen by. */
export interface AuthChoice {
  readonly method: 'auth/munge' | 'auth/jwt' | 'auth/slurm';
  readonly by: 'SLURM_SACK_KEY' | 'SLURM_SACK_JWKS' | 'SLURM_JWT' | 'AuthType' | 'default';
}

/**
 * As Slurm's own tools choose (`auth_g_init`, 20.11 to 26.05), the first of these that applies:
 *
 * 1. SLURM_SACK_KEY or SLURM_SACK_JWKS is set: auth/slurm (Slurm: since 23.11 and 24.05).
 * 2. SLURM_JWT is set: auth/jwt, whatever slurm.conf says; AuthAltTypes is the daemons' concern. An empty one counts, and fails: Slurm
 *    sends it and is refused, here it is an error of `connect()`.
 * 3. AuthType of slurm.conf, with or without `auth/` before the name.
 * 4. auth/munge.
 *
 * @throws SlurmConfigError `SLURMWIRE_CONFIG_AUTH_TYPE` with file and line for an AuthType that is none of these, and for auth/jwt, which
 * gets its token from SLURM_JWT alone.
 */
export function chooseAuth(environment: AuthEnvironment, config: AuthConfig | null): AuthChoice {
  for (const by of ['SLURM_SACK_KEY', 'SLURM_SACK_JWKS'] as const) {
    if (environment[by] !== undefined) return { method: 'auth/slurm', by };
  }
  if (environment.SLURM_JWT !== undefined) return { method: 'auth/jwt', by: 'SLURM_JWT' };
  if (config === null) return { method: 'auth/munge', by: 'default' };
  switch (config.authType.replace(/^auth\//, '')) {
    case 'munge':
      return { method: 'auth/munge', by: config.authTypeAt === undefined ? 'default' : 'AuthType' };
    case 'slurm':
      return { method: 'auth/slurm', by: 'AuthType' };
    case 'jwt':
      throw unusable(
        config,
        'needs a token',
        'Set SLURM_JWT, or pass jwt({ … }) as the auth option of connect().',
      );
    default:
      throw unusable(
        config,
        'is not supported by this version',
        'Pass an Authenticator as the auth option of connect().',
      );
  }
}

/** The authenticator that {@link chooseAuth} chooses. @throws as it; SlurmAuthError for a SLURM_JWT that is no token. */
export function defaultAuth(environment: AuthEnvironment, config: SlurmConfig | null): Authenticator {
  const { socket = null, ttlSeconds = null } = config?.authInfo ?? {};
  switch (chooseAuth(environment, config).method) {
    case 'auth/jwt':
      return jwt({ token: environment.SLURM_JWT });
    case 'auth/slurm':
      // Slurm does not look for its SACK socket in AuthInfo, where one of munged may be left over.
      return slurmAuth({ clusterName: config?.clusterName ?? undefined });
    case 'auth/munge':
      return defaultMunge({ socket: socket ?? undefined, ttl: ttlSeconds ?? undefined });
  }
}

function unusable({ authType, authTypeAt, file }: AuthConfig, why: string, hint: string): SlurmConfigError {
  return new SlurmConfigError(`AuthType=${authType} ${why}.`, {
    code: 'SLURMWIRE_CONFIG_AUTH_TYPE',
    errno: 'ENOTSUP',
    file: authTypeAt?.file ?? file ?? undefined,
    line: authTypeAt?.line,
    hint,
  });
}
