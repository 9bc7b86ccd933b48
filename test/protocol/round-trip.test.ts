/** Random values of every described message, the header and the authentication section, there and back in every release. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AuthSection, readAuthSection, writeAuthSection } from '../../src/protocol/auth-section.js';
import { ByteReader } from '../../src/protocol/byte-reader.js';
import { ByteWriter } from '../../src/protocol/byte-writer.js';
import { header } from '../../src/protocol/header.js';
import {
  decodeBody,
  encodeBody,
  type MessageInput,
  type MessageName,
  messageTypeNumber,
  RELEASE_NAMES,
  type Release,
} from '../../src/protocol/index.js';
import { anyText, arbitraryOf } from '../support/arbitrary.js';
import { decodeWith, encodeWith } from '../support/codec.js';
import { type AnyType, DESCRIBED, fieldPlaces, hasKnownEnd, withAt } from '../support/description.js';

/** Fewer runs for long records, which have plenty of fields to vary in each of them: a job list of three has 400. */
function runsOf(type: AnyType, release: Release) {
  const fields = fieldPlaces(type, release).length;
  return { numRuns: fields < 40 ? 60 : Math.ceil(1600 / fields) };
}

const describedIn = (release: Release) =>
  DESCRIBED.filter(([name]) => messageTypeNumber(name, release) !== null);

describe.each(RELEASE_NAMES)('%s', (release) => {
  test.each(describedIn(release))('%s', (name, type) => {
    fc.assert(
      fc.property(arbitraryOf(type, release), (value) => {
        const bytes = encodeBody(name, release, value as MessageInput<MessageName>);
        const decoded = decodeBody(name, release, bytes);
        assert.deepEqual(decoded, value);
        assert.deepEqual(encodeBody(name, release, decoded as MessageInput<MessageName>), bytes);
        // What the release lacks may as well be left out.
        const lean = encodeBody(
          name,
          release,
          leaveOutAbsent(type, release, value) as MessageInput<MessageName>,
        );
        assert.deepEqual(lean, bytes);
      }),
      runsOf(type, release),
    );
  });

  test('header', () => {
    // Every kind of item would do; those of long records would only cost time.
    const inItems = describedIn(release)
      .filter(([, type]) => hasKnownEnd(type) && fieldPlaces(type, release).length < 40)
      .map(([name]) => name);
    const types = inItems.map((name) => messageTypeNumber(name, release));
    const overrides = { 'returnList/type': fc.constantFrom(0, ...types) };
    fc.assert(
      fc.property(arbitraryOf(header as AnyType, release, overrides), (value) => {
        const bytes = encodeWith(header as AnyType, release, value);
        const decoded = decodeWith(header, release, bytes);
        assert.deepEqual(decoded, value);
        assert.deepEqual(encodeWith(header, release, decoded), bytes);
      }),
      { numRuns: 200 },
    );
  });
});

test('the generator reaches what it should: null, empty and escaped text, both ends of numbers, all branches', () => {
  const type = DESCRIBED.find(([name]) => name === 'REQUEST_KILL_JOB')?.[1] as AnyType;
  const values = fc.sample(arbitraryOf(type, '26.11'), 500) as MessageInput<'REQUEST_KILL_JOB'>[];
  const texts = values.map((value) => value.sjobId);
  expect(texts).toContain(null);
  expect(texts).toContain('');
  expect(texts.some((text) => /[\u{10000}-\u{10ffff}]/u.test(text ?? ''))).toBe(true);
  expect(texts.some((text) => /[\udc80-\udcff]/u.test(text ?? ''))).toBe(true);
  expect(texts.some((text) => [...(text ?? '')].some((character) => character < ' '))).toBe(true);
  expect(texts.every((text) => !text?.includes('\0'))).toBe(true);
  const numbers = new Set(values.map((value) => value.signal));
  for (const edge of [0, 0xfffe, 0xffff]) expect(numbers).toContain(edge);
  const sluids = new Set(values.map((value) => value.stepId.sluid));
  for (const edge of [0n, 2n ** 64n - 2n, 2n ** 64n - 1n]) expect(sluids).toContain(edge);

  const headers = fc.sample(
    arbitraryOf(header as AnyType, '26.11', { 'returnList/type': fc.constant(8001) }),
    500,
  );
  const credentials = (headers as { forward: { netCred: string | null } }[]).map(
    ({ forward }) => forward.netCred,
  );
  expect(credentials).toContain(null);
  expect(credentials.some((credential) => credential !== null)).toBe(true);
});

test('authentication sections of every plugin', () => {
  const text = fc.option(anyText(), { nil: null });
  const uid = fc.constantFrom(0, 99, 65534, 0xffffffff);
  const sections: fc.Arbitrary<AuthSection> = fc.oneof(
    fc.record({ plugin: fc.constant('auth/none' as const), uid, gid: uid, hostname: text }),
    fc.record({ plugin: fc.constant('auth/munge' as const), credential: text }),
    fc.record({ plugin: fc.constant('auth/jwt' as const), token: text, username: text }),
    fc.record({ plugin: fc.constant('auth/slurm' as const), token: text }),
  );
  fc.assert(
    fc.property(sections, (section) => {
      const writer = new ByteWriter(4);
      writeAuthSection(writer, section);
      const reader = new ByteReader(writer.finish());
      assert.deepEqual({ ...readAuthSection(reader) }, { ...section });
      reader.finish();
    }),
    { numRuns: 300 },
  );
});

/** The same value without the fields that the release lacks. */
function leaveOutAbsent(type: AnyType, release: Release, value: unknown): unknown {
  const absent = fieldPlaces(type, release).filter((place) => !place.present);
  return absent.reduce(
    (rest, { path }) => (isReachable(rest, path) ? withAt(rest, path, undefined) : rest),
    value,
  );
}

function isReachable(value: unknown, path: readonly (string | number)[]): boolean {
  if (path.length === 0) return true;
  if (typeof value !== 'object' || value === null) return false;
  const [step, ...rest] = path as [string | number, ...(string | number)[]];
  return step in value && isReachable((value as Record<string | number, unknown>)[step], rest);
}
