/** What connect() and the calls take as options: nothing that is misspelt, of another type, or half there. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { SlurmConfig } from '../../src/config/index.js';
import { loadSlurmConfig } from '../../src/config/index.js';
import { SlurmUsageError } from '../../src/protocol/index.js';
import { type ConnectOptions, connect } from '../../src/rpc/index.js';
import { FakeAuth, SLURM_USER, SLURMD_USER } from './support/fake-auth.js';
import { answering, rc, silence } from './support/replies.js';
import { ScriptedPeer } from './support/scripted-peer.js';
import { clientOf, expectFailure, expectUsageError, failureOf, transportOf } from './support/setup.js';

let directory = '';
let file = '';
let conf: SlurmConfig;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'slurmwire-connect-'));
  file = await confFile('slurm.conf', `SlurmctldHost=ctl\nSlurmUser=${SLURM_USER}\n`);
  conf = await loadSlurmConfig({ conf: file });
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function confFile(name: string, text: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, text);
  return path;
}

/** Refused with `SLURMWIRE_BAD_OPTION`: the field is named, the value kept, and nothing was asked of anybody. */
async function refused(options: unknown, field: string, value?: string): Promise<SlurmUsageError> {
  const transport = vi.fn();
  const auth = new FakeAuth();
  const given =
    typeof options === 'object' && options !== null
      ? { transport: transportOf(transport), auth, ...options }
      : options;
  const work = connect(given as ConnectOptions);
  await expectUsageError(work, {
    code: 'SLURMWIRE_BAD_OPTION',
    field,
    ...(value === undefined ? {} : { value }),
  });
  expect(transport).not.toHaveBeenCalled();
  expect(auth.created).toEqual([]);
  return (await failureOf(connect(given as ConnectOptions))) as SlurmUsageError;
}

describe('connect()', () => {
  it.each([null, 'ctl:6817', 7, true, () => {}])('options %s', async (options) => {
    await refused(options, 'options');
  });

  it.each(['controler', 'controllers ', 'slurmuser', 'timeout', 'Signal', 'host', ''])(
    'no option %j',
    async (name) => {
      const error = await refused({ conf, [name]: 'x' }, name, '"x"');
      expect(error.message).toContain('connect()');
      expect(error.hint).toContain('controllers');
      await refused({ conf, [name]: undefined }, name);
    },
  );

  it('takes each of its options as undefined', async () => {
    const { hint = '' } = await refused({ conf, nonsense: 1 }, 'nonsense');
    const names = hint.replace(/^It has |\.$/g, '').split(', ');
    expect(names).toEqual(expect.arrayContaining(['conf', 'controllers', 'auth', 'slurmdUser', 'signal']));
    const all = { ...Object.fromEntries(names.map((name) => [name, undefined])), conf };
    await (await connect(all)).close();
  });

  it.each([
    ['slurmUser', -1],
    ['slurmUser', 0xffffffff],
    ['slurmUser', 'slurm'],
    ['slurmdUser', -1],
    ['slurmdUser', 1.5],
    ['slurmdUser', 0xffffffff],
    ['slurmdUser', '0'],
    ['timeoutMs', 0],
    ['timeoutMs', Number.NaN],
    ['timeoutMs', '5'],
    ['maxReplyBytes', 0],
    ['maxReplyBytes', 1.5],
    ['maxReplyBytes', Number.POSITIVE_INFINITY],
    ['maxReplyBytes', 2 ** 30 + 1],
    ['protocol', '19.05'],
    ['protocol', 38],
    ['protocol', ''],
    ['controllers', []],
    ['controllers', 'ctl'],
    ['controllers', {}],
    ['signal', 'SIGTERM'],
    ['signal', null],
    ['signal', {}],
    ['signal', { aborted: false }],
    ['signal', new EventTarget()],
    ['transport', null],
    ['transport', {}],
    ['transport', 'tcp'],
    ['transport', { connect: true }],
    ['auth', null],
    ['auth', {}],
    ['auth', 'munge'],
    ['auth', { name: 'auth/munge', create: () => {} }],
    ['auth', { name: 'auth/munge', verify: () => {} }],
  ])('%s %j', async (field, value) => {
    await refused({ conf, [field]: value }, field);
  });

  it('1 GiB is as much as maxReplyBytes can be, which is the most Slurm itself sends', async () => {
    await (await connect({ conf, maxReplyBytes: 2 ** 30 })).close();
    expect((await refused({ conf, maxReplyBytes: 2 ** 30 + 1 }, 'maxReplyBytes')).message).toContain('1 GiB');
  });

  it('the method that is missing is named', async () => {
    expect((await refused({ conf, transport: {} }, 'transport')).message).toContain('connect()');
    const half = { name: 'x', create: () => {} };
    expect((await refused({ conf, auth: half }, 'auth')).message).toContain('verify()');
  });

  it('a transport and an authenticator may be objects of a class, and a signal of another realm', async () => {
    class Wire {
      connect() {
        return Promise.reject(Object.assign(new Error('no'), { code: 'ECONNREFUSED' }));
      }
    }
    const signal = { aborted: false, addEventListener: () => {}, removeEventListener: () => {} };
    const options = { conf, transport: new Wire(), auth: new FakeAuth(), signal: signal as never };
    const client = await connect(options);
    expect(await failureOf(client.killJob(7))).toMatchObject({ errno: 'ECONNREFUSED', peer: 'ctl:6817' });
  });

  it.each(['http://ctl:6817', 'ctl:0', ''])('controllers with %j', async (text) => {
    const error = await failureOf(connect({ controllers: ['ctl', text] }));
    expect(error).toMatchObject({ code: 'SLURMWIRE_BAD_ENDPOINT', field: 'controllers[1]' });
  });
});

describe('a conf that was written by hand', () => {
  const without = (field: keyof SlurmConfig) => {
    const { [field]: _, ...rest } = conf;
    return rest;
  };

  it('as loadSlurmConfig makes it is taken', async () => {
    await (await connect({ conf })).close();
  });

  const FIELDS: [string, () => object, string][] = [
    ['nothing in it', () => ({}), 'conf.controllers'],
    ['an array', () => [], 'conf.controllers'],
    ['no controllers', () => without('controllers'), 'conf.controllers'],
    ['an empty list of controllers', () => ({ ...conf, controllers: [] }), 'conf.controllers'],
    ['controllers that are a text', () => ({ ...conf, controllers: 'ctl' }), 'conf.controllers'],
    ['no slurmUser', () => without('slurmUser'), 'conf.slurmUser'],
    ['a slurmUser that is a uid', () => ({ ...conf, slurmUser: 64030 }), 'conf.slurmUser'],
    ['a slurmUser without uid', () => ({ ...conf, slurmUser: { name: 'slurm' } }), 'conf.slurmUser'],
    ['a slurmUser null', () => ({ ...conf, slurmUser: null }), 'conf.slurmUser'],
    ['a slurmUser of uid -1', () => ({ ...conf, slurmUser: { name: null, uid: -1 } }), 'conf.slurmUser.uid'],
    ['no slurmdUser', () => without('slurmdUser'), 'conf.slurmdUser'],
    [
      'a slurmdUser of uid 0xffffffff',
      () => ({ ...conf, slurmdUser: { name: null, uid: 0xffffffff } }),
      'conf.slurmdUser.uid',
    ],
    ['no authInfo', () => without('authInfo'), 'conf.authInfo'],
    ['an authInfo null', () => ({ ...conf, authInfo: null }), 'conf.authInfo'],
    ['an authInfo that is a text', () => ({ ...conf, authInfo: 'socket=/run/m' }), 'conf.authInfo'],
    [
      'families of addresses that are none',
      () => ({ ...conf, communication: { ...conf.communication, families: 'ipv5' } }),
      'conf.communication.families',
    ],
    ['no messageTimeoutMs', () => without('messageTimeoutMs'), 'conf.messageTimeoutMs'],
    ['a messageTimeoutMs of 0', () => ({ ...conf, messageTimeoutMs: 0 }), 'conf.messageTimeoutMs'],
    ['a messageTimeoutMs null', () => ({ ...conf, messageTimeoutMs: null }), 'conf.messageTimeoutMs'],
    ['no tcpTimeoutMs', () => without('tcpTimeoutMs'), 'conf.tcpTimeoutMs'],
    ['a tcpTimeoutMs that is a text', () => ({ ...conf, tcpTimeoutMs: '2' }), 'conf.tcpTimeoutMs'],
  ];
  it.each(FIELDS)('%s', async (_, make, field) => {
    const error = await refused({ conf: make() }, field);
    expect(error.message).toContain(field);
  });

  it.each([
    [null, 'host'],
    [undefined, 'host'],
    ['ctl:6817', 'host'],
    [{ port: 6817 }, 'host'],
    [{ host: '', port: 6817 }, 'host'],
    [{ host: 7, port: 6817 }, 'host'],
    [{ host: 'ctl' }, 'port'],
    [{ host: 'ctl', port: 0 }, 'port'],
    [{ host: 'ctl', port: 65_536 }, 'port'],
    [{ host: 'ctl', port: 1.5 }, 'port'],
    [{ host: 'ctl', port: Number.NaN }, 'port'],
    [{ host: 'ctl', port: '6817' }, 'port'],
    [{ host: 'ctl', port: null }, 'port'],
  ])('a second controller %j', async (second, field) => {
    const controllers = [{ name: 'ctl', host: 'ctl', port: 6817 }, second];
    await refused({ conf: { ...conf, controllers } }, `conf.controllers[1].${field}`);
  });

  it.each([null, 7, true, ''])('%s is no conf at all', async (value) => {
    const error = await failureOf(connect({ conf: value as never, auth: new FakeAuth() }));
    expect(error).toMatchObject({ name: 'SlurmUsageError', field: 'conf', outcome: 'not-sent' });
  });
});

describe('a signal that has fired', () => {
  it.each([
    ['its own reason', AbortSignal.abort()],
    ['a reason of any kind', AbortSignal.abort('enough')],
    ['an Error', AbortSignal.abort(new Error('enough'))],
  ])('ends reading the configuration: SLURMWIRE_ABORTED with %s as the cause', async (_, signal) => {
    const error = await expectFailure(connect({ conf: file, signal }), {
      name: 'SlurmTimeoutError',
      code: 'SLURMWIRE_ABORTED',
      phase: 'config',
      outcome: 'not-sent',
      retryable: false,
      rpc: undefined,
      peer: undefined,
      protocol: undefined,
    });
    expect(error.errno).toBe('ECANCELED');
    expect(error.cause).toBe(signal.reason);
  });

  it('changes nothing where nothing is read', async () => {
    const signal = AbortSignal.abort();
    await (await connect({ conf, signal })).close();
    await (await connect({ controllers: ['ctl'], signal })).close();
  });
});

describe('slurmdUser', () => {
  const endpointOf = (peer: ScriptedPeer) => [`127.0.0.1:${peer.endpoint.port}`];

  it.each([
    ['of the option', { slurmdUser: SLURMD_USER }, SLURMD_USER, true],
    ['of the conf', {}, 64_040, true],
    ['of the conf, where the option names another', { slurmdUser: SLURMD_USER }, 64_040, false],
    ['that nobody named', {}, SLURMD_USER, false],
    ['root, where the option names another', { slurmdUser: SLURMD_USER }, 0, true],
  ])('%s: a reply it signed', async (_, given, signer, isTrusted) => {
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_PING: rc(0, { signer }) }));
    const options = {
      auth: new FakeAuth(),
      protocol: '22.05',
      controllers: endpointOf(peer),
      ...given,
    } as const;
    const other = { ...conf, slurmdUser: { name: 'slurmd', uid: 64_040 } };
    const client = await connect({ ...options, conf: other });
    const [ping] = await client.ping();
    expect([ping?.up, ping?.authenticated]).toEqual([isTrusted, isTrusted]);
    if (!isTrusted) expect(ping?.error?.message).toContain(`uid ${signer}`);
  });

  it('stands in for a SlurmdUser that this host does not know', async () => {
    const text = `SlurmctldHost=ctl\nSlurmUser=${SLURM_USER}\nSlurmdUser=no-such-user-here\n`;
    const path = await confFile('unknown-slurmd-user.conf', text);
    const auth = new FakeAuth();
    const error = await failureOf(connect({ conf: path, auth }));
    expect(error).toMatchObject({ name: 'SlurmConfigError', code: 'SLURMWIRE_CONFIG_UNKNOWN_USER', line: 3 });
    expect(error.message).toContain('slurmdUser');
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_PING: rc(0, { signer: SLURMD_USER }) }));
    const client = await connect({
      conf: path,
      auth,
      protocol: '22.05',
      slurmdUser: SLURMD_USER,
      controllers: endpointOf(peer),
    });
    expect(await client.ping()).toMatchObject([{ up: true, authenticated: true }]);
  });

  it('counts for nothing where SlurmUser is not known: nobody is called authenticated', async () => {
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_PING: rc(0, { signer: 4711 }) }));
    const client = await connect({
      controllers: endpointOf(peer),
      protocol: '22.05',
      auth: new FakeAuth(),
      slurmdUser: SLURMD_USER,
    });
    expect(await client.ping()).toMatchObject([{ up: true, authenticated: false }]);
  });
});

describe('a misspelt option of a call', () => {
  type Client = ReturnType<typeof clientOf>;
  const CALLS: [string, (client: Client, options: never) => Promise<unknown>][] = [
    ['killJob', (client, options) => client.killJob(7, 9, options)],
    ['killJobStep', (client, options) => client.killJobStep('7.0', 9, options)],
    ['ping', (client, options) => client.ping(options)],
    ['request', (client, options) => client.request('REQUEST_PING', {}, options)],
  ];
  const NAMES = ['stepOnly', 'timeout', 'timeoutMS', 'abortSignal', 'unixSignal', 'FULL', ''];

  it.each(CALLS)('%s: named, and nothing is sent', async (call, act) => {
    await using peer = await ScriptedPeer.listen(silence);
    const auth = new FakeAuth();
    const client = clientOf([peer.endpoint], { auth });
    for (const name of NAMES) {
      for (const value of [true, undefined]) {
        const work = act(client, { [name]: value } as never);
        await expectUsageError(work, { code: 'SLURMWIRE_BAD_OPTION', field: name, value: String(value) });
      }
    }
    const error = await failureOf(act(client, { timeoutMs: 5, nonsense: 1 } as never));
    expect(error.message).toContain(`nonsense is no option of ${call}()`);
    expect(error.hint).toContain('timeoutMs, signal');
    for (const name of ['x'.repeat(20_000), 'bell\u0007']) {
      const { message } = await failureOf(act(client, { [name]: 1 } as never));
      expect(message.length).toBeLessThan(1000);
      expect(message).not.toContain('\u0007');
    }
    expect(auth.created).toEqual([]);
    expect(peer.connections).toHaveLength(0);
  });

  it.each([
    ['ping', 'idempotent'],
    ['ping', 'flags'],
    ['request', 'idempotent'],
    ['killJob', 'flags'],
    ['killJob', 'restrictUid'],
    ['killJobStep', 'full'],
  ])("%s does not take another call's %s", async (call, name) => {
    const act = CALLS.find(([one]) => one === call)?.[1] ?? expect.fail('no such call');
    const client = clientOf([{ host: '127.0.0.1', port: 1 }]);
    const error = await failureOf(act(client, { [name]: undefined } as never));
    expect(error).toBeInstanceOf(SlurmUsageError);
    expect(error).toMatchObject({ code: 'SLURMWIRE_BAD_OPTION', field: name });
  });
});
