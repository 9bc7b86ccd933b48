/** The way of a reply through an exchange: a stranger answers, in pieces, with any bytes. */
import type { CallContext } from '../../../src/protocol/authenticator.js';
import { encodeBody } from '../../../src/protocol/body.js';
import { decodeFrame, encodeFrame, type Frame } from '../../../src/protocol/frame.js';
import { isMessageName, type MessageName } from '../../../src/protocol/messages/index.js';
import { payloadDigest } from '../../../src/protocol/payload-digest.js';
import { RELEASE_NAMES, type Release } from '../../../src/protocol/release.js';
import { isSlurmError } from '../../../src/protocol/slurm-error.js';
import type { Connection } from '../../../src/protocol/transport.js';
import { type ExchangeSetup, exchange, type Request } from '../../../src/rpc/exchange.js';
import { hashOf } from '../coverage.js';
import { goldenBodies, recordedStreams, unique } from '../seeds.js';
import { reportShape } from '../shape.js';
import { Broken, type Target } from '../target.js';
import { fieldsOf, pieces, repairBodyLength } from './frame.js';

/** Release of the request, what is asked, how the reply is cut and who is believed. */
const PREFIX = 3;
const ASKED: readonly MessageName[] = [
  'REQUEST_PING',
  'REQUEST_BUILD_INFO',
  'REQUEST_KILL_JOB',
  'REQUEST_SIGNAL_TASKS',
];
const context: CallContext = { remainingMs: () => 1000, signal: new AbortController().signal };

export const reply: Target = {
  name: 'reply',
  weight: 3,
  prefix: PREFIX,
  maxLength: 1 << 14,
  // A chunk of the stream costs some promises, and here each byte may be one.
  limits: { bytes: 2 << 20, bytesPerByte: 8192, message: 1500 },

  *seeds() {
    const seen = new Set<string>();
    for (const { name, release, bytes } of goldenBodies()) {
      if (!name.startsWith('RESPONSE') || !isMessageName(name) || bytes.length > 4000) continue;
      const key = `${name} ${release} ${bytes.length}`;
      if (seen.has(key)) continue;
      seen.add(key);
      const auth = { plugin: 'auth/munge', credential: 'MUNGE:x:' } as const;
      const frame = encodeFrame({ release, messageName: name, auth, body: bytes });
      yield inputOf(RELEASE_NAMES.indexOf(release), frame);
    }
    for (const stream of unique(recordedStreams())) {
      if (stream.length > 6 && stream.length < 3000) yield inputOf((stream[4] as number) - 36, stream);
    }
    yield inputOf(0, Buffer.from('HTTP/1.1 405 METHOD NOT ALLOWED\r\nConnection: close\r\n\r\n'));
    yield inputOf(0, Uint8Array.of(0x15, 3, 3, 0, 2, 2, 40));
  },

  async run(input, report) {
    const [how = 0, asked = 0, cut = 0] = input;
    const release = RELEASE_NAMES[how % RELEASE_NAMES.length] as Release;
    const bytes = input.subarray(PREFIX);
    const name = ASKED[asked % ASKED.length] as MessageName;
    const request: Request = {
      endpoint: { host: 'localhost', port: 6817 },
      release,
      name,
      body: name === 'REQUEST_PING' ? encodeBody(name, release, {}) : new Uint8Array(8),
      flags: 0,
      restrictUid: null,
      repeatable: name !== 'REQUEST_SIGNAL_TASKS',
    };
    try {
      const { record, returnList, authenticated } = await exchange(setupOf(bytes, cut), request, context);
      if (authenticated && (cut & 0x40) !== 0) throw new Broken('a reply of a stranger is believed');
      reportShape({ record, returnList }, hashOf(release), report);
    } catch (error) {
      if (!isSlurmError(error)) throw error;
      report(hashOf(error.code, error.phase ?? '', error.outcome, name));
      if (error.outcome === 'not-sent') throw new Broken(`${error.code}: not-sent, behind the sending`);
      if (error.outcome === 'accepted' || error.outcome === 'partial')
        throw new Broken(`${error.code}: ${error.outcome}`);
      throw error;
    }
  },

  repair(input, random) {
    if (input.length < PREFIX + 4 || random.oneIn(4)) return;
    new DataView(input.buffer).setUint32(PREFIX, input.length - PREFIX - 4);
    repairBodyLength(input.subarray(PREFIX));
  },

  fields: (input) => fieldsOf(input.subarray(PREFIX)).map((start) => start + PREFIX),
};

function inputOf(release: number, bytes: Uint8Array): Uint8Array {
  const input = new Uint8Array(PREFIX + bytes.length);
  input[0] = release;
  input.set(bytes, PREFIX);
  return input;
}

/** Who verifies says, as the bits of `how` want: the digest fits, root or somebody else; or the method has nothing to check. */
function setupOf(bytes: Uint8Array, how: number): ExchangeSetup {
  return {
    transport: { connect: async () => connectionOf(bytes, how & 0x1f) },
    trusted: (how & 0x20) === 0 ? new Set([0]) : null,
    maxReplyBytes: 1 << 20,
    auth: {
      name: 'auth/munge',
      create: async () => ({ plugin: 'auth/munge', credential: 'MUNGE:y:' }),
      verify: async () =>
        (how & 0x80) !== 0 ? null : { uid: (how & 0x40) !== 0 ? 1000 : 0, gid: 0, payload: payloadOf(bytes) },
    },
  };
}

/** The digest that an honest sender would have bound. */
function payloadOf(bytes: Uint8Array): Uint8Array {
  let frame: Frame;
  try {
    frame = decodeFrame(bytes.subarray(0, 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)));
  } catch {
    return new Uint8Array(0);
  }
  return payloadDigest(frame.release, frame.header.msgType, frame.body);
}

function connectionOf(bytes: Uint8Array, how: number): Connection {
  const chunks = [...pieces(bytes, how)];
  return {
    write: async () => {},
    read: async () => chunks.shift() ?? null,
    close: () => {},
  };
}
