/** What a recorder takes secrets out of: nothing that looks live is left, and no length changes. */
import { decodeFrame } from '../../../src/protocol/frame.js';
import { redactStream } from '../../../src/replay/redact.js';
import { findLiveSecrets } from '../../../src/replay/secrets.js';
import { hashOf } from '../coverage.js';
import { recordedStreams, unique } from '../seeds.js';
import { Broken, type Target } from '../target.js';
import { fieldsOf, repairBodyLength } from './frame.js';

const LIVE = `MUNGE:${'AwQFAACkJ0xX'.repeat(6)}:`;
const TOKEN = `eyJ${'hbGciOiJIUzI1NiJ9'.repeat(3)}.eyJ${'leHAiOjF9'.repeat(4)}.${'c2ln'.repeat(8)}`;

export const redact: Target = {
  name: 'redact',
  weight: 1,
  maxLength: 1 << 15,
  limits: { usPerByte: 5, bytesPerByte: 4096, bytes: 2 << 20 },
  dictionary: [LIVE, TOKEN, 'MUNGE:', 'eyJ', 'xxxx', 'MUNGE:0:', 'slurmwire'],

  *seeds() {
    yield Buffer.from(LIVE);
    yield Buffer.from(`${TOKEN}${LIVE}`);
    for (const stream of unique(recordedStreams())) if (stream.length < 2000) yield stream;
  },

  run(input, report) {
    const { bytes, credentials } = redactStream(input, '>', { clientUid: 1000 });
    report(hashOf('credentials', Math.min(8, credentials.length)));
    if (bytes.length !== input.length) throw new Broken('another length');
    if (findLiveSecrets(bytes).length > 0) throw new Broken('a secret is left');
    const again = redactStream(bytes, '>', { clientUid: 1000 });
    if (findLiveSecrets(again.bytes).length > 0) throw new Broken('a secret comes back');
    // What is no frame may have fields that overlap.
    if (isFrame(input) && Buffer.compare(again.bytes, bytes) !== 0)
      throw new Broken('redacted again it changes');
  },

  repair(input, random) {
    if (input.length < 5 || random.oneIn(3)) return;
    new DataView(input.buffer).setUint32(0, input.length - 4);
    repairBodyLength(input);
  },

  fields: fieldsOf,
};

function isFrame(bytes: Uint8Array): boolean {
  try {
    decodeFrame(bytes);
    return true;
  } catch {
    return false;
  }
}
