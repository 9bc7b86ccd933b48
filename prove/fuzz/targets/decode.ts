/** `slurmwire decode`: captures, fixtures, hex dumps and bare frames, to the last line of text and of JSON. */
import { readInput } from '../../../src/cli/decode/input.js';
import { frameDocument, frameLines, titleOf } from '../../../src/cli/decode/show.js';
import { RELEASE_NAMES } from '../../../src/protocol/release.js';
import { dissect } from '../../../src/replay/annotate.js';
import { findLiveSecrets } from '../../../src/replay/secrets.js';
import { captures, recordedStreams, recordings, unique } from '../seeds.js';
import { reportFault, reportShape } from '../shape.js';
import { Broken, type Target } from '../target.js';
import { chosen } from '../text.js';
import { fieldsOf, repairBodyLength } from './frame.js';

/** Frames shown of one input. */
const MOST = 8;

export const decode: Target = {
  name: 'decode',
  weight: 0.3,
  prefix: 1,
  maxLength: 1 << 14,
  // A byte of input is a line of text, at worst.
  limits: { ms: 100, usPerByte: 20, bytes: 8 << 20, bytesPerByte: 8192 },

  *seeds() {
    for (const bytes of captures()) if (bytes.length < 1 << 14) yield chosen(0, bytes);
    for (const { bytes } of recordings().filter((one) => one.bytes.length < 3000)) yield chosen(0, bytes);
    for (const stream of unique(recordedStreams())) {
      if (stream.length > 4096 || stream.length === 0) continue;
      yield chosen(0, stream);
      if (stream.length < 300) yield chosen(0, Buffer.from(stream).toString('hex'));
      if (stream.length < 200) yield chosen(5, stream);
    }
  },

  run(input, report) {
    const how = input[0] as number;
    const forced = how === 0 ? undefined : RELEASE_NAMES[how % RELEASE_NAMES.length];
    const options = { hex: how % 2 === 0, maxBytes: how % 3 === 0 ? 200 : Number.POSITIVE_INFINITY };
    try {
      const read = readInput(input.subarray(1), { anyVersion: forced !== undefined });
      report(read.kind.length);
      let shown = 0;
      for (const frame of read.frames) {
        if (shown++ >= MOST) break;
        const found = dissect(frame.bytes, { release: forced });
        reportShape({ ...found, fields: null, bytes: null, body: null }, how, report);
        let at = 0;
        for (const { start, end } of found.fields) {
          if (start !== at || end < start) throw new Broken('fields with a gap or an overlap');
          at = end;
        }
        if (at !== found.bytes.length) throw new Broken('fields that do not reach the end');
        const text = [titleOf(frame, found, read), ...frameLines(frame, found, options)].join('\n');
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
        if (/[\0-\x09\x0b-\x1f\x7f-\x9f]/.test(text)) throw new Broken('control characters for a terminal');
        if (findLiveSecrets(found.bytes).length > 0) throw new Broken('a credential is shown');
        frameDocument(frame, found, read, options);
      }
    } catch (error) {
      reportFault(error, how === 0 ? 0 : 1, report);
      throw error;
    }
  },

  repair(input, random) {
    // Half of them: whole frames.
    if (input.length < 6 || random.oneIn(2)) return;
    new DataView(input.buffer).setUint32(1, input.length - 5);
    repairBodyLength(input.subarray(1));
  },

  fields: (input) => fieldsOf(input.subarray(1)).map((start) => start + 1),
};
