/** A token, a key or a password where it does not belong: the error says what is wrong, and nothing of the secret. */
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { jwt } from '../../src/auth/index.js';
import { findConfServers } from '../../src/config/index.js';
import { isSlurmError, showValue } from '../../src/protocol/slurm-error.js';
import { connect, tcpTransport } from '../../src/rpc/index.js';

const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.hunter2.hunter2';
const KEY = '-----BEGIN RSA PRIVATE KEY-----\nhunter2';
const controllers = ['127.0.0.1:6817'];

const MISTAKES: Readonly<Record<string, () => unknown>> = {
  'jwt(token)': () => jwt(TOKEN as never),
  'jwt: token as tokenFile': () => jwt({ tokenFile: TOKEN }),
  'jwt: line of scontrol as tokenFile': () => jwt({ tokenFile: `SLURM_JWT=${TOKEN}\n` }),
  'jwt: token as username': () => jwt({ token: 'x', username: `${TOKEN} ` }),
  'connect: token as auth': () => connect({ controllers, auth: 'hunter2' as never }),
  'connect: an option token': () => connect({ controllers, token: TOKEN } as never),
  'connect: key as tls': () => connect({ controllers, tls: KEY as never }),
  'connect: text as tls': () => connect({ controllers, tls: 'hunter2' as never }),
  'connect: key as tls beside transport': () =>
    connect({ controllers, tls: KEY as never, transport: tcpTransport() }),
  'connect: URL with a password': () => connect({ controllers: ['http://user:hunter2@ctl:6817'] }),
  'connect: user and password before the host': () => connect({ controllers: ['user:hunter2@ctl:6817'] }),
  'connect: a password with @': () => connect({ controllers: ['tcp://user:x@hunter2@ctl:6817'] }),
  'SLURM_CONF_SERVER: URL with a password': () =>
    findConfServers({ env: { SLURM_CONF_SERVER: 'https://user:hunter2@ctl:6817' } }),
};

describe('a secret in the wrong place', () => {
  it.each(Object.entries(MISTAKES))('%s', async (_, mistake) => {
    let error: unknown;
    try {
      await mistake();
    } catch (thrown) {
      error = thrown;
    }
    expect(isSlurmError(error)).toBe(true);
    const { stack, message } = error as Error;
    expect(`${JSON.stringify(error)} ${message} ${stack} ${inspect(error, { depth: 9 })}`).not.toContain(
      'hunter2',
    );
  });

  it('showValue() keeps what is none, and is quick with what is long', () => {
    for (const text of ['ctl:6817', '[::1]:6817', '/a/b@c', 'user@host', 'x'.repeat(80)])
      expect(showValue(text)).toBe(JSON.stringify(text));
    expect(showValue('http://u:p@h:1')).toBe('"http://…@h:1"');
    expect(showValue('x'.repeat(81))).toBe(`${JSON.stringify('x'.repeat(77))}…`);
    expect(showValue('x'.repeat(70) + TOKEN)).not.toContain('hunter2');
    for (const piece of ['eyJ', ':', '-----BEGIN ', ' '])
      expect(showValue(piece.repeat(3_000_000)).length).toBeLessThan(500);
  });
});
