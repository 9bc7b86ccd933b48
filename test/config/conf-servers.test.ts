/** Who is asked for a configuration where there is no slurm.conf. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findConfServers } from '../../src/config/conf-servers.js';
import type { SrvEntry } from '../../src/config/find-srv.js';
import { SlurmConfigError } from '../../src/protocol/slurm-error.js';
import { caught, configError } from './caught.js';

const none = async () => [];
const serversOf = async (SLURM_CONF_SERVER: string) =>
  (await findConfServers({ env: { SLURM_CONF_SERVER }, resolveSrv: none }))?.servers.map(
    ({ host, port }) => `${host} ${port}`,
  );

describe('SLURM_CONF_SERVER', () => {
  it.each([
    ['ctl', ['ctl 6817']],
    ['ctl:7000', ['ctl 7000']],
    ['a:7000,b', ['a 7000', 'b 7000']],
    ['a,b:7000', ['a 6817', 'b 6817']],
    [' a , b ,', ['a 6817', 'b 6817']],
    ['[::1]:7000', ['::1 7000']],
    ['[fd00::1],10.0.0.1:9', ['fd00::1 6817', '10.0.0.1 6817']],
  ])('%j: the port of the first entry is that of all: %j', async (text, servers) => {
    expect(await serversOf(text)).toEqual(servers);
  });

  it.each([
    ['a:0', 'entry 1'],
    ['a,b:99999', 'entry 2'],
    ['http://a', 'entry 1'],
    ['[::1', 'entry 1'],
    ['a b', 'entry 1'],
    [',', 'names no server'],
    [Array(65).fill('a').join(), 'more than 64'],
  ])('%j is refused', async (text, words) => {
    const error = await configError(serversOf(text));
    expect(error.code).toBe('SLURMWIRE_CONFIG_VALUE');
    expect(error.message).toContain(words);
    expect(error.message).toContain('SLURM_CONF_SERVER');
  });

  it('whatever stands in it is a list of servers or a typed error', async () => {
    const anything = fc.oneof(fc.string(), fc.stringMatching(/^[a-c:,[\]0-9. ]{0,30}$/));
    await fc.assert(
      fc.asyncProperty(anything, async (text) => {
        const found = await serversOf(text).catch((error: unknown) => error);
        if (Array.isArray(found)) expect(found.length).toBeGreaterThan(0);
        else if (text !== '') expect(found).toBeInstanceOf(SlurmConfigError);
      }),
    );
  });

  it('counts before the DNS', async () => {
    const resolveSrv = () => Promise.reject(new Error('asked'));
    expect(await findConfServers({ env: { SLURM_CONF_SERVER: 'a' }, resolveSrv })).toMatchObject({
      source: 'SLURM_CONF_SERVER',
    });
  });
});

describe('the DNS SRV record', () => {
  const entry = (name: string, priority: number, port = 6817): SrvEntry => ({ name, priority, port });

  /** Names asked for, and what was found. */
  async function find(
    zone: Readonly<Record<string, readonly SrvEntry[]>>,
    options: {
      readonly resolvConf?: string;
      readonly hostname?: string;
      readonly env?: Record<string, string>;
    } = {},
  ) {
    const asked: string[] = [];
    const found = await findConfServers({
      env: {},
      resolvConf: 'nameserver 10.0.0.1\nsearch one.example two.example\n',
      ...options,
      resolveSrv: async (name) => {
        asked.push(name);
        const entries = zone[name];
        if (entries === undefined) throw Object.assign(new Error('none'), { code: 'ENOTFOUND' });
        return entries;
      },
    });
    return { asked, found };
  }

  it('is looked for in the search domains in order, then by itself', async () => {
    const { asked, found } = await find({});
    expect(found).toBeNull();
    expect(asked).toEqual(['_slurmctld._tcp.one.example', '_slurmctld._tcp.two.example', '_slurmctld._tcp']);
  });

  it('with hundreds of names: the first 64, since each may be silent', async () => {
    const many = Array.from({ length: 500 }, (_, index) => entry(`h${index}`, index));
    const { found } = await find({ '_slurmctld._tcp': many });
    expect(found?.servers.map(({ host }) => host)).toEqual(many.slice(0, 64).map(({ name }) => name));
  });

  it('is the first that is found; lowest priority first, order kept, one port for all', async () => {
    const { asked, found } = await find({
      '_slurmctld._tcp.two.example': [
        entry('c', 20, 1),
        entry('a', 5, 7000),
        entry('b', 5, 7001),
        entry('.', 0),
        entry('', 0),
      ],
      '_slurmctld._tcp': [entry('wrong', 0)],
    });
    expect(asked).toHaveLength(2);
    expect(found).toEqual({
      source: '_slurmctld._tcp.two.example',
      servers: ['a', 'b', 'c'].map((host) => ({ host, port: 7000 })),
    });
  });

  it.each([
    [
      'the last search line',
      { resolvConf: 'search a.example\nsearch b.example c.example.' },
      ['b.example', 'c.example'],
    ],
    ['domain', { resolvConf: 'domain a.example' }, ['a.example']],
    ['what the host is in', { resolvConf: '', hostname: 'login.hpc.example' }, ['hpc.example']],
    ['LOCALDOMAIN', { env: { LOCALDOMAIN: 'x.example y.example' } }, ['x.example', 'y.example']],
    ['none', { resolvConf: '# search a.example', hostname: 'login' }, []],
    ['no more than 16', { resolvConf: `search ${'d '.repeat(40)}` }, Array(16).fill('d')],
    ['none that is no name', { resolvConf: 'search a/b ../x $(x)' }, []],
  ])('search domains: %s', async (_, options, domains) => {
    const { asked } = await find({}, options);
    expect(asked).toEqual([...domains.map((domain) => `_slurmctld._tcp.${domain}`), '_slurmctld._tcp']);
  });

  it('ends with the signal, also while a name server is silent', async () => {
    const control = new AbortController();
    const reason = new Error('enough');
    const resolveSrv = () => new Promise<never>(() => control.abort(reason));
    const { signal } = control;
    expect(await caught(findConfServers({ env: {}, resolveSrv, resolvConf: '', signal }))).toBe(reason);
  });

  it('is asked of the system where nothing else is given, and its failure is no error', async () => {
    const { signal } = new AbortController();
    const work = findConfServers({ env: { LOCALDOMAIN: 'slurmwire.invalid' }, signal });
    expect(await work).toBeNull();
  }, 60_000);
});
