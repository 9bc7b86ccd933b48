/** What is bound into a credential: vectors of libslurm and slurmctld, of RFC 9861, and an oracle for bodies of any size. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isAtLeast,
  isPayloadOf,
  payloadDigest,
  RELEASE_NAMES,
  type Release,
  SlurmProtocolError,
} from '../../src/protocol/index.js';
import { sameBytes } from '../../src/protocol/payload-digest.js';
import { fromHex, goldenReplies, releaseOfProtocol, toHex } from '../support/golden.js';
import { kangarooTwelve } from '../support/kangaroo-twelve.js';

const NOTHING = new Uint8Array(0);
const withK12 = RELEASE_NAMES.filter((release) => isAtLeast(release, '22.05'));
const withoutK12 = RELEASE_NAMES.filter((release) => !isAtLeast(release, '22.05'));

/** Byte i is i mod 251, as in the RFC. */
function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i % 251);
}

describe('payloads that daemons took', () => {
  test.each([
    ['REQUEST_PING', 1008, '', '5d5247bbb9ae435b2674a601f4a615de08d36c074c352457612d21db790784f9'],
    [
      'RESPONSE_SLURM_RC',
      8001,
      '00000000',
      'e4131db9673e46adbeeb1d46262f892bfca0cfd193730a3b9ab72758a8c48411',
    ],
    ['REQUEST_FED_INFO', 2049, '', '6f1bbf1492838ee7e22c6fdccf9548ed8b390f3f8ae051418099bd72bd2de3a9'],
    [
      'REQUEST_KILL_JOB',
      5032,
      'fffffffefffffffefffffffe0000000534323432000000000000090000',
      '4822f8adda1cdead2798c38c77c616bdb6acccb95ef009a115845597baa4383a',
    ],
  ])('%s, 22.05 and newer', (_, type, body, digest) => {
    for (const release of withK12)
      expect(toHex(payloadDigest(release, type, fromHex(body)))).toBe(`02${digest}`);
  });

  test('older releases: the message type, low byte first, whatever the body', () => {
    expect(withoutK12).toEqual(['20.11', '21.08']);
    for (const release of withoutK12) {
      expect(toHex(payloadDigest(release, 1008, NOTHING))).toBe('01f003');
      expect(toHex(payloadDigest(release, 1008, pattern(100)))).toBe('01f003');
    }
  });
});

describe('the oracle', () => {
  test.each([
    [0, 0, '1ac2d450fc3b4205d19da7bfca1b37513c0803577ac7167f06fe2ce1f0ef39e5'],
    [0, 1, 'fab658db63e94a246188bf7af69a133045f46ee984c56e3c3328caaf1aa1a583'],
    [17, 0, '6bf75fa2239198db4772e36478f8e19b0f371205f6a9a93a273f51df37122888'],
    [17 ** 2, 0, '0c315ebcdedbf61426de7dcf8fb725d1e74675d7f5327a5067f367b108ecb67c'],
    [17 ** 3, 0, 'cb552e2ec77d9910701d578b457ddf772c12e322e4ee7fe417f92c758f0d59d0'],
    [17 ** 4, 0, '8701045e22205345ff4dda05555cbb5c3af1a771c2b89baef37db43d9998b9fe'],
  ])('agrees with RFC 9861 on %d bytes with %d bytes of customization', (message, customization, digest) => {
    expect(toHex(kangarooTwelve(pattern(message), pattern(customization)))).toBe(digest);
  });

  test('and where message and customization are of other bytes', () => {
    expect(toHex(kangarooTwelve(Uint8Array.of(0xff), pattern(41)))).toBe(
      'd848c5068ced736f4462159b9867fd4c20b808acc3d5bc48e0b06ba0a3762ec4',
    );
    expect(toHex(kangarooTwelve(Uint8Array.of(0xff, 0xff, 0xff), pattern(41 ** 2)))).toBe(
      'c389e5009ae57120854c2e8c64670ac01358cf4c1baf89447a724234dc7ced74',
    );
  });
});

describe('bodies of all sizes, against the oracle', () => {
  const expected = (type: number, body: Uint8Array) =>
    `02${toHex(kangarooTwelve(body, Uint8Array.of(type >> 8, type & 0xff)))}`;

  // One chunk holds 8192 bytes, three of which are the customization and its length.
  test.each([1, 167, 168, 169, 8188, 8189, 8190, 8191, 8192, 8193, 16_381, 16_384, 16_385, 40_000])(
    '%d bytes',
    (length) => {
      expect(toHex(payloadDigest('24.11', 5032, pattern(length)))).toBe(expected(5032, pattern(length)));
    },
  );

  test('random ones', () => {
    const type = fc.integer({ min: 1, max: 0xffff });
    fc.assert(
      fc.property(type, fc.uint8Array({ maxLength: 400 }), (number, body) => {
        expect(toHex(payloadDigest('26.11', number, body))).toBe(expected(number, body));
      }),
      { numRuns: 30 },
    );
  });

  test('answers of real daemons that are longer than one chunk', () => {
    const long = goldenReplies().filter((reply) => reply.hex.length > 2 * 8192);
    expect(long.length).toBeGreaterThan(10);
    for (const reply of long.slice(0, 4)) {
      const body = fromHex(reply.hex);
      const release = releaseOfProtocol(reply.v);
      const digest = expected(reply.type, body);
      expect(isPayloadOf(fromHex(digest), release, reply.type, body)).toBe(true);
      if (isAtLeast(release, '22.05')) expect(toHex(payloadDigest(release, reply.type, body))).toBe(digest);
    }
  });
});

describe('isPayloadOf', () => {
  const body = Uint8Array.of(0, 0, 7, 0xe1);
  const k12 = payloadDigest('22.05', 8001, body);
  const typeOnly = payloadDigest('20.11', 8001, body);

  test.each(withK12)('%s takes the digest and nothing else', (release) => {
    expect(isPayloadOf(k12, release, 8001, body)).toBe(true);
    expect(isPayloadOf(typeOnly, release, 8001, body)).toBe(false);
    expect(isPayloadOf(NOTHING, release, 8001, body)).toBe(false);
  });

  test.each(withoutK12)(
    '%s takes the message type, the digest that newer daemons send, and nothing at all',
    (release) => {
      expect(isPayloadOf(k12, release, 8001, body)).toBe(true);
      expect(isPayloadOf(typeOnly, release, 8001, body)).toBe(true);
      expect(isPayloadOf(NOTHING, release, 8001, body)).toBe(true);
    },
  );

  test.each(RELEASE_NAMES)('%s refuses what belongs to another message', (release) => {
    for (const payload of [k12, typeOnly]) {
      expect(isPayloadOf(payload, release, 8002, body)).toBe(false);
      for (let at = 0; at < payload.length; at++) {
        const other = Uint8Array.from(payload);
        other[at] = (other[at] as number) ^ 1;
        expect(isPayloadOf(other, release, 8001, body)).toBe(false);
      }
      expect(isPayloadOf(payload.subarray(0, -1), release, 8001, body)).toBe(false);
      expect(isPayloadOf(Uint8Array.of(...payload, 0), release, 8001, body)).toBe(false);
    }
    expect(isPayloadOf(k12, release, 8001, Uint8Array.of(0, 0, 7, 0xe0))).toBe(false);
  });
});

test('sameBytes compares all of both', () => {
  expect(sameBytes(NOTHING, NOTHING)).toBe(true);
  expect(sameBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true);
  expect(sameBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false);
  expect(sameBytes(Uint8Array.of(1, 2), Uint8Array.of(0, 2))).toBe(false);
  expect(sameBytes(Uint8Array.of(1), Uint8Array.of(1, 0))).toBe(false);
});

test('a release that there is not is the typed error', () => {
  expect(() => payloadDigest('19.05' as Release, 1008, NOTHING)).toThrow(SlurmProtocolError);
});
