import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSlurmConf } from '../../src/config/slurm-conf.js';
import {
  type InterpretSlurmConfOptions,
  interpretSlurmConf,
  type SlurmConfig,
} from '../../src/config/slurm-config.js';
import { SlurmConfigError, SlurmUsageError } from '../../src/protocol/slurm-error.js';
import { caught, configError } from './caught.js';

const FILE = '/etc/slurm/slurm.conf';
const USERS: Record<string, number> = { root: 0, slurm: 64030, slurmd: 501 };

/** Host `login1`, pid 1000, time 5 s, users of {@link USERS}. */
const WORLD: InterpretSlurmConfOptions = {
  now: () => 5_999,
  pid: 1000,
  hostname: 'login1.example.org',
  resolveUser: async (user, { file, line } = {}) => {
    const uid = USERS[user];
    if (uid === undefined)
      throw new SlurmConfigError('unknown', { code: 'SLURMWIRE_CONFIG_UNKNOWN_USER', file, line });
    return uid;
  },
};

async function interpret(text: string, options: InterpretSlurmConfOptions = {}): Promise<SlurmConfig> {
  return await interpretSlurmConf(await parseSlurmConf(text, { file: FILE }), { ...WORLD, ...options });
}

/** With a controller, for what has nothing to do with controllers. */
const withController = (text: string, options?: InterpretSlurmConfOptions) =>
  interpret(`SlurmctldHost=ctl\n${text}`, options);

describe('defaults', () => {
  it('are those of Slurm', async () => {
    expect(await interpret('SlurmctldHost=ctl')).toEqual({
      file: FILE,
      clusterName: null,
      controllers: [{ name: 'ctl', host: 'ctl', port: 6817 }],
      slurmUser: { name: 'root', uid: 0 },
      slurmdUser: { name: 'root', uid: 0 },
      authType: 'auth/munge',
      authInfo: {
        socket: null,
        ttlSeconds: null,
        credExpireSeconds: 120,
        useClientIds: false,
        disableSack: false,
      },
      authAltTypes: [],
      authAltParameters: {},
      tlsType: 'tls/none',
      tlsParameters: {},
      messageTimeoutMs: 10_000,
      tcpTimeoutMs: 2_000,
      communication: {
        families: 'ipv4',
        hostUnreachRetries: 0,
        keepAlive: { timeSeconds: null, intervalSeconds: null, probes: null },
        disableHttp: false,
        blockNullHash: false,
        blockZeroHash: false,
      },
      slurmctldTimeoutMs: 120_000,
      killWaitMs: 30_000,
      maxArraySize: 1001,
      privateData: [],
      cloudDns: false,
      configless: false,
      rateLimited: false,
      routeTree: false,
      credType: 'cred/munge',
      hashPlugin: 'hash/k12',
    });
  });

  it('hold for parameters written ""', async () => {
    const keys = [
      'ClusterName',
      'SlurmUser',
      'SlurmdUser',
      'AuthType',
      'AuthInfo',
      'MessageTimeout',
      'TCPTimeout',
    ];
    const empty = [...keys, 'SlurmctldPort', 'SlurmctldAddr'].map((key) => `${key}=""`).join('\n');
    expect(await withController(empty)).toEqual(await interpret('SlurmctldHost=ctl'));
  });
});

describe('controllers', () => {
  const ctl = (name: string, host = name, port = 6817) => ({ name, host, port });
  const cases: readonly (readonly [name: string, text: string, controllers: readonly unknown[]])[] = [
    ['in order', 'SlurmctldHost=b\nSlurmctldHost=a\nSlurmctldHost=c', [ctl('b'), ctl('a'), ctl('c')]],
    ['with an address', 'SlurmctldHost=Ctl1(10.0.0.1)', [ctl('Ctl1', '10.0.0.1')]],
    ['with an IPv6 address', 'SlurmctldHost=ctl1(fd00::1)', [ctl('ctl1', 'fd00::1')]],
    ['in quotes', 'SlurmctldHost="ctl1(c.example.org)"', [ctl('ctl1', 'c.example.org')]],
    ['localhost', 'SlurmctldHost=LocalHost', [ctl('login1', 'LocalHost')]],
    ['localhost with an address', 'SlurmctldHost=localhost(10.0.0.1)', [ctl('login1', '10.0.0.1')]],
    ['names that differ in case', 'SlurmctldHost=a\nSlurmctldHost=A', [ctl('a'), ctl('A')]],
    ['port', 'SlurmctldHost=a\nSlurmctldPort=7000', [ctl('a', 'a', 7000)]],
    ['hexadecimal port', 'SlurmctldPort=0x1B58 SlurmctldHost=a', [ctl('a', 'a', 7000)]],
    ['what follows SlurmctldHost belongs to it', 'SlurmctldHost=a SlurmctldPort=7000', [ctl('a')]],
    ['old form', 'ControlMachine=a', [ctl('a')]],
    [
      'old form, all',
      'ControlMachine=a ControlAddr=1.1.1.1 BackupController=b BackupAddr=b-ib',
      [ctl('a', '1.1.1.1'), ctl('b', 'b-ib')],
    ],
    [
      'old form, localhost',
      'ControlMachine=localhost\nBackupController=b',
      [ctl('login1', 'localhost'), ctl('b')],
    ],
    ['old form, several names', 'ControlMachine=a,b ControlAddr=vip', [ctl('a,b', 'vip')]],
    ['new before old', 'ControlMachine=old ControlAddr=x,y\nSlurmctldHost=new\nBackupAddr=z', [ctl('new')]],
    ['SlurmctldAddr', 'SlurmctldHost=a(x)\nSlurmctldHost=b\nSlurmctldAddr=vip', [ctl('a', 'vip')]],
    [
      'SlurmctldAddr and old form',
      'ControlMachine=a SlurmctldAddr=1.2.3.4 SlurmctldPort=9',
      [ctl('a', '1.2.3.4', 9)],
    ],
    ['SlurmctldAddr alone', 'SlurmctldAddr=vip', [ctl('vip')]],
  ];

  it.each(cases)('%s: %j', async (_name, text, controllers) => {
    expect((await interpret(text)).controllers).toEqual(controllers);
  });

  it.each([
    [0, 0, 6817],
    [999, 0, 6817],
    [1000, 0, 6818],
    [3_000, 0, 6820],
    [4_000, 0, 6817],
    [3_000, 2, 6818],
    [1_700_000_001_500, 4_194_304, 6818],
  ])('range of ports at %d ms, pid %d: %d', async (ms, pid, port) => {
    const text = 'SlurmctldHost=a\nSlurmctldHost=b\nSlurmctldPort=6817-6820';
    const { controllers } = await interpret(text, { now: () => ms, pid });
    expect(controllers.map((controller) => controller.port)).toEqual([port, port]);
  });

  it('picks from a range with the real clock and pid too', async () => {
    const conf = await parseSlurmConf('SlurmctldHost=localhost\nSlurmctldPort=7000-7001');
    const [controller] = (await interpretSlurmConf(conf)).controllers;
    expect([7000, 7001]).toContain(controller?.port);
    expect(controller?.name).not.toContain('.');
  });

  it.each([
    ['none', 'ClusterName=x\nNodeName=n1'],
    ['a backup of nothing', 'BackupController=b'],
  ])('are missed: %s', async (_name, text) => {
    const error = await configError(interpret(text));
    expect(error).toMatchObject({ code: 'SLURMWIRE_CONFIG_NO_CONTROLLER', file: FILE, line: undefined });
    expect(error.hint).toContain('SlurmctldHost=');
    expect(error.hint).toContain("controllers: ['host:port']");
  });

  it.each([
    ['twice', 'SlurmctldHost=a\nSlurmctldHost=b\nSlurmctldHost=a(x)', 3, 'SlurmctldHost="a(x)"'],
    ['twice through localhost', 'SlurmctldHost=login1\nSlurmctldHost=localhost', 2, 'twice'],
    ['twice, though SlurmctldAddr is set', 'SlurmctldHost=a\nSlurmctldHost=a\nSlurmctldAddr=v', 2, 'twice'],
    ['twice in the old form', 'ControlMachine=a\nBackupController=a', 2, 'BackupController="a"'],
    ['list', 'SlurmctldHost=a,b', 1, 'one host name'],
    ['brackets', '\nSlurmctldHost=a[1-2]', 2, 'one host name'],
    ['host:port', 'SlurmctldHost=a:6817', 1, 'one host name'],
    ['no name', 'SlurmctldHost=(1.2.3.4)', 1, 'one host name'],
    ['empty', 'SlurmctldHost=""', 1, 'one host name'],
    ['empty address', 'SlurmctldHost=a()', 1, 'one host name'],
    ['space in the address', 'SlurmctldHost="a(b c)"', 1, 'one host name'],
    ['no end', 'SlurmctldHost=a(b', 1, 'name(address)'],
    ['text after the address', 'SlurmctldHost=a(b)c', 1, 'name(address)'],
    ['several names without address', 'ControlMachine=a,b', 1, 'add ControlAddr'],
    ['brackets without address', 'ControlMachine=a[1-2]', 1, 'add ControlAddr'],
    ['bad address', 'ControlMachine=a\nControlAddr=b,c', 2, 'ControlAddr'],
    ['address of nothing', 'ControlAddr=a', 1, 'needs a ControlMachine'],
    ['backup address of nothing', 'ControlMachine=a\nBackupAddr=b', 2, 'needs a BackupController'],
    ['bad SlurmctldAddr', 'SlurmctldHost=a\nSlurmctldAddr=b,c', 2, 'SlurmctldAddr'],
    ...[
      [
        '0',
        '65536',
        '-1',
        '6817-',
        '-6817',
        '6820-6817',
        '6817-65536',
        '0-5',
        '1-2-3',
        '6817,6818',
        'x',
        '6817x',
        '1e3',
      ],
      ['99999999999999999999', 'INFINITE', '6.5'],
    ]
      .flat()
      .map(
        (port) =>
          [`port ${port}`, `SlurmctldHost=a\nSlurmctldPort=${port}`, 2, `SlurmctldPort="${port}"`] as const,
      ),
  ] as const)('are not usable: %s', async (_name, text, line, words) => {
    const error = await configError(interpret(text));
    expect(error).toMatchObject({ code: 'SLURMWIRE_CONFIG_VALUE', file: FILE, line });
    expect(error.message).toContain(words);
  });

  it('point at the file that was included', async () => {
    const readInclude = async () => '\nSlurmctldHost=a,b';
    const conf = await parseSlurmConf('Include ctl.conf', { file: FILE, readInclude });
    expect(await configError(interpretSlurmConf(conf))).toMatchObject({
      file: '/etc/slurm/ctl.conf',
      line: 2,
    });
  });
});

describe('users', () => {
  it('are looked up', async () => {
    const config = await withController('SlurmUser=slurm\nslurmduser=slurmd');
    expect(config.slurmUser).toEqual({ name: 'slurm', uid: 64030 });
    expect(config.slurmdUser).toEqual({ name: 'slurmd', uid: 501 });
  });

  it('may be numbers', async () => {
    const config = await withController('SlurmUser=64030', { resolveUser: undefined });
    expect(config.slurmUser).toEqual({ name: '64030', uid: 64030 });
  });

  it('that are unknown are an error at their line', async () => {
    expect(await configError(withController('\nSlurmUser=ghost'))).toMatchObject({ file: FILE, line: 3 });
    expect(await configError(withController('SlurmdUser=ghost'))).toMatchObject({ file: FILE, line: 2 });
  });

  it('are named with their parameter, and the signal goes along', async () => {
    const asked: unknown[] = [];
    const { signal } = new AbortController();
    await withController('SlurmUser=a\nSlurmdUser=b', {
      signal,
      resolveUser: async (user, options) => {
        asked.push([user, options]);
        return 1;
      },
    });
    expect(asked).toEqual([
      ['a', { parameter: 'SlurmUser', file: FILE, line: 2, signal }],
      ['b', { parameter: 'SlurmdUser', file: FILE, line: 3, signal }],
    ]);
  });

  it('given as uid are not looked up', async () => {
    const config = await withController('SlurmUser=ghost', { slurmUser: 7, slurmdUser: 8 });
    expect(config.slurmUser).toEqual({ name: 'ghost', uid: 7 });
    expect(config.slurmdUser).toEqual({ name: '8', uid: 8 });
    expect((await withController('SlurmUser=slurm', { slurmUser: 0 })).slurmUser).toEqual({
      name: 'slurm',
      uid: 0,
    });
  });

  it.each([-1, 1.5, Number.NaN, 4294967295, '7', null])('refuses %j as uid', async (uid) => {
    const error = await caught(withController('', { slurmUser: uid as number }));
    expect(error).toBeInstanceOf(SlurmUsageError);
    expect(error).toMatchObject({ code: 'SLURMWIRE_BAD_UID', field: 'slurmUser' });
    expect(await caught(withController('', { slurmdUser: uid as number }))).toMatchObject({
      field: 'slurmdUser',
    });
  });
});

describe('AuthType and AuthInfo', () => {
  it('keeps the type as it is', async () => {
    expect((await withController('AuthType=auth/slurm')).authType).toBe('auth/slurm');
  });

  it.each([
    ['socket=/run/m.sock', '/run/m.sock', null],
    ['socket=/run/m.sock,ttl=60', '/run/m.sock', 60],
    ['ttl=60,cred_expire=30,socket=/run/m.sock', '/run/m.sock', 60],
    ['cred_expire=30', null, null],
    ['TTL=60', null, 60],
    ['"ttl=60 , socket=/run/my munge"', '/run/my munge', 60],
    ['ttl=0', null, null],
    ['ttl=0x10', null, 16],
    ['use_client_ids,ttl=5', null, 5],
    ['/var/run/munge/munge.socket.2', '/var/run/munge/munge.socket.2', null],
    ['/run/a,b', '/run/a,b', null],
    ['use_client_ids', null, null],
    ['disable_sack,Use_Client_Ids', null, null],
  ])('AuthInfo=%s', async (text, socket, ttlSeconds) => {
    expect((await withController(`AuthInfo=${text}`)).authInfo).toMatchObject({ socket, ttlSeconds });
  });

  it.each(['socket=', 'socket=,ttl=5', 'ttl=', 'ttl=x', 'ttl=60s', 'ttl=-1', 'ttl=1.5', 'ttl=2147483648'])(
    'AuthInfo=%s is not usable',
    async (text) => {
      expect(await configError(withController(`AuthInfo=${text}`))).toMatchObject({
        code: 'SLURMWIRE_CONFIG_VALUE',
        file: FILE,
        line: 2,
      });
    },
  );
});

describe('times and names', () => {
  it('are in milliseconds', async () => {
    const config = await withController('MessageTimeout=60\nTCPTimeout=0x5');
    expect(config).toMatchObject({ messageTimeoutMs: 60_000, tcpTimeoutMs: 5_000 });
  });

  it.each(['INFINITE', 'unlimited', '65535'])('%s is what a u16 holds', async (text) => {
    expect((await withController(`MessageTimeout=${text}`)).messageTimeoutMs).toBe(65_535_000);
  });

  it.each(
    ['MessageTimeout', 'TCPTimeout'].flatMap((key) =>
      ['0', '65536', '-1', '10s', 'x', '1.5'].map((v) => [key, v]),
    ),
  )('%s=%s is not usable', async (key, value) => {
    const error = await configError(withController(`${key}=${value}`));
    expect(error).toMatchObject({ code: 'SLURMWIRE_CONFIG_VALUE', line: 2 });
    expect(error.message).toContain(`${FILE}:2: ${key}="${value}" is not usable. Give a number of seconds`);
  });

  it('ClusterName is lower-cased', async () => {
    expect((await withController('ClusterName=BigOne')).clusterName).toBe('bigone');
  });
});

describe('whatever is in the file', () => {
  const keys = fc.constantFrom(
    ...['SlurmctldHost', 'ControlMachine', 'ControlAddr', 'BackupController', 'BackupAddr', 'SlurmctldAddr'],
    ...[
      'SlurmctldPort',
      'SlurmUser',
      'SlurmdUser',
      'AuthInfo',
      'MessageTimeout',
      'TCPTimeout',
      'ClusterName',
    ],
  );
  const values = fc.oneof(
    fc.constantFrom(
      'a',
      'b',
      'localhost',
      'a(b)',
      'a,b',
      '1-5',
      '6817',
      '0',
      'slurm',
      'socket=/x,ttl=1',
      '::1',
      '-',
    ),
    fc.string(),
  );

  it('it is a configuration or a SlurmConfigError', async () => {
    let good = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(keys, values), { maxLength: 8 }), async (pairs) => {
        const text = `SlurmctldHost=ctl\n${pairs.map(([key, value]) => `${key}="${value}"`).join('\n')}`;
        try {
          const config = await interpret(text);
          good += 1;
          expect(config.controllers.length).toBeGreaterThan(0);
          for (const { name, host, port } of config.controllers) {
            expect(name).not.toBe('');
            expect(host).toMatch(/^[^\s()[\],]+$/);
            expect(port >= 1 && port <= 65_535).toBe(true);
          }
          expect(config.messageTimeoutMs).toBeGreaterThan(0);
        } catch (error) {
          if (!(error instanceof SlurmConfigError)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
    expect(good).toBeGreaterThan(0);
  });
});
