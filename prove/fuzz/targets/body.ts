/** Bodies of all messages, both directions, in all releases: what decodes must encode back. */
import { isDeepStrictEqual } from 'node:util';
import { bodyCodec, decodeBody, encodeBody } from '../../../src/protocol/body.js';
import { ByteReader, type Span } from '../../../src/protocol/byte-reader.js';
import { ByteWriter } from '../../../src/protocol/byte-writer.js';
import { decodeBodyInSlices } from '../../../src/protocol/decode-in-slices.js';
import { messageTypeNumber } from '../../../src/protocol/message-type.js';
import { isMessageName, MESSAGES, type MessageName } from '../../../src/protocol/messages/index.js';
import { RELEASE_NAMES, type Release } from '../../../src/protocol/release.js';
import { checkRoundTrip } from '../round-trip.js';
import { goldenBodies } from '../seeds.js';
import { reportFault, reportShape } from '../shape.js';
import { Broken, type Target } from '../target.js';

const NAMES = Object.keys(MESSAGES) as MessageName[];
/** Message and release that the first three bytes of an input choose, numbered over all there are. */
const CELLS = NAMES.flatMap((name) =>
  RELEASE_NAMES.filter((release) => messageTypeNumber(name, release) !== null).map((release) => ({
    name,
    release,
  })),
);

export const body: Target = {
  name: 'body',
  weight: 40,
  prefix: 3,
  limits: { bytesPerByte: 1024 },

  *seeds() {
    for (const { name, release, bytes } of goldenBodies()) {
      if (isMessageName(name)) yield inputOf(name, release, bytes);
    }
  },

  run(input, report) {
    const { name, release } = cellOf(input);
    const bytes = amidOthers(input.subarray(3));
    const context = Math.imul(NAMES.indexOf(name) * 16 + RELEASE_NAMES.indexOf(release), 0x9e3779b1);
    const spans: Span[] = [];
    let record: ReturnType<typeof decodeBody>;
    try {
      record = decodeBody(name, release, bytes);
    } catch (error) {
      reportFault(error, context, report);
      throw error;
    }
    reportShape(record, context, report);
    checkAgainstClosures(name, release, bytes, record);
    const again = tryEncode(name, release, record);
    if (again !== null && Buffer.compare(again, bytes) === 0) return;
    // The slow way, which says what is wrong.
    const decode = (given: Uint8Array, into: Span[]) =>
      decodeBody(name, release, given, { path: [], spans: into });
    checkRoundTrip(bytes, decode(bytes, spans), spans, {
      decode,
      encode: (value) => encodeBody(name, release, value as never),
    });
  },

  fields(input) {
    const { name, release } = cellOf(input);
    const spans: Span[] = [];
    try {
      decodeBody(name, release, input.subarray(3), { path: [], spans });
    } catch {
      // As far as it goes.
    }
    return spans.slice(0, 2000).map(({ start }) => start + 3);
  },
};

/** The same bytes in memory that has others before and behind them, as a body in its frame: fast programs may look behind the end, but not believe it. */
function amidOthers(bytes: Uint8Array): Uint8Array {
  const start = 8;
  const memory = new Uint8Array(start + 2 * bytes.length);
  memory.set(bytes, start);
  memory.set(bytes, start + bytes.length);
  return memory.subarray(start, start + bytes.length);
}

/**
 * What is decoded and encoded fast has to be what the closures of `compile.ts` say, which judge; and what is decoded in slices too.
 */
function checkAgainstClosures(name: MessageName, release: Release, bytes: Uint8Array, record: unknown): void {
  const codec = bodyCodec(name, release);
  const reader = new ByteReader(bytes);
  const slow = codec.decode(reader, {});
  reader.finish();
  if (!isDeepStrictEqual(record, slow))
    throw new Broken('the fast decoder gives another record than the closures');
  const writer = new ByteWriter();
  codec.encode(writer, slow, {});
  if (Buffer.compare(writer.finish(), encodeBody(name, release, slow as never)) !== 0)
    throw new Broken('the fast encoder gives other bytes than the closures');
  const slices = decodeBodyInSlices(name, release, bytes, 1 + (bytes.length % 3));
  let turn = slices.next();
  while (turn.done !== true) turn = slices.next();
  if (!isDeepStrictEqual(turn.value, slow)) throw new Broken('decoded in slices it is another record');
}

function tryEncode(name: MessageName, release: Release, record: unknown): Uint8Array | null {
  try {
    return encodeBody(name, release, record as never);
  } catch {
    return null;
  }
}

/** An input that stands for this body. */
export function inputOf(name: MessageName, release: Release, bytes: Uint8Array): Uint8Array {
  const cell = CELLS.findIndex((one) => one.name === name && one.release === release);
  const input = new Uint8Array(3 + bytes.length);
  input[1] = cell >> 8;
  input[2] = cell & 0xff;
  input.set(bytes, 3);
  return input;
}

function cellOf([, high = 0, low = 0]: Uint8Array): { name: MessageName; release: Release } {
  return CELLS[(high * 256 + low) % CELLS.length] as { name: MessageName; release: Release };
}
