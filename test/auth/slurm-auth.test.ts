/** auth/slurm against a daemon that lies, hangs, closes and comes back. */
import { renameSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { slurmAuth } from '../../src/auth/index.js';
import { mayPass, sackError } from '../../src/auth/sack-failure.js';
import { encodeCreated, encodeVerified } from '../../src/auth/sack-messages.js';
import { sackPaths } from '../../src/auth/slurm-auth.js';
import { isSlurmError, type SlurmAuthError } from '../../src/protocol/index.js';
import { until } from '../rpc/support/until.js';
import { FakeSack, type SackScript, sackClaims, willing } from './fake-sack.js';
import { fakeToken, within } from './support-tokens.js';

const open: FakeSack[] = [];
const sackOf = async (script?: SackScript, listens?: boolean) => {
  const sack = await FakeSack.start(script, listens);
  open.push(sack);
  return sack;
};
afterEach(async () => {
  vi.unstubAllEnvs();
  vi.useRealTimers();
  await Promise.all(open.splice(0).map((sack) => sack.close()));
});

const PAYLOAD = new Uint8Array([2, 7, 7]);
const authOf = (sack: FakeSack) => slurmAuth({ socket: sack.path });

async function refusal(work: Promise<unknown>): Promise<SlurmAuthError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isSlurmError(error)) throw error ?? new Error('it was taken');
  expect(error.outcome).toBe('not-sent');
  return error as SlurmAuthError;
}

describe('create', () => {
  test('one request per connection, for the uid that is asked for; nothing stays open', async () => {
    const sack = await sackOf();
    const auth = slurmAuth({ socket: sack.path, release: '26.05' });
    expect(auth).toMatchObject({ name: 'auth/slurm', since: '23.11' });
    expect(auth.reach).toBeUndefined();
    const section = await auth.create(PAYLOAD, 64030, within(5000));
    await authOf(sack).create(PAYLOAD, null, within(5000));
    expect(section.plugin).toBe('auth/slurm');
    expect(sack.requests).toEqual([
      { version: 45 << 8, rpc: 'create', restrictUid: 64030, payload: PAYLOAD },
      { version: 40 << 8, rpc: 'create', restrictUid: null, payload: PAYLOAD },
    ]);
    expect(sack.connections).toBe(2);
    await until(() => sack.open === 0, 'the connections to be closed');
  });

  test('however the answer is split', async () => {
    const answer = encodeCreated(fakeToken({ exp: 1 }));
    for (let at = 0; at <= answer.length; at += 1) {
      const sack = await FakeSack.start((socket) => {
        socket.write(answer.subarray(0, at), () => setImmediate(() => socket.end(answer.subarray(at))));
      });
      expect(await authOf(sack).create(PAYLOAD, null, within(5000))).toMatchObject({ plugin: 'auth/slurm' });
      await sack.close();
    }
  });

  test('cut at every byte: refused, and never tried again', async () => {
    const answer = encodeCreated(fakeToken({ exp: 1 }));
    for (let at = 0; at < answer.length; at += 1) {
      const sack = await FakeSack.start((socket) => socket.end(answer.subarray(0, at)));
      const error = await refusal(authOf(sack).create(PAYLOAD, null, within(5000)));
      expect(error).toMatchObject({
        name: 'SlurmAuthError',
        code: 'SLURMWIRE_AUTH_NO_TOKEN',
        reason: 'refused',
        peer: sack.path,
        retryable: false,
      });
      expect(sack.connections).toBe(1);
      await sack.close();
    }
  });

  test.each([
    ['a length of 0', '00000000'],
    ['a length of 1', '0000000100'],
    ['a length without end', 'ffffffff61'],
    ['a length beyond the limit', '00010002'],
    ['too short a length', '00000003616263646500'],
    ['no NUL', '00000003616263'],
    ['a NUL inside', '0000000561006200' + '00'],
    ['bytes behind the token', '000000026100ff'],
  ])('%s', async (_, hex) => {
    const sack = await sackOf((socket) => socket.write(Buffer.from(hex, 'hex')));
    const error = await refusal(authOf(sack).create(PAYLOAD, null, within(5000)));
    expect(error).toMatchObject({ code: 'SLURMWIRE_AUTH_NO_SACK', errno: 'EPROTO', reason: 'bad-answer' });
    await until(() => sack.open === 0, 'the connection to be closed');
  });

  test.each(['not-a-token', 'a.b', `${fakeToken({})}é`])('what is no token: %s', async (text) => {
    const sack = await sackOf((socket) => socket.end(encodeCreated(text)));
    const error = await refusal(authOf(sack).create(PAYLOAD, null, within(5000)));
    expect(['malformed', 'bad-answer']).toContain(error.reason);
  });

  test('a reset', async () => {
    const sack = await sackOf((socket) => socket.destroy());
    expect(await refusal(authOf(sack).create(PAYLOAD, null, within(5000)))).toMatchObject({
      reason: 'refused',
    });
  });

  test('a daemon that is silent: 10 s, and less where the call has less; then nothing is open', async () => {
    const sack = await sackOf(() => {});
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const work = refusal(
      authOf(sack).create(PAYLOAD, null, { signal: new AbortController().signal, remainingMs: () => 60_000 }),
    );
    while (sack.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
    vi.advanceTimersByTime(10_000);
    expect(await work).toMatchObject({
      code: 'SLURMWIRE_AUTH_NO_SACK',
      errno: 'ETIMEDOUT',
      reason: 'hung',
      retryable: true,
    });
    vi.useRealTimers();
    const controller = new AbortController();
    const ended = authOf(sack).create(PAYLOAD, null, {
      signal: controller.signal,
      remainingMs: () => 60_000,
    });
    await until(() => sack.requests.length === 2, 'the request');
    controller.abort(new Error('over'));
    await expect(ended).rejects.toThrow('over');
    await until(() => sack.open === 0, 'the connections to be closed');
    await expect(
      authOf(sack).create(PAYLOAD, null, { signal: controller.signal, remainingMs: () => 0 }),
    ).rejects.toThrow('over');
    expect(sack.connections).toBe(2);
  });
});

describe('no daemon', () => {
  test('no socket: at once, with all that was tried', async () => {
    const error = await refusal(
      slurmAuth({ socket: '/nonexistent/sack.socket' }).create(PAYLOAD, null, within(5000)),
    );
    expect(error).toMatchObject({
      code: 'SLURMWIRE_AUTH_NO_SACK',
      errno: 'ENOENT',
      reason: 'no-socket',
      retryable: false,
    });
    expect(error.message).toContain('/nonexistent/sack.socket: ENOENT');
  });

  test('a socket that nobody listens on: tried for a while; taken up as soon as somebody does', async () => {
    const sack = await sackOf(willing, false);
    await leaveStale(sack.path);
    const short = await refusal(authOf(sack).create(PAYLOAD, null, within(350)));
    expect(short).toMatchObject({
      code: 'SLURMWIRE_AUTH_NO_SACK',
      errno: 'ECONNREFUSED',
      reason: 'not-running',
      retryable: true,
    });
    expect(short.message).toMatch(/after [2-4] rounds/);
    const work = authOf(sack).create(PAYLOAD, null, within(10_000));
    rmSync(sack.path);
    await sack.listen();
    // It may have met the moment without a socket, which is told at once.
    const told = await work.catch((error: SlurmAuthError) => error.reason);
    if (told !== 'no-socket') expect(told).toMatchObject({ plugin: 'auth/slurm' });
    expect(await authOf(sack).create(PAYLOAD, null, within(5000))).toMatchObject({ plugin: 'auth/slurm' });
  });

  test('the first socket that can be connected is used, and no other after a refusal', async () => {
    const refusing = await sackOf((socket) => socket.end());
    const other = await sackOf();
    vi.stubEnv('SLURM_SACK_SOCKET', refusing.path);
    expect(await refusal(slurmAuth().create(PAYLOAD, null, within(5000)))).toMatchObject({
      reason: 'refused',
    });
    expect(await slurmAuth({ socket: other.path }).create(PAYLOAD, null, within(5000))).toBeTruthy();
    expect(refusing.connections).toBe(1);
  });

  test.each([
    [['ENOENT', 'EACCES', 'ECONNREFUSED'], 'no-permission', false],
    [['ENOENT', 'EAGAIN', 'ECONNREFUSED'], 'busy', true],
    [['ENOENT', 'ECONNREFUSED', 'ENOENT'], 'not-running', true],
    [['ENOENT', 'ENOTDIR'], 'no-socket', false],
    [['ENOMEM'], 'unusable', false],
  ])('%j: %s', (errnos, reason, retryable) => {
    const tries = errnos.map((errno, index) => ({
      path: `/run/${index}`,
      trouble: { kind: 'connect', errno, cause: new Error(errno) } as const,
    }));
    const error = sackError(tries, { what: 'create', elapsedMs: 1200, rounds: 3 });
    expect(error).toMatchObject({ code: 'SLURMWIRE_AUTH_NO_SACK', reason, retryable });
    for (const [index, errno] of errnos.entries()) expect(error.message).toContain(`/run/${index}: ${errno}`);
    expect(tries.some(mayPass)).toBe(errnos.includes('EAGAIN') || errnos.includes('ECONNREFUSED'));
  });
});

describe('verify', () => {
  const claims = (more: object = {}) =>
    sackClaims(
      { version: 0, rpc: 'create', restrictUid: null, payload: PAYLOAD },
      { context: 'auth', ...more },
    );
  const sectionOf = (token: string | null) => ({ plugin: 'auth/slurm', token }) as const;

  test('asks the daemon, then reads the claims', async () => {
    const sack = await sackOf();
    for (const context of ['auth', 'sack']) {
      const token = fakeToken(claims({ context }));
      const verified = await authOf(sack).verify(sectionOf(token), within(5000));
      expect(verified).toEqual({ uid: 1000, gid: 100, payload: PAYLOAD });
      expect(sack.requests.at(-1)).toEqual({ version: 40 << 8, rpc: 'verify', token });
    }
    expect(
      await authOf(sack).verify(sectionOf(fakeToken(claims({ payload: undefined }))), within(5000)),
    ).toMatchObject({
      payload: new Uint8Array(),
    });
  });

  test.each([
    ['another context', { context: 'net' }],
    ['no context', { context: undefined }],
    ['expired', { exp: Math.floor(Date.now() / 1000) - 1 }],
    ['no exp', { exp: undefined }],
    ['no uid', { uid: undefined }],
    ['a uid in text', { uid: '0' }],
    ['a negative uid', { uid: -1 }],
    ['a uid of 2^32 - 1', { uid: 0xffffffff }],
    ['a uid of 2^32', { uid: 2 ** 32 }],
    ['a gid that is a fraction', { gid: 1.5 }],
    ['a payload that is no base64', { payload: 'a' }],
    ['a payload with other characters', { payload: 'ab\n=' }],
  ])('%s: not good, whatever the daemon says', async (_, more) => {
    const sack = await sackOf();
    const error = await refusal(authOf(sack).verify(sectionOf(fakeToken(claims(more))), within(5000)));
    expect(error).toMatchObject({ code: 'ESLURM_AUTH_CRED_INVALID', reason: 'invalid' });
  });

  test('refused by the daemon: a number up to 25.05, a close since 25.11', async () => {
    const sack = await sackOf((socket) => socket.end(encodeVerified(0xffffffff)));
    const section = sectionOf(fakeToken(claims()));
    expect(await refusal(authOf(sack).verify(section, within(5000)))).toMatchObject({
      code: 'ESLURM_AUTH_CRED_INVALID',
      reason: 'invalid',
    });
    sack.play((socket) => socket.end());
    expect(await refusal(authOf(sack).verify(section, within(5000)))).toMatchObject({
      code: 'ESLURM_AUTH_CRED_INVALID',
      reason: 'refused',
    });
  });

  test('what is no token, or of another plugin, is not shown to the daemon', async () => {
    const sack = await sackOf();
    for (const token of [null, '', 'x', 'MUNGE:AA:'])
      expect(await refusal(authOf(sack).verify(sectionOf(token), within(5000)))).toMatchObject({
        reason: 'malformed',
      });
    expect(
      await refusal(authOf(sack).verify({ plugin: 'auth/munge', credential: 'x' }, within(5000))),
    ).toMatchObject({
      reason: 'wrong-plugin',
    });
    expect(sack.connections).toBe(0);
  });
});

test.each([
  [{ socket: '' }, 'socket'],
  [{ socket: 'a\0' }, 'socket'],
  [{ socket: '/x'.repeat(60) }, 'socket'],
  [{ socket: 7 }, 'socket'],
  [{ clusterName: '' }, 'clusterName'],
  [{ clusterName: '../etc' }, 'clusterName'],
  [{ release: '22.05' }, 'release'],
  [{ release: '99.99' }, 'release'],
  [{ ttl: 60 }, 'ttl'],
  [null, 'options'],
])('bad options %#', (options, field) => {
  expect(() => slurmAuth(options as never)).toThrow(
    expect.objectContaining({ name: 'SlurmUsageError', code: 'SLURMWIRE_BAD_OPTION', field }),
  );
});

test.each([-1, 0xffffffff, 1.5, 'root'])('a uid that is none, %s: nothing is asked', async (uid) => {
  const sack = await sackOf();
  const work = authOf(sack).create(PAYLOAD, uid as number, within(5000));
  await expect(work).rejects.toMatchObject({ name: 'SlurmUsageError', field: 'restrictUid' });
  expect(sack.connections).toBe(0);
});

test('where it is looked for', () => {
  const usual = ['/run/slurm/sack.socket', '/run/slurmctld/sack.socket', '/run/slurmdbd/sack.socket'];
  expect(sackPaths({}, undefined)).toEqual(usual);
  expect(sackPaths({ clusterName: 'lab' }, undefined)).toEqual(['/run/slurm-lab/sack.socket', ...usual]);
  expect(sackPaths({ clusterName: 'lab' }, '/x')).toEqual(['/x']);
  expect(sackPaths({ socket: '/y', clusterName: 'lab' }, '/x')).toEqual(['/y']);
  expect(sackPaths({ clusterName: 'l'.repeat(200) }, undefined)).toEqual(usual);
  for (const bad of ['', '/x'.repeat(60)])
    expect(() => sackPaths({}, bad)).toThrow(
      expect.objectContaining({ name: 'SlurmConfigError', code: 'SLURMWIRE_CONFIG_VALUE' }),
    );
});

/** What a daemon leaves behind that was killed: a socket that nobody listens on. */
async function leaveStale(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(`${path}.1`, resolve));
  renameSync(`${path}.1`, path);
  await new Promise<void>((resolve) => server.close(() => resolve()));
}
