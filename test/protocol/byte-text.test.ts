/** Strings and the bytes they came from. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeText, encodeText } from '../../src/protocol/byte-text.js';
import { withProtocolErrors } from '../../src/protocol/codec-fault.js';
import { anyText } from '../support/arbitrary.js';
import { protocolErrorOf } from '../support/codec.js';
import { fromHex, toHex } from '../support/golden.js';

const escaped = (...bytes: number[]) => String.fromCharCode(...bytes.map((byte) => 0xdc00 + byte));

describe('UTF-8', () => {
  test.each([
    ['', ''],
    ['61', 'a'],
    ['c3bc', 'ü'],
    ['e282ac', '€'],
    ['f09f9880', '😀'],
    ['f48fbfbf', '\u{10ffff}'],
    ['efbbbf61', '\ufeffa'],
    ['efbfbd', '\ufffd'],
    ['0a0d1b7f', '\n\r\x1b\x7f'],
  ])('%s', (hex, text) => {
    expect(decodeText(fromHex(hex))).toBe(text);
    expect(toHex(encodeText(text))).toBe(hex);
  });
});

describe('bytes that are not', () => {
  test.each([
    ['ff', escaped(0xff)],
    ['80', escaped(0x80)],
    ['61ff62', `a${escaped(0xff)}b`],
    ['c3', escaped(0xc3)],
    ['c361', `${escaped(0xc3)}a`],
    ['c3bcff', `ü${escaped(0xff)}`],
    ['e282', escaped(0xe2, 0x82)],
    ['f09f98', escaped(0xf0, 0x9f, 0x98)],
    // Overlong forms, a surrogate, and what lies beyond U+10FFFF.
    ['c0af', escaped(0xc0, 0xaf)],
    ['e080af', escaped(0xe0, 0x80, 0xaf)],
    ['eda080', escaped(0xed, 0xa0, 0x80)],
    ['f4908080', escaped(0xf4, 0x90, 0x80, 0x80)],
    ['f5808080', escaped(0xf5, 0x80, 0x80, 0x80)],
    ['fff09f9880ff', `${escaped(0xff)}😀${escaped(0xff)}`],
    ['ffefbbbf', `${escaped(0xff)}\ufeff`],
    ['4dfc6c6c6572', `M${escaped(0xfc)}ller`],
  ])('%s keep their value', (hex, text) => {
    expect(decodeText(fromHex(hex))).toBe(text);
    expect(toHex(encodeText(text))).toBe(hex);
  });

  test('a valid sequence is one wherever the strict decoder of the platform says so', () => {
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const edges = [0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xff];
    for (let first = 0x80; first <= 0xff; first++) {
      for (const second of edges) {
        for (const third of edges) {
          const bytes = Uint8Array.of(first, second, third, 0x80);
          const length = [4, 3, 2].find((count) => isStrict(bytes.subarray(0, count)));
          // A byte that is not UTF-8 behind it makes sure that the slow way is taken.
          const text = decodeText(Uint8Array.of(...bytes, 0xff));
          const hex = toHex(bytes);
          const begin = length === undefined ? escaped(first) : strict.decode(bytes.subarray(0, length));
          assert.ok(text.startsWith(begin), hex);
        }
      }
    }

    function isStrict(bytes: Uint8Array): boolean {
      try {
        return [...strict.decode(bytes)].length === 1;
      } catch {
        return false;
      }
    }
  });

  test('whatever they are, they come back', () => {
    const awkward = fc.constantFrom(...fromHex('809fa0bfc0c2dfe0edeff0f4f5ff61'));
    fc.assert(
      fc.property(fc.array(fc.oneof(awkward, fc.nat({ max: 0xff })), { maxLength: 30 }), (values) => {
        const bytes = Uint8Array.from(values);
        assert.equal(toHex(encodeText(decodeText(bytes))), toHex(bytes));
      }),
      { numRuns: 2000 },
    );
  });
});

test('strings come back', () => {
  fc.assert(
    fc.property(anyText(), (text) => {
      assert.equal(decodeText(encodeText(text)), text);
    }),
    { numRuns: 1000 },
  );
});

test('a surrogate that stands for no byte is refused, wherever it is', () => {
  for (const bad of ['\ud800', '\udbff', '\udc00', '\udc7f', '\udd00', '\udfff']) {
    for (const text of [bad, `a${bad}`, `${bad}a`, `😀${bad}`, `${escaped(0xff)}${bad}`]) {
      const error = protocolErrorOf(() => withProtocolErrors(undefined, undefined, () => encodeText(text)));
      expect(error.code, JSON.stringify(text)).toBe('SLURMWIRE_BAD_VALUE');
    }
  }
});
