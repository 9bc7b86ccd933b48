/** munged's socket: what goes over it, and what a munged could do to us there. How it compares to libmunge is in munge.test.ts. */
import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { defaultMunge } from '../../src/auth/default-munge.js';
import { EMUNGE_ERRORS } from '../../src/auth/emunge.js';
import { munge } from '../../src/auth/munge.js';
import { mungeSocket, mungeSocketSlots } from '../../src/auth/munge-socket.js';
import { decodeMungeMessage, encodeMungeMessage } from '../../src/auth/munge-wire.js';
import { askMunged, LIBMUNGE_POLICY } from '../../src/auth/munged-transaction.js';
import { decodeAnswer, encodeAnswer, type FakeMunged, startFakeMunged } from './fake-munged.js';
import { expectWhole, rejection, sectionOf, within } from './munge-support.js';
import { missingMunge, type PrivateMunged, startMunged } from './private-munged.js';

const payload = new Uint8Array(randomBytes(33));
const CREDENTIAL = 'MUNGE:AwQFAAC7:';

/** For tests of many bad answers: no pauses, and a limit that no test should reach. */
const AT_ONCE = { ...LIBMUNGE_POLICY, connectPauseMs: 0, pauseMs: 0, limitMs: 20_000 };

let fake: FakeMunged;
beforeAll(async () => {
  fake = await startFakeMunged(() => {});
});
afterEach(async () => {
  // No connection outlives its call: they go with a task of the event loop.
  await vi.waitFor(() => expect(fake.open).toBe(0));
  expect(mungeSocketSlots()).toMatchObject({ running: 0, waiting: 0 });
  fake.requests.length = 0;
});
afterAll(() => fake.remove());

const answerWith = (bytes: Uint8Array) => {
  fake.script = (_request, connection) => connection.end(bytes);
};
const create = (context = within(10_000)) =>
  mungeSocket({ socket: fake.socket }).create(payload, null, context);
const verify = (context = within(10_000)) =>
  mungeSocket({ socket: fake.socket }).verify(sectionOf(CREDENTIAL), context);
const ask = (answer: 'encodeResponse' | 'decodeResponse', policy = AT_ONCE, context = within(30_000)) =>
  askMunged(
    fake.socket,
    (retry) => encodeMungeMessage('decodeRequest', { data: Buffer.from('x\0') }, retry),
    answer,
    context,
    policy,
  );
const retries = () => fake.requests.map((request) => request[6]);

describe('an answer of munged', () => {
  it('becomes a credential', async () => {
    answerWith(encodeAnswer());
    expect(await create()).toEqual(sectionOf(CREDENTIAL));
    expect(retries()).toEqual([0]);
  });

  it('becomes an identity, whatever is in it', async () => {
    const id = fc.integer({ min: 0, max: 0xfffffffe });
    await fc.assert(
      fc.asyncProperty(id, id, fc.uint8Array({ maxLength: 99 }), async (credUid, credGid, data) => {
        answerWith(decodeAnswer({ credUid, credGid, data }));
        expect(await verify()).toEqual({ uid: credUid, gid: credGid, payload: data });
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    ['encodeResponse', encodeAnswer()],
    ['decodeResponse', decodeAnswer({ errorStr: 'words', realm: 'realm' })],
  ] as const)('%s may come in any two pieces, and byte by byte', async (name, bytes) => {
    const whole = decodeMungeMessage(name, bytes);
    for (let at = 1; at < bytes.length; at++) {
      fake.script = (_request, connection) => {
        connection.write(bytes.subarray(0, at));
        setImmediate(() => connection.end(bytes.subarray(at)));
      };
      expect(await ask(name)).toMatchObject({ message: whole });
    }
    fake.script = (_request, connection) => {
      const next = (at: number) =>
        at === bytes.length
          ? connection.end()
          : connection.write(bytes.subarray(at, at + 1), () => setImmediate(next, at + 1));
      next(0);
    };
    expect(await ask(name)).toMatchObject({ message: whole });
  });

  it.each([
    ['encodeResponse', encodeAnswer()],
    ['decodeResponse', decodeAnswer({ errorStr: 'words', realm: 'realm' })],
  ] as const)('%s cut at any byte is tried five times in all, then told', async (name, bytes) => {
    for (let at = 0; at < bytes.length; at++) {
      answerWith(bytes.subarray(0, at));
      const { message, trouble } = await ask(name);
      expect(message).toBeUndefined();
      expect(trouble?.errno).toBe('ECONNRESET');
      expect(trouble?.text).toContain(at === 0 ? 'without an answer' : `after ${at} bytes`);
      expect(retries()).toEqual([0, 1, 2, 3, 4]);
      fake.requests.length = 0;
    }
  });

  it.each([
    ['another magic', (b: Buffer) => b.writeUInt32BE(0x00606d4c, 0)],
    ['another version', (b: Buffer) => b.writeUInt8(5, 4)],
    ['the type of another answer', (b: Buffer) => b.writeUInt8(5, 5)],
    ['a request', (b: Buffer) => b.writeUInt8(2, 5)],
    ['a body of 4 GiB announced', (b: Buffer) => b.writeUInt32BE(0xffffffff, 7)],
    ['a body announced shorter than it is', (b: Buffer) => b.writeUInt32BE(b.length - 12, 7)],
    ['an error text beyond the end', (b: Buffer) => b.writeUInt8(255, 12)],
    ['a credential of 4 GiB', (b: Buffer) => b.writeUInt32BE(0xffffffff, 13)],
    ['a credential longer by one', (b: Buffer) => b.writeUInt32BE(b.readUInt32BE(13) + 1, 13)],
    ['a credential shorter by one', (b: Buffer) => b.writeUInt32BE(b.readUInt32BE(13) - 1, 13)],
  ])('with %s is no answer', async (_what, change) => {
    const bytes = Buffer.from(encodeAnswer());
    change(bytes);
    // Left open: what cannot become an answer must not be waited for.
    fake.script = (_request, connection) => connection.write(bytes);
    const error = await rejection(create());
    expect(error).toMatchObject({
      code: 'EMUNGE_SOCKET',
      number: 6,
      reason: 'not-munged',
      errno: 'EPROTO',
      retryable: false,
    });
    expectWhole(error, fake.socket, CREDENTIAL);
    expect(retries()).toEqual([0, 1, 2, 3, 4]);
  });

  it.each([
    ['an empty credential', encodeAnswer({ data: new Uint8Array(0) })],
    ['a credential that is only a NUL', encodeAnswer({ data: Uint8Array.of(0) })],
    ['a credential without its NUL', encodeAnswer({ data: Buffer.from(CREDENTIAL) })],
    ['a credential with a NUL inside', encodeAnswer({ data: Buffer.from('MUNGE:\0x:\0') })],
    ['a credential with a line feed', encodeAnswer({ data: Buffer.from('MUNGE:x:\n\0') })],
    ['a credential that is no ASCII', encodeAnswer({ data: Buffer.from('MUNGE:é:\0') })],
  ])('with success and %s is no answer', async (_what, bytes) => {
    answerWith(bytes);
    expect(await rejection(create())).toMatchObject({ code: 'EMUNGE_SOCKET', reason: 'not-munged' });
    expect(retries()).toEqual([0]);
  });

  it.each([{ credUid: 0xffffffff }, { credGid: 0xffffffff }])(
    'with success and %j is no answer',
    async (change) => {
      answerWith(decodeAnswer(change));
      expect(await rejection(verify())).toMatchObject({ code: 'EMUNGE_SOCKET', reason: 'not-munged' });
    },
  );

  it.each<[number, string]>([
    ...EMUNGE_ERRORS.map(({ number, code }): [number, string] => [number, code]),
    [19, 'EMUNGE_UNKNOWN'],
    [255, 'EMUNGE_UNKNOWN'],
  ])('with error %d is %s, in both calls', async (errorNum, code) => {
    const errorStr = `words for ${errorNum}`;
    answerWith(encodeAnswer({ errorNum, errorStr, data: new Uint8Array(0) }));
    // munged itself sends 6 for a broken exchange: that may pass, so it would be tried for seconds.
    const made = await rejection(create(within(errorNum === 6 ? 500 : 10_000)));
    expect(made).toMatchObject({ code, number: errorNum });
    expect(made.message).toContain(`; munged: words for ${errorNum}`);
    expectWhole(made, fake.socket);
    answerWith(decodeAnswer({ errorNum, errorStr }));
    const read = await rejection(verify(within(errorNum === 6 ? 500 : 10_000)));
    expect(read).toMatchObject({ code, number: errorNum });
    // The two errors that clocks cause, and no other.
    expect(read.clockSkewSeconds).toBe(errorNum === 15 || errorNum === 16 ? 1 : undefined);
    expectWhole(read, fake.socket, CREDENTIAL);
  });

  it('cannot put a credential or a control character into an error', async () => {
    answerWith(
      encodeAnswer({ errorNum: 14, errorStr: 'bad\u001b[2J\r\nMUNGE:AwQFsecret:', data: new Uint8Array(0) }),
    );
    const error = await rejection(create());
    expect(error.message).toContain('munged: bad?[2J??MUNGE:…');
    expect(JSON.stringify(error)).not.toContain('AwQFsecret');
  });

  it('is not needed for what could not be asked', async () => {
    const auth = mungeSocket({ socket: fake.socket });
    const refused = async (credential: string) =>
      rejection(auth.verify(sectionOf(credential), within(1_000)));
    expect(await refused('')).toMatchObject({ code: 'EMUNGE_BAD_ARG' });
    expect(await refused('MUNGE:a\0b:')).toMatchObject({ code: 'EMUNGE_BAD_CRED' });
    expect(await refused('x'.repeat(2_097_152))).toMatchObject({ code: 'EMUNGE_BAD_LENGTH' });
    const long = auth.create(new Uint8Array(1_048_577), null, within(1_000));
    expect(await rejection(long)).toMatchObject({ code: 'EMUNGE_BAD_LENGTH', errno: 'EMSGSIZE' });
    expect(fake.requests).toEqual([]);
  });
});

describe('a request to munged', () => {
  it('carries what was asked for', async () => {
    answerWith(encodeAnswer());
    const auth = mungeSocket({ socket: fake.socket, ttl: 77 });
    await auth.create(payload, 1000, within(1_000));
    const { retry, body } = decodeMungeMessage('encodeRequest', fake.requests[0] ?? new Uint8Array(0));
    expect(retry).toBe(0);
    expect(body).toEqual({
      ...{ cipher: 1, mac: 1, zip: 1, realm: null, ttl: 77 },
      ...{ authUid: 1000, authGid: 0xffffffff, data: payload },
    });
  });

  it('is repeated as the same transaction when the answer is lost, and only then', async () => {
    fake.script = (_request, connection, index) => {
      if (index % 3 < 2) connection.destroy();
      else connection.end(decodeAnswer());
    };
    const before = fake.connections % 3;
    for (let skip = before; skip > 0 && skip < 3; skip++) await connectOnce(fake.socket);
    expect(await verify()).toMatchObject({ uid: 1000 });
    expect(retries()).toEqual([0, 1, 2]);
    // The next one is another transaction.
    fake.script = (_request, connection) => connection.end(decodeAnswer());
    await verify();
    expect(retries()).toEqual([0, 1, 2, 0]);
    const [first, second] = fake.requests as [Buffer, Buffer];
    second[6] = 0;
    expect(second).toEqual(first);
  });

  it('that is too long for an older munged is said to be so, and not repeated for seconds', async () => {
    fake.script = (_request, connection) => connection.destroy();
    const error = await rejection(
      mungeSocket({ socket: fake.socket }).create(new Uint8Array(1_048_576), null, within(20_000)),
    );
    expect(error).toMatchObject({ code: 'EMUNGE_BAD_LENGTH', number: 3 });
    expect(error.message).toContain('0.5.17');
    expect(fake.requests.length).toBeLessThanOrEqual(5);
  });
});

describe('a munged that does not answer', () => {
  it('is given two seconds for the whole answer, however it dribbles, and is called hung after five tries', async () => {
    expect(LIBMUNGE_POLICY).toEqual({
      connects: 10,
      connectPauseMs: 50,
      tries: 5,
      pauseMs: 10,
      limitMs: 2_000,
    });
    const dribblers = new Set<NodeJS.Timeout>();
    fake.script = (_request, connection) => {
      const answer = encodeAnswer();
      let at = 0;
      const dribbler = setInterval(() => {
        if (at < answer.length - 1) connection.write(answer.subarray(at, ++at));
      }, 20);
      dribblers.add(dribbler);
      connection.on('close', () => clearInterval(dribbler));
    };
    const outcome = await ask('encodeResponse', { ...AT_ONCE, limitMs: 200 });
    expect(outcome.trouble).toMatchObject({
      errno: 'ETIMEDOUT',
      text: expect.stringContaining('200 ms waiting for the answer'),
    });
    expect(retries()).toEqual([0, 1, 2, 3, 4]);
    for (const dribbler of dribblers) clearInterval(dribbler);
  });

  it('is called hung before the deadline, if that leaves no time for another try', async () => {
    fake.script = () => {};
    const context = within(3_500);
    expect(await rejection(create(context))).toMatchObject({ code: 'EMUNGE_SOCKET', reason: 'hung' });
    expect(context.signal.aborted).toBe(false);
    expect(retries()).toEqual([0]);
  });

  it('is given the limit for taking the request too', async () => {
    const stuck = await startFakeMunged(() => {});
    const taken: Socket[] = [];
    // Takes connections and reads nothing: a long request does not fit into the socket's buffer.
    stuck.script = () => {};
    const { createServer } = await import('node:net');
    const deaf = createServer({ pauseOnConnect: true }, (connection) => {
      connection.on('error', () => {});
      taken.push(connection);
    });
    const path = `${stuck.socket}.deaf`;
    await new Promise<void>((resolve) => deaf.listen(path, resolve));
    try {
      const request = encodeMungeMessage('decodeRequest', { data: new Uint8Array(1_000_000) });
      const policy = { ...AT_ONCE, tries: 2, limitMs: 100 };
      const outcome = await askMunged(path, () => request, 'decodeResponse', within(30_000), policy);
      expect(outcome.trouble).toMatchObject({
        errno: 'ETIMEDOUT',
        text: expect.stringContaining('sending the request'),
      });
      expect(taken.length).toBe(2);
    } finally {
      for (const connection of taken) connection.destroy();
      await new Promise((resolve) => deaf.close(resolve));
      await rm(path, { force: true });
      await stuck.remove();
    }
  });

  it('ends all calls with their contexts, queued and running, and leaves nothing behind', async () => {
    const timeouts = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    fake.script = () => {};
    const before = fake.connections;
    const contexts = Array.from({ length: 20 }, () => within(30_000));
    const idle = timeouts();
    const calls = contexts.map((context, index) =>
      (index % 2 ? create(context) : verify(context)).catch((error: unknown) => error),
    );
    await vi.waitFor(() => expect(fake.open).toBe(8));
    expect(mungeSocketSlots()).toMatchObject({ running: 8, waiting: 12 });
    for (const context of contexts.slice(8)) context.abort();
    expect(await Promise.all(calls.slice(8))).toEqual(contexts.slice(8).map(({ reason }) => reason));
    for (const context of contexts) context.abort();
    expect(await Promise.all(calls)).toEqual(contexts.map(({ reason }) => reason));
    await vi.waitFor(() => expect(fake.open).toBe(0));
    expect(fake.connections - before).toBe(8);
    await vi.waitFor(() => expect(timeouts()).toBeLessThanOrEqual(idle));
  });

  it('holds no more than eight connections open, whatever is asked at once', async () => {
    fake.script = (_request, connection) => setImmediate(() => connection.end(encodeAnswer()));
    const made = await Promise.all(Array.from({ length: 300 }, () => create(within(30_000))));
    expect(made.length).toBe(300);
    expect(mungeSocketSlots().peak).toBe(8);
  });

  it('may die in mid-call and come back', async () => {
    fake.script = () => {};
    const creating = create();
    await vi.waitFor(() => expect(fake.open).toBe(1));
    // Its socket goes with it: nothing is there for a while, and that is met in mid-transaction.
    await fake.stop();
    fake.script = (_request, connection) => connection.end(encodeAnswer());
    await fake.restart();
    expect(await creating).toEqual(sectionOf(CREDENTIAL));
    expect(retries()).toEqual([0, 1]);
  });

  it('may die in mid-call for good', async () => {
    const dying = await startFakeMunged(() => {});
    const creating = rejection(mungeSocket({ socket: dying.socket }).create(payload, null, within(10_000)));
    await vi.waitFor(() => expect(dying.open).toBe(1));
    await dying.stop();
    expect(await creating).toMatchObject({ code: 'EMUNGE_SOCKET', reason: 'no-socket', errno: 'ENOENT' });
    await dying.remove();
  });

  it('fails at once where the path is missing or no socket', async () => {
    const file = `${fake.socket}.file`;
    await writeFile(file, '');
    const connects = vi.fn(() => new Uint8Array(0));
    for (const [path, errno] of [
      [file, 'ECONNREFUSED'],
      [`${fake.socket}.none`, 'ENOENT'],
      [`${file}/below`, 'ENOTDIR'],
    ] as const) {
      const outcome = await askMunged(path, connects, 'encodeResponse', within(1_000));
      expect(outcome.trouble?.errno).toBe(errno);
    }
    expect(connects).toHaveBeenCalledTimes(3);
  });
});

function connectOnce(path: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(path, () => socket.destroy());
    socket.on('close', () => resolve());
  });
}

const missing = missingMunge();

describe.skipIf(missing !== null)('beside libmunge', () => {
  it('sends the same bytes, for any payload, lifetime and reader', async () => {
    answerWith(encodeAnswer());
    const uid = fc.option(fc.integer({ min: 0, max: 0xfffffffe }));
    const ttl = fc.option(fc.integer({ min: 1, max: 0x7fffffff }), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), uid, ttl, async (bytes, restrictUid, ttl) => {
        fake.requests.length = 0;
        for (const way of [munge, mungeSocket]) {
          const section = await way({ socket: fake.socket, ttl }).create(bytes, restrictUid, within(10_000));
          expect(section).toEqual(sectionOf(CREDENTIAL));
        }
        const [theirs, ours] = fake.requests;
        expect(ours?.toString('hex')).toBe(theirs?.toString('hex'));
      }),
      { numRuns: 60 },
    );
  });

  it('sends the same bytes to decode, and to repeat either call', async () => {
    for (const lost of [0, 1, 2, 3, 4]) {
      for (const call of ['create', 'verify'] as const) {
        const seen: string[][] = [];
        for (const way of [munge, mungeSocket]) {
          fake.requests.length = 0;
          fake.script = (_request, connection) => {
            if (fake.requests.length <= lost) connection.end();
            else connection.end(call === 'create' ? encodeAnswer() : decodeAnswer());
          };
          const auth = way({ socket: fake.socket });
          if (call === 'create') await auth.create(payload, null, within(10_000));
          else await auth.verify(sectionOf(CREDENTIAL), within(10_000));
          seen.push(fake.requests.map((request) => request.toString('hex')));
        }
        expect(seen[1]).toEqual(seen[0]);
        expect(seen[1]?.length).toBe(lost + 1);
      }
    }
  });

  it('libmunge reads the answers this codec writes as they are meant', async () => {
    answerWith(decodeAnswer({ realm: 'realm', credUid: 4321, credGid: 1234, data: payload }));
    const theirs = munge({ socket: fake.socket });
    expect(await theirs.verify(sectionOf(CREDENTIAL), within(10_000))).toEqual({
      uid: 4321,
      gid: 1234,
      payload,
    });
    answerWith(decodeAnswer({ errorNum: 15, errorStr: 'own words', time0: 1_000, time1: 1_700 }));
    expect(await rejection(theirs.verify(sectionOf(CREDENTIAL), within(10_000)))).toMatchObject({
      code: 'EMUNGE_CRED_EXPIRED',
      clockSkewSeconds: 700,
      message: expect.stringContaining('libmunge: own words'),
    });
  });

  describe('with a real munged', () => {
    let munged: PrivateMunged;
    beforeAll(async () => {
      munged = await startMunged();
    });
    afterAll(() => munged.stop());

    it('the credentials of one decode with the other', async () => {
      for (const [maker, reader] of [
        [munge, mungeSocket],
        [mungeSocket, munge],
      ] as const) {
        const section = await maker({ socket: munged.socket }).create(payload, null, within(10_000));
        const who = { uid: process.geteuid?.(), gid: process.getegid?.(), payload };
        expect(await reader({ socket: munged.socket }).verify(section, within(10_000))).toEqual(who);
      }
    });

    it('its answers are read to the last byte: they encode to what it sent', async () => {
      const data = new Uint8Array(payload);
      const open = {
        cipher: 1,
        mac: 1,
        zip: 1,
        realm: null,
        ttl: 0,
        authUid: 0xffffffff,
        authGid: 0xffffffff,
        data,
      };
      const made = await rawExchange(munged.socket, encodeMungeMessage('encodeRequest', open));
      const { body } = decodeMungeMessage('encodeResponse', made);
      expect(encodeMungeMessage('encodeResponse', body)).toEqual(new Uint8Array(made));
      for (const retry of [0, 1, 0]) {
        const read = await rawExchange(
          munged.socket,
          encodeMungeMessage('decodeRequest', { data: body.data }, retry),
        );
        const answer = decodeMungeMessage('decodeResponse', read);
        expect(encodeMungeMessage('decodeResponse', answer.body, answer.retry)).toEqual(new Uint8Array(read));
        expect(answer.body.data).toEqual(data);
      }
      const bad = await rawExchange(
        munged.socket,
        encodeMungeMessage('encodeRequest', { ...open, cipher: 99 }),
      );
      const refusal = decodeMungeMessage('encodeResponse', bad);
      expect(refusal.body).toMatchObject({ errorNum: 10, errorStr: expect.stringMatching(/cipher/i) });
    });

    it('a lost answer costs nothing: the repetition is forgiven the replay', async () => {
      const section = await mungeSocket({ socket: munged.socket }).create(payload, null, within(10_000));
      // Between us and munged, so that munged decodes and we do not hear of it.
      fake.script = async (request, connection) => {
        const answer = await rawExchange(munged.socket, request);
        if (fake.requests.length === 1) connection.destroy();
        else connection.end(answer);
      };
      const found = await mungeSocket({ socket: fake.socket }).verify(section, within(10_000));
      expect(found.payload).toEqual(payload);
      expect(retries()).toEqual([0, 1]);
      // Another transaction is not.
      const error = await rejection(mungeSocket({ socket: munged.socket }).verify(section, within(10_000)));
      expect(error).toMatchObject({ code: 'EMUNGE_CRED_REPLAYED' });
    });
  });
});

describe('defaultMunge', () => {
  it('refuses bad options by its own name', () => {
    expect(() => defaultMunge({ ttl: 0 })).toThrow('defaultMunge: ttl is');
  });

  it('takes the socket where the library cannot be loaded, and says so once it is decided', async () => {
    answerWith(encodeAnswer());
    const auth = defaultMunge({ socket: fake.socket, library: '/nonexistent/libmunge.so.2' });
    expect([auth.name, auth.via]).toEqual(['auth/munge', null]);
    const bytes = Buffer.from(payload);
    const both = [auth.create(bytes, null, within(5_000)), auth.create(bytes, null, within(5_000))];
    bytes.fill(0); // the caller's buffer is the caller's
    expect(await Promise.all(both)).toEqual([sectionOf(CREDENTIAL), sectionOf(CREDENTIAL)]);
    expect(auth.via).toBe('socket');
    for (const request of fake.requests)
      expect(decodeMungeMessage('encodeRequest', request).body.data).toEqual(payload);
    answerWith(decodeAnswer());
    expect(await auth.verify(sectionOf(CREDENTIAL), within(5_000))).toMatchObject({ uid: 1000 });
  });

  it('takes the socket where koffi cannot be loaded', async () => {
    vi.resetModules();
    vi.doMock('koffi', () => {
      throw new Error('Cannot find the native Koffi module');
    });
    try {
      const fresh = await import('../../src/auth/default-munge.js');
      answerWith(encodeAnswer());
      const auth = fresh.defaultMunge({ socket: fake.socket });
      expect(await auth.create(payload, null, within(5_000))).toEqual(sectionOf(CREDENTIAL));
      expect(auth.via).toBe('socket');
    } finally {
      vi.doUnmock('koffi');
      vi.resetModules();
    }
  });

  it.skipIf(missing !== null)(
    'takes the library where it loads, and stays with it when munged refuses or is not there',
    async () => {
      const slots = mungeSocketSlots();
      answerWith(decodeAnswer({ errorNum: 14, errorStr: 'no', data: new Uint8Array(0) }));
      const auth = defaultMunge({ socket: fake.socket });
      expect(await rejection(auth.verify(sectionOf(CREDENTIAL), within(5_000)))).toMatchObject({
        code: 'EMUNGE_CRED_INVALID',
      });
      expect(fake.requests.length).toBe(1);
      expect(auth.via).toBe('libmunge');
      const gone = defaultMunge({ socket: `${fake.socket}.none` });
      const error = await rejection(gone.create(payload, null, within(5_000)));
      expect(error).toMatchObject({ reason: 'no-socket', message: expect.stringContaining('libmunge') });
      expect(gone.via).toBe('libmunge');
      expect(mungeSocketSlots()).toEqual(slots);
    },
  );

  it('ends with the context while it decides', async () => {
    const context = within(5_000);
    context.abort();
    await expect(defaultMunge({ socket: fake.socket }).create(payload, null, context)).rejects.toBe(
      context.reason,
    );
  });
});

/** Sends bytes and returns all that comes back until the other side closes. */
function rawExchange(path: string, request: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    const socket = connect(path, () => socket.write(request));
    socket.on('data', (piece) => pieces.push(piece as Buffer));
    socket.on('end', () => resolve(Buffer.concat(pieces)));
    socket.on('error', reject);
  });
}
