/** Frames out of a TCP stream, however it is cut. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameAssembler } from '../../src/protocol/frame-assembler.js';
import { encodeFrame, MAX_FRAME_LENGTH } from '../../src/protocol/index.js';
import { protocolErrorOf, withoutBigAllocations } from '../support/codec.js';
import { toHex } from '../support/golden.js';

const auth = { plugin: 'auth/munge', credential: 'MUNGE:AwQDAAB:' } as const;
const ping = encodeFrame({ release: '22.05', messageName: 'REQUEST_PING', auth, body: new Uint8Array(0) });
const rc = encodeFrame({
  release: '24.11',
  messageName: 'RESPONSE_SLURM_RC',
  auth: null,
  body: Uint8Array.of(0, 0, 7, 0xe1),
});

/** Pushes the chunks one by one and takes every frame as soon as it is there. */
function framesOf(chunks: readonly Uint8Array[], assembler = new FrameAssembler()): string[] {
  const frames: string[] = [];
  for (const chunk of chunks) {
    assembler.push(chunk);
    for (let frame = assembler.take(); frame !== null; frame = assembler.take()) frames.push(toHex(frame));
  }
  return frames;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

describe('one frame', () => {
  test('whole', () => {
    expect(framesOf([ping])).toEqual([toHex(ping)]);
  });

  test('byte by byte: only the last one completes it', () => {
    const assembler = new FrameAssembler();
    for (const [i, byte] of ping.entries()) {
      expect(assembler.take()).toBeNull();
      expect(assembler.held).toBe(i);
      assembler.push(Uint8Array.of(byte));
      expect(assembler.announced).toBe(i < 3 ? null : ping.length - 4);
    }
    expect(toHex(assembler.take() ?? new Uint8Array(0))).toBe(toHex(ping));
    expect([assembler.held, assembler.announced, assembler.take()]).toEqual([0, null, null]);
  });

  test('cut in two at every place', () => {
    for (let at = 0; at <= ping.length; at++) {
      expect(framesOf([ping.subarray(0, at), ping.subarray(at)]), `at ${at}`).toEqual([toHex(ping)]);
    }
  });
});

describe('several frames', () => {
  const all = joined(ping, rc, ping);
  const wanted = [ping, rc, ping].map(toHex);

  test('in one chunk', () => {
    expect(framesOf([all])).toEqual(wanted);
  });

  test('a frame and a half, then the rest', () => {
    for (let at = ping.length; at < all.length; at++) {
      expect(framesOf([all.subarray(0, at), all.subarray(at)]), `at ${at}`).toEqual(wanted);
    }
  });

  test('cut anywhere, with empty chunks between', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: all.length }), { maxLength: 12 }), (cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b), all.length];
        const chunks = places.slice(1).map((end, i) => all.subarray(places[i], end));
        expect(framesOf(chunks)).toEqual(wanted);
      }),
      { numRuns: 500 },
    );
  });

  test('what is left over stays held', () => {
    const assembler = new FrameAssembler();
    expect(framesOf([joined(ping, Uint8Array.of(1, 2))], assembler)).toEqual([toHex(ping)]);
    expect(assembler.held).toBe(2);
    expect([...assembler.peek(10)]).toEqual([1, 2]);
  });
});

describe('the first bytes', () => {
  test('can be looked at before the frame is there, and are not taken by that', () => {
    const assembler = new FrameAssembler();
    expect(assembler.peek(4)).toHaveLength(0);
    for (const byte of [0x48, 0x54, 0x54, 0x50]) assembler.push(Uint8Array.of(byte));
    expect(String.fromCharCode(...assembler.peek(4))).toBe('HTTP');
    expect(String.fromCharCode(...assembler.peek(2))).toBe('HT');
    expect(assembler.held).toBe(4);
    expect(assembler.announced).toBe(0x48545450);
  });
});

describe('lengths that lie', () => {
  test.each([MAX_FRAME_LENGTH + 1, 0x48545450, 0xffffffff])('%d is refused at once', (length) => {
    const word = new Uint8Array(4);
    new DataView(word.buffer).setUint32(0, length);
    const assembler = new FrameAssembler();
    assembler.push(word);
    expect(protocolErrorOf(() => assembler.take())).toMatchObject({
      code: 'SLURM_PROTOCOL_INSANE_MSG_LENGTH',
      errno: 'EMSGSIZE',
      fieldPath: 'length',
      message: expect.stringContaining(String(length)),
    });
  });

  test('the largest allowed is waited for, without making room for it', () => {
    withoutBigAllocations(1000, () => {
      const assembler = new FrameAssembler();
      assembler.push(Uint8Array.of(0x40, 0));
      assembler.push(Uint8Array.of(0, 0));
      for (let i = 0; i < 50; i++) assembler.push(new Uint8Array(10));
      expect(assembler.take()).toBeNull();
      expect(assembler.held).toBe(504);
    });
  });

  test('a limit of the caller counts as well', () => {
    const assembler = new FrameAssembler(ping.length - 5);
    assembler.push(ping);
    expect(protocolErrorOf(() => assembler.take()).code).toBe('SLURM_PROTOCOL_INSANE_MSG_LENGTH');
    expect(framesOf([ping], new FrameAssembler(ping.length - 4))).toEqual([toHex(ping)]);
  });

  test('a length of 0 is a frame of nothing', () => {
    expect(framesOf([new Uint8Array(4)])).toEqual(['00000000']);
  });
});
