/** When connect() speaks TLS, whom it then trusts, and what it refuses. TLS is never tried: only the caller or slurm.conf can say it. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ConnectOptions, connect, type TlsOptions } from '../../src/rpc/index.js';
import { FakeAuth, SLURM_USER } from './support/fake-auth.js';
import { answering, rc } from './support/replies.js';
import { ScriptedPeer } from './support/scripted-peer.js';
import { expectUsageError, failureOf, transportOf } from './support/setup.js';
import { describeTls } from './support/tls-peer.js';

const base = { controllers: ['127.0.0.1'], slurmUser: SLURM_USER };

describe('the tls option', () => {
  const pem = '-----BEGIN PRIVATE KEY-----';
  it.each<[unknown, string]>([
    ['yes', 'tls'],
    [1, 'tls'],
    [null, 'tls'],
    [{ rejectUnauthorized: false }, 'tls.rejectUnauthorized'],
    [{ passphrase: 'secret' }, 'tls.passphrase'],
    [{ ca: 7 }, 'tls.ca'],
    [{ ca: '', caFile: '/x' }, 'tls.caFile'],
    [{ caFile: '' }, 'tls.caFile'],
    [{ caFile: 7 }, 'tls.caFile'],
    [{ systemCertificates: 'yes' }, 'tls.systemCertificates'],
    [{ checkHostname: 1 }, 'tls.checkHostname'],
    [{ servername: '127.0.0.1' }, 'tls.servername'],
    [{ servername: '' }, 'tls.servername'],
    [{ key: pem }, 'tls.cert'],
    [{ cert: 'x' }, 'tls.key'],
    [{ cert: 'x', key: [pem] }, 'tls.key'],
    [{ minVersion: 'TLSv1.1' }, 'tls.minVersion'],
    // No CA to be had without a slurm.conf.
    [true, 'tls'],
    [{}, 'tls'],
  ])('%j', async (tls, field) => {
    const given = { ...base, auth: new FakeAuth(), tls } as ConnectOptions;
    await expectUsageError(connect(given), { code: 'SLURMWIRE_BAD_OPTION', field });
    const error = await failureOf(connect(given));
    expect(JSON.stringify(error)).not.toMatch(/secret|PRIVATE KEY/);
  });

  it('beside a transport', async () => {
    const given = { ...base, transport: transportOf(async () => Promise.reject()), tls: true };
    await expectUsageError(connect(given), { code: 'SLURMWIRE_BAD_OPTION', field: 'tls' });
  });
});

describeTls('connect()', (certificates) => {
  /** A slurm.conf in a directory of its own. */
  async function confOf(peer: ScriptedPeer, lines: string, ca: string | null): Promise<string> {
    const directory = join(certificates().directory, `conf-${Math.random()}`);
    await mkdir(directory);
    if (ca !== null) await writeFile(join(directory, 'ca_cert.pem'), ca);
    const file = join(directory, 'slurm.conf');
    const { port } = peer.endpoint;
    const parameters = [
      `SlurmctldHost=ctl(127.0.0.1)`,
      `SlurmctldPort=${port}`,
      `SlurmUser=${SLURM_USER}`,
      'PartitionName=main Nodes=ALL',
      lines,
    ];
    await writeFile(file, `${parameters.join('\n')}\n`);
    return file;
  }

  /** Kills a job with these options against a TLS peer: what became of it, and how the client spoke. */
  async function kill(
    lines: string,
    options: ConnectOptions = {},
    ca: string | null = certificates().ca.cert,
  ) {
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(0) }), certificates().good);
    const conf = await confOf(peer, lines, ca);
    return await connectAndKill({ conf, ...options });
  }

  async function connectAndKill(options: ConnectOptions): Promise<string> {
    await using client = await connect({ protocol: '22.05', ...options, auth: new FakeAuth() });
    return await client.killJob(7, 'SIGTERM').then(
      ({ outcome }) => outcome,
      (error) => error.code,
    );
  }

  it.each(['tls/s2n', 's2n', 'TLS/S2N'])(
    'TLSType=%s: TLS, with ca_cert.pem beside slurm.conf',
    async (type) => {
      expect(await kill(`TLSType=${type}`)).toBe('accepted');
    },
  );

  it.each(['', 'TLSType=tls/none', 'TLSType=none', 'TLSParameters=ca_cert_file=/nowhere'])(
    '%j: none',
    async (line) => {
      expect(await kill(line)).not.toBe('accepted');
      // ... and a plain peer is spoken to as ever.
      await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(0) }));
      expect(await connectAndKill({ conf: await confOf(peer, line, null) })).toBe('accepted');
    },
  );

  it('tls: false against TLSType, true without it', async () => {
    expect(await kill('TLSType=tls/s2n', { tls: false })).not.toBe('accepted');
    expect(await kill('', { tls: true })).toBe('accepted');
    expect(await kill('', { tls: {} })).toBe('accepted');
  });

  it('a pinned protocol makes no difference: a newer daemon takes it too', async () => {
    await using peer = await ScriptedPeer.listen(
      answering({ REQUEST_KILL_JOB: rc(0, { release: '24.11' }) }, '24.11'),
      certificates().good,
    );
    const conf = await confOf(peer, 'TLSType=tls/s2n', certificates().ca.cert);
    expect(await connectAndKill({ conf, protocol: '24.11' })).toBe('accepted');
  });

  it('ca_cert_file of TLSParameters', async () => {
    const { ca, otherCa } = certificates();
    const lines = (file: string) => `TLSType=tls/s2n\nTLSParameters=ca_cert_file=${file}`;
    expect(await kill(lines(ca.certFile), {}, null)).toBe('accepted');
    expect(await kill(lines(otherCa.certFile))).toBe('SLURMWIRE_TLS_UNTRUSTED');
    await expect(kill(lines('ca.pem'))).rejects.toMatchObject({ code: 'SLURMWIRE_CONFIG_VALUE' });
    await expect(kill(lines('/nowhere/ca.pem'))).rejects.toMatchObject({
      code: 'SLURMWIRE_CONFIG_NOT_FOUND',
      file: '/nowhere/ca.pem',
      outcome: 'not-sent',
    });
  });

  it('a CA file that is missing, or none', async () => {
    await expect(kill('TLSType=tls/s2n', {}, null)).rejects.toMatchObject({
      code: 'SLURMWIRE_CONFIG_NOT_FOUND',
    });
    await expect(kill('TLSType=tls/s2n', {}, 'nonsense')).rejects.toMatchObject({
      code: 'SLURMWIRE_CONFIG_TLS',
    });
  });

  it('ca and caFile of the option, instead of those of slurm.conf', async () => {
    const { ca, otherCa } = certificates();
    const given = async (tls: TlsOptions) => kill('TLSType=tls/s2n', { tls }, otherCa.cert);
    expect(await given({})).toBe('SLURMWIRE_TLS_UNTRUSTED');
    expect(await given({ ca: ca.cert })).toBe('accepted');
    expect(await given({ ca: Buffer.from(ca.cert) })).toBe('accepted');
    expect(await given({ caFile: ca.certFile })).toBe('accepted');
    expect(await given({ ca: otherCa.cert })).toBe('SLURMWIRE_TLS_UNTRUSTED');
    expect(await given({ ca: ca.cert, checkHostname: true })).toBe('SLURMWIRE_TLS_UNTRUSTED');
  });

  it('the CAs of the system only where they are asked for', async () => {
    const { ca, otherCa } = certificates();
    const before = process.env.SSL_CERT_FILE;
    process.env.SSL_CERT_FILE = ca.certFile;
    try {
      const load = 'TLSType=tls/s2n\nTLSParameters=load_system_certificates';
      expect(await kill('TLSType=tls/s2n', {}, otherCa.cert)).toBe('SLURMWIRE_TLS_UNTRUSTED');
      expect(await kill(load, {}, otherCa.cert)).toBe('accepted');
      expect(await kill(load, {}, null)).toBe('accepted');
      expect(await kill(load, { tls: { ca: otherCa.cert } })).toBe('SLURMWIRE_TLS_UNTRUSTED');
      expect(await kill(load, { tls: { systemCertificates: false } }, otherCa.cert)).toBe(
        'SLURMWIRE_TLS_UNTRUSTED',
      );
      expect(await kill('', { tls: { systemCertificates: true } }, null)).toBe('accepted');
    } finally {
      if (before === undefined) delete process.env.SSL_CERT_FILE;
      else process.env.SSL_CERT_FILE = before;
    }
  });

  it('a TLSType nobody knows is refused rather than guessed', async () => {
    await expect(kill('TLSType=tls/openssl')).rejects.toMatchObject({ code: 'SLURMWIRE_CONFIG_VALUE' });
    expect(await kill('TLSType=tls/openssl', { tls: true })).toBe('accepted');
  });

  it('a conf written by hand', async () => {
    const { ca } = certificates();
    await using peer = await ScriptedPeer.listen(answering({ REQUEST_KILL_JOB: rc(0) }), certificates().good);
    const conf = {
      file: null,
      clusterName: null,
      controllers: [{ name: 'ctl', ...peer.endpoint }],
      slurmUser: { name: 'slurm', uid: SLURM_USER },
      slurmdUser: { name: 'root', uid: 0 },
      authType: 'auth/munge',
      authInfo: { socket: null, ttlSeconds: null },
      messageTimeoutMs: 5_000,
      tcpTimeoutMs: 2_000,
      scronParameters: '',
      schedulerParameters: '',
    };
    const tlsParameters = { ca_cert_file: ca.certFile };
    expect(await connectAndKill({ conf: { ...conf, tlsType: 'tls/s2n', tlsParameters } })).toBe('accepted');
    await expectUsageError(connect({ conf: { ...conf, tlsType: 'tls/s2n' }, auth: new FakeAuth() }), {
      code: 'SLURMWIRE_BAD_OPTION',
      field: 'tls',
    });
    for (const [field, bad] of Object.entries({
      'conf.tlsType': { tlsType: 7 },
      'conf.tlsParameters': { tlsParameters: 'x' },
      'conf.tlsParameters.a': { tlsParameters: { a: 1 } },
    })) {
      const given = { conf: { ...conf, ...bad }, auth: new FakeAuth() } as unknown as ConnectOptions;
      await expectUsageError(connect(given), { code: 'SLURMWIRE_BAD_OPTION', field });
    }
  });

  it('an abort while the CA file is read', async () => {
    const given = { ...base, auth: new FakeAuth(), tls: { caFile: certificates().ca.certFile } };
    const error = await failureOf(connect({ ...given, signal: AbortSignal.abort() }));
    expect(error).toMatchObject({ code: 'SLURMWIRE_ABORTED', outcome: 'not-sent', phase: 'config' });
  });
});
