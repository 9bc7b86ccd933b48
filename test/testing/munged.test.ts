/** The embedded munged on its socket: with both of our ways, with MUNGE's own programs, and with those who mean it no good. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { lstatSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { munge } from '../../src/auth/munge.js';
import { mungeSocket } from '../../src/auth/munge-socket.js';
import { ANY_ID, decodeMungeMessage, encodeMungeMessage, type MungeBody } from '../../src/auth/munge-wire.js';
import { SlurmUsageError } from '../../src/protocol/slurm-error.js';
import { authenticatorOf } from '../../src/testing/credential-authenticator.js';
import { CredentialStore } from '../../src/testing/credentials.js';
import { type EmbeddedMunged, startEmbeddedMunged } from '../../src/testing/embedded-munged.js';
import { kernelPeerLookup } from '../../src/testing/peer-credentials.js';
import { expectWhole, rejection, within } from '../auth/munge-support.js';
import { missingMunge, missingRoot } from '../auth/private-munged.js';
import { exchange, run, textOf, withDirectory } from './munged-support.js';

const payload = new Uint8Array(randomBytes(33));
const me = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
const daemon = { uid: 64_030, gid: 64_030 };

const encodeRequest: MungeBody<'encodeRequest'> = {
  ...{ cipher: 1, mac: 1, zip: 1, realm: null, ttl: 0, authUid: ANY_ID, authGid: ANY_ID },
  data: Uint8Array.of(1, 2, 3),
};
const encodeBytes = (change: Partial<typeof encodeRequest> = {}, retry = 0) =>
  encodeMungeMessage('encodeRequest', { ...encodeRequest, ...change }, retry);
const decodeBytes = (text: string, retry = 0) =>
  encodeMungeMessage('decodeRequest', { data: Buffer.from(`${text}\0`) }, retry);

let place: Awaited<ReturnType<typeof withDirectory>>;
let munged: EmbeddedMunged;
beforeAll(async () => {
  place = await withDirectory();
  munged = await place.start();
});
afterEach(async () => {
  // libmunge stays with a munged that hangs for 2 s.
  await vi.waitFor(() => expect(munged.counts.open).toBe(0), { timeout: 5_000 });
});
afterAll(() => place.remove());

const WAYS = [
  ['mungeSocket()', mungeSocket],
  ['munge()', munge],
] as const;

const kernel = (await kernelPeerLookup()) !== null;

const missing = missingMunge();

describe.skipIf(missing !== null).each(WAYS)('%s', (_name, way) => {
  it('makes and takes credentials that are those of its store', async () => {
    const auth = way({ socket: munged.socket });
    const made = await auth.create(payload, daemon.uid, within(10_000));
    const slurmctld = authenticatorOf(munged.store, daemon);
    expect(await slurmctld.verify(made, within(1_000))).toEqual({ ...me, payload });
    const reply = await slurmctld.create(payload, me.uid, within(1_000));
    expect(await auth.verify(reply, within(10_000))).toEqual({ ...daemon, payload });
  });

  it.each([
    ['EMUNGE_CRED_REPLAYED', 0],
    ['EMUNGE_CRED_EXPIRED', 400],
    ['EMUNGE_CRED_REWOUND', -400],
  ])('gets %s', async (code, skew) => {
    const auth = way({ socket: munged.socket });
    const made = await auth.create(payload, null, within(10_000));
    munged.store.open(textOf(made), me);
    munged.store.skewSeconds = skew;
    const error = await rejection(auth.verify(made, within(10_000)));
    munged.store.skewSeconds = 0;
    expect(error).toMatchObject({ code });
    expect(error.clockSkewSeconds ?? 0).toBeCloseTo(skew, -1);
    expectWhole(error, munged.socket, textOf(made));
  });

  it('gets what is not for it, and what is of another cluster, refused', async () => {
    const auth = way({ socket: munged.socket });
    const other = await auth.create(payload, daemon.uid, within(10_000));
    expect(await rejection(auth.verify(other, within(10_000)))).toMatchObject({
      code: 'EMUNGE_CRED_UNAUTHORIZED',
    });
    const foreign = authenticatorOf(new CredentialStore(), me);
    const made = await foreign.create(payload, null, within(1_000));
    expect(await rejection(auth.verify(made, within(10_000)))).toMatchObject({
      code: 'EMUNGE_CRED_INVALID',
    });
  });

  it('carries payloads of any size up to the limit of older munged', async () => {
    const auth = way({ socket: munged.socket });
    for (const length of [0, 1, 1_000, 700_000]) {
      const bytes = new Uint8Array(randomBytes(length));
      const made = await auth.create(bytes, null, within(10_000));
      const back = await auth.verify(made, within(10_000));
      // toEqual() takes seconds for this.
      expect(Buffer.compare(back.payload, bytes)).toBe(0);
    }
  });

  it('makes and opens 1,000 credentials, 50 at a time', async () => {
    const auth = way({ socket: munged.socket });
    const before = munged.counts;
    let left = 1_000;
    const worker = async () => {
      while (left-- > 0) {
        const bytes = new Uint8Array(randomBytes(33));
        const made = await auth.create(bytes, null, within(30_000));
        expect(await auth.verify(made, within(30_000))).toEqual({ ...me, payload: bytes });
      }
    };
    await Promise.all(Array.from({ length: 50 }, worker));
    expect(munged.counts.encoded - before.encoded).toBe(1_000);
    expect(munged.counts.decoded - before.decoded).toBe(1_000);
  });

  it.each<[number, string]>([
    [5, 'EMUNGE_NO_MEMORY'],
    [14, 'EMUNGE_CRED_INVALID'],
    [200, 'EMUNGE_UNKNOWN'],
  ])('gets the planted error %d, as often as it is planted', async (error, code) => {
    const auth = way({ socket: munged.socket });
    const made = await auth.create(payload, null, within(10_000));
    munged.fault({ error, text: 'planted' }, { times: 1 });
    expect(await rejection(auth.verify(made, within(10_000)))).toMatchObject({
      ...{ code, number: error, message: expect.stringContaining('planted') },
    });
    expect(await auth.verify(made, within(10_000))).toEqual({ ...me, payload });
  });

  it('survives a munged that breaks off, and gives up on one that hangs', async () => {
    const auth = way({ socket: munged.socket });
    munged.fault('close', { times: 2, call: 'decode' });
    const made = await auth.create(payload, null, within(10_000));
    expect(await auth.verify(made, within(10_000))).toEqual({ ...me, payload });
    const lift = munged.fault('hang');
    const context = within(200);
    await expect(auth.create(payload, null, context)).rejects.toBe(context.reason);
    lift();
    await auth.create(payload, null, within(20_000));
  });

  it('meets it stopped, crashed and started again', async () => {
    const own = await place.start();
    const auth = way({ socket: own.socket });
    const made = await auth.create(payload, null, within(10_000));
    await own.stop();
    expect(await rejection(auth.create(payload, null, within(10_000)))).toMatchObject({
      reason: 'no-socket',
    });
    await own.start();
    await own.crash();
    expect(lstatSync(own.socket).isSocket()).toBe(true);
    expect(await rejection(auth.create(payload, null, within(3_500)))).toMatchObject({
      reason: 'not-running',
    });
    const waiting = auth.create(payload, null, within(20_000));
    await own.start();
    await waiting;
    // Its credentials are good as before.
    expect(await auth.verify(made, within(10_000))).toEqual({ ...me, payload });
    await own.stop();
  });
});

describe.skipIf(missing !== null)('MUNGE’s own programs', () => {
  const encode = (args: string[], input: string, as = {}) =>
    run('munge', [`--socket=${munged.socket}`, ...args], input, as);
  const decode = (input: string, as = {}) => run('unmunge', [`--socket=${munged.socket}`], input, as);

  it('make and show a credential', async () => {
    const made = await encode(['--ttl=77', '--cipher=aes256', '--mac=sha512'], 'a payload');
    expect(made).toMatchObject({ status: 0, errors: '' });
    const shown = await decode(made.output);
    expect(shown).toMatchObject({ status: 0, errors: '' });
    expect(shown.output).toMatch(/^STATUS: +Success \(0\)$/m);
    expect(shown.output).toMatch(/^ENCODE_HOST: .*\(127\.0\.0\.1\)$/m);
    expect(shown.output).toMatch(/^TTL: +77$/m);
    expect(shown.output).toMatch(/^CIPHER: +aes256 \(5\)$/m);
    expect(shown.output).toMatch(/^MAC: +sha512 \(6\)$/m);
    expect(shown.output).toMatch(new RegExp(`^UID: .*\\(${me.uid}\\)$`, 'm'));
    expect(shown.output).toMatch(/\n\na payload$/);
    const again = await decode(made.output);
    expect(again.status).toBe(17);
    expect(again.output).toMatch(/^STATUS: +Replayed credential \(17\)$/m);
    expect(again.output).toContain('a payload');
  });

  it('are told what they may not', async () => {
    const restricted = await encode(['--restrict-uid=4321'], 'x');
    expect(await decode(restricted.output)).toMatchObject({
      status: 18,
      output: '',
      errors: expect.stringContaining(`not for uid ${me.uid}`),
    });
    expect(await decode('MUNGE:!:')).toMatchObject({ status: 8 });
    expect(await encode(['--cipher=aes256', '--mac=md5'], 'x')).toMatchObject({
      // libmunge makes 1 of every error of this call (munge 0.5.15, _encode_rsp), and keeps the words.
      ...{ status: 1, errors: expect.stringContaining('MAC 2 is too short') },
    });
    munged.fault({ error: 1 }, { times: 1 });
    // Without words of ours the program has libmunge's.
    expect(await encode([], 'x')).toMatchObject({
      status: 1,
      errors: expect.stringContaining('Internal error'),
    });
  });

  describe.skipIf(missingRoot() !== null || !kernel)('as other users', () => {
    const alice = { uid: 1001, gid: 2001 };
    const bob = { uid: 1002, gid: 2002 };

    it('are who they are', async () => {
      expect(munged.peerIdentity).toBe('kernel');
      expect(statSync(munged.socket).mode & 0o777).toBe(0o777);
      const made = await Promise.all([encode([], 'a', alice), encode([], 'b', bob), encode([], 'c')]);
      const opened = made.map(({ output }) => munged.store.open(output, daemon).credential);
      expect(opened).toMatchObject([alice, bob, me]);
    });

    it('cannot read what is for others', async () => {
      for (const flag of ['uid', 'gid'] as const) {
        const made = await encode([`--restrict-${flag}=${bob[flag]}`], 'for bob', alice);
        expect(made).toMatchObject({ status: 0, errors: '' });
        expect(await decode(made.output, alice)).toMatchObject({ status: 18, output: '' });
        expect(await decode(made.output)).toMatchObject({ status: 18, output: '' });
        const read = await decode(made.output, bob);
        expect(read).toMatchObject({ status: 0, output: expect.stringContaining('for bob') });
        expect(read.output).toMatch(/^UID: .*\(1001\)$/m);
      }
    });

    it('can be the only ones that a fault is for', async () => {
      const lift = munged.fault({ error: 1 }, { uid: alice.uid });
      expect(await encode([], 'x', bob)).toMatchObject({ status: 0 });
      expect(await encode([], 'x', alice)).toMatchObject({ status: 1 });
      lift();
      expect(await encode([], 'x', alice)).toMatchObject({ status: 0 });
    });

    it('cannot use a munged that does not know who they are', async () => {
      const owner = await place.start({ lookup: null });
      expect(owner.peerIdentity).toBe('owner');
      expect(statSync(owner.socket).mode & 0o777).toBe(0o600);
      const refused = await run('munge', ['-n', `--socket=${owner.socket}`], '', alice);
      expect(refused).toMatchObject({ status: 6, errors: expect.stringContaining('Permission denied') });
      const ours = await run('munge', ['-n', `--socket=${owner.socket}`]);
      expect(owner.store.open(ours.output, daemon).credential).toMatchObject(me);
    });
  });
});

describe('a request', () => {
  const ask = async (bytes: Uint8Array) => exchange(munged.socket, [bytes]);
  const made = async (change: Partial<typeof encodeRequest> = {}, retry = 0) =>
    decodeMungeMessage('encodeResponse', await ask(encodeBytes(change, retry))).body;
  const opened = async (text: string, retry = 0) =>
    decodeMungeMessage('decodeResponse', await ask(decodeBytes(text, retry))).body;

  it('cut at any byte gets no answer, and is not waited for when the other side has closed', async () => {
    for (const bytes of [encodeBytes(), decodeBytes(munged.store.mint({ ...me, payload }))]) {
      const before = munged.counts.requests;
      for (let length = 0; length < bytes.length; length++) {
        expect(await exchange(munged.socket, [bytes.subarray(0, length)], true)).toHaveLength(0);
      }
      expect(munged.counts.requests).toBe(before);
    }
  });

  it('may come in any two pieces, byte by byte, and be followed by a half-close', async () => {
    const bytes = encodeBytes({ realm: 'realm' });
    for (let at = 0; at <= bytes.length; at++) {
      const answer = await exchange(munged.socket, [bytes.subarray(0, at), bytes.subarray(at)], at % 2 === 0);
      expect(decodeMungeMessage('encodeResponse', answer).body.errorNum).toBe(0);
    }
    const answer = await exchange(
      munged.socket,
      [...bytes].map((byte) => Uint8Array.of(byte)),
      true,
    );
    expect(decodeMungeMessage('encodeResponse', answer).body.errorNum).toBe(0);
  });

  it('of random bytes, or changed, is answered or closed, and nothing else happens', async () => {
    const valid = [encodeBytes({ realm: 'r' }), decodeBytes(munged.store.mint({ ...me, payload }))] as const;
    const changed = fc.constantFrom(...valid).chain((bytes) =>
      fc
        .array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
        .map((edits) => {
          const edited = Buffer.from(bytes);
          for (const [at, to] of edits) edited[at] = to;
          return edited as Uint8Array;
        }),
    );
    await fc.assert(
      fc.asyncProperty(fc.oneof(changed, fc.uint8Array({ maxLength: 200 })), async (bytes) => {
        const answer = await exchange(munged.socket, [bytes], true);
        if (answer.length === 0) return;
        const name = answer[5] === 3 ? 'encodeResponse' : 'decodeResponse';
        decodeMungeMessage(name, answer);
      }),
      { numRuns: 500 },
    );
    expect((await made()).errorNum).toBe(0);
  });

  it.each([
    ['no cipher there is', { cipher: 99 }, 10],
    ['no MAC', { mac: 0 }, 11],
    ['no compression there is', { zip: 9 }, 12],
    ['a payload of 1 MiB', { data: new Uint8Array(1_048_576) }, 0],
    ['a payload of 1 MiB and a byte', { data: new Uint8Array(1_048_577) }, 3],
    ['the longest lifetime', { ttl: 0xffffffff }, 0],
    ['a realm as long as can be', { realm: 'r'.repeat(254) }, 0],
  ])('with %s', async (_what, change, errorNum) => {
    const answer = await made(change);
    expect(answer.errorNum).toBe(errorNum);
    const text = Buffer.from(answer.data).toString('latin1');
    if (errorNum !== 0) return expect(text).toBe('');
    const back = await opened(text.slice(0, -1));
    const { data = encodeRequest.data, realm = null } = change as Partial<typeof encodeRequest>;
    expect(Buffer.compare(back.data, data)).toBe(0);
    expect({ ...back, data: null }).toMatchObject({
      errorNum: 0,
      realm,
      credUid: me.uid,
      authUid: ANY_ID,
      zip: 0,
    });
  });

  it('of a realm of 255 bytes without its NUL is refused, not fatal', async () => {
    const bytes = Buffer.from(encodeBytes({ realm: 'r'.repeat(254) }));
    bytes[bytes.indexOf(0, 15 + 253)] = 0x72;
    const { body } = decodeMungeMessage('encodeResponse', await ask(bytes));
    expect(body.errorNum).toBe(13);
  });

  it('that was repeated may decode again; repeated too often it is refused', async () => {
    const text = munged.store.mint({ ...me, payload });
    expect((await opened(text)).errorNum).toBe(0);
    expect((await opened(text, 1)).errorNum).toBe(0);
    expect((await opened(text)).errorNum).toBe(17);
    expect((await opened(text, 6)).errorNum).toBe(6);
    expect((await made({}, 6)).errorNum).toBe(6);
  });

  it('of which the answer is not taken leaves the credential good', async () => {
    const own = await place.start({ limitMs: 150 });
    const text = own.store.mint({ ...me, payload: new Uint8Array(1_000_000) });
    const connection = connect({ path: own.socket });
    connection.on('error', () => {});
    // Never read: a megabyte does not fit into the socket's buffers.
    connection.write(decodeBytes(text));
    await vi.waitFor(() => expect(own.counts.decoded).toBe(1));
    expect(own.store.remembered).toBe(1);
    await vi.waitFor(() => expect(own.counts.open).toBe(0));
    expect(own.store.remembered).toBe(0);
    connection.destroy();
  });

  it('of somebody whom the kernel does not name is refused', async () => {
    const own = await place.start({ lookup: () => null });
    const answer = await exchange(own.socket, [encodeBytes()]);
    expect(decodeMungeMessage('encodeResponse', answer).body).toMatchObject({ errorNum: 1 });
  });
});

describe('clients that mean no good', () => {
  it('are cut off when slow, however they dribble, and do not hold up others', async () => {
    const own = await place.start({ limitMs: 300 });
    const slow = Array.from({ length: 100 }, (_, index) => {
      const connection = connect(own.socket);
      connection.on('error', () => {});
      const bytes = encodeBytes();
      let at = 0;
      const dribbler = setInterval(() => {
        if (index % 2 === 0 && at < bytes.length - 1) connection.write(bytes.subarray(at, ++at));
      }, 20);
      return new Promise<void>((resolve) => {
        connection.on('close', () => {
          clearInterval(dribbler);
          resolve();
        });
      });
    });
    await vi.waitFor(() => expect(own.counts.open).toBe(100));
    const answer = await exchange(own.socket, [encodeBytes()]);
    expect(decodeMungeMessage('encodeResponse', answer).body.errorNum).toBe(0);
    await Promise.all(slow);
    await vi.waitFor(() => expect(own.counts.open).toBe(0));
    expect(own.counts.requests).toBe(1);
  });

  it('can open only so many connections and leave only so many bytes', async () => {
    const own = await place.start({ limitMs: 20_000 });
    const connections = Array.from({ length: 300 }, () => connect(own.socket));
    let closed = 0;
    for (const connection of connections) {
      connection.on('error', () => {});
      connection.on('close', () => {
        closed += 1;
      });
    }
    await vi.waitFor(() => expect([own.counts.open, closed]).toEqual([256, 44]));
    // Two megabytes are announced by each, all but the last byte come: no more than 32 MiB are held.
    const long = encodeBytes({ data: new Uint8Array(2_000_000) }).subarray(0, -1);
    for (const connection of connections) connection.write(long);
    await vi.waitFor(() => expect(closed).toBeGreaterThan(200), { timeout: 10_000 });
    expect(own.counts.requests).toBe(0);
    await own.stop();
    await own.start();
    const answer = await exchange(own.socket, [encodeBytes()]);
    expect(decodeMungeMessage('encodeResponse', answer).body.errorNum).toBe(0);
    for (const connection of connections) connection.destroy();
  });

  it('are cut off at once by a length beyond the limit', async () => {
    const own = await place.start({ limitMs: 20_000 });
    const header = Buffer.from(encodeBytes().subarray(0, 11));
    for (const length of [2_097_153, 0x7fffffff, 0xffffffff]) {
      header.writeUInt32BE(length, 7);
      expect(await exchange(own.socket, [header])).toHaveLength(0);
    }
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\0'.repeat(11), 'SSH-2.0-x\r\n']) {
      expect(await exchange(own.socket, [Buffer.from(bytes)])).toHaveLength(0);
    }
  });
});

describe('starting and stopping', () => {
  it('leaves neither sockets nor timers, with calls hanging or none', async () => {
    const active = (kind: RegExp) =>
      process.getActiveResourcesInfo().filter((name) => kind.test(name)).length;
    const before = { pipes: active(/Pipe/), timers: active(/Timeout/) };
    const own = await place.start();
    own.fault('hang');
    const hanging = exchange(own.socket, [encodeBytes()]);
    const silent = exchange(own.socket, []);
    await vi.waitFor(() => expect(own.counts.open).toBe(2));
    await own.stop();
    expect(await Promise.all([hanging, silent])).toEqual([Buffer.alloc(0), Buffer.alloc(0)]);
    await vi.waitFor(() => expect(active(/Pipe/)).toBe(before.pipes));
    expect(active(/Timeout/)).toBeLessThanOrEqual(before.timers);
    expect(() => lstatSync(own.socket)).toThrow('ENOENT');
  });

  it('can be asked for at any time and any number of times', async () => {
    const own = await place.start();
    await Promise.all([own.stop(), own.stop(), own.start(), own.start(), own.crash(), own.crash()]);
    await Promise.all([own.start(), own.stop(), own.start()]);
    const answer = await exchange(own.socket, [encodeBytes()]);
    expect(decodeMungeMessage('encodeResponse', answer).body.errorNum).toBe(0);
    // Somebody may have cleared the directory.
    rmSync(own.socket);
    await own.crash();
    await own.start();
    await own[Symbol.asyncDispose]();
    await own.stop();
  });

  it('takes the place of a socket whose server is gone, and of nothing else', async () => {
    const own = await place.start();
    await expect(startEmbeddedMunged({ socket: own.socket })).rejects.toMatchObject({
      ...{ name: 'SlurmUsageError', field: 'socket', code: 'SLURMWIRE_BAD_OPTION' },
      message: expect.stringContaining('taken'),
    });
    // It is still there and works.
    await exchange(own.socket, [encodeBytes()]);
    expect(own.counts.encoded).toBe(1);
    await own.crash();
    const heir = await startEmbeddedMunged({ socket: own.socket });
    await heir.stop();
    const file = join(place.directory, 'file');
    writeFileSync(file, 'precious');
    await expect(startEmbeddedMunged({ socket: file })).rejects.toBeInstanceOf(SlurmUsageError);
    expect(statSync(file).size).toBe(8);
  });

  it('says what is wrong with the path', async () => {
    const fits = join(place.directory, 'x'.repeat(106 - place.directory.length));
    expect(Buffer.byteLength(fits)).toBe(107);
    await (await startEmbeddedMunged({ socket: fits })).stop();
    for (const [socket, words] of [
      [`${fits}x`, '107 bytes'],
      ['', 'not a path'],
      [join(place.directory, 'none', 'socket'), 'not usable'],
    ] as const) {
      const error = await startEmbeddedMunged({ socket }).catch((error: unknown) => error);
      expect(error).toBeInstanceOf(SlurmUsageError);
      expect(error).toMatchObject({ field: 'socket', outcome: 'not-sent' });
      expect((error as Error).message).toContain(words);
    }
  });

  it.each([
    ['limitMs', () => startEmbeddedMunged({ socket: munged.socket, limitMs: 0 })],
    ['times', () => munged.fault('hang', { times: 0 })],
    ['error', () => munged.fault({ error: 0 })],
    ['error', () => munged.fault({ error: 256 })],
    ['text', () => munged.fault({ error: 1, text: 'x'.repeat(255) })],
    ['text', () => munged.fault({ error: 1, text: 'a\0b' })],
  ])('refuses a bad %s', async (field, call) => {
    const error = await (async () => call())().catch((error: unknown) => error);
    expect(error).toBeInstanceOf(SlurmUsageError);
    expect(error).toMatchObject({ field });
  });
});

describe.skipIf(process.platform !== 'linux' || !kernel)('who connects', () => {
  it('is known in a worker thread too', async () => {
    const built = fileURLToPath(new URL('../../dist/testing/embedded-munged.js', import.meta.url));
    const socket = join(place.directory, 'worker');
    const worker = new Worker(
      `const { parentPort, workerData } = require('node:worker_threads');
       (async () => {
         const { startEmbeddedMunged } = await import(workerData.built);
         const munged = await startEmbeddedMunged({ socket: workerData.socket });
         parentPort.postMessage(munged.peerIdentity);
         parentPort.once('message', async (text) => {
           const { credential } = munged.store.open(text, { uid: 7, gid: 7 });
           await munged.stop();
           parentPort.postMessage({ uid: credential.uid, gid: credential.gid });
         });
       })();`,
      { eval: true, workerData: { built, socket } },
    );
    expect(await once(worker, 'message')).toEqual(['kernel']);
    worker.postMessage(textOf(await mungeSocket({ socket }).create(payload, null, within(10_000))));
    expect(await once(worker, 'message')).toEqual([me]);
    await worker.terminate();
  });

  it('is not known of what is no socket of this kernel', async () => {
    const lookup = (await kernelPeerLookup()) ?? expect.unreachable();
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const client = connect(port, '127.0.0.1');
    const [accepted] = await once(server, 'connection');
    // TCP has no peer credentials: the kernel says -1.
    expect(lookup(accepted)).toBeNull();
    accepted.destroy();
    expect(lookup(accepted)).toBeNull();
    client.destroy();
    server.close();
  });
});
