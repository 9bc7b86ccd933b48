import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { EMUNGE_ERRORS } from '../../src/auth/emunge.js';
import { loadMunge, munge, mungeSlots } from '../../src/auth/munge.js';
import { mungeCalls } from '../../src/auth/munge-library.js';
import type { MungeOptions } from '../../src/auth/munge-options.js';
import { mungeSocket, mungeSocketSlots } from '../../src/auth/munge-socket.js';
import { SlurmUsageError } from '../../src/protocol/slurm-error.js';
import { expectWhole, fillBacklog, rejection, sectionOf, within } from './munge-support.js';
import { missingMunge, missingRoot, type PrivateMunged, startMunged } from './private-munged.js';

const CHILD = join(import.meta.dirname, 'munge-child.mjs');
const payload = randomBytes(33);

/** Both ways to munged, which must not differ in anything but how. */
const WAYS = [
  { way: 'munge', munge, slots: mungeSlots, limit: 2 },
  { way: 'mungeSocket', munge: mungeSocket, slots: mungeSocketSlots, limit: 8 },
] as const;

async function credentialOf(options: MungeOptions, restrictUid: number | null = null): Promise<string> {
  const section = await munge(options).create(payload, restrictUid, within(10_000));
  if (section.plugin !== 'auth/munge' || section.credential === null) throw new Error('no munge credential');
  return section.credential;
}

/** Idle: no slot taken, nobody waiting, no native memory held. */
async function expectIdle(): Promise<void> {
  await vi.waitFor(() => expect(mungeSlots()).toMatchObject({ running: 0, waiting: 0 }), { timeout: 15_000 });
  expect(mungeSocketSlots()).toMatchObject({ running: 0, waiting: 0 });
  expect((await mungeCalls()).held).toEqual({ contexts: 0, results: 0, calls: 0 });
}

describe('munge() without a munged', () => {
  describe.each(WAYS)('$way', ({ way, munge }) => {
    it.each([
      ['socket', ''],
      ['socket', 'a\0b'],
      ['socket', `/${'x'.repeat(108)}`],
      ['socket', 7],
      ['ttl', 0],
      ['ttl', -1],
      ['ttl', 1.5],
      ['ttl', 2 ** 31],
      ['ttl', '60'],
      ['uid', -1],
      ['uid', 0xffffffff],
      ['uid', 'root'],
      ['library', ''],
    ])('refuses option %s = %j', (field, value) => {
      expect(() => munge({ [field]: value })).toThrow(SlurmUsageError);
      expect(() => munge({ [field]: value })).toThrow(expect.objectContaining({ field }));
      expect(() => munge({ [field]: value })).toThrow(`${way}: ${field} is `);
    });

    it('has upstream’s name, and says how it reaches munged', () => {
      expect(munge().name).toBe('auth/munge');
      expect(munge().via).toBe(way === 'munge' ? 'libmunge' : 'socket');
    });
  });

  it('says what to install when the library is not there, and tries again at the next call', async () => {
    const error = await rejection(loadMunge('/nonexistent/libmunge.so.2'));
    expect(error).toMatchObject({ code: 'ESLURM_AUTH_SKIP', reason: 'no-library', outcome: 'not-sent' });
    expect(error.message).toContain('/nonexistent/libmunge.so.2');
    expect(error.hint).toMatch(/libmunge2.*munge-libs/);
    expect(error.cause).toBeInstanceOf(Error);
    const again = munge({ library: '/nonexistent/libmunge.so.2' }).create(payload, null, within(1_000));
    expect(await rejection(again)).not.toBe(error);
  });

  it('reports a library that is no libmunge in the same way', async () => {
    const error = await rejection(loadMunge('libc.so.6'));
    expect(error).toMatchObject({ reason: 'no-library' });
  });

  it('fails with a typed error where koffi cannot be loaded, and only when it is used', async () => {
    vi.resetModules();
    vi.doMock('koffi', () => {
      throw new Error('Cannot find the native Koffi module');
    });
    try {
      const fresh = await import('../../src/auth/munge.js');
      const attempt = fresh.munge().create(payload, null, within(1_000));
      await expect(attempt).rejects.toMatchObject({ code: 'ESLURM_AUTH_SKIP', reason: 'no-ffi' });
    } finally {
      vi.doUnmock('koffi');
      vi.resetModules();
    }
  });
});

const missing = missingMunge();
const notRoot = missingRoot();

describe.skipIf(missing !== null).each(WAYS)('$way with a real munged', ({ munge, slots, limit }) => {
  let munged: PrivateMunged;
  let options: { readonly socket: string };

  beforeAll(async () => {
    munged = await startMunged();
    options = { socket: munged.socket };
  });
  afterEach(expectIdle);
  afterAll(() => munged.stop());

  it('round trips payloads of any size and content, with our own uid and gid', async () => {
    const auth = munge(options);
    const who = { uid: process.geteuid?.(), gid: process.getegid?.() };
    const check = async (bytes: Uint8Array) => {
      const section = await auth.create(bytes, null, within(10_000));
      expect(await auth.verify(section, within(10_000))).toEqual({ ...who, payload: new Uint8Array(bytes) });
    };
    for (const size of [0, 1, 2, 3, 33, 4095, 4096]) await check(randomBytes(size));
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 4096 }), check), { numRuns: 100 });
  });

  it('binds the payload as it was when create was called', async () => {
    const auth = munge(options);
    const bytes = new Uint8Array([1, 2, 3]);
    const creating = auth.create(bytes, null, within(10_000));
    bytes.fill(9);
    expect((await auth.verify(await creating, within(10_000))).payload).toEqual(new Uint8Array([1, 2, 3]));
  });

  it('restricts the uid as create asks, unless the options say otherwise', async () => {
    const stranger = (process.geteuid?.() ?? 0) + 1;
    const own = process.geteuid?.() ?? 0;
    const refused = async (credential: string) => {
      const error = await rejection(munge(options).verify(sectionOf(credential), within(10_000)));
      expect(error).toMatchObject({
        code: 'EMUNGE_CRED_UNAUTHORIZED',
        number: 18,
        errno: 'EACCES',
        retryable: false,
      });
      expect(error.hint).toMatch(/SlurmUser/);
      expectWhole(error, munged.socket, credential);
    };
    const accepted = async (credential: string) => {
      await munge(options).verify(sectionOf(credential), within(10_000));
    };
    await refused(await credentialOf(options, stranger));
    await refused(await credentialOf({ ...options, uid: stranger }, own));
    await accepted(await credentialOf(options, own));
    await accepted(await credentialOf({ ...options, uid: null }, stranger));
    await accepted(await credentialOf({ ...options, uid: own }, stranger));
  });

  it('refuses a uid that means anybody, or none at all', async () => {
    await expect(munge(options).create(payload, 0xffffffff, within(1_000))).rejects.toThrow(SlurmUsageError);
    await expect(munge(options).create(payload, -1, within(1_000))).rejects.toThrow(SlurmUsageError);
  });

  it('refuses a credential that was decoded before', async () => {
    const credential = await credentialOf(options);
    await munge(options).verify(sectionOf(credential), within(10_000));
    const error = await rejection(munge(options).verify(sectionOf(credential), within(10_000)));
    expect(error).toMatchObject({ code: 'EMUNGE_CRED_REPLAYED', number: 17 });
    expect(error.hint).toMatch(/new one/);
    expect(error.clockSkewSeconds).toBeUndefined();
    expectWhole(error, munged.socket, credential);
  });

  it.each([
    ['text that is none', 'nonsense', 'EMUNGE_BAD_CRED', 8],
    ['nothing', '', 'EMUNGE_BAD_ARG', 2],
    ['an unknown version', 'MUNGE:AAAA:', 'EMUNGE_BAD_VERSION', 9],
    ['broken base64', 'MUNGE:A*wQFAAC:', 'EMUNGE_BAD_CRED', 8],
  ])('refuses %s', async (_what, credential, code, number) => {
    const error = await rejection(munge(options).verify(sectionOf(credential), within(10_000)));
    expect(error).toMatchObject({ code, number });
    expectWhole(error, munged.socket, credential);
  });

  it('refuses a credential that was changed, and one made with another key', async () => {
    const credential = await credentialOf(options);
    const at = credential.length - 12;
    const changed = credential.slice(0, at) + (credential[at] === 'A' ? 'B' : 'A') + credential.slice(at + 1);
    const error = await rejection(munge(options).verify(sectionOf(changed), within(10_000)));
    expect(error).toMatchObject({ code: 'EMUNGE_CRED_INVALID', number: 14 });
    expect(error.hint).toMatch(/munge\.key/);
    expectWhole(error, munged.socket, changed);
    const other = await startMunged();
    try {
      const foreign = await credentialOf({ socket: other.socket });
      const refused = await rejection(munge(options).verify(sectionOf(foreign), within(10_000)));
      expect(refused).toMatchObject({ code: 'EMUNGE_CRED_INVALID', number: 14 });
    } finally {
      await other.stop();
    }
  });

  it('refuses credentials of other plugins, and a missing one', async () => {
    const auth = munge(options);
    const jwt = { plugin: 'auth/jwt', token: 'secret-token', username: null } as const;
    const error = await rejection(auth.verify(jwt, within(1_000)));
    expect(error).toMatchObject({ code: 'SLURM_PROTOCOL_AUTHENTICATION_ERROR', reason: 'wrong-plugin' });
    expect(JSON.stringify(error)).not.toContain('secret-token');
    const none = { plugin: 'auth/munge', credential: null } as const;
    expect(await rejection(auth.verify(none, within(1_000)))).toMatchObject({
      code: 'EMUNGE_BAD_CRED',
      reason: 'no-credential',
    });
  });

  it('reports a payload that is too long', async () => {
    const error = await rejection(munge(options).create(new Uint8Array(2 ** 21 + 1), null, within(10_000)));
    expect(error).toMatchObject({ code: 'EMUNGE_BAD_LENGTH', number: 3, errno: 'EMSGSIZE' });
    expectWhole(error, munged.socket);
  });

  describe('and one whose clock differs by ten minutes', () => {
    it.each([
      [
        'EMUNGE_CRED_EXPIRED',
        15,
        -600,
        /this host's clock is about (599|600|601) s ahead.*or the credential/,
      ],
      ['EMUNGE_CRED_REWOUND', 16, 600, /encoding host's clock is at least (599|600|601) s ahead/],
    ])('%s carries the measured skew', async (code, number, clockAheadSeconds, hint) => {
      const other = await startMunged({ key: munged.key, clockAheadSeconds });
      try {
        const credential = await credentialOf({ socket: other.socket });
        const error = await rejection(munge(options).verify(sectionOf(credential), within(10_000)));
        expect(error).toMatchObject({ code, number });
        expect(Math.abs((error.clockSkewSeconds ?? 0) + clockAheadSeconds)).toBeLessThanOrEqual(1);
        expect(error.hint).toMatch(hint);
        expectWhole(error, munged.socket, credential);
      } finally {
        await other.stop();
      }
    });
  });

  it('asks for the ttl of the options', async () => {
    const other = await startMunged({ key: munged.key, clockAheadSeconds: -600 });
    try {
      const long = await credentialOf({ socket: other.socket, ttl: 1_200 });
      await munge(options).verify(sectionOf(long), within(10_000));
      const short = await credentialOf({ socket: other.socket, ttl: 30 });
      const error = await rejection(munge(options).verify(sectionOf(short), within(10_000)));
      expect(error.hint).toContain('lifetime of 30 s');
    } finally {
      await other.stop();
    }
  });

  it('knows every error the installed libmunge has', async () => {
    const koffi = await import('koffi');
    const strerror = koffi.load('libmunge.so.2').func('const char *munge_strerror(int errnum)');
    const unknown = strerror(9_999);
    for (const { number } of EMUNGE_ERRORS) expect(strerror(number)).not.toBe(unknown);
    // A newer MUNGE with more of them fails here: add them to the table.
    expect(strerror(EMUNGE_ERRORS.length + 1)).toBe(unknown);
  });

  it('rejects at once when the context has ended before', async () => {
    const context = within(10_000);
    context.abort();
    await expect(munge(options).create(payload, null, context)).rejects.toBe(context.reason);
  });

  it(`runs ${limit} calls at a time, in many authenticators together`, async () => {
    const made = await Promise.all(
      Array.from({ length: 200 }, () => munge(options).create(payload, null, within(30_000))),
    );
    const credentials = made.map((section) => (section.plugin === 'auth/munge' ? section.credential : null));
    expect(new Set(credentials).size).toBe(200);
    expect(slots().peak).toBe(limit);
  });
});

describe.skipIf(missing !== null).each(WAYS)(
  '$way when munged cannot be reached',
  ({ way, munge, slots }) => {
    let directory: string;
    let munged: PrivateMunged;

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'slurmwire-nosocket-'));
      munged = await startMunged();
    });
    afterEach(async () => {
      await munged.crash();
      await munged.restart();
      await expectIdle();
    });
    afterAll(async () => {
      await munged.stop();
      await rm(directory, { recursive: true, force: true });
    });

    it('says that the socket is not there, and does not try again', async () => {
      await writeFile(join(directory, 'file'), '');
      for (const name of ['absent', 'file', 'file/below']) {
        const socket = join(directory, name);
        const error = await rejection(munge({ socket }).create(payload, null, within(10_000)));
        expect(error).toMatchObject({
          code: 'EMUNGE_SOCKET',
          number: 6,
          reason: 'no-socket',
          errno: 'ENOENT',
          retryable: false,
        });
        expect(error.message).toContain(socket);
        expect(error.message).not.toMatch(/tries/);
        expectWhole(error, socket);
      }
    });

    it('tells a stale socket, after a bounded number of tries within the deadline', async () => {
      await munged.crash();
      const context = within(6_000);
      const error = await rejection(munge({ socket: munged.socket }).create(payload, null, context));
      expect(error).toMatchObject({
        code: 'EMUNGE_SOCKET',
        reason: 'not-running',
        errno: 'ECONNREFUSED',
        retryable: true,
      });
      expect(error.message).toMatch(/after \d+ tries in \d+\.\d s/);
      expect(context.signal.aborted).toBe(false);
      expectWhole(error, munged.socket);
    });

    it('rides out a munged that restarts', async () => {
      await munged.crash();
      const creating = munge({ socket: munged.socket }).create(payload, null, within(10_000));
      await vi.waitFor(() => expect(slots().running).toBe(1));
      await munged.restart();
      expect((await creating).plugin).toBe('auth/munge');
    });

    it('tells a munged that is too busy after some tries, and the tries end at once with the context', async () => {
      munged.kill('SIGSTOP');
      const crowd = await fillBacklog(munged.socket);
      try {
        const error = await rejection(munge({ socket: munged.socket }).create(payload, null, within(60_000)));
        expect(error).toMatchObject({
          code: 'EMUNGE_SOCKET',
          reason: 'busy',
          errno: 'EAGAIN',
          retryable: true,
        });
        expect(error.message).toMatch(/after \d+ tries in \d+\.\d s/);
        expectWhole(error, munged.socket);
        const context = within(350);
        const late = await munge({ socket: munged.socket })
          .create(payload, null, context)
          .catch((reason: unknown) => reason);
        // Either the deadline itself, or the telling error just before it: no try may begin that cannot end in time.
        if (late !== context.reason) expect(late).toMatchObject({ reason: 'busy' });
        expect(context.remainingMs()).toBeLessThan(250);
      } finally {
        for (const socket of crowd) socket.destroy();
      }
    });

    it('goes on when a busy munged finds time again', async () => {
      munged.kill('SIGSTOP');
      const crowd = await fillBacklog(munged.socket);
      const context = within(30_000);
      // The time left is looked at before each new try: the third look means that three have failed. Over the socket, where a try
      // takes two seconds of connects, the first look will do.
      const remainingMs = vi.fn(context.remainingMs);
      const creating = munge({ socket: munged.socket }).create(payload, null, { ...context, remainingMs });
      const looks = way === 'munge' ? 3 : 1;
      await vi.waitFor(() => expect(remainingMs).toHaveBeenCalledTimes(looks), { timeout: 15_000 });
      for (const socket of crowd) socket.destroy();
      munged.kill('SIGCONT');
      expect((await creating).plugin).toBe('auth/munge');
    });

    // Slots that libuv's threads are kept free by, which the socket needs none of.
    const itOfLibrary = way === 'munge' ? it : () => {};
    itOfLibrary(
      'keeps the event loop and the deadlines when munged hangs, and recovers with it',
      async () => {
        const auth = munge({ socket: munged.socket });
        await auth.create(payload, null, within(10_000));
        munged.kill('SIGSTOP');
        const ticks: number[] = [];
        const ticker = setInterval(() => ticks.push(performance.now()), 10);

        const contexts = [300, 400, 500].map(within);
        const began = performance.now();
        const ended = await Promise.all(
          contexts.map((context) =>
            auth.create(payload, null, context).then(
              () => expect.unreachable('a stopped munged answered'),
              (error: unknown) => ({ error, after: performance.now() - began }),
            ),
          ),
        );
        clearInterval(ticker);
        for (const [index, { error, after }] of ended.entries()) {
          expect(error).toBe(contexts[index]?.reason);
          expect(after).toBeGreaterThanOrEqual(290 + index * 100);
          // The native calls themselves take ten seconds.
          expect(after).toBeLessThan(8_000);
        }
        // The third was in the queue; the first two keep slots and memory until their native calls return.
        expect(mungeSlots()).toMatchObject({ running: 2, waiting: 0 });
        expect((await mungeCalls()).held).toEqual({ contexts: 2, results: 0, calls: 2 });
        const gaps = ticks.slice(1).map((tick, index) => tick - (ticks[index] ?? tick));
        expect(ticks.length).toBeGreaterThan(2);
        expect(Math.max(...gaps)).toBeLessThan(5_000);

        // An abort, too, ends a queued call at once.
        const aborted = within(10_000);
        const queued = auth.create(payload, null, aborted).catch((error: unknown) => error);
        await vi.waitFor(() => expect(mungeSlots().waiting).toBe(1));
        aborted.abort();
        expect(await queued).toBe(aborted.reason);
        expect(mungeSlots().waiting).toBe(0);

        munged.kill('SIGCONT');
        await expectIdle();
        const section = await auth.create(payload, null, within(10_000));
        expect((await auth.verify(section, within(10_000))).payload).toEqual(new Uint8Array(payload));
      },
    );

    it('calls it hung when there is time to find out', { timeout: 30_000 }, async () => {
      munged.kill('SIGSTOP');
      const error = await rejection(munge({ socket: munged.socket }).create(payload, null, within(25_000)));
      expect(error).toMatchObject({
        code: 'EMUNGE_SOCKET',
        reason: 'hung',
        errno: 'ETIMEDOUT',
        retryable: true,
      });
      expectWhole(error, munged.socket);
    });
  },
);

describe.skipIf(missing !== null)('munge() in other processes and threads', () => {
  const run = promisify(execFile);
  let munged: PrivateMunged;

  beforeAll(async () => {
    munged = await startMunged();
  });
  afterAll(async () => {
    await munged.stop();
  });

  async function child(scenario: string, socket: string, become?: number) {
    // A small young generation, so that what is measured is memory held and not garbage waiting.
    const flags = [
      '--expose-gc',
      '--max-semi-space-size=1',
      CHILD,
      scenario,
      socket,
      ...(become === undefined ? [] : [String(become)]),
    ];
    const { stdout, stderr } = await run(process.execPath, flags, { cwd: '/' });
    expect(stderr).toBe('');
    return JSON.parse(stdout);
  }

  it.each(['roundTrip', 'socketRoundTrip'])('works in a worker thread: %s', async (scenario) => {
    const worker = new Worker(CHILD, { workerData: [scenario, munged.socket] });
    const answer = await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    expect(answer).toEqual({ uid: process.geteuid?.(), gid: process.getegid?.(), same: true });
    await worker.terminate();
  });

  it.skipIf(notRoot !== null)(
    'works for another user, also when the library was loaded before the change',
    async () => {
      const nobody = { uid: 65534, gid: 65534 };
      expect(await child('roundTrip', munged.socket, nobody.uid)).toEqual({ ...nobody, same: true });
      expect(await child('socketRoundTrip', munged.socket, nobody.uid)).toEqual({ ...nobody, same: true });
    },
  );

  it.skipIf(notRoot !== null)(
    'says that permission is missing: on the directory, or on the socket itself',
    async () => {
      const nobody = { uid: 65534, gid: 65534 };
      const closed = join(munged.directory, 'closed');
      await mkdir(closed, { mode: 0o700 });
      await symlink(munged.socket, join(closed, 'socket'));
      const expected = { code: 'EMUNGE_SOCKET', reason: 'no-permission', errno: 'EACCES', retryable: false };
      expect(await child('failure', join(closed, 'socket'), nobody.uid)).toMatchObject(expected);
      await chmod(munged.socket, 0o700);
      try {
        expect(await child('failure', munged.socket, nobody.uid)).toMatchObject(expected);
      } finally {
        await chmod(munged.socket, 0o777);
      }
    },
  );

  it('ends at once over the socket, whatever munged does', async () => {
    munged.kill('SIGSTOP');
    try {
      const { before } = await child('exitInCall', munged.socket);
      // Through libmunge it would be ten seconds.
      expect(Date.now() - before).toBeLessThan(5_000);
    } finally {
      munged.kill('SIGCONT');
    }
  });

  it('keeps memory bounded over thousands of calls, and the limit too', { timeout: 120_000 }, async () => {
    const found = await child('leak', munged.socket);
    // Losing a credential or a payload per call would add 60 MiB or more to each; a newer Node's own heap takes up to 20 now and then.
    expect(found.afterRoundTrips - found.before).toBeLessThan(32);
    expect(found.afterReplays - found.afterRoundTrips).toBeLessThan(32);
    expect(found.slots).toEqual({ running: 0, waiting: 0, peak: 2 });
    expect(found.held).toEqual({ contexts: 0, results: 0, calls: 0 });
    process.stdout.write(`munge, 4,000 × create+verify of 16 KiB: ${JSON.stringify(found)}\n`);
  });
});
