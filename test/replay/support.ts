/** Raw material of the replay tests: credentials that look live, frames that carry them, recordings made of them. */
import type { Authenticator, CallContext } from '../../src/protocol/authenticator.js';
import {
  type AuthSection,
  type Connection,
  encodeBody,
  encodeFrame,
  HEADER_FLAGS,
  isAtLeast,
  messageTypeNumber,
  payloadDigest,
  type Release,
  type Transport,
} from '../../src/protocol/index.js';
import { NO_STEP_ID } from '../../src/protocol/step-id.js';
import type { ConversationEvent, RawConnection } from '../../src/replay/conversation.js';
import { FIXTURE_FORMAT, FIXTURE_VERSION, type Fixture, type Provenance } from '../../src/replay/fixture.js';
import { type RedactOptions, redactConnection } from '../../src/replay/redact.js';

export const PROVENANCE: Provenance = {
  slurm: '22.05.8 (test)',
  daemon: 'slurmctld',
  client: 'scancel 1',
  recordedAt: '2026-11-22T10:00:00Z',
  note: '',
};

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Text as munged writes it, with nothing behind it. */
export function fakeMunge(seed = 1, length = 212): string {
  return `MUNGE:AwQDAA${noise(seed, length - 13 - 2)}==:`.slice(-length).replace(/^.{0,6}/, 'MUNGE:');
}

export function fakeJwt(seed = 1, length = 180): string {
  const head = 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ';
  return `${head}${noise(seed, length - head.length).replace(/[+/]/g, '-')}`.slice(0, length);
}

function noise(seed: number, length: number): string {
  let state = seed * 2654435761;
  let text = '';
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    text += BASE64[(state >>> 16) & 63];
  }
  return text;
}

export const munge = (credential: string): AuthSection => ({ plugin: 'auth/munge', credential });

export function killBody(release: Release, signal = 15): Uint8Array {
  return encodeBody('REQUEST_KILL_JOB', release, { stepId: NO_STEP_ID, sjobId: '4242', signal });
}

export function killFrame(release: Release, auth: AuthSection, signal = 15): Uint8Array {
  return encodeFrame({ release, messageName: 'REQUEST_KILL_JOB', auth, body: killBody(release, signal) });
}

/** As slurmctld answers: with a credential up to 22.05. */
export function okFrame(release: Release, credential: string, returnCode = 0): Uint8Array {
  const body = encodeBody('RESPONSE_SLURM_RC', release, { returnCode });
  const auth = isAtLeast(release, '23.02') ? null : munge(credential);
  return encodeFrame({ release, messageName: 'RESPONSE_SLURM_RC', auth, body });
}

export function forwardFrame(auth: AuthSection, netCred: string): Uint8Array {
  const release = '24.11';
  return encodeFrame({
    release,
    messageName: 'REQUEST_PING',
    auth,
    body: new Uint8Array(0),
    flags: HEADER_FLAGS.SLURM_PACK_ADDRS,
    forward: { cnt: 2, nodelist: 'n[2-3]', timeout: 1000, treeWidth: 0, netCred, treeDepth: 1 },
  });
}

export function digestOf(
  release: Release,
  name: 'REQUEST_KILL_JOB' | 'RESPONSE_SLURM_RC',
  body: Uint8Array,
): Uint8Array {
  return payloadDigest(release, messageTypeNumber(name, release) as number, body);
}

export const data = (direction: '>' | '<', bytes: Uint8Array, at = 0): ConversationEvent => ({
  direction,
  at,
  kind: 'data',
  bytes,
});

export function fixtureOf(connections: readonly RawConnection[], options: RedactOptions = {}): Fixture {
  return {
    format: FIXTURE_FORMAT,
    version: FIXTURE_VERSION,
    provenance: PROVENANCE,
    connections: connections.map((connection) => redactConnection(connection, options)),
  };
}

export const UIDS = { clientUid: 1000, serverUid: 64030 };

/** One kill and its answer, as a proxy records it. */
export function killFixture(release: Release, returnCode = 0): Fixture {
  const events = [
    data('>', killFrame(release, munge(fakeMunge(1)))),
    data('<', okFrame(release, fakeMunge(2), returnCode), 3),
    { direction: '<', at: 3, kind: 'end' } as const,
    { direction: '>', at: 4, kind: 'end' } as const,
  ];
  return fixtureOf([{ endpoint: 'slurmctld', events }], UIDS);
}

export const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** A context that ends when the test says so. */
export function context(signal: AbortSignal = new AbortController().signal): CallContext {
  return { signal, remainingMs: () => (signal.aborted ? 0 : 10_000) };
}

/** A connection that answers each read from a list; an Error is thrown, null is the end. */
export function scripted(
  answers: readonly (Uint8Array | null | Error)[],
): Connection & { written: Uint8Array[] } {
  let next = 0;
  const written: Uint8Array[] = [];
  return {
    written,
    write: async (bytes) => {
      written.push(bytes);
    },
    read: async () => {
      const answer = answers[next++];
      if (answer instanceof Error) throw answer;
      return answer ?? null;
    },
    close: () => {},
  };
}

export function transportOf(open: (index: number) => Connection): Transport {
  let opened = 0;
  return { connect: async () => open(opened++) };
}

/** Gives out the credentials in turn, and says of those it verifies what it is told. */
export function fakeAuth(
  credentials: readonly string[],
  verified: { uid: number; gid: number; payload: Uint8Array },
): Authenticator {
  let next = 0;
  return {
    name: 'auth/munge',
    create: async () => munge(credentials[next++] ?? 'MUNGE:none:'),
    verify: async () => verified,
  };
}

/** What a step is rejected with. */
export async function rejection(
  step: Promise<unknown> | (() => unknown),
): Promise<Error & Record<string, unknown>> {
  try {
    await (typeof step === 'function' ? step() : step);
  } catch (error) {
    return error as Error & Record<string, unknown>;
  }
  throw new Error('expected a failure, but it went well');
}

export function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}
