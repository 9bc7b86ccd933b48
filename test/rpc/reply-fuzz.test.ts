import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Connection,
  decodeBody,
  decodeFrame,
  type Endpoint,
  isAtLeast,
  isPayloadOf,
  isSlurmError,
  type MessageName,
  type Release,
} from '../../src/protocol/index.js';
import { openCredential, SLURM_USER, SLURMD_USER } from './support/fake-auth.js';
import { noStrayTrouble } from './support/leaks.js';
import { rc, reply } from './support/replies.js';
import { clientOf, transportOf } from './support/setup.js';

noStrayTrouble();

const ENDPOINT: Endpoint = { host: '127.0.0.1', port: 6817 };
const RUNS = 200;
const DEADLINE_MS = 15_000;

type Ending = 'FIN' | 'RST';

/** A connection in memory: it answers PING and the look as a healthy controller does, and the kill with these chunks. */
function peerInMemory(release: Release, chunks: readonly Uint8Array[], ending: Ending) {
  const opened = { count: 0, closed: 0 };
  const transport = transportOf(async (): Promise<Connection> => {
    opened.count += 1;
    let queue: Uint8Array[] = [];
    let end: Ending = 'FIN';
    return {
      async write(bytes) {
        const name = decodeFrame(bytes).messageName as MessageName;
        if (name === 'REQUEST_PING') queue = [rc(0, { release })];
        else if (name === 'REQUEST_JOB_INFO_SINGLE') queue = [rc(2017, { release })];
        else [queue, end] = [[...chunks], ending];
      },
      async read() {
        const chunk = queue.shift();
        if (chunk !== undefined) return chunk;
        if (end === 'FIN') return null;
        throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
      },
      close() {
        opened.closed += 1;
      },
    };
  });
  return { transport, opened };
}

/** The frame at the start of the bytes, by its length word. */
function frameOf(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0));
}

/** What the bytes say to somebody who checks everything, written apart from the code under test. */
function believable(bytes: Uint8Array, release: Release): { number: number } | null {
  try {
    const frame = decodeFrame(frameOf(bytes));
    if (frame.release !== release || frame.messageName === null) return null;
    if (frame.auth === null && release === '22.05') return null;
    if (frame.auth !== null) {
      const { uid, payload } = openCredential(frame.auth);
      const bound = Uint8Array.from(Buffer.from(payload, 'hex'));
      if (![0, SLURM_USER, SLURMD_USER].includes(uid)) return null;
      if (!isPayloadOf(bound, release, frame.header.msgType, frame.body)) return null;
    }
    if (frame.messageName === 'RESPONSE_SLURM_RC' || frame.messageName === 'RESPONSE_SLURM_RC_MSG') {
      return { number: decodeBody(frame.messageName, release, frame.body).returnCode | 0 };
    }
    return null;
  } catch {
    return null;
  }
}

/** Answers that are taken at their word without a credential: they say that the request was not looked at. */
function saysItWasNotLookedAt(bytes: Uint8Array, release: Release): boolean {
  const text = Buffer.from(bytes).toString('latin1');
  if (text.startsWith('HTTP') || text.startsWith('\x15\x03')) return true;
  try {
    const frame = decodeFrame(frameOf(bytes));
    if (frame.release === release || frame.messageName !== 'RESPONSE_SLURM_RC') return false;
    const { returnCode } = decodeBody('RESPONSE_SLURM_RC', frame.release, frame.body);
    // Before 23.02 the first contact has shown the version, so that a stranger's word on it is no proof.
    return returnCode === 13000 || (returnCode === 1007 && isAtLeast(release, '23.02'));
  } catch {
    return false;
  }
}

async function judge(
  release: Release,
  bytes: Uint8Array,
  cuts: readonly number[],
  ending: Ending,
): Promise<void> {
  const marks = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  const chunks = marks.slice(1).map((mark, i) => bytes.subarray(marks[i], mark));
  const { transport, opened } = peerInMemory(release, chunks, ending);
  const client = clientOf([ENDPOINT], { release, transport, timeoutMs: DEADLINE_MS });
  const settled = await client.killJob(7, 'SIGTERM').catch((error) => error);
  expect(opened.closed).toBe(opened.count);

  const truth = believable(bytes, release);
  if (!isSlurmError(settled)) {
    expect(settled.outcome).toBe('accepted');
    expect(truth).toEqual({ number: 0 });
    return;
  }
  expect(settled).toMatchObject({ rpc: 'REQUEST_KILL_JOB', peer: '127.0.0.1:6817', protocol: release });
  expect(settled.code).not.toBe('SLURMWIRE_INTERNAL');
  // Nothing hangs: the peer has said all it has to say and closed.
  expect(settled.code).not.toBe('SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT');
  expect(['refused', 'unknown']).toContain(settled.outcome);
  if (settled.outcome === 'refused') {
    if (truth === null) expect(saysItWasNotLookedAt(bytes, release)).toBe(true);
    else expect(settled.number).toBe(truth.number);
  } else {
    expect(settled.retryable).toBe(false);
  }
  // And the other way round: a good answer is not thrown away.
  if (truth !== null) expect(settled.number).toBe(truth.number);
}

const ending = fc.constantFrom<Ending>('FIN', 'RST');
const cuts = fc.array(fc.nat(600), { maxLength: 6 });

for (const release of ['20.11', '22.05', '24.11'] as const) {
  const replies = fc
    .constantFrom(0, 2002, 2017, 2020, 1007, 13000)
    .chain((number) =>
      fc.constantFrom(
        rc(number, { release }),
        reply('RESPONSE_SLURM_RC_MSG', { returnCode: number, errMsg: 'text' }, { release }),
        rc(number, { release: '26.11', signer: null }),
      ),
    );

  describe(`the bytes of a reply in ${release}`, () => {
    it('as they should be, however they are cut into chunks', async () => {
      await fc.assert(
        fc.asyncProperty(replies, cuts, ending, (bytes, where, end) => judge(release, bytes, where, end)),
        { numRuns: RUNS / 2 },
      );
    });

    it('with some bytes changed', async () => {
      const changes = fc.array(fc.tuple(fc.nat(600), fc.integer({ min: 1, max: 255 })), {
        minLength: 1,
        maxLength: 4,
      });
      await fc.assert(
        fc.asyncProperty(replies, changes, cuts, ending, async (good, edits, where, end) => {
          const bytes = Uint8Array.from(good);
          for (const [at, by] of edits) bytes[at % bytes.length] = (bytes[at % bytes.length] as number) ^ by;
          await judge(release, bytes, where, end);
        }),
        { numRuns: RUNS },
      );
    });

    it('cut off, lengthened, or with a part left out', async () => {
      await fc.assert(
        fc.asyncProperty(
          replies,
          fc.nat(600),
          fc.nat(60),
          fc.uint8Array({ maxLength: 40 }),
          cuts,
          ending,
          async (good, from, count, insert, where, end) => {
            const at = from % (good.length + 1);
            const bytes = Buffer.concat([good.subarray(0, at), insert, good.subarray(at + count)]);
            await judge(release, Uint8Array.from(bytes), where, end);
          },
        ),
        { numRuns: RUNS },
      );
    });

    it('any bytes at all', async () => {
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), cuts, ending, (bytes, where, end) =>
          judge(release, bytes, where, end),
        ),
        { numRuns: RUNS },
      );
    });
  });
}

it('every single bit of the credential and of what it binds: never accepted, never refused', async () => {
  const good = rc(0);
  // From the authentication section on: the credential's text and the body.
  for (let at = 28; at < good.length; at++) {
    for (const bit of [0x01, 0x80]) {
      const bytes = Uint8Array.from(good);
      bytes[at] = (bytes[at] as number) ^ bit;
      const { transport } = peerInMemory('22.05', [bytes], 'FIN');
      const error = await clientOf([ENDPOINT], { transport })
        .killJob(7, 'SIGTERM')
        .catch((reason) => reason);
      expect(isSlurmError(error) && error.outcome, `bit ${bit} of byte ${at}`).toBe('unknown');
    }
  }
});
