/**
 * Credentials and tokens are in no error and no event, whatever the peer does with them: here it says them back, in every place where a
 * text of its stands.
 */
import { channel, tracingChannel } from 'node:diagnostics_channel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AuthSection,
  decodeFrame,
  encodeBody,
  encodeFrame,
  isAtLeast,
  isSlurmError,
  type MessageInput,
  type MessageName,
  payloadDigest,
  RELEASE_NAMES,
  type Transport,
} from '../../src/protocol/index.js';
import { messageTypeNumber } from '../../src/protocol/message-type.js';
import {
  SlurmAuthError,
  SlurmConfigError,
  SlurmConnectionError,
  SlurmError,
  SlurmProtocolError,
  SlurmProtocolVersionError,
  SlurmServerError,
  SlurmTimeoutError,
  SlurmUsageError,
} from '../../src/protocol/slurm-error.js';
import { SLURMWIRE_CHANNELS } from '../../src/rpc/diagnostics.js';
import type { SlurmClient } from '../../src/rpc/index.js';
import { Pacer } from '../../src/rpc/pacer.js';
import { secretsShownBy, writings } from '../support/shown-secrets.js';
import { jobInfoReply, nodeInfoReply, stepInfoReply } from './support/fan-out-controller.js';
import { CONTROLLER_ENDPOINTS } from './support/harm-world.js';
import { clientOf } from './support/setup.js';
import { TestClock } from './support/test-clock.js';

const TIMES = Number(process.env.SLURMWIRE_RUNS ?? 1);
const runs = (count: number) => ({ numRuns: count * TIMES, endOnFailure: true });

const base64 = fc.uint8Array({ minLength: 60, maxLength: 120 });
const munge = base64.map((bytes) => `MUNGE:${Buffer.from(bytes).toString('base64')}:`);
const token = fc.tuple(base64, fc.uint8Array({ minLength: 32, maxLength: 32 })).map(([claims, signature]) => {
  const head = Buffer.from('{"alg":"HS256"}').toString('base64url');
  const rest = [claims, signature].map((part) => Buffer.from(part).toString('base64url'));
  return [head, ...rest].join('.');
});
const section: fc.Arbitrary<AuthSection> = fc.oneof(
  munge.map((credential) => ({ plugin: 'auth/munge', credential }) as const),
  token.map((text) => ({ plugin: 'auth/jwt', token: text, username: null }) as const),
  token.map((text) => ({ plugin: 'auth/slurm', token: text }) as const),
);
const textOf = (auth: AuthSection): string =>
  auth.plugin === 'auth/munge'
    ? (auth.credential ?? '')
    : auth.plugin === 'auth/none'
      ? ''
      : (auth.token ?? '');

/** Whether any stretch of a secret that could be used, or told from others, is in what is written. */
function shows(written: string, secret: string): boolean {
  const inner = secret.replace(/^MUNGE:/, '');
  for (let at = 0; at + 24 <= inner.length; at += 8) {
    // The header of a token is no secret.
    const stretch = inner.slice(at, at + 24);
    if (!inner.startsWith('eyJ') || at > inner.indexOf('.')) if (written.includes(stretch)) return true;
  }
  return false;
}

const PLACES = [
  'text',
  'array-errors',
  'http',
  'tls',
  'noise',
  'other-message',
  'its-credential',
  'names',
  'close',
] as const;

function saidBack(
  place: (typeof PLACES)[number],
  bytes: Uint8Array,
  auth: AuthSection,
  number: number,
): Uint8Array | null {
  const { release, messageName } = decodeFrame(bytes);
  const secret = textOf(auth);
  const frame = (
    name: MessageName,
    record: object,
    own: AuthSection | null = signed(name, record),
  ): Uint8Array =>
    encodeFrame({
      release,
      messageName: name,
      body: encodeBody(name, release, record as MessageInput<typeof name>),
      auth: own,
    });
  const signed = (name: MessageName, record: object): AuthSection | null => {
    if (isAtLeast(release, '23.02')) return null;
    const body = encodeBody(name, release, record as MessageInput<typeof name>);
    const payload = payloadDigest(release, messageTypeNumber(name, release) as number, body);
    return { plugin: 'auth/munge', credential: `MUNGE:${Buffer.from(payload).toString('base64')}:` };
  };
  switch (place) {
    case 'text':
      return frame('RESPONSE_SLURM_RC_MSG', { returnCode: number, errMsg: `you said: ${secret}` });
    case 'array-errors':
      return frame('RESPONSE_JOB_ARRAY_ERRORS', {
        errors: [{ errorCode: number, jobArrayId: secret, errMsg: secret }],
      });
    case 'http':
      return Buffer.from(`HTTP/1.1 400 ${secret}\r\n\r\n`);
    case 'tls':
      return Buffer.concat([Uint8Array.of(0x15, 3, 3, 0, 2), Buffer.from(secret)]);
    case 'noise':
      return Buffer.concat([Uint8Array.of(0, 0, 0, secret.length), Buffer.from(secret)]);
    case 'other-message':
      return frame('RESPONSE_SLURM_REROUTE_MSG', { workingClusterRec: null, stepmgr: secret });
    case 'its-credential':
      return frame('RESPONSE_SLURM_RC', { returnCode: number }, auth);
    case 'names':
      if (messageName === 'REQUEST_JOB_STEP_INFO')
        return stepInfoReply([{ jobId: 7, stepId: 0, nodes: 'n1' }], release, [[7, 'n1']]);
      if (messageName?.startsWith('REQUEST_NODE'))
        return nodeInfoReply([{ name: 'n1', nodeAddr: 'n1', version: secret }], release);
      return jobInfoReply(
        [{ jobId: 7, name: secret, nodes: 'n1', batchFlag: 1, batchHost: 'n1', userId: 1000 }],
        release,
      );
    default:
      return null;
  }
}

const CALLS: Readonly<Record<string, (slurm: SlurmClient) => Promise<unknown> | PromiseLike<unknown>>> = {
  killJob: (slurm) => slurm.killJob(7, 'SIGTERM', { timeoutMs: 2_000 }),
  killTask: (slurm) => slurm.killJob('7_1', 'SIGTERM', { timeoutMs: 2_000 }),
  killJobStep: (slurm) => slurm.killJobStep('7.0', 'SIGKILL', { timeoutMs: 2_000 }),
  killJobs: (slurm) => slurm.killJobs([7, '8_[1-2]'], 'SIGTERM', { timeoutMs: 2_000 }),
  signalJob: (slurm) => slurm.signalJob(7, 'SIGTERM', { timeoutMs: 2_000 }),
  signalBatch: (slurm) => slurm.signalJobStep('7.batch', 'SIGTERM', { timeoutMs: 2_000 }),
  suspend: (slurm) => slurm.suspend('7_*', { timeoutMs: 2_000 }),
  probe: (slurm) => slurm.probe('7.0', { timeoutMs: 2_000 }),
  kill: (slurm) => slurm.kill(7, 0, { timeoutMs: 2_000 }),
  ping: (slurm) => slurm.ping({ timeoutMs: 2_000 }),
  explain: (slurm) => slurm.explain('killJob', 7, 'SIGTERM', { timeoutMs: 2_000 }),
  terminate: (slurm) =>
    slurm.terminate(7, { ladder: [{ signal: 'SIGKILL' }], confirmMs: 1, timeoutMs: 20_000 }),
};

/** Everything that is published while the work is done. */
async function heard(work: () => Promise<unknown>): Promise<unknown[]> {
  const events: unknown[] = [];
  const note = (event: unknown) => void events.push(event);
  const { call, exchange, ...plain } = SLURMWIRE_CHANNELS;
  // One object from beginning to end.
  const nothing = () => {};
  const traced = { start: nothing, end: nothing, asyncStart: nothing, asyncEnd: note, error: nothing };
  for (const name of [call, exchange]) tracingChannel(name).subscribe(traced);
  for (const name of Object.values(plain)) channel(name).subscribe(note);
  try {
    await work();
  } finally {
    for (const name of [call, exchange]) tracingChannel(name).unsubscribe(traced);
    for (const name of Object.values(plain)) channel(name).unsubscribe(note);
  }
  return events;
}

describe('a peer that says back what it was sent', () => {
  it('gets it into no error and no event', async () => {
    const told = { errors: 0, events: 0 };
    const given = fc.record({
      release: fc.constantFrom(...RELEASE_NAMES),
      // Of first contact, and of what comes after it.
      place: fc.constantFrom(...PLACES),
      after: fc.integer({ min: 0, max: 4 }),
      call: fc.constantFrom(...Object.keys(CALLS)),
      auth: section,
      number: fc.constantFrom(0, 1007, 2002, 2017, 2020, 2021, 22),
      findsVersion: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(given, async ({ release, place, after, call, auth, number, findsVersion }) => {
        let connections = 0;
        const transport: Transport = {
          connect: async () => {
            const isGood = connections++ < after;
            let answer: Uint8Array | null = null;
            return {
              write: async (bytes) => {
                answer = saidBack(isGood ? 'names' : place, bytes, auth, number);
              },
              read: async () => {
                const said = answer;
                answer = null;
                return said;
              },
              close: () => {},
            };
          },
        };
        const clock = new TestClock();
        const slurm = clientOf(CONTROLLER_ENDPOINTS, {
          release,
          findsVersion,
          transport,
          clock,
          pacer: new Pacer(clock),
          messageTimeoutMs: 200,
          auth: {
            name: auth.plugin as 'auth/munge',
            create: async () => auth,
            // What it makes of what it said itself.
            verify: async (theirs) => {
              const payload = Buffer.from(textOf(theirs).split(':')[1] ?? '', 'base64');
              return { uid: 0, gid: 0, payload: Uint8Array.from(payload) };
            },
          },
        });
        let outcome: unknown;
        const events = await heard(async () => {
          outcome = await Promise.resolve(CALLS[call]?.(slurm)).catch((error: unknown) => error);
        });
        told.events += events.length;
        if (outcome instanceof Error) {
          if (!isSlurmError(outcome)) throw outcome;
          told.errors += 1;
        }
        // What a read resolves with is what the peer says.
        for (const one of [...(outcome instanceof Error ? [outcome] : []), ...events]) {
          // The client is the caller's own, with the authenticator in it, and a call is an event by itself.
          const plain =
            one instanceof Error || typeof one !== 'object' ? one : { ...one, client: null, call: null };
          const written = writings(plain);
          expect(shows(written, textOf(auth)), `${call} ${place}`).toBe(false);
          expect(secretsShownBy(plain, true)).toEqual([]);
        }
      }),
      runs(30),
    );
    expect(told.errors).toBeGreaterThan(4);
    expect(told.events).toBeGreaterThan(25);
  });
});

describe('errors of every class', () => {
  const CLASSES = [
    SlurmError,
    SlurmUsageError,
    SlurmConfigError,
    SlurmAuthError,
    SlurmConnectionError,
    SlurmTimeoutError,
    SlurmProtocolVersionError,
    SlurmProtocolError,
    SlurmServerError,
  ] as const;

  it('show no credential that got into their words', () => {
    fc.assert(
      fc.property(fc.constantFrom(...CLASSES), section, fc.lorem(), (Class, auth, words) => {
        const secret = textOf(auth);
        const text = `${words} ${secret} ${words}`;
        const parts = [{ target: '7_1', number: 1, code: 'X', message: text }];
        const details = {
          ...{
            code: 'X',
            errno: 'EIO',
            outcome: 'unknown',
            phase: 'wait',
            hint: text,
            serverMessage: text,
            parts,
          },
          ...{
            field: 'x',
            value: text,
            file: '/x',
            line: 1,
            timeoutMs: 1,
            spoken: [],
            tried: [],
            answer: text,
            answerKind: 'other',
          },
        };
        const error = new Class(text, details as never);
        expect(shows(writings(error), secret)).toBe(false);
        expect(error.message).toContain(words.split(' ')[0] as string);
      }),
      runs(80),
    );
  });
});
