/** The credentials of an embedded cluster, without a socket. How they compare to munged's is in munged-real.test.ts. */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EMUNGE } from '../../src/auth/emunge.js';
import { SlurmUsageError } from '../../src/protocol/slurm-error.js';
import { authenticatorOf } from '../../src/testing/credential-authenticator.js';
import { type CredentialHostOptions, CredentialStore } from '../../src/testing/credentials.js';
import { expectWhole, rejection, sectionOf, within } from '../auth/munge-support.js';
import { textOf } from './munged-support.js';

const payload = new Uint8Array(randomBytes(33));
const alice = { uid: 1001, gid: 2001 };
const bob = { uid: 1002, gid: 2002 };
const root = { uid: 0, gid: 0 };

/** A store whose clock stands until it is told otherwise. */
function stopped(options: CredentialHostOptions = {}) {
  const clock = { seconds: 1_700_000_000 };
  return { clock, store: new CredentialStore({ now: () => clock.seconds * 1_000, ...options }) };
}

const uid = fc.integer({ min: 0, max: 0xfffffffe });
const restriction = fc.option(uid);

describe('a credential', () => {
  it('says what it was made of, to anybody when not restricted', () => {
    fc.assert(
      fc.property(
        fc.record({
          ...{ uid, gid: uid, payload: fc.uint8Array({ maxLength: 200 }) },
          ...{ cipher: fc.constantFrom(0, 2, 3, 4), mac: fc.constantFrom(2, 3, 4, 5, 6) },
          realm: fc.option(
            fc
              .string({ unit: 'grapheme', minLength: 1, maxLength: 50 })
              .filter((realm) => Buffer.byteLength(realm) <= 254),
          ),
          ttlSeconds: fc.integer({ min: 1, max: 3_600 }),
        }),
        (request) => {
          const { store, clock } = stopped({ address: '10.1.2.3' });
          const text = store.mint(request);
          expect(text).toMatch(/^MUNGE:[A-Za-z0-9+/]+={0,2}:$/);
          // Bounded by what goes in: overhead and base64.
          expect(text.length).toBeLessThan(((request.payload.length + 320) * 4) / 3 + 12);
          clock.seconds += 1;
          const { error, credential } = store.host({ now: () => clock.seconds * 1_000 }).open(text, bob);
          expect(error).toBe(0);
          const { id, ...said } = credential ?? expect.unreachable();
          expect(id).toBeTruthy();
          expect(said).toEqual({
            ...{ ...request, zip: 0, restrictUid: null, restrictGid: null },
            ...{ address: Uint8Array.of(10, 1, 2, 3), encoded: 1_700_000_000, decoded: 1_700_000_001 },
          });
        },
      ),
    );
  });

  it('does not show its content in its text', () => {
    const text = new CredentialStore().mint({ ...alice, payload: Buffer.from('secret payload') });
    expect(Buffer.from(text, 'base64').toString('latin1')).not.toContain('secret');
    expect(Buffer.from(text.slice(6, -1), 'base64').toString('latin1')).not.toContain('secret');
  });

  it('can be opened by whom it is restricted to, and by nobody else, root included', () => {
    fc.assert(
      fc.property(restriction, restriction, uid, uid, (restrictUid, restrictGid, byUid, byGid) => {
        const { store } = stopped();
        const text = store.mint({ ...alice, payload, restrictUid, restrictGid });
        const reads = [
          { uid: byUid, gid: byGid },
          { uid: restrictUid ?? byUid, gid: restrictGid ?? byGid },
          root,
        ];
        for (const by of reads) {
          const allowed =
            (restrictUid === null || restrictUid === by.uid) &&
            (restrictGid === null || restrictGid === by.gid);
          const { error, credential } = store.host({ now: () => 1_700_000_000_000 }).open(text, by);
          expect(error).toBe(allowed ? 0 : EMUNGE.CRED_UNAUTHORIZED);
          expect(credential === null).toBe(!allowed);
        }
      }),
    );
  });

  it('restricted to a group can be opened by its other members', () => {
    const store = new CredentialStore({ groupsOf: (id) => (id === bob.uid ? [7, 8] : []) });
    const text = store.mint({ ...alice, payload, restrictGid: 8 });
    expect(store.open(text, alice).error).toBe(EMUNGE.CRED_UNAUTHORIZED);
    expect(store.open(text, bob).error).toBe(0);
  });

  it('that is not allowed to somebody is not used up by the attempt', () => {
    const { store } = stopped();
    const text = store.mint({ ...alice, payload, restrictUid: bob.uid });
    expect(store.open(text, alice).error).toBe(EMUNGE.CRED_UNAUTHORIZED);
    expect(store.open(text, bob).error).toBe(0);
  });

  it.each([
    [-301, EMUNGE.CRED_REWOUND],
    [-300, 0],
    [0, 0],
    [300, 0],
    [301, EMUNGE.CRED_EXPIRED],
  ])('opened %d s after it was made by the opener’s clock comes to %d', (later, error) => {
    const { store } = stopped();
    const other = store.host({ now: () => 1_700_000_000_000, skewSeconds: later });
    const opening = other.open(store.mint({ ...alice, payload }), bob);
    expect(opening.error).toBe(error);
    expect(opening.credential).toMatchObject({ ...alice, payload, encoded: 1_700_000_000 });
    expect(opening.credential?.decoded).toBe(1_700_000_000 + later);
  });

  it('is refused by a clock that is changed later', () => {
    const { store } = stopped();
    store.skewSeconds = 900;
    const text = store.mint({ ...alice, payload });
    store.skewSeconds = 0;
    expect(store.open(text, bob).error).toBe(EMUNGE.CRED_REWOUND);
    store.skewSeconds = 900;
    expect(store.open(text, bob).error).toBe(0);
  });

  it.each([
    [undefined, 300],
    [0, 300],
    [1, 1],
    [3_600, 3_600],
    [3_601, 3_600],
    [0xffffffff, 3_600],
  ])('with lifetime %s lives %d s', (ttlSeconds, lives) => {
    const { store, clock } = stopped();
    const text = store.mint({ ...alice, payload, ttlSeconds });
    clock.seconds += lives + 1;
    expect(store.open(text, bob).error).toBe(EMUNGE.CRED_EXPIRED);
    clock.seconds -= 1;
    expect(store.open(text, bob)).toMatchObject({ error: 0, credential: { ttlSeconds: lives } });
  });

  it('can be opened once per host', () => {
    const { store } = stopped();
    const n1 = store.host({ now: () => 1_700_000_000_000 });
    const text = store.mint({ ...alice, payload });
    expect(store.open(text, bob).error).toBe(0);
    for (const again of [text, ` \n${text}\n`, `${text.slice(0, 20)}\n${text.slice(20)}`]) {
      const replayed = store.open(again, alice);
      expect(replayed.error).toBe(EMUNGE.CRED_REPLAYED);
      expect(replayed.credential).toMatchObject({ ...alice, payload });
    }
    expect(n1.open(text, bob).error).toBe(0);
    expect(n1.open(text, bob).error).toBe(EMUNGE.CRED_REPLAYED);
  });

  it('can be opened again by a repetition of the same transaction, and when its content got lost', () => {
    const { store } = stopped();
    const text = store.mint({ ...alice, payload });
    const first = store.open(text, bob).credential ?? expect.unreachable();
    for (const retry of [1, 5]) expect(store.open(text, bob, retry).error).toBe(0);
    for (const retry of [0, 6]) expect(store.open(text, bob, retry).error).toBe(EMUNGE.CRED_REPLAYED);
    store.forget(first);
    expect(store.open(text, bob).error).toBe(0);
  });

  it('is remembered until it has expired, however many there are, and then no longer', () => {
    const { store, clock } = stopped();
    for (let n = 0; n < 500; n++) {
      store.open(store.mint({ ...alice, payload, ttlSeconds: n < 250 ? 100 : 400 }), bob);
    }
    expect(store.remembered).toBe(500);
    clock.seconds += 161;
    expect(store.remembered).toBe(250);
    clock.seconds += 400;
    expect(store.remembered).toBe(0);
    // A clock that was put back must not stop it for long.
    clock.seconds -= 100_000;
    store.open(store.mint({ ...alice, payload, ttlSeconds: 10 }), bob);
    clock.seconds += 71;
    expect(store.remembered).toBe(0);
  });

  it('of another cluster is not valid', () => {
    const text = new CredentialStore().mint({ ...alice, payload });
    expect(new CredentialStore().open(text, alice)).toEqual({
      ...{ error: EMUNGE.CRED_INVALID, text: null, credential: null },
    });
  });

  it('with any bit changed, or cut anywhere, is refused', () => {
    const { store } = stopped();
    const text = store.mint({ ...alice, payload, realm: 'realm' });
    const bytes = Buffer.from(text.slice(6, -1), 'base64');
    const seen = new Set<number>();
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const { error, credential } = store.open(`MUNGE:${changed.toString('base64')}:`, bob);
      expect(credential).toBeNull();
      seen.add(error);
    }
    expect([...seen].sort((a, b) => a - b)).toEqual([8, 9, 10, 11, 12, 14]);
    for (let length = 0; length < bytes.length; length++) {
      const { error } = store.open(`MUNGE:${bytes.subarray(0, length).toString('base64')}:`, bob);
      expect([EMUNGE.BAD_CRED, EMUNGE.CRED_INVALID]).toContain(error);
    }
    for (let length = 0; length < text.length; length++) {
      expect(store.open(text.slice(0, length), bob).credential).toBeNull();
    }
    expect(store.open(text, bob).error).toBe(0);
  });

  it('may be any text at all without an exception', () => {
    const store = new CredentialStore();
    const text = fc.oneof(
      fc.string(),
      fc.string().map((inner) => `MUNGE:${inner}:`),
      fc.base64String().map((inner) => `MUNGE:${inner}:`),
      fc.base64String().map((inner) => `MUNGE:AwQFAA${inner}:`),
    );
    fc.assert(
      fc.property(text, (text) => {
        expect(store.open(text, alice)).toMatchObject({ credential: null });
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('mint() refuses', () => {
  it.each([
    ['uid', -1],
    ['uid', 0xffffffff],
    ['gid', 1.5],
    ['restrictUid', 0xffffffff],
    ['restrictGid', Number.NaN],
    ['ttlSeconds', -1],
    ['ttlSeconds', 0.5],
  ])('%s = %d', (field, value) => {
    const mint = () => new CredentialStore().mint({ ...alice, payload, [field]: value });
    expect(mint).toThrow(expect.objectContaining({ name: 'SlurmUsageError', field, value: String(value) }));
  });

  it.each([
    ['cipher', 'not known', 6, EMUNGE.BAD_CIPHER],
    ['mac', 'none', 0, EMUNGE.BAD_MAC],
    ['mac', 'not known', 7, EMUNGE.BAD_MAC],
    ['zip', 'not known', 4, EMUNGE.BAD_ZIP],
    ['realm', 'too long', 'x'.repeat(255), EMUNGE.BAD_REALM],
    ['payload', 'too long', new Uint8Array(1_048_577), EMUNGE.BAD_LENGTH],
  ])('a %s that is %s, and make() says munged’s number', (field, _what, value, error) => {
    const request = { ...alice, payload, [field]: value };
    expect(() => new CredentialStore().mint(request)).toThrow(SlurmUsageError);
    expect(new CredentialStore().make(request)).toMatchObject({ error });
  });

  it.each([{ skewSeconds: Number.NaN }, { address: '::1' }])('a store of %j', (options) => {
    expect(() => new CredentialStore(options)).toThrow(SlurmUsageError);
  });
});

describe('authenticatorOf()', () => {
  it('is that user, for the daemon that verifies and for the guard that asks who we are', async () => {
    const store = new CredentialStore();
    const [client, daemon] = [
      authenticatorOf(store, { ...alice, name: 'alice' }),
      authenticatorOf(store, root),
    ];
    expect([client.name, client.via]).toEqual(['auth/munge', 'in-process']);
    expect(await client.identity?.(within(1_000))).toEqual({ uid: 1001, name: 'alice' });
    expect(await daemon.identity?.(within(1_000))).toEqual({ uid: 0, name: null });
    const section = await client.create(payload, 0, within(1_000));
    expect(section.plugin).toBe('auth/munge');
    expect(await daemon.verify(section, within(1_000))).toEqual({ ...alice, payload });
  });

  it('makes many at a time', async () => {
    const store = new CredentialStore();
    const client = authenticatorOf(store, alice);
    const made = await Promise.all(
      Array.from({ length: 1_000 }, () => client.create(payload, null, within(10_000))),
    );
    expect(new Set(made.map(textOf)).size).toBe(1_000);
    await Promise.all(made.map((section) => client.verify(section, within(10_000))));
    expect(store.remembered).toBe(1_000);
  });

  it('fails as munged’s authenticators do, without a credential in the error', async () => {
    const { store, clock } = stopped();
    const [client, daemon] = [
      authenticatorOf(store, { ...alice, ttlSeconds: 50 }),
      authenticatorOf(store, bob),
    ];
    const credential = textOf(await client.create(payload, root.uid, within(1_000)));
    const failure = async (text: string) => {
      const error = await rejection(daemon.verify(sectionOf(text), within(1_000)));
      expectWhole(error, 'the embedded munged', text);
      return error;
    };
    expect(await failure(credential)).toMatchObject({ code: 'EMUNGE_CRED_UNAUTHORIZED', number: 18 });
    const free = textOf(await client.create(payload, null, within(1_000)));
    clock.seconds += 51;
    expect(await failure(free)).toMatchObject({ code: 'EMUNGE_CRED_EXPIRED', clockSkewSeconds: 51 });
    expect(await failure('')).toMatchObject({ code: 'EMUNGE_BAD_ARG' });
    expect(await failure('nonsense')).toMatchObject({ code: 'EMUNGE_BAD_CRED' });
  });

  it('ends with its context', async () => {
    const context = within(10_000);
    context.abort();
    const client = authenticatorOf(new CredentialStore(), alice);
    await expect(client.create(payload, null, context)).rejects.toBe(context.reason);
  });

  it.each([
    { uid: -1, gid: 0 },
    { uid: 0, gid: 2 ** 32 },
    { ...alice, ttlSeconds: 0 },
  ])('refuses %j', (user) => {
    expect(() => authenticatorOf(new CredentialStore(), user)).toThrow(SlurmUsageError);
  });
});
