/** Fixture files: what decodes must encode back to an equal fixture, and no secret is in it. */
import { isDeepStrictEqual } from 'node:util';
import { checkFixture } from '../../../src/replay/check-fixture.js';
import { decodeFixture, encodeFixture, type Fixture } from '../../../src/replay/fixture.js';
import { recordings } from '../seeds.js';
import { reportFault, reportShape } from '../shape.js';
import { Broken, type Target } from '../target.js';

export const fixture: Target = {
  name: 'fixture',
  weight: 1.5,
  maxLength: 1 << 16,
  limits: { bytes: 2 << 20 },
  dictionary: [
    'format',
    'slurmwire-conversation',
    'version',
    'provenance',
    'connections',
    'endpoint',
    'events',
    'credentials',
    'direction',
    'data',
    'end',
    'reset',
    'refused',
    '\xa1>',
    '\xa1<',
    'ECONNRESET',
    '2026-11-22T00:00:00Z',
  ],

  *seeds() {
    // All of them are alike; the smallest of each release are as good.
    const small = recordings()
      .filter(({ bytes }) => bytes.length < 4096)
      .sort((a, b) => a.bytes.length - b.bytes.length);
    for (const { bytes } of small.slice(0, 60)) yield bytes;
  },

  run(input, report) {
    let read: Fixture;
    try {
      read = decodeFixture(input);
    } catch (error) {
      reportFault(error, 1, report);
      throw error;
    }
    reportShape(read, 2, report);
    if (!isDeepStrictEqual(decodeFixture(encodeFixture(read)), read))
      throw new Broken('encoded and decoded again it is another fixture');
    checkFixture(read);
  },
};
