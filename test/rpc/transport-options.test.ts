/** What is given to tcpTransport(), tlsTransport() and, of the same kind, connect(): refused by name before anything is connected. */
import { describe, expect, it } from 'vitest';
import type { SlurmConfig } from '../../src/config/index.js';
import { SlurmUsageError } from '../../src/protocol/index.js';
import { connect, tcpTransport, tlsTransport } from '../../src/rpc/index.js';
import { caught } from '../config/caught.js';

const CONF: SlurmConfig = {
  file: null,
  clusterName: null,
  controllers: [{ name: 'c', host: '127.0.0.1', port: 1 }],
  slurmUser: { name: 'slurm', uid: 1 },
  slurmdUser: { name: 'root', uid: 0 },
  authType: 'auth/munge',
  authInfo: { socket: null, ttlSeconds: null },
  messageTimeoutMs: 10_000,
  tcpTimeoutMs: 2_000,
};

async function refused(act: () => unknown, field: string): Promise<void> {
  const error = await caught((async () => act())());
  expect(error).toBeInstanceOf(SlurmUsageError);
  expect(error).toMatchObject({ code: 'SLURMWIRE_BAD_OPTION', field });
  expect(JSON.stringify(error)).not.toContain('hunter2');
}

const DIALING: readonly (readonly [string, unknown])[] = [
  ['connectTimeoutMs', Number.NaN],
  ['connectTimeoutMs', 0],
  ['connectTimeoutMs', 2 ** 31],
  ['connectTimeoutMs', '5'],
  ['families', 'ipv5'],
  ['hostUnreachRetries', -1],
  ['hostUnreachRetries', Number.POSITIVE_INFINITY],
  ['connecttimeoutms', 5],
];

describe('transport options', () => {
  it.each(DIALING)('tcpTransport: %s %s', (field, value) =>
    refused(() => tcpTransport({ [field]: value }), field),
  );

  it.each([
    ...DIALING,
    ['ca', undefined],
    ['ca', 5],
    ['ca', ['x', 5]],
    ['cert', 5],
    ['key', { pem: 'hunter2' }],
    ['Key', 'hunter2'],
    ['checkHostName', true],
    ['checkHostname', 'yes'],
    ['servername', ''],
    ['minVersion', 'TLSv1'],
    ['handshakeTimeoutMs', Number.NaN],
  ] as const)(
    'tlsTransport: %s, case %#',
    (field, value) => // titles are printed, and no value that may be a key is
      refused(() => tlsTransport({ ca: 'x', [field]: value } as never), field),
  );

  it.each([undefined, null, 'hunter2', 5])('what is no options, case %#', async (options) => {
    await refused(() => tlsTransport(options as never), 'options');
    if (options !== undefined) await refused(() => tcpTransport(options as never), 'options');
  });

  it.each([
    [{ nodeAddress: 'n1:6818' }, 'nodeAddress'],
    [{ conf: { ...CONF, messageTimeoutMs: 2 ** 31 } }, 'conf.messageTimeoutMs'],
    [{ conf: { ...CONF, tcpTimeoutMs: 2 ** 31 } }, 'conf.tcpTimeoutMs'],
    [{ conf: { ...CONF, slurmctldTimeoutMs: Number.NaN } }, 'conf.slurmctldTimeoutMs'],
    [
      { conf: { ...CONF, communication: { families: 'any', hostUnreachRetries: 0.5 } } },
      'conf.communication.hostUnreachRetries',
    ],
  ])('connect: %j', (options, field) => refused(() => connect({ conf: CONF, ...options } as never), field));
});
