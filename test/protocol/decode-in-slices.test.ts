/** A body decoded in slices is the body decoded at once: the same record, or the same error. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeBodyInSlices } from '../../src/protocol/decode-in-slices.js';
import {
  decodeBody,
  encodeBody,
  type MessageInput,
  type MessageName,
  messageTypeNumber,
  RELEASE_NAMES,
  type Release,
} from '../../src/protocol/index.js';
import { messageType } from '../../src/protocol/messages/index.js';
import { isPayloadOf, isPayloadOfInSlices, payloadDigest } from '../../src/protocol/payload-digest.js';
import { arbitraryOf } from '../support/arbitrary.js';
import { type AnyType, DESCRIBED, exampleOf, fieldPlaces } from '../support/description.js';

/** What a decoder came to, errors with all that they say. */
function outcomeOf(decode: () => unknown): unknown {
  try {
    return { record: decode() };
  } catch (error) {
    const { name, message, ...details } = error as Error;
    return { name, message, ...details };
  }
}

function inSlices(name: MessageName, release: Release, bytes: Uint8Array): unknown {
  const slices = decodeBodyInSlices(name, release, bytes, 1);
  for (;;) {
    const { done, value } = slices.next();
    if (done === true) return value;
  }
}

function compare(name: MessageName, release: Release, given: Uint8Array): void {
  // As a body lies in its frame: in the middle of other memory.
  const bytes = new Uint8Array(Uint8Array.of(1, 2, 3, ...given, 4, 5).buffer, 3, given.length);
  assert.deepEqual(
    outcomeOf(() => inSlices(name, release, bytes)),
    outcomeOf(() => decodeBody(name, release, bytes)),
  );
}

const TABLES = [
  'RESPONSE_JOB_INFO',
  'RESPONSE_JOB_STEP_INFO',
  'RESPONSE_NODE_INFO',
  'RESPONSE_PARTITION_INFO',
];

describe.each(RELEASE_NAMES)('%s', (release) => {
  const described = DESCRIBED.filter(([name]) => messageTypeNumber(name, release) !== null);

  test('examples of every message, whole, cut anywhere and with a byte too many', () => {
    for (const [name, type] of described) {
      const bytes = encodeBody(name, release, exampleOf(type, release) as MessageInput<MessageName>);
      compare(name, release, bytes);
      compare(name, release, Uint8Array.of(...bytes, 0));
      const step = Math.max(1, Math.floor(bytes.length / 40));
      for (let end = 0; end < bytes.length; end += step) compare(name, release, bytes.subarray(0, end));
    }
  });

  test.each(described.filter(([name]) => TABLES.includes(name)))(
    '%s, any values and any flipped byte',
    (name, type) => {
      const runs = Math.ceil(800 / fieldPlaces(type, release).length);
      fc.assert(
        fc.property(
          arbitraryOf(type, release),
          fc.nat(),
          fc.integer({ min: 1, max: 255 }),
          (value, at, flip) => {
            const bytes = encodeBody(name, release, value as MessageInput<MessageName>);
            compare(name, release, bytes);
            const changed = bytes.slice();
            const place = at % Math.max(1, changed.length);
            changed[place] = (changed[place] ?? 0) ^ flip;
            compare(name, release, changed);
          },
        ),
        { numRuns: runs },
      );
    },
  );
});

test('gives way after so many items of the list, and not for short messages', () => {
  const example = exampleOf(messageType('RESPONSE_JOB_INFO') as AnyType, '26.05') as { jobs: unknown[] };
  const record = { ...example, recordCount: 100, jobs: Array(100).fill(example.jobs[0]) };
  const bytes = encodeBody('RESPONSE_JOB_INFO', '26.05', record as never);
  const pauses = (every: number) =>
    [...decodeBodyInSlices('RESPONSE_JOB_INFO', '26.05', bytes, every)].length;
  expect([pauses(1), pauses(10), pauses(200)]).toEqual([100, 10, 0]);
  expect([...decodeBodyInSlices('RESPONSE_SLURM_RC', '26.05', Uint8Array.of(0, 0, 0, 0), 1)]).toEqual([]);
});

describe('the digest of a body in slices', () => {
  const last = <T>(slices: Generator<void, T, void>): T => {
    for (;;) {
      const { done, value } = slices.next();
      if (done === true) return value;
    }
  };

  test.each(RELEASE_NAMES)('%s: binds what the digest at once binds', (release) => {
    for (const length of [0, 1, 8191, 8192, 8193, 65_536, 200_000]) {
      const body = new Uint8Array(length).map((_, i) => i % 251);
      for (const payload of [
        payloadDigest(release, 2004, body),
        payloadDigest('22.05', 2004, body),
        payloadDigest(release, 2005, body),
        new Uint8Array(0),
      ])
        expect(last(isPayloadOfInSlices(payload, release, 2004, body))).toBe(
          isPayloadOf(payload, release, 2004, body),
        );
    }
  });
});
