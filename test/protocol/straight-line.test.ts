/** The fast way of the codec beside the closures, which are right: whatever it does not give up on comes out the same. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { ByteReader } from '../../src/protocol/byte-reader.js';
import { ByteWriter } from '../../src/protocol/byte-writer.js';
import { CodecFault } from '../../src/protocol/codec-fault.js';
import { codecOf } from '../../src/protocol/compile.js';
import { header } from '../../src/protocol/header.js';
import {
  type AuthSection,
  decodeBody,
  decodeFrame,
  encodeBody,
  encodeFrame,
  messageTypeNumber,
  RELEASE_NAMES,
  type Release,
} from '../../src/protocol/index.js';
import { Source } from '../../src/protocol/source.js';
import { straightDecoder } from '../../src/protocol/straight-decoder.js';
import { straightEncoder } from '../../src/protocol/straight-encoder.js';
import { Target } from '../../src/protocol/target.js';
import { array, struct, text, u16 } from '../../src/protocol/wire-type.js';
import { anyText, arbitraryOf } from '../support/arbitrary.js';
import { type AnyType, DESCRIBED, fieldPlaces, withAt } from '../support/description.js';
import {
  describedGoldenLines,
  fromHex,
  goldenLines,
  goldenReplies,
  releaseOfProtocol,
} from '../support/golden.js';

/** What gave up. */
const GAVE_UP = Symbol('gave up');

/** Both ways of a type in a release. */
class Ways {
  readonly type: AnyType;
  readonly release: Release;
  readonly #decoder: ReturnType<typeof straightDecoder>;
  readonly #encoder: ReturnType<typeof straightEncoder>;

  constructor(type: AnyType, release: Release) {
    this.type = type;
    this.release = release;
    this.#decoder = straightDecoder(type, release);
    this.#encoder = straightEncoder(type, release);
  }

  get isWritten(): boolean {
    return this.#decoder !== null && this.#encoder !== null;
  }

  /** What the closures make of it, an error as it is; the fast way must come to the same value or give up. */
  decode(bytes: Uint8Array): { readonly fast: unknown; readonly right: unknown } {
    const right = errorOr(() => {
      const reader = new ByteReader(bytes);
      const value = codecOf(this.type, this.release).decode(reader, {});
      return { value, end: reader.offset };
    });
    if (this.#decoder === null) return { fast: GAVE_UP, right };
    let fast: unknown = GAVE_UP;
    try {
      // In the middle of other memory, whose bytes are none of the message's.
      const memory = new Uint8Array(bytes.length + 64).fill(1);
      memory.set(bytes, 24);
      const source = new Source(memory.subarray(24, 24 + bytes.length));
      const value = this.#decoder(source, {});
      if (source.isWithin) fast = { value, end: source.at - source.start };
    } catch {}
    if (fast !== GAVE_UP) assert.deepEqual(fast, right);
    return { fast, right };
  }

  encode(value: unknown): { readonly fast: unknown; readonly right: unknown } {
    const right = errorOr(() => {
      const writer = new ByteWriter();
      codecOf(this.type, this.release).encode(writer, value, {});
      return Uint8Array.from(writer.finish());
    });
    if (this.#encoder === null) return { fast: GAVE_UP, right };
    let fast: unknown = GAVE_UP;
    try {
      const target = new Target(65_536);
      this.#encoder(target, value, {});
      fast = target.bytes.slice(0, target.at);
    } catch {}
    if (fast !== GAVE_UP) assert.deepEqual(fast, right);
    return { fast, right };
  }
}

function errorOr(step: () => unknown): unknown {
  try {
    return step();
  } catch (thrown) {
    if (thrown instanceof CodecFault) return thrown;
    throw thrown;
  }
}

const ways = new Map<AnyType, Map<Release, Ways>>();

function waysOf(type: AnyType, release: Release): Ways {
  const byRelease = ways.get(type) ?? new Map<Release, Ways>();
  ways.set(type, byRelease);
  const made = byRelease.get(release) ?? new Ways(type, release);
  byRelease.set(release, made);
  return made;
}

const describedIn = (release: Release) =>
  DESCRIBED.filter(([name]) => messageTypeNumber(name, release) !== null);

test('there is a fast way of every message and of the header in every release', () => {
  for (const release of RELEASE_NAMES) {
    for (const [name, type] of [...describedIn(release), ['header', header as AnyType] as const])
      expect(waysOf(type, release).isWritten, `${name} ${release}`).toBe(true);
  }
});

const golden = [
  ...[...describedGoldenLines(), ...goldenReplies()].map(({ name, v, hex }) => ({
    type: DESCRIBED.find(([described]) => described === name)?.[1],
    release: releaseOfProtocol(v),
    bytes: fromHex(hex),
  })),
  ...goldenLines('headers').map(({ v, hex }) => ({
    type: header as AnyType,
    release: releaseOfProtocol(v),
    bytes: fromHex(hex),
  })),
].filter((line): line is typeof line & { type: AnyType } => line.type !== undefined);

test('golden bytes are read in the fast way, and written in it where clients send them', () => {
  let encoded = 0;
  for (const { type, release, bytes } of golden) {
    const both = waysOf(type, release);
    const { fast, right } = both.decode(bytes);
    expect(fast).not.toBe(GAVE_UP);
    if (both.encode((right as { value: unknown }).value).fast !== GAVE_UP) encoded++;
  }
  expect(encoded).toBeGreaterThan(golden.length / 3);
});

describe.each(RELEASE_NAMES)('%s', (release) => {
  test('values of every message', () => {
    for (const [, type] of describedIn(release)) {
      const both = waysOf(type, release);
      const numRuns = fieldPlaces(type, release).length > 40 ? 1 : 6;
      const check = (value: unknown) => {
        const { right } = both.encode(value);
        both.decode(right as Uint8Array);
      };
      fc.assert(fc.property(arbitraryOf(type, release), check), { numRuns });
    }
  });
});

test('bytes cut short, and with some of them changed: what the closures refuse is refused', () => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 0xff })), {
    minLength: 1,
    maxLength: 4,
  });
  const some = golden.filter(({ bytes }) => bytes.length > 0);
  let refused = 0;
  let good = 0;
  fc.assert(
    fc.property(fc.constantFrom(...some), changes, fc.nat(), fc.boolean(), (line, mutations, at, isCut) => {
      const { type, release } = line;
      const bytes = isCut ? line.bytes.slice(0, at % line.bytes.length) : Uint8Array.from(line.bytes);
      for (const [where, mask] of bytes.length === 0 ? [] : mutations)
        bytes[where % bytes.length] = (bytes[where % bytes.length] as number) ^ mask;
      const { fast, right } = waysOf(type, release).decode(bytes);
      if (right instanceof CodecFault) refused++;
      else if (fast !== GAVE_UP) good++;
    }),
    { numRuns: 3000 },
  );
  expect(refused).toBeGreaterThan(500);
  expect(good).toBeGreaterThan(500);
});

test('values of every kind in every field: what the closures refuse is refused', () => {
  const junk = [
    ...[
      undefined,
      null,
      true,
      'x',
      '',
      '\0',
      'é',
      'éx',
      'ab\0c',
      '\ud800',
      `${'é'.repeat(40)}${'x'.repeat(60)}`,
    ],
    ...[
      'x'.repeat(70),
      'x'.repeat(5000),
      `${'x'.repeat(80)}\0`,
      -1,
      1.5,
      Number.NaN,
      -0,
      2 ** 8,
      2 ** 16,
      2 ** 32,
    ],
    ...[
      -1n,
      5n,
      2n ** 32n,
      2n ** 63n,
      2n ** 64n,
      [],
      [1],
      [null],
      {},
      { family: 0 },
      { odd: 1 },
      new Uint8Array(2),
    ],
  ];
  for (const release of ['22.05', '26.05'] as const) {
    for (const [, type] of [...describedIn(release), ['header', header as AnyType] as const]) {
      const places = fieldPlaces(type, release);
      if (places.length > 40) continue;
      const [value] = fc.sample(arbitraryOf(type, release, { 'returnList/type': fc.constant(0) }), {
        numRuns: 1,
      });
      for (const { path } of places) {
        for (const other of junk) {
          try {
            waysOf(type, release).encode(withAt(value, path, other));
          } catch (thrown) {
            // Some sample has no such place.
            if (!(thrown instanceof TypeError)) throw thrown;
          }
        }
      }
      for (const other of [...junk, { ...(value as object), odd: 1 }]) waysOf(type, release).encode(other);
    }
  }
});

test('texts of every length, in ASCII and not, whole and without their end, once and again in a table', () => {
  const both = new Ways(
    struct({ items: array(struct({ one: text, other: text })), last: text }) as AnyType,
    '26.05',
  );
  const lengths = [...Array(70).keys(), 100, 127, 128, 255, 256, 300];
  const texts = lengths.map((length) => 'abcdefghij'.repeat(30).slice(0, length));
  const odd = texts.slice(1).flatMap((some) => [`é${some.slice(1)}`, `${some.slice(1)}\udc80`, `${some}ü`]);
  for (const one of [...texts, ...odd]) {
    const items = Array.from({ length: 9 }, (_, i) => ({ one, other: i % 2 === 0 ? one : null }));
    const { right } = both.encode({ items, last: one });
    const bytes = right as Uint8Array;
    both.decode(bytes);
    // Its NUL, and a NUL inside.
    for (const [at, byte] of [
      [bytes.length - 1, 1],
      [bytes.length - 1 - Math.ceil(one.length / 2), 0],
    ] as const) {
      const other = Uint8Array.from(bytes);
      other[at] = byte;
      both.decode(other);
    }
  }
  const mixed = fc.array(
    fc.record({ one: fc.option(anyText(), { nil: null }), other: fc.constantFrom('a', 'b', null) }),
    {
      maxLength: 20,
    },
  );
  const check = (items: unknown) => {
    both.decode(both.encode({ items, last: null }).right as Uint8Array);
  };
  fc.assert(fc.property(mixed, check), { numRuns: 300 });
});

test('frames with credentials of every length, in ASCII and not', () => {
  const body = encodeBody('REQUEST_PING', '22.05', {});
  const long = 'MUNGE:'.padEnd(400, 'AbCd');
  const sections = [...Array(70).keys(), 127, 128, 255, 256]
    .map((length) => long.slice(0, length))
    .flatMap((credential): AuthSection[] => [
      { plugin: 'auth/munge', credential },
      { plugin: 'auth/munge', credential: `é${credential}` },
      { plugin: 'auth/slurm', token: `${credential}\udc99` },
      { plugin: 'auth/jwt', token: credential, username: null },
    ]);
  for (const auth of sections) {
    const frame = encodeFrame({ release: '22.05', messageName: 'REQUEST_PING', auth, body });
    assert.deepEqual({ ...decodeFrame(frame).auth }, { ...auth });
    // With a trace it is the closures that read.
    assert.deepEqual(decodeFrame(frame), decodeFrame(frame, { path: [], spans: [] }));
  }
  const refused = { plugin: 'auth/munge', credential: `${long}\0` } as const;
  expect(() => encodeFrame({ release: '22.05', messageName: 'REQUEST_PING', auth: refused, body })).toThrow(
    /NUL/,
  );
});

test('the second of two values that a getter packs at once does not spoil the first', () => {
  const record = (sjobId: string) => ({
    stepId: { sluid: 0n, jobId: 1, stepId: 2, stepHetComp: 3 },
    sjobId,
    signal: 9,
  });
  const once = encodeBody('REQUEST_KILL_JOB', '26.05', record('77'));
  for (let i = 0; i < 1000; i++) {
    const nested = {
      ...record('77'),
      get signal() {
        encodeBody('REQUEST_KILL_JOB', '26.05', record(`${i}`));
        return 9;
      },
    };
    expect(encodeBody('REQUEST_KILL_JOB', '26.05', nested)).toEqual(once);
  }
});

test('where programs must not be made from text, there is none, and all goes its way', () => {
  const type = struct({ jobId: u16 });
  vi.stubGlobal('Function', () => {
    throw new EvalError('Code generation from strings disallowed for this context');
  });
  try {
    expect(straightDecoder(type as AnyType, '26.05')).toBe(null);
    expect(straightEncoder(type as AnyType, '26.05')).toBe(null);
    for (let i = 0; i < 2000; i++) {
      const bytes = encodeBody('REQUEST_SUSPEND', '23.11', { op: 1, jobId: i, jobIdStr: null });
      expect(decodeBody('REQUEST_SUSPEND', '23.11', bytes)).toMatchObject({ jobId: i });
    }
  } finally {
    vi.unstubAllGlobals();
  }
});

test('a field whose name is no plain identifier gets into no program', () => {
  for (const name of ['a-b', '__proto__', 'a;b', 'A', '']) {
    const type = struct({ [name]: u16 }) as AnyType;
    expect(straightDecoder(type, '26.05'), name).toBe(null);
    expect(straightEncoder(type, '26.05'), name).toBe(null);
  }
});
