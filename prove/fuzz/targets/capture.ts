/** pcap and pcapng files, down to TCP streams. */
import { isCapture, readCapture } from '../../../src/cli/capture/read-capture.js';
import { captures } from '../seeds.js';
import { reportShape } from '../shape.js';
import { Broken, type Target } from '../target.js';

export const capture: Target = {
  name: 'capture',
  weight: 5,
  maxLength: 1 << 16,
  limits: { bytes: 2 << 20, usPerByte: 4 },

  *seeds() {
    for (const bytes of captures()) {
      yield bytes;
      // The beginning alone changes faster.
      for (const length of [600, 1500, 4000]) if (bytes.length > length) yield bytes.subarray(0, length);
    }
  },

  run(input, report) {
    if (!isCapture(input)) return;
    const { connections, notes, format } = readCapture(input);
    reportShape(connections, format.length, report);
    let held = 0;
    for (const { streams } of connections) {
      for (const { pieces, length } of [streams['>'], streams['<']]) {
        let at = 0;
        for (const piece of pieces) {
          if (piece.at < at) throw new Broken('pieces of a stream that overlap or are out of order');
          at = piece.at + piece.bytes.length;
          held += piece.bytes.length;
        }
        if (at > length) throw new Broken('a stream longer than its length');
      }
    }
    if (held > input.length) throw new Broken('more bytes than the file has');
    for (const note of notes) if (note.length > 1000) throw new Broken('a long note');
  },
};
