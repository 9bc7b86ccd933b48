/** The SACK codec: both directions, every cut, and lengths that lie. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_TOKEN_LENGTH } from '../../src/auth/jwt-text.js';
import {
  decodeCreated,
  decodeSackRequest,
  decodeVerified,
  encodeCreated,
  encodeSackRequest,
  encodeVerified,
  MAX_SACK_REPLY,
  type SackRequest,
} from '../../src/auth/sack-messages.js';
import { CodecFault } from '../../src/protocol/codec-fault.js';

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));

/** What `sack_create` and `sack_verify` of Slurm write, field by field: packed by hand from their source. */
const BYTES: readonly (readonly [SackRequest, string])[] = [
  [
    { version: 0x2a00, rpc: 'create', restrictUid: null, payload: hex(`02${'ab'.repeat(32)}`) },
    `2a00 00000031 0000fa01 ffffffff 00000021 02${'ab'.repeat(32)}`,
  ],
  [
    { version: 0x2800, rpc: 'create', restrictUid: 64030, payload: new Uint8Array() },
    '2800 00000010 0000fa01 0000fa1e 00000000',
  ],
  [{ version: 0x2d00, rpc: 'verify', token: 'a.b.c' }, '2d00 0000 0012 0000fa02 00000006 612e622e6300'],
];

test.each(BYTES)('%j', (request, bytes) => {
  expect(encodeSackRequest(request)).toEqual(hex(bytes));
  expect(decodeSackRequest(hex(bytes))).toEqual(request);
});

const anyRequest: fc.Arbitrary<SackRequest> = fc.oneof(
  fc.record({
    version: fc.nat(0xffff),
    rpc: fc.constant('create' as const),
    restrictUid: fc.option(fc.nat(0xfffffffe)),
    payload: fc.uint8Array({ maxLength: 200 }),
  }),
  fc.record({
    version: fc.nat(0xffff),
    rpc: fc.constant('verify' as const),
    token: fc.string({ unit: 'grapheme-ascii', maxLength: 500 }),
  }),
);

describe('requests', () => {
  test('come back as they were; cut anywhere they are not whole yet; with more behind they are none', () => {
    fc.assert(
      fc.property(anyRequest, fc.nat(), (request, at) => {
        const bytes = encodeSackRequest(request);
        expect(decodeSackRequest(bytes)).toEqual(request);
        expect(decodeSackRequest(bytes.subarray(0, at % bytes.length))).toBeNull();
        expect(() => decodeSackRequest(Uint8Array.from([...bytes, 0]))).toThrow(CodecFault);
      }),
    );
  });

  test('whatever the bytes: a request, not enough, or a fault of the codec', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          decodeSackRequest(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(CodecFault);
        }
      }),
    );
  });

  test.each([
    '2a00 00000000 0000fa01',
    '2a00 00000007 0000fa01',
    '2a00 ffffffff 0000fa01',
    '2a00 0000000c 0000fa01 ffffffff',
    '2a00 00000010 0000fa01 ffffffff ffffffff',
    '2a00 00000012 0000fa02 00000005 612e622e6300',
    '2a00 0000000c 0000fa02 00000000',
    '2a00 00000008 0000fa03',
  ])('lies: %s', (bytes) => expect(() => decodeSackRequest(hex(bytes))).toThrow(CodecFault));
});

describe('the answer to a create', () => {
  test('comes back; cut anywhere it is not whole yet', () => {
    const text = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(text, fc.nat(), (token, at) => {
        const bytes = encodeCreated(token);
        expect(decodeCreated(bytes)).toBe(token);
        expect(decodeCreated(bytes.subarray(0, at % bytes.length))).toBeNull();
      }),
    );
  });

  test('of the longest token; not of a longer one, whose bytes are never waited for', () => {
    const longest = encodeCreated('x'.repeat(MAX_TOKEN_LENGTH));
    expect(longest.length).toBe(MAX_SACK_REPLY);
    expect(decodeCreated(longest)).toHaveLength(MAX_TOKEN_LENGTH);
    expect(() => decodeCreated(hex('ffffffff'))).toThrow(CodecFault);
    expect(() => decodeCreated(encodeCreated('x'.repeat(MAX_TOKEN_LENGTH + 1)).subarray(0, 4))).toThrow(
      CodecFault,
    );
  });

  test.each([
    '00000000',
    '00000001 00',
    '00000003 616263',
    '00000004 61006200',
    '00000002 6100 00',
    '00000003 c3a900',
  ])('lies: %s', (bytes) => expect(() => decodeCreated(hex(bytes))).toThrow(CodecFault));
});

test('the answer to a verify', () => {
  fc.assert(
    fc.property(fc.nat(0xffffffff), (result) => {
      expect(decodeVerified(encodeVerified(result))).toBe(result);
    }),
  );
  expect(decodeVerified(hex('000000'))).toBeNull();
  expect(() => decodeVerified(hex('0000000000'))).toThrow(CodecFault);
});
