/** auth/jwt: what is read of a token, where tokens come from, and that none is ever shown. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { jwt } from '../../src/auth/index.js';
import { MAX_TOKEN_LENGTH, readJwt } from '../../src/auth/jwt-text.js';
import { RENEW_MS } from '../../src/auth/token-source.js';
import { type Authenticator, isSlurmError, type SlurmAuthError } from '../../src/protocol/index.js';
import { base64url, fakeToken, HEADER, within } from './support-tokens.js';

const NOW = 1_800_000_000;
const now = () => NOW * 1000;
const ALICE = { exp: NOW + 1800, iat: NOW, sun: 'alice' };
const NOTHING = new Uint8Array();
const directory = mkdtempSync(join(tmpdir(), 'slurmwire-jwt-'));
afterAll(() => rmSync(directory, { recursive: true }));
afterEach(() => vi.unstubAllEnvs());

const create = (auth: Authenticator, context = within(5_000)) => auth.create(NOTHING, null, context);

async function refusal(work: Promise<unknown> | (() => unknown)): Promise<SlurmAuthError> {
  try {
    await (typeof work === 'function' ? work() : work);
  } catch (error) {
    if (isSlurmError(error)) return error as SlurmAuthError;
    throw error;
  }
  throw new Error('it was taken');
}

describe('a good token', () => {
  test('goes out as it is, for controllers only', async () => {
    const token = fakeToken(ALICE);
    const auth = jwt({ token, now });
    expect(auth).toMatchObject({ name: 'auth/jwt', reach: 'controllers' });
    expect(await create(auth)).toEqual({ plugin: 'auth/jwt', token, username: null });
    expect(await auth.identity?.(within(1000))).toEqual({ uid: null, name: 'alice' });
  });

  test('says for whom it is: sun, else username, else nobody that we know', async () => {
    const nameOf = async (claims: object) =>
      (await jwt({ token: fakeToken({ exp: NOW, ...claims }), now }).identity?.(within(1000)))?.name;
    expect(await nameOf({ sun: 'a', username: 'b' })).toBe('a');
    expect(await nameOf({ username: 'b' })).toBe('b');
    expect(await nameOf({ sun: '', username: 'b' })).toBe('b');
    expect(await nameOf({ sun: 7 })).toBeNull();
    expect(await nameOf({ email: 'c' })).toBeNull();
  });

  test("SlurmUser's for another user; and a uid that the caller knows", async () => {
    const auth = jwt({ token: fakeToken({ ...ALICE, sun: 'slurm' }), username: 'bob', uid: 1001, now });
    expect(await create(auth)).toMatchObject({ username: 'bob' });
    expect(await auth.identity?.(within(1000))).toEqual({ uid: 1001, name: 'bob' });
  });

  test('of the environment, where no option names one', async () => {
    const token = fakeToken({ ...ALICE, exp: Math.floor(Date.now() / 1000) + 60 });
    vi.stubEnv('SLURM_JWT', token);
    expect(await create(jwt())).toMatchObject({ token });
    vi.stubEnv('SLURM_JWT', '');
    expect(await refusal(() => jwt())).toMatchObject({ reason: 'malformed' });
    vi.stubEnv('SLURM_JWT', undefined);
    expect(await refusal(() => jwt())).toMatchObject({ name: 'SlurmUsageError', field: 'token' });
  });

  test('neither nbf nor iat of the future keeps it back: Slurm looks at exp alone', async () => {
    const token = fakeToken({ ...ALICE, nbf: NOW + 900, iat: NOW + 900 });
    expect(await create(jwt({ token, now }))).toMatchObject({ token });
  });

  test('is in nothing that shows the authenticator', () => {
    const token = fakeToken(ALICE);
    const auth = jwt({ token, now });
    expect(inspect(auth, { depth: 9, showHidden: true })).not.toContain(token.slice(0, 20));
    expect(JSON.stringify(auth)).not.toContain(token.slice(0, 20));
  });
});

describe('expiry', () => {
  test.each([
    [NOW + 1, null],
    [NOW, null],
    [NOW - 1, 1],
    [NOW - 3600, 3600],
    [0, NOW],
    [-5, NOW + 5],
  ])('exp %i: %s s late', async (exp, late) => {
    const work = create(jwt({ token: fakeToken({ ...ALICE, exp }), now }));
    if (late === null) return expect(await work).toMatchObject({ plugin: 'auth/jwt' });
    const error = await refusal(work);
    expect(error).toMatchObject({
      name: 'SlurmAuthError',
      code: 'ESLURM_AUTH_EXPIRED',
      number: 6001,
      errno: 'EACCES',
      outcome: 'not-sent',
      phase: 'authenticate',
      reason: 'expired',
      retryable: false,
    });
    expect(error.message).toContain(`${late} s ago`);
  });
});

const good = fakeToken(ALICE);
const [h = '', c = '', s = ''] = good.split('.');
const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
const MALFORMED: Readonly<Record<string, string>> = {
  empty: '',
  'one part': h,
  'two parts': `${h}.${c}`,
  'four parts': `${good}.${s}`,
  'five parts (encrypted)': `${good}.${s}.${s}`,
  'only dots': '..',
  'no header': `.${c}.${s}`,
  'no claims': `${h}..${s}`,
  'no signature': `${h}.${c}.`,
  'leading dot': `.${good}`,
  'trailing dot': `${good}.`,
  'trailing newline': `${good}\n`,
  'leading blank': ` ${good}`,
  'blank inside': `${h}. ${c}.${s}`,
  'tab inside': `${h}\t.${c}.${s}`,
  NUL: `${good}\0`,
  'SLURM_JWT= before it': `SLURM_JWT=${good}`,
  'Bearer before it': `Bearer ${good}`,
  quoted: `"${good}"`,
  'a path': '/etc/slurm/token',
  'a MUNGE credential': 'MUNGE:AwQFAAB:',
  'base64, not base64url: +': `${h}.${c}+.${s}`,
  'base64, not base64url: /': `${h}.${c}/.${s}`,
  'padding in the header': `${h}=.${c}.${s}`,
  'padding in the claims': `${h}.${c}==.${s}`,
  'padding in the signature': `${h}.${c}.${s}=`,
  'a length base64 cannot have, header': `${base64url(HEADER)}AAAAA`.slice(0, 37).concat(`.${c}.${s}`),
  'a length base64 cannot have, signature': `${h}.${c}.AAAAA`,
  'not ASCII': `${h}.${c}é.${s}`,
  'an astral character': `${h}.${c}😀.${s}`,
  'header no JSON': `${base64url('hello')}.${c}.${s}`,
  'claims no JSON': `${h}.${base64url('hello')}.${s}`,
  'claims cut off': `${h}.${base64url('{"exp":1800001800,"su')}.${s}`,
  'claims with something behind': `${h}.${base64url('{"exp":1800001800} x')}.${s}`,
  'claims in single quotes': `${h}.${base64url("{'exp':1}")}.${s}`,
  'claims not UTF-8': `${h}.${Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url')}.${s}`,
  'claims an array': fakeToken([1]),
  'claims null': `${h}.${base64url('null')}.${s}`,
  'claims a number': `${h}.${base64url('7')}.${s}`,
  'claims a string': `${h}.${base64url('"eyJ"')}.${s}`,
  'claims empty text': `${h}.${base64url(' ')}.${s}`,
  'claims nested without end': `${h}.${base64url(deep)}.${s}`,
  'header an array': fakeToken(ALICE, []),
  'header null': `${base64url('null')}.${c}.${s}`,
  'no exp': fakeToken({ sun: 'alice' }),
  'exp null': fakeToken({ ...ALICE, exp: null }),
  'exp a text': fakeToken({ ...ALICE, exp: '1800001800' }),
  'exp a fraction': fakeToken({ ...ALICE, exp: 1800001800.5 }),
  'exp beyond all numbers': `${h}.${base64url('{"exp":1e400,"sun":"alice"}')}.${s}`,
  'exp too large to be exact': `${h}.${base64url('{"exp":9007199254740993}')}.${s}`,
  'exp an object': fakeToken({ ...ALICE, exp: {} }),
  'exp an array': fakeToken({ ...ALICE, exp: [1800001800] }),
  'exp true': fakeToken({ ...ALICE, exp: true }),
  'exp in the prototype only': `${h}.${base64url('{"__proto__":{"exp":1800001800}}')}.${s}`,
  'longer than any token': fakeToken({ ...ALICE, x: 'x'.repeat(MAX_TOKEN_LENGTH) }),
};

describe('malformed tokens', () => {
  test('there are enough of them', () => expect(Object.keys(MALFORMED).length).toBeGreaterThan(40));

  test.each(Object.entries(MALFORMED))('%s: refused at once, and not shown', async (_, token) => {
    const errors = [
      await refusal(() => jwt({ token, now })),
      await refusal(create(jwt({ provide: async () => token, now }))),
    ];
    for (const error of errors) {
      expect(error).toMatchObject({
        name: 'SlurmAuthError',
        code: 'ESLURM_AUTH_CRED_INVALID',
        number: 6000,
        outcome: 'not-sent',
        reason: 'malformed',
      });
      const shown = `${error.message} ${JSON.stringify(error)} ${inspect(error, { depth: 9, showHidden: true })}`;
      for (const part of [token, ...token.split('.')].filter((text) => text.length > 8)) {
        expect(shown.includes(part.slice(0, 9)), part.slice(0, 9)).toBe(false);
      }
      expect(shown).not.toContain('alice');
      expect(error.message.length).toBeLessThan(300);
    }
  });

  test('whatever the text: a token, or that error', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc
        .tuple(fc.json(), fc.json(), fc.base64String())
        .map(([a, b, sig]) => `${base64url(a)}.${base64url(b)}.${sig}`),
      fc
        .tuple(fc.nat(good.length), fc.string({ maxLength: 2 }))
        .map(([at, x]) => good.slice(0, at) + x + good.slice(at + 1)),
    );
    fc.assert(
      fc.property(text, (token) => {
        try {
          const { header, claims } = readJwt(token, 'auth/jwt', 'it');
          expect(typeof header).toBe('object');
          expect(typeof claims).toBe('object');
        } catch (error) {
          expect(isSlurmError(error) && error.code).toBe('ESLURM_AUTH_CRED_INVALID');
        }
      }),
      { numRuns: 500 },
    );
  });

  test('a token cut anywhere is none', () => {
    for (let length = 0; length <= good.length - s.length; length++)
      expect(() => readJwt(good.slice(0, length), 'auth/jwt', 'it')).toThrow(/is not a token/);
  });
});

describe('a token file', () => {
  const path = join(directory, 'token');
  const put = (text: string) => writeFileSync(path, text);

  test('is read for each message, with what scontrol prints around the token', async () => {
    put(`SLURM_JWT=${good}\n`);
    const auth = jwt({ tokenFile: path, now });
    expect(await create(auth)).toMatchObject({ token: good });
    const next = fakeToken({ ...ALICE, exp: NOW + 3600 });
    put(`\n ${next} \n`); // the same size or time would not keep it from being seen
    expect(await create(auth)).toMatchObject({ token: next });
    put(fakeToken({ ...ALICE, exp: NOW - 1 }));
    expect(await refusal(create(auth))).toMatchObject({ code: 'ESLURM_AUTH_EXPIRED' });
    put(fakeToken({ ...ALICE, sun: 'bob' }));
    expect(await refusal(create(auth))).toMatchObject({ reason: 'other-user', outcome: 'not-sent' });
    put(good);
    expect(await create(auth)).toMatchObject({ token: good });
  });

  test('that says nobody first is not another one later', async () => {
    put(fakeToken({ exp: NOW }));
    const auth = jwt({ tokenFile: path, now });
    await create(auth);
    put(good);
    expect(await refusal(create(auth))).toMatchObject({ reason: 'other-user' });
  });

  test('that cannot be used: typed, with the path', async () => {
    const read = (tokenFile: string) => refusal(create(jwt({ tokenFile, now })));
    const NO_TOKEN = {
      name: 'SlurmAuthError',
      code: 'SLURMWIRE_AUTH_NO_TOKEN',
      outcome: 'not-sent',
      phase: 'authenticate',
    };
    const gone = await read(join(directory, 'gone'));
    expect(gone).toMatchObject({ ...NO_TOKEN, errno: 'ENOENT', reason: 'no-file' });
    expect(gone.message).toContain(join(directory, 'gone'));
    expect(await read(directory)).toMatchObject({ ...NO_TOKEN, reason: 'unreadable' });
    expect(await read('/dev/zero')).toMatchObject({ ...NO_TOKEN, errno: 'EINVAL' });
    const pipe = join(directory, 'pipe');
    execFileSync('mkfifo', [pipe]);
    expect(await read(pipe)).toMatchObject({ ...NO_TOKEN, errno: 'EINVAL' });
    put('x'.repeat(MAX_TOKEN_LENGTH + 2000));
    expect(await read(path)).toMatchObject({ ...NO_TOKEN, errno: 'EFBIG' });
    put('');
    expect(await read(path)).toMatchObject({ reason: 'malformed' });
    put(good.slice(0, 30));
    const cut = await read(path);
    expect(cut).toMatchObject({ reason: 'malformed' });
    expect(cut.message).not.toContain(good.slice(0, 10));
  });

  test('ends with its context', async () => {
    put(good);
    const context = { signal: AbortSignal.abort(new Error('over')), remainingMs: () => 0 };
    await expect(create(jwt({ tokenFile: path, now }), context)).rejects.toThrow('over');
  });
});

describe('a function that provides tokens', () => {
  test('one that comes when nobody waits any more does not replace what was got since', async () => {
    const older = fakeToken({ ...ALICE, serial: 1 });
    const newer = fakeToken({ ...ALICE, serial: 2 });
    let release = (_: string) => {};
    const answers = [new Promise<string>((resolve) => (release = resolve)), Promise.resolve(newer)];
    const auth = jwt({ provide: () => answers.shift() ?? Promise.reject(new Error('asked again')), now });
    const control = new AbortController();
    const first = create(auth, { remainingMs: () => 5_000, signal: control.signal });
    control.abort(new Error('left'));
    await expect(first).rejects.toThrow('left');
    expect(await create(auth)).toMatchObject({ token: newer });
    release(older);
    await new Promise((resolve) => setImmediate(resolve));
    expect(await create(auth)).toMatchObject({ token: newer });
  });

  test('is asked once for all that wait, and again shortly before its token expires', async () => {
    let time = NOW * 1000;
    let asked = 0;
    const provide = async () => fakeToken({ ...ALICE, exp: Math.floor(time / 1000) + 1000, serial: ++asked });
    const auth = jwt({ provide, now: () => time });
    const tokens = await Promise.all(Array.from({ length: 20 }, () => create(auth)));
    expect(asked).toBe(1);
    expect(new Set(tokens.map((one) => JSON.stringify(one))).size).toBe(1);
    time += 1_000_000 - RENEW_MS - 1;
    await create(auth);
    expect(asked).toBe(1);
    time += 1;
    await create(auth);
    expect(asked).toBe(2);
  });

  test('with short-lived tokens: only in the last tenth of their life', async () => {
    let time = NOW * 1000;
    let asked = 0;
    const provide = () => {
      asked++;
      return fakeToken({ ...ALICE, exp: time / 1000 + 10 });
    };
    const auth = jwt({ provide, now: () => time });
    await create(auth);
    time += 8_999;
    await create(auth);
    expect(asked).toBe(1);
    time += 1;
    time = Math.ceil(time / 1000) * 1000;
    await create(auth);
    expect(asked).toBe(2);
  });

  test('that fails, or returns something else: wrapped, its words in the cause only; then asked again', async () => {
    const cause = new Error(`unexpected token at ${good}`);
    let answer: unknown = Promise.reject(cause);
    const auth = jwt({ provide: (() => answer) as never, now });
    const failed = await refusal(create(auth));
    expect(failed).toMatchObject({
      name: 'SlurmAuthError',
      code: 'SLURMWIRE_AUTH_NO_TOKEN',
      reason: 'callback',
      outcome: 'not-sent',
    });
    expect(failed.cause).toBe(cause);
    expect(`${failed.message} ${JSON.stringify(failed)}`).not.toContain(good.slice(0, 20));
    for (const nothing of [undefined, null, 7, {}, { token: good }, Buffer.from(good)]) {
      answer = nothing;
      expect(await refusal(create(auth))).toMatchObject({ reason: 'callback', errno: 'EINVAL' });
    }
    const throwing = jwt({
      provide: () => {
        throw cause;
      },
      now,
    });
    expect(await refusal(create(throwing))).toMatchObject({ reason: 'callback', cause });
    answer = good;
    expect(await create(auth)).toMatchObject({ token: good });
  });

  test('one caller that leaves does not end it for the others; the last one does', async () => {
    let signal: AbortSignal | undefined;
    let answer = (_token: string) => {};
    let asked = 0;
    const provide = (call: { signal: AbortSignal }) => {
      asked++;
      signal = call.signal;
      return new Promise<string>((resolve) => {
        answer = resolve;
      });
    };
    const auth = jwt({ provide, now });
    const caller = () => {
      const controller = new AbortController();
      const context = { signal: controller.signal, remainingMs: () => 1000 };
      return { leave: () => controller.abort(new Error('left')), work: create(auth, context) };
    };
    const [a, b] = [caller(), caller()];
    a.leave();
    await expect(a.work).rejects.toThrow('left');
    expect(signal?.aborted).toBe(false);
    answer(good);
    expect(await b.work).toMatchObject({ token: good });
    expect(asked).toBe(1);

    const alone = jwt({ provide, now });
    const controller = new AbortController();
    const work = create(alone, { signal: controller.signal, remainingMs: () => 1000 });
    controller.abort(new Error('left'));
    await expect(work).rejects.toThrow('left');
    expect(signal?.aborted).toBe(true);
    // Who comes then asks anew, whatever the first function does.
    const again = create(alone);
    answer(good);
    expect(await again).toMatchObject({ token: good });
    expect(asked).toBe(3);
  });
});

test.each([
  [{ token: good, tokenFile: '/x' }, 'token'],
  [{ tokenFile: '/x', provide: () => good }, 'token'],
  [{ token: 7 }, 'token'],
  [{ token: { secret: good } }, 'token'],
  [{ tokenFile: '' }, 'tokenFile'],
  [{ tokenFile: 'a\0b' }, 'tokenFile'],
  [{ provide: good }, 'provide'],
  [{ token: good, username: '' }, 'username'],
  [{ token: good, username: 'a b' }, 'username'],
  [{ token: good, uid: -1 }, 'uid'],
  [{ token: good, uid: 0xffffffff }, 'uid'],
  [{ token: good, uid: '1000' }, 'uid'],
  [{ tokn: good }, 'tokn'],
  [null, 'options'],
])('bad options %#', async (options, field) => {
  const error = await refusal(() => jwt(options as never));
  expect(error).toMatchObject({ name: 'SlurmUsageError', code: 'SLURMWIRE_BAD_OPTION', field });
  expect(`${error.message}${JSON.stringify(error)}`).not.toContain(good.slice(0, 20));
});

test('a reply can not be checked: null; one of another plugin is an error', async () => {
  const auth = jwt({ token: good, now });
  expect(await auth.verify({ plugin: 'auth/jwt', token: null, username: null }, within(1000))).toBeNull();
  expect(await refusal(auth.verify({ plugin: 'auth/munge', credential: 'x' }, within(1000)))).toMatchObject({
    reason: 'wrong-plugin',
  });
});
