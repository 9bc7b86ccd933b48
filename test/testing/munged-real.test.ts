/** The embedded munged beside a real one: the same bytes on both sockets, and what comes back means the same. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ANY_ID, decodeMungeMessage, encodeMungeMessage, type MungeBody } from '../../src/auth/munge-wire.js';
import type { EmbeddedMunged } from '../../src/testing/embedded-munged.js';
import { missingMunge, missingRoot, type PrivateMunged, startMunged } from '../auth/private-munged.js';
import { exchange, run, withDirectory } from './munged-support.js';

describe.skipIf(missingMunge() !== null)('the embedded munged answers as a real one does', () => {
  let place: Awaited<ReturnType<typeof withDirectory>>;
  let embedded: EmbeddedMunged;
  let real: PrivateMunged;
  beforeAll(async () => {
    place = await withDirectory();
    [embedded, real] = await Promise.all([place.start(), startMunged()]);
  });
  afterAll(async () => {
    await Promise.all([place.remove(), real.stop()]);
  });

  const encodeBytes = (change: Partial<MungeBody<'encodeRequest'>> = {}, retry = 0) =>
    encodeMungeMessage(
      'encodeRequest',
      {
        ...{ cipher: 1, mac: 1, zip: 1, realm: null, ttl: 0, authUid: ANY_ID, authGid: ANY_ID },
        data: Uint8Array.of(1, 2, 3),
        ...change,
      },
      retry,
    );
  const decodeBytes = (data: string | Uint8Array, retry = 0) =>
    encodeMungeMessage('decodeRequest', { data: Buffer.from(data as string) }, retry);

  /** An answer as far as it has to be the same: all of it but words and times; a credential only by whether there is one. */
  const gist = (answer: Buffer) => {
    if (answer.length === 0) return 'closed';
    if (answer[5] === 3) {
      const { errorNum, data } = decodeMungeMessage('encodeResponse', answer).body;
      return {
        errorNum,
        credential: /^MUNGE:[A-Za-z0-9+/]+=*:\0$/.test(Buffer.from(data).toString('latin1')),
      };
    }
    const { body } = decodeMungeMessage('decodeResponse', answer);
    return { ...body, errorStr: null, time0: body.time0 > 0, time1: body.time1 > 0, addr: body.addr?.length };
  };
  const both = async (pieces: readonly Uint8Array[], halfClose = false) => {
    const answers = await Promise.all(
      [embedded, real].map(({ socket }) => exchange(socket, pieces, halfClose)),
    );
    return answers.map(gist);
  };
  const same = async (...pieces: Uint8Array[]) => {
    const [ours, theirs] = await both(pieces);
    expect(ours).toEqual(theirs);
    return ours;
  };
  /** A fresh credential of each. */
  const credentials = async (change: Partial<MungeBody<'encodeRequest'>> = {}) => {
    const answers = await Promise.all(
      [embedded, real].map(({ socket }) => exchange(socket, [encodeBytes(change)])),
    );
    return answers.map((answer) =>
      Buffer.from(decodeMungeMessage('encodeResponse', answer).body.data).toString('latin1').slice(0, -1),
    ) as [string, string];
  };
  /** Each decodes its own, changed in the same way. */
  const sameDecoding = async (
    own: readonly [string, string],
    change: (text: string) => string = (text) => `${text}\0`,
    retry = 0,
  ) => {
    const [ours, theirs] = await Promise.all(
      [embedded, real].map(async ({ socket }, index) =>
        gist(await exchange(socket, [decodeBytes(change(own[index] ?? ''), retry)])),
      ),
    );
    expect(ours).toEqual(theirs);
    return ours;
  };

  it('for every cipher, MAC and compression, and those there are not', async () => {
    const numbers = new Set<unknown>();
    for (const cipher of [0, 1, 4, 5, 6, 7, 255]) {
      for (const mac of [0, 1, 2, 3, 5, 6, 7, 255]) {
        const answer = await same(encodeBytes({ cipher, mac }));
        numbers.add((answer as { errorNum: number }).errorNum);
      }
    }
    for (const zip of [0, 1, 2, 3, 4, 255]) {
      const answer = await same(encodeBytes({ zip }));
      numbers.add((answer as { errorNum: number }).errorNum);
    }
    expect([...numbers].sort()).toEqual([0, 10, 11, 12]);
  });

  it('for requests repeated, and repeated too often', async () => {
    for (const retry of [1, 5, 6, 255]) {
      await same(encodeBytes({}, retry));
      await same(decodeBytes('MUNGE:AAAA:\0', retry));
    }
  });

  it('for what it makes of its own credentials', async () => {
    const asked = [
      {},
      { ttl: 1 },
      { ttl: 3_600 },
      { ttl: 5_000 },
      { ttl: 0xffffffff },
      { realm: 'realm' },
      { cipher: 5, mac: 6 },
      { cipher: 0 },
      { zip: 3 },
      { data: new Uint8Array(0) },
      { data: new Uint8Array(300_000), zip: 0 },
      { authUid: 0, authGid: 0 },
    ];
    for (const change of asked) expect(await sameDecoding(await credentials(change))).toBeTruthy();
  });

  it('for a replay, its repetition, and whom a credential is not for', async () => {
    const own = await credentials();
    for (const retry of [0, 0, 1, 5, 0]) await sameDecoding(own, undefined, retry);
    for (const change of [{ authUid: 4321 }, { authGid: 4321 }, { authUid: 4321, authGid: 4321 }]) {
      expect(await sameDecoding(await credentials(change))).toMatchObject({ errorNum: 18 });
    }
  });

  it('for texts that are almost credentials', async () => {
    const own = await credentials();
    const base64 = (text: string, change: (bytes: Buffer) => Buffer) =>
      `MUNGE:${change(Buffer.from(text.slice(6, -1), 'base64')).toString('base64')}:\0`;
    const changes: ((text: string) => string)[] = [
      (text) => text.slice(1),
      (text) => text.slice(0, -1),
      (text) => text.replace('MUNGE', 'munge'),
      (text) => `${text.slice(0, 30)}*${text.slice(31)}`,
      (text) => `${text.slice(0, 30)}\0${text.slice(31)}`,
      () => '',
      () => '\0',
      () => ' \t\r\n\v\f',
      () => ' \n\0',
      () => 'MUNGE:',
      () => 'MUNGE:\0',
      () => 'MUNGE::\0',
      () => 'MUNGE:AA==:\0',
      (text) => base64(text, (bytes) => bytes.fill(4, 0, 1)),
      (text) => base64(text, (bytes) => bytes.fill(9, 1, 2)),
      (text) => base64(text, (bytes) => bytes.fill(9, 2, 3)),
      (text) => base64(text, (bytes) => bytes.fill(0, 2, 3)),
      (text) => base64(text, (bytes) => bytes.fill(5, 1, 2).fill(3, 2, 3)),
      (text) => base64(text, (bytes) => bytes.fill(9, 3, 4)),
      (text) => base64(text, (bytes) => bytes.fill(255, 4, 5)),
      ...[0, 1, 2, 3, 4].map(
        (length) => (text: string) => base64(text, (bytes) => bytes.subarray(0, length)),
      ),
      (text) =>
        base64(text, (bytes) => Buffer.concat([bytes.subarray(0, -1), Buffer.of((bytes.at(-1) ?? 0) ^ 1)])),
      // Good ones at last, in other dress.
      (text) => ` \n\t${text}`,
    ];
    for (const change of changes) await sameDecoding(own, change);
    for (const change of [
      (text: string) => `${text} and more\0`,
      (text: string) => text.replaceAll(/(.{20})/g, '$1\n'),
      (text: string) => text,
    ]) {
      expect(await sameDecoding(await credentials(), change)).toMatchObject({ errorNum: 0 });
    }
  });

  it('for a credential of the other', async () => {
    const [ours, theirs] = await credentials();
    const crossed = await Promise.all([
      exchange(real.socket, [decodeBytes(`${ours}\0`)]),
      exchange(embedded.socket, [decodeBytes(`${theirs}\0`)]),
    ]);
    expect(crossed.map(gist)).toEqual([
      expect.objectContaining({ errorNum: 14 }),
      expect.objectContaining({ errorNum: 14 }),
    ]);
  });

  it('for what is no request', async () => {
    const good = Buffer.from(encodeBytes());
    const changed = (at: number, to: number) => {
      const bytes = Buffer.from(good);
      bytes[at] = to;
      return bytes;
    };
    for (const bytes of [
      changed(0, 1),
      changed(4, 3),
      ...[0, 1, 3, 5, 6, 255].map((type) => changed(5, type)),
      changed(7, 0xff),
      // The payload is said to be longer than the message.
      changed(good.length - 4, 99),
    ]) {
      const [ours, theirs] = await both([bytes], true);
      expect(ours).toEqual(theirs);
      expect(ours).toBe('closed');
    }
    for (let length = 0; length < good.length; length++) {
      const [ours, theirs] = await both([good.subarray(0, length)], true);
      expect([ours, theirs]).toEqual(['closed', 'closed']);
    }
  });

  it('for a client that has shut down its side, and one that sends byte by byte', async () => {
    const bytes = [...encodeBytes()].map((byte) => Uint8Array.of(byte));
    for (const halfClose of [false, true]) {
      const [ours, theirs] = await both(bytes, halfClose);
      expect(ours).toEqual(theirs);
      expect(ours).toEqual({ errorNum: 0, credential: true });
    }
  });

  it('for a client that is silent or stops half-way: after two seconds', async () => {
    const times = await Promise.all(
      [embedded, real].flatMap(({ socket }) =>
        [[], [encodeBytes().subarray(0, 20)]].map(async (pieces) => {
          const began = performance.now();
          expect(await exchange(socket, pieces)).toHaveLength(0);
          return (performance.now() - began) / 1_000;
        }),
      ),
    );
    for (const seconds of times) expect(seconds).toBeGreaterThan(1.9);
  });

  it.skipIf(missingRoot() !== null)('for another user, by MUNGE’s own programs', async () => {
    const alice = { uid: 1001, gid: 2001 };
    const shown = await Promise.all(
      [embedded, real].map(async ({ socket }) => {
        const made = await run('munge', [`--socket=${socket}`], 'x', alice);
        const read = await run('unmunge', [`--socket=${socket}`, '--keys=STATUS,TTL,UID,GID'], made.output);
        const again = await run('unmunge', [`--socket=${socket}`, '--keys=STATUS'], made.output, alice);
        return [made.status, read, again];
      }),
    );
    expect(shown[0]).toEqual(shown[1]);
  });
});
