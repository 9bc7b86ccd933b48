/** The configuration of a cluster without a slurm.conf on this host: who is asked, what is asked, and what becomes of the answers. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RELEASE_NAMES, type Release } from '../../src/protocol/index.js';
import { type FetchConfigOptions, fetchConfig } from '../../src/rpc/configless.js';
import { tcpTransport } from '../../src/rpc/index.js';
import { FakeAuth } from './support/fake-auth.js';
import { answering, jobInfo, type ReplyDetails, rc, reply, silence } from './support/replies.js';
import { type Script, ScriptedPeer } from './support/scripted-peer.js';
import { failureOf } from './support/setup.js';
import { until } from './support/until.js';

type Files = Readonly<Record<string, string>>;

function configReply(files: Files, details: ReplyDetails = {}): Uint8Array {
  const configFiles = Object.entries(files).map(([fileName, fileContent]) => ({
    exists: true,
    fileName,
    fileContent,
  }));
  const record =
    details.release === '20.11'
      ? { config: files['slurm.conf'] ?? null, slurmdSpooldir: null }
      : { configFiles, slurmdSpooldir: null };
  return reply('RESPONSE_CONFIG', record, details);
}

const giving = (files: Files, details: ReplyDetails = {}) =>
  answering({ REQUEST_CONFIG: configReply(files, details) }, details.release);

interface Given extends Partial<Omit<FetchConfigOptions, 'setup'>> {
  readonly release?: Release;
  /** In place of the peer alone; `PORT` stands for its port. */
  readonly servers?: string;
}

async function fetchFrom(script: Script, given: Given = {}) {
  await using peer = await ScriptedPeer.listen(script);
  const auth = new FakeAuth();
  const { servers = '127.0.0.1:PORT', release = '22.05', ...options } = given;
  const { port } = peer.endpoint;
  const work = fetchConfig({
    setup: { auth, transport: tcpTransport(), maxReplyBytes: 1_000_000, release },
    env: { SLURM_CONF_SERVER: servers.replaceAll('PORT', String(port)) },
    ...options,
  });
  const settled = await work.then(
    (config) => ({ config }),
    (error: unknown) => ({ error }),
  );
  return { ...settled, auth, peer, port, requests: peer.connections.map(({ request }) => request) };
}

async function failure(script: Script, given?: Given) {
  const { error } = (await fetchFrom(script, given)) as { readonly error?: unknown };
  return failureOf(error === undefined ? Promise.resolve('a configuration') : Promise.reject(error));
}

const CONF = 'ClusterName=Far\nSlurmctldHost=ctl(10.0.0.1)\nSlurmUser=64030\nNodeName=n[1-2] Port=7000\n';

describe('a server that gives its configuration', () => {
  it.each(RELEASE_NAMES)(
    'in %s: it is asked as a client asks, and the file is understood',
    async (release: Release) => {
      const files = { 'slurm.conf': CONF, 'plugstack.conf': 'nonsense' };
      const { config, requests, auth } = (await fetchFrom(giving(files, { release }), {
        release,
      })) as never as {
        config: unknown;
        requests: readonly { readonly name: string; readonly frame: { readonly body: Uint8Array } }[];
        auth: FakeAuth;
      };
      expect(config).toMatchObject({
        file: null,
        clusterName: 'far',
        controllers: [{ name: 'ctl', host: '10.0.0.1', port: 6817 }],
        slurmUser: { uid: 64030 },
        nodes: [{ name: 'n1', port: 7000 }, { name: 'n2' }],
      });
      expect(requests.map((request) => request?.name)).toEqual(['REQUEST_PING', 'REQUEST_CONFIG']);
      // CONFIG_REQUEST_FLAGS.CLIENT, and since 25.05 port 0.
      expect(Buffer.from(requests[1]?.frame.body ?? []).every((byte) => byte === 0)).toBe(true);
      // Nobody knows yet who slurmctld runs as.
      expect(auth.created).toMatchObject([{ restrictUid: null }, { restrictUid: null }]);
    },
  );

  it('resolves Include among the files that came along, by name, with the cluster in it', async () => {
    const files = {
      'slurm.conf': `${CONF}Include %c.conf\n`,
      'far.conf': 'MessageTimeout=30\nInclude deep.conf',
      'deep.conf': 'TCPTimeout=5',
    };
    const { config } = (await fetchFrom(giving(files))) as { config?: unknown };
    expect(config).toMatchObject({ messageTimeoutMs: 30_000, tcpTimeoutMs: 5_000 });
  });

  it("takes a whole path from this host's own files, as Slurm does", async () => {
    const directory = await mkdtemp(join(tmpdir(), 'slurmwire-configless-'));
    try {
      const path = join(directory, 'own.conf');
      await writeFile(path, 'TCPTimeout=9');
      const { config } = (await fetchFrom(giving({ 'slurm.conf': `${CONF}Include ${path}` }))) as {
        config?: unknown;
      };
      expect(config).toMatchObject({ tcpTimeoutMs: 9_000 });
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('is asked after one that is down', async () => {
    const { config } = (await fetchFrom(giving({ 'slurm.conf': CONF }), {
      servers: '127.0.0.9:PORT,127.0.0.1',
    })) as { config?: unknown };
    expect(config).toMatchObject({ clusterName: 'far' });
  });

  it('is asked after one that is silent, which leaves it its share of the time', async () => {
    await using peer = await ScriptedPeer.listen((connection) =>
      (connection.index === 0 ? silence : giving({ 'slurm.conf': CONF }))(connection),
    );
    const server = `127.0.0.1:${peer.endpoint.port}`;
    const config = await fetchConfig({
      setup: { auth: new FakeAuth(), transport: tcpTransport(), maxReplyBytes: 1_000_000, release: '22.05' },
      env: { SLURM_CONF_SERVER: `${server},${server}` },
      timeoutMs: 2_000,
    });
    expect(config).toMatchObject({ clusterName: 'far' });
  });

  it('is found through the DNS', async () => {
    await using peer = await ScriptedPeer.listen(giving({ 'slurm.conf': CONF }));
    const { port } = peer.endpoint;
    const config = await fetchConfig({
      setup: { auth: new FakeAuth(), transport: tcpTransport(), maxReplyBytes: 1_000_000, release: '22.05' },
      env: {},
      resolvConf: 'search a.example b.example',
      resolveSrv: async (name) =>
        name.endsWith('.b.example') ? [{ name: '127.0.0.1', port, priority: 1 }] : [],
    });
    expect(config).toMatchObject({ clusterName: 'far' });
  });
});

describe('what goes wrong is a typed error', () => {
  const fetched = { name: 'SlurmConfigError', code: 'SLURMWIRE_CONFIG_NOT_FETCHED', outcome: 'not-sent' };

  it('no server at all: null, and nobody is asked', async () => {
    const setup = {
      auth: new FakeAuth(),
      transport: tcpTransport(),
      maxReplyBytes: 1_000_000,
      release: '22.05' as const,
    };
    const nothing = { setup, env: {}, resolvConf: '', resolveSrv: async () => [] };
    expect(await fetchConfig(nothing)).toBeNull();
    const silentDns = { ...nothing, resolveSrv: () => new Promise<never>(() => {}), timeoutMs: 20 };
    expect(await fetchConfig(silentDns)).toBeNull();
  });

  it('a controller that does not hand it out says so', async () => {
    const error = await failure(answering({ REQUEST_CONFIG: rc(2126) }));
    expect(error).toMatchObject({ ...fetched, cause: { code: 'ESLURM_CONFIGLESS_DISABLED' } });
    expect(error.message).toContain('SLURM_CONF_SERVER');
    expect(error.hint).toContain('enable_configless');
  });

  it('another message', async () => {
    const error = await failure(answering({ REQUEST_CONFIG: jobInfo(1) }));
    expect(error).toMatchObject({ ...fetched, cause: { code: 'SLURM_UNEXPECTED_MSG_ERROR' } });
  });

  it('a close without a word, in every version', async () => {
    const error = await failure((connection) => connection.drop());
    expect(error).toMatchObject({ ...fetched, cause: { reason: 'closed-on-every-version' } });
  });

  it('all servers are down: each is named', async () => {
    const error = await failure(silence, { servers: '127.0.0.8:PORT,127.0.0.9' });
    expect(error).toMatchObject({ ...fetched, errno: 'ECONNREFUSED' });
    expect(error.message).toContain('127.0.0.8:');
    expect(error.message).toContain('127.0.0.9:');
  });

  it('silence, within the time given', async () => {
    const startedAt = performance.now();
    const error = await failure(silence, { timeoutMs: 100 });
    expect(error).toMatchObject({ ...fetched, cause: { name: 'SlurmTimeoutError' } });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  it("the caller's signal ends it", async () => {
    const control = new AbortController();
    const script: Script = async (connection) => {
      await connection.readRequest();
      control.abort();
    };
    expect(await failure(script, { signal: control.signal })).toMatchObject({ code: 'SLURMWIRE_ABORTED' });
    const aborted = await failure(silence, { signal: AbortSignal.abort() });
    expect(aborted).toMatchObject({ code: 'SLURMWIRE_ABORTED' });
  });

  it.each([
    [
      'no slurm.conf among the files',
      { 'gres.conf': '' },
      'SLURMWIRE_CONFIG_NOT_FOUND',
      undefined,
      undefined,
    ],
    ['an empty one', { 'slurm.conf': '' }, 'SLURMWIRE_CONFIG_NO_CONTROLLER', 'slurm.conf', undefined],
    ['a broken one', { 'slurm.conf': 'A=1\nB' }, 'SLURMWIRE_CONFIG_SYNTAX', 'slurm.conf', 2],
    [
      'an include that did not come',
      { 'slurm.conf': '\nInclude x.conf' },
      'SLURMWIRE_CONFIG_NOT_FOUND',
      'slurm.conf',
      2,
    ],
    [
      'a whole path that is not there',
      { 'slurm.conf': 'Include /gone/x' },
      'SLURMWIRE_CONFIG_NOT_FOUND',
      'slurm.conf',
      1,
    ],
    [
      'an include of itself',
      { 'slurm.conf': 'Include slurm.conf' },
      'SLURMWIRE_CONFIG_INCLUDE',
      'slurm.conf',
      1,
    ],
    [
      'a name that leads out of the files',
      { 'slurm.conf': 'Include ../../etc/passwd' },
      'SLURMWIRE_CONFIG_NOT_FOUND',
      'slurm.conf',
      1,
    ],
  ])('%s', async (_name, files, code, file, line) => {
    const error = await failure(giving(files as never as Files));
    expect(error).toMatchObject({ name: 'SlurmConfigError', code, file, line });
  });
});

it('leaves no connection open', async () => {
  await using peer = await ScriptedPeer.listen(giving({ 'slurm.conf': CONF }));
  await fetchConfig({
    setup: { auth: new FakeAuth(), transport: tcpTransport(), maxReplyBytes: 1_000_000, release: '22.05' },
    env: { SLURM_CONF_SERVER: `127.0.0.1:${peer.endpoint.port}` },
  });
  await until(() => peer.connections.every(({ gone }) => gone), 'the client to close');
});
