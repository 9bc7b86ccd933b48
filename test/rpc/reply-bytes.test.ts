import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it, vi } from 'vitest';
import { encodeBody, type Release, type SlurmServerError } from '../../src/protocol/index.js';
import { answering, rc, reply, replyOf, saying } from './support/replies.js';
import { type PeerConnection, ScriptedPeer } from './support/scripted-peer.js';
import {
  clientOf,
  type ExchangeOptions,
  exchangeOnce,
  expectFailure,
  type Failure,
  failureOf,
  KILL_RECORD,
  shown,
} from './support/setup.js';
import { turn, until } from './support/until.js';

/** A peer that reads the request and then does what the test says with its reply. */
function peerThat(act: (connection: PeerConnection) => Promise<void> | void): Promise<ScriptedPeer> {
  return ScriptedPeer.listen(async (connection) => {
    await connection.readRequest();
    await act(connection);
  });
}

function unknown(peer: string, different: Partial<Failure>): Failure {
  return {
    name: 'SlurmConnectionError',
    code: 'SLURM_COMMUNICATIONS_RECEIVE_ERROR',
    phase: 'wait',
    outcome: 'unknown',
    retryable: false,
    rpc: 'REQUEST_KILL_JOB',
    peer,
    protocol: '22.05',
    ...different,
  };
}

describe('a reply cut off', () => {
  for (const release of ['20.11', '22.05', '24.11'] as const) {
    for (const way of ['FIN', 'RST'] as const) {
      it(`at every byte, with ${way} (${release})`, async () => {
        const whole = rc(0, { release });
        let cut = 0;
        await using peer = await peerThat(async (connection) => {
          await connection.send(whole.subarray(0, cut));
          if (way === 'FIN') connection.finish();
          else connection.reset();
        });
        for (cut = 0; cut < whole.length; cut++) {
          const error = await failureOf(exchangeOnce(peer.endpoint, { release }));
          const code =
            cut === 0 ? 'SLURM_PROTOCOL_SOCKET_ZERO_BYTES_SENT' : 'SLURM_COMMUNICATIONS_RECEIVE_ERROR';
          expect(shown(error), `cut at ${cut}`).toEqual(unknown(peer.peer, { code, protocol: release }));
          if (cut > 0)
            expect(error.message).toContain(
              `cut off after ${cut} bytes of ${cut < 4 ? 'the length word' : whole.length}`,
            );
        }
      });
    }
  }
});

describe('a reply as TCP may deliver it', () => {
  const whole = rc(2021);

  async function arrives(parts: readonly Uint8Array[], { close = true } = {}) {
    await using peer = await peerThat(async (connection) => {
      for (const part of parts) {
        await connection.send(part);
        await turn();
      }
      if (close) connection.finish();
    });
    const got = await exchangeOnce(peer.endpoint);
    expect(got).toMatchObject({
      name: 'RESPONSE_SLURM_RC',
      record: { returnCode: 2021 },
      authenticated: true,
    });
    await peer.allLeft();
  }

  it('in two parts, split at every byte', async () => {
    for (let at = 1; at < whole.length; at++) await arrives([whole.subarray(0, at), whole.subarray(at)]);
  });

  it('byte by byte', async () => {
    await arrives([...whole].map((byte) => Uint8Array.of(byte)));
  });

  it('without a close behind it: exactly one frame is read by its length', async () => {
    await arrives([whole], { close: false });
  });

  it.each([
    ['one byte', Uint8Array.of(0)],
    ['a second reply that says something else', rc(0)],
    ['64 KiB of junk', new Uint8Array(65_536).fill(0xa5)],
  ])('with %s behind the frame: ignored', async (_, junk) => {
    await arrives([Buffer.concat([whole, junk])]);
    await arrives([whole, junk]);
  });
});

/** Where the fields of `rc(…)` stand in 22.05, which has no msg_index any more. */
const AT = {
  length: 0,
  flags: 6,
  type: 8,
  bodyLength: 10,
  forwardCount: 14,
  returnCount: 16,
  family: 18,
  plugin: 20,
  credentialLength: 24,
  credential: 28,
};

interface Lie {
  readonly at: number;
  readonly size: 2 | 4;
  readonly to: number | ((truth: number) => number);
  readonly code: string;
  readonly phase?: Failure['phase'];
}

const LIES: Record<string, Lie> = {
  'length word 0': { at: AT.length, size: 4, to: 0, code: 'SLURMWIRE_TRUNCATED' },
  'length word 1': { at: AT.length, size: 4, to: 1, code: 'SLURMWIRE_TRUNCATED' },
  'length word one too small': { at: AT.length, size: 4, to: (n) => n - 1, code: 'SLURMWIRE_BAD_LENGTH' },
  'length word half': { at: AT.length, size: 4, to: (n) => n >> 1, code: 'SLURMWIRE_BAD_COUNT' },
  'length word one too large': {
    at: AT.length,
    size: 4,
    to: (n) => n + 1,
    code: 'SLURM_COMMUNICATIONS_RECEIVE_ERROR',
    phase: 'wait',
  },
  'length word at the limit': {
    at: AT.length,
    size: 4,
    to: 1_000_000,
    code: 'SLURM_COMMUNICATIONS_RECEIVE_ERROR',
    phase: 'wait',
  },
  'length word above the limit': {
    at: AT.length,
    size: 4,
    to: 1_000_001,
    code: 'SLURM_PROTOCOL_INSANE_MSG_LENGTH',
    phase: 'wait',
  },
  'length word 1 GiB + 1': {
    at: AT.length,
    size: 4,
    to: 0x40000001,
    code: 'SLURM_PROTOCOL_INSANE_MSG_LENGTH',
    phase: 'wait',
  },
  'length word 0xffffffff': {
    at: AT.length,
    size: 4,
    to: 0xffffffff,
    code: 'SLURM_PROTOCOL_INSANE_MSG_LENGTH',
    phase: 'wait',
  },
  'body length 0': { at: AT.bodyLength, size: 4, to: 0, code: 'SLURMWIRE_BAD_LENGTH' },
  'body length one too small': { at: AT.bodyLength, size: 4, to: 3, code: 'SLURMWIRE_BAD_LENGTH' },
  'body length one too large': { at: AT.bodyLength, size: 4, to: 5, code: 'SLURMWIRE_BAD_LENGTH' },
  'body length 0xffffffff': { at: AT.bodyLength, size: 4, to: 0xffffffff, code: 'SLURMWIRE_BAD_LENGTH' },
  'a forward block of 65535 hosts': { at: AT.forwardCount, size: 2, to: 0xffff, code: 'SLURMWIRE_BAD_COUNT' },
  '65535 answers of other nodes': { at: AT.returnCount, size: 2, to: 0xffff, code: 'SLURMWIRE_BAD_COUNT' },
  'an IPv6 address that is not there': { at: AT.family, size: 2, to: 10, code: 'SLURMWIRE_BAD_COUNT' },
  'an authentication plugin 0': { at: AT.plugin, size: 4, to: 0, code: 'SLURMWIRE_UNKNOWN_TYPE' },
  'a credential of 0 bytes': { at: AT.credentialLength, size: 4, to: 0, code: 'SLURMWIRE_BAD_LENGTH' },
  'a credential one byte shorter': {
    at: AT.credentialLength,
    size: 4,
    to: (n) => n - 1,
    code: 'SLURMWIRE_BAD_TEXT',
  },
  'a credential of 0xffffffff bytes': {
    at: AT.credentialLength,
    size: 4,
    to: 0xffffffff,
    code: 'SLURMWIRE_BAD_COUNT',
  },
};

function told({ at, size, to }: Lie): Uint8Array {
  const bytes = rc(0);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const truth = size === 2 ? view.getUint16(at) : view.getUint32(at);
  const lie = typeof to === 'number' ? to : to(truth);
  if (size === 2) view.setUint16(at, lie);
  else view.setUint32(at, lie);
  return bytes;
}

/** Runs a call and checks that it took no memory worth the name. That it was quick shows in that no deadline ended it. */
async function cheaply<T>(work: () => Promise<T>): Promise<T> {
  const before = process.memoryUsage();
  const result = await work();
  const after = process.memoryUsage();
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(16 * 1024 * 1024);
  expect(after.external - before.external).toBeLessThan(16 * 1024 * 1024);
  return result;
}

describe('a reply that lies about its lengths', () => {
  it.each(Object.entries(LIES))('%s: typed, unknown, cheap', async (_, lie) => {
    await using peer = await peerThat(saying(told(lie)));
    const name =
      lie.phase === undefined || lie.code.includes('INSANE') ? 'SlurmProtocolError' : 'SlurmConnectionError';
    await cheaply(() =>
      expectFailure(
        exchangeOnce(peer.endpoint),
        unknown(peer.peer, { name, code: lie.code, phase: lie.phase ?? 'decode' }),
      ),
    );
  });

  it('a length word that is too large, and the peer keeps the connection open: the deadline', async () => {
    await using peer = await peerThat((connection) =>
      connection.send(told(LIES['length word at the limit'] as Lie)),
    );
    await cheaply(() =>
      expectFailure(
        exchangeOnce(peer.endpoint, { timeoutMs: 120 }),
        unknown(peer.peer, { name: 'SlurmTimeoutError', code: 'SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT' }),
      ),
    );
  });

  it('a peer that goes on sending behind an insane length is left at once', async () => {
    await using peer = await peerThat(async (connection) => {
      await connection.send(told(LIES['length word 0xffffffff'] as Lie));
      while (!connection.gone) {
        await connection.send(new Uint8Array(65_536));
        await turn();
      }
    });
    const code = 'SLURM_PROTOCOL_INSANE_MSG_LENGTH';
    await cheaply(() =>
      expectFailure(exchangeOnce(peer.endpoint), unknown(peer.peer, { name: 'SlurmProtocolError', code })),
    );
    await peer.allLeft();
  });

  it('a reply above maxReplyBytes: refused by us before it is read, the limit named', async () => {
    const big = reply('RESPONSE_SLURM_RC_MSG', { returnCode: 0, errMsg: 'x'.repeat(5_000) });
    await using peer = await peerThat(saying(big));
    const error = await expectFailure(
      exchangeOnce(peer.endpoint, { maxReplyBytes: 4_096 }),
      unknown(peer.peer, { name: 'SlurmProtocolError', code: 'SLURM_PROTOCOL_INSANE_MSG_LENGTH' }),
    );
    expect(error.errno).toBe('EMSGSIZE');
    expect(error.message).toContain('the limit is 4096');
    const exact = await exchangeOnce(peer.endpoint, { maxReplyBytes: big.length - 4 });
    expect(exact.name).toBe('RESPONSE_SLURM_RC_MSG');
  });
});

/** Memory that is only waiting to be freed is none that somebody holds. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

describe('an answer that is one number and a text', () => {
  const MEGABYTE = 1024 * 1024;
  const insane = 'SLURM_PROTOCOL_INSANE_MSG_LENGTH';
  const lengthWord = (length: number) => {
    const bytes = Buffer.alloc(64);
    bytes.writeUInt32BE(length);
    return bytes;
  };

  it.each([
    ['REQUEST_PING', {}],
    ['REQUEST_KILL_JOB', KILL_RECORD],
    [
      'REQUEST_CANCEL_JOB_STEP',
      { stepId: { jobId: 7, stepId: 0, stepHetComp: 0xfffffffe }, sjobId: null, signal: 15 },
    ],
  ] as const)('to %s has at most 1 MiB, whatever maxReplyBytes allows', async (name, record) => {
    const limits = [
      [128 * MEGABYTE, MEGABYTE],
      [MEGABYTE, MEGABYTE],
      [4_096, 4_096],
    ] as const;
    for (const [maxReplyBytes, limit] of limits) {
      for (const length of [limit, limit + 1]) {
        await using peer = await peerThat(saying(lengthWord(length)));
        const error = await failureOf(exchangeOnce(peer.endpoint, { name, record, maxReplyBytes }));
        const code = length > limit ? insane : 'SLURM_COMMUNICATIONS_RECEIVE_ERROR';
        expect([error.code, error.outcome], `${length} of ${maxReplyBytes}`).toEqual([code, 'unknown']);
        if (length > limit) expect(error.message).toContain(`the limit is ${limit}`);
      }
    }
  });

  it('does not limit the answer to a lookup', async () => {
    const lookup = { name: 'REQUEST_JOB_INFO_SINGLE', record: { jobId: 7, showFlags: 0 } } as const;
    await using peer = await peerThat(saying(lengthWord(MEGABYTE + 1)));
    const code = async (maxReplyBytes: number) =>
      (await failureOf(exchangeOnce(peer.endpoint, { ...lookup, maxReplyBytes }))).code;
    expect(await code(128 * MEGABYTE)).toBe('SLURM_COMMUNICATIONS_RECEIVE_ERROR');
    expect(await code(MEGABYTE)).toBe(insane);
  });

  it('1 MiB of bytes that are no text: refused with all of them, in no time and little memory', async () => {
    const release = '24.11';
    const count = MEGABYTE - 1_024;
    const body = Buffer.alloc(8 + count + 1, 0x80);
    body.writeUInt32BE(2002, 0);
    body.writeUInt32BE(count + 1, 4);
    body[body.length - 1] = 0;
    const bytes = replyOf('RESPONSE_SLURM_RC_MSG', Uint8Array.from(body), { release });
    const script = answering({ REQUEST_KILL_JOB: bytes }, release);
    await using peer = await ScriptedPeer.listen(script);
    const heap = () => process.memoryUsage().heapUsed;
    collectGarbage();
    const before = heap();
    // Seconds would go by if the platform's decoder were asked about each byte anew.
    const asked = vi.spyOn(TextDecoder.prototype, 'decode');
    const work = clientOf([peer.endpoint], { release, maxReplyBytes: 128 * MEGABYTE }).killJob(7);
    const error = (await failureOf(work)) as SlurmServerError;
    expect(asked.mock.calls.length).toBeLessThan(1_000);
    asked.mockRestore();
    // A string grown a byte at a time takes some 50 bytes for each.
    expect(heap() - before).toBeLessThan(40 * MEGABYTE);
    expect(error).toMatchObject({ number: 2002, outcome: 'refused' });
    expect(error.serverMessage?.length).toBe(count);
    expect(new Set(error.serverMessage)).toEqual(new Set(['\udc80']));
    expect(error.message.length).toBeLessThan(1_000);
  });
});

/** Bodies that lie inside, signed by the controller: the credential is good, so the decoder alone has to see it. */
describe('a signed body that lies', () => {
  const text = (length: number, bytes: string) => {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(length, 4);
    return Uint8Array.from(Buffer.concat([head, Buffer.from(bytes)]));
  };
  const reroute = (release: Release) =>
    encodeBody('RESPONSE_SLURM_REROUTE_MSG', release, { workingClusterRec: null });
  const BODIES: [string, string, Uint8Array, string][] = [
    ['no body', 'RESPONSE_SLURM_RC', new Uint8Array(0), 'SLURMWIRE_TRUNCATED'],
    ['three bytes of a number', 'RESPONSE_SLURM_RC', new Uint8Array(3), 'SLURMWIRE_TRUNCATED'],
    ['a byte too many', 'RESPONSE_SLURM_RC', new Uint8Array(5), 'SLURMWIRE_TRAILING_BYTES'],
    ['a text longer than the body', 'RESPONSE_SLURM_RC_MSG', text(9, 'no more\0'), 'SLURMWIRE_BAD_COUNT'],
    [
      'a text shorter than the body',
      'RESPONSE_SLURM_RC_MSG',
      text(1, '\0more\0'),
      'SLURMWIRE_TRAILING_BYTES',
    ],
    ['a text of 4 GiB', 'RESPONSE_SLURM_RC_MSG', text(0xffffffff, 'x\0'), 'SLURMWIRE_BAD_COUNT'],
    ['a text without its end', 'RESPONSE_SLURM_RC_MSG', text(4, 'open'), 'SLURMWIRE_BAD_TEXT'],
    [
      'a list of 2^32-3 records',
      'RESPONSE_SLURM_REROUTE_MSG',
      Uint8Array.of(1, 0xff, 0xff, 0xff, 0xfd),
      'SLURMWIRE_BAD_COUNT',
    ],
    ['a record that is not there', 'RESPONSE_SLURM_REROUTE_MSG', Uint8Array.of(1), 'SLURMWIRE_TRUNCATED'],
    [
      'a byte behind an empty reroute',
      'RESPONSE_SLURM_REROUTE_MSG',
      Uint8Array.of(...reroute('22.05'), 0),
      'SLURMWIRE_TRAILING_BYTES',
    ],
  ];
  it.each(BODIES)('%s: typed, unknown, with the place', async (_, name, body, code) => {
    await using peer = await peerThat(saying(replyOf(name, body)));
    const error = await cheaply(() =>
      expectFailure(
        exchangeOnce(peer.endpoint),
        unknown(peer.peer, { name: 'SlurmProtocolError', code, phase: 'decode' }),
      ),
    );
    expect(typeof (error as unknown as { offset: unknown }).offset).toBe('number');
  });
});

it('retryable follows what may be repeated, for each of the ways a reply can be bad', async () => {
  const ways = [
    rc(0).subarray(0, 30),
    told(LIES['body length 0'] as Lie),
    replyOf('RESPONSE_SLURM_RC', new Uint8Array(3)),
  ];
  for (const bytes of ways) {
    await using peer = await peerThat(saying(bytes));
    for (const repeatable of [true, false]) {
      const options: ExchangeOptions = { repeatable };
      const error = await failureOf(exchangeOnce(peer.endpoint, options));
      expect([error.outcome, error.retryable]).toEqual(['unknown', repeatable]);
    }
    await until(() => peer.connections.every(({ gone }) => gone), 'both to leave');
  }
});
