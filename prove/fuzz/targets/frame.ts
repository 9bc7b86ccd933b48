/** Whole frames: header, forwarding, answers of other nodes, authentication section, in pieces as a stream delivers them. */
import type { Span } from '../../../src/protocol/byte-reader.js';
import { decodeFrame, encodeFrame, type Frame } from '../../../src/protocol/frame.js';
import { FrameAssembler } from '../../../src/protocol/frame-assembler.js';
import { HEADER_FLAGS } from '../../../src/protocol/header.js';
import { RELEASE_NAMES } from '../../../src/protocol/release.js';
import { checkRoundTrip } from '../round-trip.js';
import { goldenHeaders, recordedStreams, unique } from '../seeds.js';
import { reportFault, reportShape } from '../shape.js';
import { Broken, type Target } from '../target.js';

/** The first byte of an input says into which pieces the rest is cut. */
const PREFIX = 1;

export const frame: Target = {
  name: 'frame',
  weight: 10,
  prefix: PREFIX,

  *seeds() {
    for (const stream of unique([...goldenFrames(), ...recordedStreams()])) {
      const input = new Uint8Array(PREFIX + stream.length);
      input.set(stream, PREFIX);
      yield input;
    }
  },

  run(input, report) {
    const bytes = input.subarray(PREFIX);
    const assembler = new FrameAssembler();
    let at = 0;
    let taken = 0;
    for (const piece of pieces(bytes, input[0] as number)) {
      assembler.push(piece);
      for (let one = assembler.take(); one !== null; one = assembler.take()) {
        if (Buffer.compare(one, bytes.subarray(at, at + one.length)) !== 0)
          throw new Broken('the assembler gives other bytes than came');
        at += one.length;
        if (taken++ < 4) judgeFrame(one, report);
      }
    }
    if (at + assembler.held !== bytes.length) throw new Broken('the assembler lost bytes');
  },

  repair(input, random) {
    if (input.length < PREFIX + 4 || random.oneIn(4)) return;
    new DataView(input.buffer).setUint32(PREFIX, input.length - PREFIX - 4);
    repairBodyLength(input.subarray(PREFIX));
  },

  fields: (input) => fieldsOf(input.subarray(PREFIX)).map((start) => start + PREFIX),
};

function judgeFrame(bytes: Uint8Array, report: (feature: number) => void): void {
  let decoded: Frame;
  try {
    decoded = decodeFrame(bytes);
  } catch (error) {
    reportFault(error, (bytes[4] ?? 0) * 7919, report);
    throw error;
  }
  const { release, header, auth } = decoded;
  const context = RELEASE_NAMES.indexOf(release) * 104729;
  reportShape(header, context, report);
  reportShape(auth, context + 1, report);
  // An encoder gives message numbers only to messages it knows, and sets no index.
  if (decoded.messageName === null || header.msgIndex !== 0) return;
  const decode = (given: Uint8Array, spans: Span[]) => decodeFrame(given, { path: [], spans });
  const spans: Span[] = [];
  checkRoundTrip(bytes, decode(bytes, spans), spans, {
    decode,
    encode: (value) =>
      encodeFrame({
        release: value.release,
        messageName: value.messageName as string,
        auth: value.auth,
        body: value.body,
        flags: value.header.flags & (value.auth === null ? ~HEADER_FLAGS.SLURM_NO_AUTH_CRED : 0xffff),
        forward: value.header.forward,
        returnList: value.header.returnList,
        origAddr: value.header.origAddr,
      }),
  });
}

/** Golden headers with a length word, an empty section and an empty body, by hand: only what the headers are is of interest. */
function goldenFrames(): Uint8Array[] {
  return goldenHeaders().map((header) => {
    const bytes = new Uint8Array(4 + header.length);
    bytes.set(header, 4);
    new DataView(bytes.buffer).setUint32(0, header.length);
    return bytes;
  });
}

/** Pieces that a number stands for: all at once, byte by byte, or of a few sizes in turn; at most 1,024 or so. */
export function* pieces(bytes: Uint8Array, how: number): Generator<Uint8Array> {
  if (how === 0) {
    yield bytes;
    return;
  }
  const least = bytes.length >> 10;
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = least + (how < 16 ? how : 1 + ((how * (i + 1) * 7) % 97));
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

export function fieldsOf(bytes: Uint8Array): number[] {
  const spans: Span[] = [];
  try {
    decodeFrame(bytes, { path: [], spans });
  } catch {
    // As far as it goes.
  }
  return spans.slice(0, 2000).map(({ start }) => start);
}

/** Sets the header's body length to what is there, where the rest of the envelope decodes. */
export function repairBodyLength(bytes: Uint8Array): void {
  const spans: Span[] = [];
  try {
    decodeFrame(bytes, { path: [], spans });
  } catch (error) {
    if ((error as { code?: string }).code !== 'SLURMWIRE_BAD_LENGTH') return;
    const place = spans.find(({ path }) => path === 'header/bodyLength');
    const last = spans.at(-1);
    if (place === undefined || last === undefined) return;
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(place.start, bytes.length - last.end);
  }
}
