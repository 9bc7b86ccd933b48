/** Whatever is thrown, and wherever: what the error says of the request is what is known of it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Connection,
  type Outcome,
  SlurmAuthError,
  SlurmConfigError,
  SlurmConnectionError,
  SlurmError,
  SlurmProtocolError,
  SlurmProtocolVersionError,
  SlurmServerError,
  SlurmTimeoutError,
  SlurmUsageError,
} from '../../src/protocol/index.js';
import { FakeAuth } from './support/fake-auth.js';
import { noStrayTrouble } from './support/leaks.js';
import { rc } from './support/replies.js';
import { exchangeOnce, failureOf, transportOf } from './support/setup.js';

noStrayTrouble();

const ENDPOINT = { host: '127.0.0.1', port: 6817 };
const PLACES = ['create', 'connect', 'write', 'read', 'verify'] as const;
type Place = (typeof PLACES)[number];

/** How an error may be thrown: by a promise, or at once. */
type Way = 'rejects' | 'throws';

/** One exchange in memory in which `thrown` comes out of one of the five things that are somebody else's code. */
async function exchangeWith(place: Place, way: Way, thrown: unknown, repeatable: boolean) {
  const trouble = (here: Place): Promise<void> => {
    if (here !== place) return Promise.resolve();
    if (way === 'throws') throw thrown;
    return Promise.reject(thrown);
  };
  const made = new FakeAuth();
  const auth: FakeAuth = Object.assign(Object.create(made) as FakeAuth, {
    create: (...args: Parameters<FakeAuth['create']>) => trouble('create').then(() => made.create(...args)),
    verify: (...args: Parameters<FakeAuth['verify']>) => trouble('verify').then(() => made.verify(...args)),
  });
  const closed = { count: 0 };
  const connection: Connection = {
    write: () => trouble('write'),
    read: () => trouble('read').then(() => rc(0)),
    close: () => {
      closed.count += 1;
    },
  };
  const transport = transportOf(() => trouble('connect').then(() => connection));
  const error = await failureOf(exchangeOnce(ENDPOINT, { auth, transport, repeatable }));
  expect(closed.count).toBe(place === 'create' || place === 'connect' ? 0 : 1);
  return error;
}

const OUTCOMES: readonly Outcome[] = ['not-sent', 'refused', 'accepted', 'unknown', 'partial'];

/** An error of each class, with everything in it that its class lets the thrower choose. */
const thrownErrors = fc
  .record({
    code: fc.constantFrom('EMUNGE_SOCKET', 'SLURM_ERROR', 'SLURMWIRE_BAD_OPTION'),
    errno: fc.constantFrom('EIO', 'EINVAL'),
    outcome: fc.constantFrom(...OUTCOMES),
    phase: fc.constantFrom(undefined, 'config' as const, 'connect' as const, 'wait' as const),
    retryable: fc.boolean(),
    hint: fc.constantFrom(undefined, 'Do something about it.'),
    cause: fc.constantFrom(undefined, 'a cause'),
    peer: fc.constantFrom(undefined, '/run/munge/munge.socket.2'),
    rpc: fc.constantFrom(undefined, 'SACK_VERIFY', 'REQUEST_KILL_JOB'),
  })
  .chain((details) =>
    fc.constantFrom<SlurmError>(
      new SlurmError('trouble', details),
      new SlurmUsageError('trouble', { ...details, field: 'key', value: 7 }),
      new SlurmConfigError('trouble', { ...details, file: '/etc/slurm/slurm.conf', line: 3 }),
      new SlurmAuthError('trouble', { ...details, reason: 'busy' }),
      new SlurmConnectionError('trouble', { ...details, suspects: ['a', 'b'] }),
      new SlurmTimeoutError('trouble', details),
      new SlurmProtocolVersionError('trouble', {
        ...details,
        spoken: ['22.05'],
        tried: ['24.11'],
        answer: 'no',
        answerKind: 'other',
      }),
      new SlurmProtocolError('trouble', { ...details, fieldPath: 'a/b', offset: 5 }),
      new SlurmServerError('trouble', { ...details, number: 2017, serverMessage: 'no' }),
    ),
  );

const ways = fc.constantFrom<Way>('rejects', 'throws');

describe.each(PLACES)('a SlurmError out of %s()', (place) => {
  const sent = place !== 'create' && place !== 'connect';
  const outcome = sent ? 'unknown' : 'not-sent';

  it(`of any class, whatever it claims itself: ${outcome}`, async () => {
    await fc.assert(
      fc.asyncProperty(thrownErrors, ways, fc.boolean(), async (thrown, way, repeatable) => {
        const error = await exchangeWith(place, way, thrown, repeatable);
        expect(error).toMatchObject({
          outcome,
          code: thrown.code,
          errno: thrown.errno,
          peer: '127.0.0.1:6817',
          rpc: 'REQUEST_KILL_JOB',
          protocol: '22.05',
        });
        expect(error.phase).toBeDefined();
        expect(error.message).toContain('trouble');
        // It was not sent by this error: what may not be repeated is not called retryable.
        if (sent && !repeatable) expect(error.retryable).toBe(false);
        const alwaysNotSent = thrown instanceof SlurmUsageError || thrown instanceof SlurmConfigError;
        if (sent && alwaysNotSent) {
          expect(error).toBeInstanceOf(SlurmAuthError);
          expect(error.cause).toBe(thrown);
          expect(error.phase).not.toBe('config');
        } else {
          expect(error.constructor).toBe(thrown.constructor);
          expect(error.cause).toBe(thrown.cause);
        }
      }),
    );
  });

  it(`anything else: ${outcome}, kept as the cause`, async () => {
    const anything = fc.oneof(
      fc.constantFrom<unknown>(undefined, null, 0, '', 'trouble', {}, new Error(), new TypeError('trouble')),
      fc
        .constantFrom('EACCES', 'ENOENT', 'EHOSTUNREACH')
        .map((code) => Object.assign(new Error(code), { code })),
      fc.anything(),
    );
    await fc.assert(
      fc.asyncProperty(anything, ways, fc.boolean(), async (thrown, way, repeatable) => {
        const error = await exchangeWith(place, way, thrown, repeatable);
        expect(error).toMatchObject({ outcome, peer: '127.0.0.1:6817', rpc: 'REQUEST_KILL_JOB' });
        expect(error.cause).toBe(thrown);
        if (sent && !repeatable) expect(error.retryable).toBe(false);
      }),
    );
  });
});

it('what a subclass of the family brought along is kept', async () => {
  const auth = new SlurmAuthError('trouble', {
    code: 'EMUNGE_CRED_EXPIRED',
    errno: 'EACCES',
    outcome: 'not-sent',
    reason: 'clock',
    clockSkewSeconds: -301,
  });
  expect(await exchangeWith('verify', 'rejects', auth, true)).toMatchObject({
    reason: 'clock',
    clockSkewSeconds: -301,
    outcome: 'unknown',
    retryable: true,
  });
  const usage = new SlurmUsageError('trouble', { code: 'SLURMWIRE_BAD_OPTION', field: 'ttl', value: -1 });
  expect(await exchangeWith('create', 'rejects', usage, true)).toMatchObject({ field: 'ttl', value: '-1' });
});
