import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AuthSection,
  decodeFrame,
  encodeBody,
  encodeFrame,
  isPayloadOf,
  RELEASE_NAMES,
  type Release,
} from '../../src/protocol/index.js';
import { joined, type RawConnection, streamOf } from '../../src/replay/conversation.js';
import { makePlaceholder, parsePlaceholder } from '../../src/replay/placeholder.js';
import { redactConnection, redactStream } from '../../src/replay/redact.js';
import { findLiveSecrets } from '../../src/replay/secrets.js';
import {
  data,
  digestOf,
  fakeJwt,
  fakeMunge,
  forwardFrame,
  killBody,
  killFrame,
  latin1,
  munge,
  okFrame,
  UIDS,
} from './support.js';

/** No eight characters in a row of any of the secrets are in the bytes. */
function expectNoTraceOf(bytes: Uint8Array, secrets: readonly string[]): void {
  const text = latin1(bytes);
  for (const secret of secrets) {
    const bare = secret.replace(/^MUNGE:/, '');
    for (let at = 0; at + 8 <= bare.length; at++) {
      if (text.includes(bare.slice(at, at + 8))) throw new Error(`a trace of the secret at ${at}`);
    }
  }
  expect(findLiveSecrets(bytes)).toEqual([]);
}

/** Cuts the stream at the given places into events of one direction. */
function cutUp(stream: Uint8Array, cuts: readonly number[], direction: '>' | '<' = '>'): RawConnection {
  const at = [...new Set([0, ...cuts.map((cut) => cut % (stream.length + 1)), stream.length])].sort(
    (a, b) => a - b,
  );
  const events = at.slice(1).map((end, i) => data(direction, stream.slice(at[i], end)));
  return { endpoint: 'slurmctld', events: events.filter((event) => event.bytes?.length !== 0) };
}

describe('placeholders', () => {
  const facts = { uid: 1000, gid: 100, payload: new Uint8Array(33).fill(0xab) };

  it('has every length, and says what it can in the order uid, payload, gid', () => {
    for (const kind of ['munge', 'jwt'] as const) {
      for (let length = 0; length <= 220; length++) {
        const { text, complete } = makePlaceholder(kind, length, facts);
        expect(text).toHaveLength(length);
        const said = parsePlaceholder(text);
        expect(complete).toBe(said?.uid === 1000 && said.gid === 100 && said.payload !== null);
        if (said?.payload) expect(said.payload).toEqual(facts.payload);
        if (kind === 'munge' && length > 16) expect(text).toMatch(/^MUNGE:REDACTED:.*:$/);
        expect(findLiveSecrets(Buffer.from(text))).toEqual([]);
      }
    }
    expect(makePlaceholder('munge', 128, facts).text).toMatch(
      /^MUNGE:REDACTED:uid=1000:payload=(ab){33}:gid=100:x+:$/,
    );
  });

  it('is not read out of what only resembles one', () => {
    for (const text of [
      'MUNGE:REDACTED:',
      'MUNGE:REDACTED:AAAA:',
      'MUNGE:REDACTED:uid=1:AwQDAAAA:',
      'REDACTED:x',
      'x',
    ])
      expect(parsePlaceholder(text)).toBeNull();
    // And a secret behind the head is still one.
    expect(findLiveSecrets(Buffer.from(`MUNGE:REDACTED:${fakeMunge()}`))).not.toEqual([]);
  });
});

describe('redaction of frames', () => {
  it.each(RELEASE_NAMES)(
    'takes the credential out of request and reply in %s and keeps the rest',
    (release) => {
      const secret = fakeMunge(7);
      for (const [direction, frame, uid] of [
        ['>', killFrame(release, munge(secret)), 1000],
        ['<', okFrame(release, secret), 64030],
      ] as const) {
        const { bytes, credentials } = redactStream(frame, direction, UIDS);
        expectNoTraceOf(bytes, [secret]);
        expect(bytes).toHaveLength(frame.length);
        expect(credentials).toEqual([]);
        const { auth, body, header } = decodeFrame(bytes);
        expect(body).toEqual(decodeFrame(frame).body);
        if (auth?.plugin !== 'auth/munge') continue;
        const said = parsePlaceholder(auth.credential ?? '');
        expect(said?.uid).toBe(uid);
        expect(isPayloadOf(said?.payload as Uint8Array, release, header.msgType, body)).toBe(true);
        // Every byte outside of the text is as it was.
        const at = latin1(frame).indexOf(secret);
        expect(bytes.slice(0, at)).toEqual(frame.slice(0, at));
        expect(bytes.slice(at + secret.length)).toEqual(frame.slice(at + secret.length));
      }
    },
  );

  it('at every split, and at every truncation', () => {
    const secret = fakeMunge(3);
    const frame = killFrame('22.05', munge(secret));
    const whole = redactStream(frame, '>', UIDS).bytes;
    for (let cut = 0; cut <= frame.length; cut++) {
      const connection = redactConnection(cutUp(frame, [cut]), UIDS);
      expect(streamOf(connection, '>')).toEqual(whole);
      const truncated = frame.subarray(0, cut);
      const { bytes } = redactStream(truncated, '>', UIDS);
      expect(bytes).toHaveLength(cut);
      expectNoTraceOf(bytes, [secret]);
    }
    const single = redactConnection(cutUp(frame, [...frame.keys()]), UIDS);
    expect(single.events).toHaveLength(frame.length);
    expect(streamOf(single, '>')).toEqual(whole);
  });

  it('in several frames of a connection, each with its own digest', () => {
    const secrets = [fakeMunge(1), fakeMunge(2), fakeMunge(3)];
    const frames = secrets.map((secret, i) => killFrame('26.11', munge(secret), i + 1));
    const { bytes } = redactStream(joined(frames), '>', UIDS);
    expectNoTraceOf(bytes, secrets);
    let at = 0;
    for (const [i, frame] of frames.entries()) {
      const { auth } = decodeFrame(bytes.slice(at, at + frame.length));
      at += frame.length;
      const credential = auth?.plugin === 'auth/munge' ? (auth.credential ?? '') : '';
      const digest = digestOf('26.11', 'REQUEST_KILL_JOB', killBody('26.11', i + 1));
      expect(parsePlaceholder(credential)?.payload).toEqual(digest);
    }
  });

  it('of tokens, net credentials and sections of plugins to come', () => {
    const jwt = fakeJwt(4);
    const odd = 'a token that is no JWT at all, 0123456789';
    const sections: AuthSection[] = [
      { plugin: 'auth/jwt', token: jwt, username: 'alice' },
      { plugin: 'auth/slurm', token: jwt },
      { plugin: 'auth/jwt', token: odd, username: null },
      { plugin: 'auth/slurm', token: odd },
    ];
    for (const section of sections) {
      const frame = killFrame('24.11', section);
      const { bytes, credentials } = redactStream(frame, '>', UIDS);
      expectNoTraceOf(bytes, [jwt, odd]);
      const { auth } = decodeFrame(bytes);
      expect({ ...auth, token: '' }).toEqual({ ...section, token: '' });
      const short = section.plugin !== 'auth/none' && 'token' in section && section.token === odd;
      expect(credentials.map(({ uid, payload }) => [uid, payload?.length])).toEqual(
        short ? [[1000, 33]] : [],
      );
    }
    for (const netCred of [fakeMunge(9), fakeJwt(9), odd]) {
      const frame = forwardFrame(munge(fakeMunge(8)), netCred);
      for (let cut = 0; cut <= frame.length; cut++) {
        expectNoTraceOf(redactStream(frame.subarray(0, cut), '>').bytes, [netCred, fakeMunge(8)]);
      }
      expect(decodeFrame(redactStream(frame, '>').bytes).header.forward.netCred).toHaveLength(netCred.length);
    }
    const unknown = killFrame('24.11', { plugin: 'auth/slurm', token: odd });
    unknown[latin1(unknown).indexOf(odd) - 5] = 177;
    expectNoTraceOf(redactStream(unknown, '>').bytes, [odd]);
  });

  it('in places where no secret should be: body, HTTP, garbage, undecodable frames', () => {
    const secret = fakeMunge(5);
    const jwt = fakeJwt(6);
    const body = encodeBody('RESPONSE_SLURM_RC_MSG', '22.05', { returnCode: 0, errMsg: `${secret} ${jwt}` });
    const auth = munge(fakeMunge(1));
    const frame = encodeFrame({ release: '22.05', messageName: 'RESPONSE_SLURM_RC_MSG', auth, body });
    const { bytes } = redactStream(frame, '<', UIDS);
    expectNoTraceOf(bytes, [secret, jwt]);
    // The digest in the placeholder fits the body as it is now, so that a replay of it still checks out.
    const decoded = decodeFrame(bytes);
    const credential = decoded.auth?.plugin === 'auth/munge' ? (decoded.auth.credential ?? '') : '';
    const payload = parsePlaceholder(credential)?.payload as Uint8Array;
    expect(isPayloadOf(payload, '22.05', decoded.header.msgType, decoded.body)).toBe(true);

    const texts = [
      `HTTP/1.1 401 Unauthorized\r\nX-SLURM-USER-TOKEN: ${jwt}\r\n\r\n${secret}`,
      `\0\0\0\x08MUNGE:ab${secret}`, // a frame of 8 bytes that ends inside a text
      `\0\0\0\x0cxxxxxxMUNGE:${secret.slice(6)}`,
      `MUNGE:abcMUNGE:MUNGE:${secret.slice(6)}`,
      `MUNGE:eyJabc${secret}eyJeyJ${jwt}`,
      `MUNGE:REDACTED:${secret}`,
    ];
    for (const text of texts) {
      const raw = Buffer.from(text, 'latin1');
      for (let cut = 0; cut <= raw.length; cut++) {
        const masked = redactStream(raw.subarray(0, cut), '<').bytes;
        expect(masked).toHaveLength(cut);
        expectNoTraceOf(masked, [secret, jwt]);
      }
    }
    expect(latin1(redactStream(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), '<').bytes)).toBe(
      'HTTP/1.1 400 Bad Request\r\n\r\n',
    );
  });

  it('keeps a digest that was wrong, uses what is known, and leaves what is redacted already', () => {
    const secret = fakeMunge(2);
    const wrong = new Uint8Array(33).fill(9);
    const known = (text: string) => (text === secret ? { uid: 7, gid: 8, payload: wrong } : undefined);
    const once = redactStream(killFrame('22.05', munge(secret)), '>', { known }).bytes;
    const { auth } = decodeFrame(once);
    expect(auth?.plugin === 'auth/munge' && parsePlaceholder(auth.credential ?? '')).toEqual({
      uid: 7,
      gid: 8,
      payload: wrong,
    });
    expect(redactStream(once, '>', UIDS).bytes).toEqual(once);
  });

  it('does not change its input', () => {
    const frame = killFrame('22.05', munge(fakeMunge(2)));
    const before = frame.slice();
    redactStream(frame, '>');
    expect(frame).toEqual(before);
    // Sockets give Buffers, whose slice() is no copy.
    const buffer = Buffer.from(frame);
    redactStream(buffer, '>');
    expect(new Uint8Array(buffer)).toEqual(before);
  });
});

describe('whatever comes', () => {
  const release = fc.constantFrom<Release>(...RELEASE_NAMES);
  const seed = fc.integer({ min: 1, max: 1e6 });
  const secret = fc.oneof(
    fc.tuple(seed, fc.integer({ min: 40, max: 400 })).map(([s, length]) => fakeMunge(s, length)),
    fc.tuple(seed, fc.integer({ min: 60, max: 400 })).map(([s, length]) => fakeJwt(s, length)),
  );
  const piece = fc.oneof(
    fc.tuple(release, secret).map(([r, text]) => ({ bytes: killFrame(r, munge(text)), secrets: [text] })),
    fc.tuple(release, secret).map(([r, text]) => ({ bytes: okFrame(r, text), secrets: [text] })),
    fc.tuple(secret, secret).map(([a, b]) => ({ bytes: forwardFrame(munge(a), b), secrets: [a, b] })),
    fc.tuple(release, secret).map(([r, token]) => {
      return { bytes: killFrame(r, { plugin: 'auth/jwt', token, username: null }), secrets: [token] };
    }),
    secret.map((text) => ({ bytes: new Uint8Array(Buffer.from(` ${text} `)), secrets: [text] })),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => ({ bytes, secrets: [] as string[] })),
  );

  it('no secret survives, and lengths and splits stay', () => {
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 5 }),
        fc.array(fc.nat(), { maxLength: 8 }),
        fc.nat(),
        (pieces, cuts, end) => {
          const stream = joined(pieces.map(({ bytes }) => bytes));
          const raw = cutUp(
            stream.slice(0, stream.length - (end % 3 === 0 ? end % (stream.length + 1) : 0)),
            cuts,
            '<',
          );
          const done = redactConnection(raw, UIDS);
          expect(done.events.map(({ bytes }) => bytes?.length)).toEqual(
            raw.events.map(({ bytes }) => bytes?.length),
          );
          expectNoTraceOf(
            streamOf(done, '<'),
            pieces.flatMap(({ secrets }) => secrets),
          );
        },
      ),
      { numRuns: 1000 },
    );
  });
});
