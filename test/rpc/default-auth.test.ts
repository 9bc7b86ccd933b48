/** Which way to authenticate is used: the whole table. */
import { describe, expect, test } from 'vitest';
import {
  type AuthConfig,
  type AuthEnvironment,
  chooseAuth,
  defaultAuth,
} from '../../src/rpc/default-auth.js';
import { fakeToken } from '../auth/support-tokens.js';

const AT = { file: '/etc/slurm/auth.conf', line: 7 };
const conf = (authType: string): AuthConfig => ({ authType, authTypeAt: AT, file: '/etc/slurm/slurm.conf' });
const plain: AuthConfig = { authType: 'auth/munge', file: '/etc/slurm/slurm.conf' };
const JWT = { SLURM_JWT: 'x' };
const KEY = { SLURM_SACK_KEY: '/k' };
const JWKS = { SLURM_SACK_JWKS: '/j' };

type Row = readonly [AuthEnvironment, AuthConfig | null, string];

test.each<Row>([
  // Nothing is said.
  [{}, null, 'auth/munge by default'],
  [{}, plain, 'auth/munge by default'],
  // slurm.conf.
  [{}, conf('auth/munge'), 'auth/munge by AuthType'],
  [{}, conf('munge'), 'auth/munge by AuthType'],
  [{}, conf('auth/slurm'), 'auth/slurm by AuthType'],
  [{}, conf('slurm'), 'auth/slurm by AuthType'],
  // A token in the environment, whatever slurm.conf says.
  [JWT, null, 'auth/jwt by SLURM_JWT'],
  [JWT, plain, 'auth/jwt by SLURM_JWT'],
  [JWT, conf('auth/munge'), 'auth/jwt by SLURM_JWT'],
  [JWT, conf('auth/slurm'), 'auth/jwt by SLURM_JWT'],
  [JWT, conf('auth/jwt'), 'auth/jwt by SLURM_JWT'],
  [JWT, conf('auth/none'), 'auth/jwt by SLURM_JWT'],
  [{ SLURM_JWT: '' }, conf('auth/munge'), 'auth/jwt by SLURM_JWT'],
  [{ SLURM_JWT: '' }, null, 'auth/jwt by SLURM_JWT'],
  // A key of auth/slurm in the environment, whatever else there is.
  [KEY, null, 'auth/slurm by SLURM_SACK_KEY'],
  [JWKS, conf('auth/munge'), 'auth/slurm by SLURM_SACK_JWKS'],
  [{ ...KEY, ...JWT }, conf('auth/munge'), 'auth/slurm by SLURM_SACK_KEY'],
  [{ ...JWKS, ...JWT }, null, 'auth/slurm by SLURM_SACK_JWKS'],
  [{ ...KEY, ...JWKS }, conf('auth/none'), 'auth/slurm by SLURM_SACK_KEY'],
])('%j, %j: %s', (environment, config, expected) => {
  const { method, by } = chooseAuth(environment, config);
  expect(`${method} by ${by}`).toBe(expected);
});

describe('an AuthType that can not be used', () => {
  test.each([
    'auth/none',
    'none',
    'auth/jwt',
    'jwt',
    'auth/Munge',
    'AUTH/MUNGE',
    'auth/auth/munge',
    'auth/',
    '',
    'auth/slurm2',
  ])('%s: told with file and line', (authType) => {
    const expected = {
      name: 'SlurmConfigError',
      code: 'SLURMWIRE_CONFIG_AUTH_TYPE',
      errno: 'ENOTSUP',
      outcome: 'not-sent',
    };
    expect(() => chooseAuth({}, conf(authType))).toThrow(expect.objectContaining({ ...expected, ...AT }));
  });

  test('of a configuration written by hand: without a line', () => {
    const byHand = { authType: 'auth/none', file: null };
    expect(() => chooseAuth({}, byHand)).toThrow(
      expect.objectContaining({ file: undefined, line: undefined }),
    );
  });
});

test('what is made of it', () => {
  const token = fakeToken({ exp: 1, sun: 'alice' });
  expect(defaultAuth({}, null).name).toBe('auth/munge');
  expect(defaultAuth({ SLURM_JWT: token }, null)).toMatchObject({ name: 'auth/jwt', reach: 'controllers' });
  expect(defaultAuth(KEY, null)).toMatchObject({ name: 'auth/slurm', since: '23.11' });
  for (const SLURM_JWT of ['', 'x', `${token}\n`])
    expect(() => defaultAuth({ SLURM_JWT }, null)).toThrow(
      expect.objectContaining({ code: 'ESLURM_AUTH_CRED_INVALID' }),
    );
});
