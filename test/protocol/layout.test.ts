/** The language that messages are declared in, on small made-up declarations. */
import { describe, expect, expectTypeOf, test } from 'vitest';
import { RELEASE_NAMES, type Release } from '../../src/protocol/index.js';
import {
  array,
  bool,
  type Decoded,
  dependent,
  type Encodable,
  list,
  optional,
  rest,
  struct,
  text,
  time,
  u8,
  u16,
  u32,
  u64,
  versions,
  type WireType,
} from '../../src/protocol/wire-type.js';
import { decodeWith, encodeWith, protocolErrorOf } from '../support/codec.js';
import { fromHex, toHex } from '../support/golden.js';

/** Checks both directions at once and gives nothing back. */
function expectBytes<Out, In>(type: WireType<Out, In>, release: Release, value: Out & In, hex: string): void {
  const bytes = hex.replace(/\s/g, '');
  expect(toHex(encodeWith(type, release, value))).toBe(bytes);
  expect(decodeWith(type, release, fromHex(bytes))).toEqual(value);
}

describe('scalars', () => {
  test('are big-endian and of their width', () => {
    expectBytes(u8, '22.05', 0xfe, 'fe');
    expectBytes(u16, '22.05', 0x0102, '0102');
    expectBytes(u32, '22.05', 0xfffffffe, 'fffffffe');
    expectBytes(u64, '22.05', 0x0102030405060708n, '0102030405060708');
    expectBytes(time, '22.05', -2n, 'fffffffffffffffe');
    expectBytes(bool, '22.05', true, '01');
    expectBytes(bool, '22.05', false, '00');
  });

  test('any byte but 0 is true', () => {
    expect(decodeWith(bool, '22.05', fromHex('02'))).toBe(true);
    expect(decodeWith(bool, '22.05', fromHex('ff'))).toBe(true);
  });

  test('rest is what is left, nothing too', () => {
    const type = struct({ head: u8, tail: rest });
    expectBytes(type, '22.05', { head: 1, tail: Uint8Array.of(2, 3) }, '01 0203');
    expectBytes(type, '22.05', { head: 1, tail: new Uint8Array(0) }, '01');
  });
});

describe('text', () => {
  test('null and the empty string are two values', () => {
    expectBytes(text, '22.05', null, '00000000');
    expectBytes(text, '22.05', '', '00000001 00');
    expectBytes(text, '22.05', 'n2', '00000003 6e3200');
    expectBytes(text, '22.05', 'ü😀', '00000007 c3bc f09f9880 00');
  });

  test('is cut at its first NUL', () => {
    expect(decodeWith(text, '22.05', fromHex('00000004 61006200'.replace(' ', '')))).toBe('a');
  });

  test('without its terminating NUL is refused', () => {
    for (const hex of ['0000000161', '000000026162', '00000003610062']) {
      expect(protocolErrorOf(() => decodeWith(text, '22.05', fromHex(hex)))).toMatchObject({
        code: 'SLURMWIRE_BAD_TEXT',
        offset: 0,
      });
    }
  });
});

describe('since, through, when, else', () => {
  const type = struct({
    first: u8,
    late: u16.since('23.02').else(7),
    early: text.through('21.08').else(null),
    both: u8.since('21.08').through('23.11').else(0),
    extra: u8.when((own) => own.first === 1).else(9),
  });

  test.each([
    ['20.11', '01 00000002 6500 05', { late: 7, early: 'e', both: 0 }],
    ['21.08', '01 00000002 6500 06 05', { late: 7, early: 'e', both: 6 }],
    ['22.05', '01 06 05', { late: 7, early: null, both: 6 }],
    ['23.02', '01 0008 06 05', { late: 8, early: null, both: 6 }],
    ['23.11', '01 0008 06 05', { late: 8, early: null, both: 6 }],
    ['24.05', '01 0008 05', { late: 8, early: null, both: 0 }],
  ] as const)('%s has what it has', (release, hex, fields) => {
    expectBytes(type, release, { first: 1, extra: 5, ...fields }, hex);
  });

  test('a condition looks at the fields before it', () => {
    const lean = { first: 2, late: 7, early: null, both: 0, extra: 9 };
    expectBytes(type, '26.11', lean, '02 0007');
    expect(toHex(encodeWith(type, '26.11', { first: 2 }))).toBe('020007');
    const error = protocolErrorOf(() => encodeWith(type, '26.11', { ...lean, extra: 5 }));
    expect([error.code, error.fieldPath]).toEqual(['SLURMWIRE_NOT_IN_RELEASE', 'extra']);
    expect(error.message).toContain('5');
  });

  test('a condition looks at the enclosing record, through lists too', () => {
    const item = struct({ x: u8.when((_, outer) => outer.has === 1).else(0) });
    const outer = struct({ has: u8, one: item, more: array(item) });
    expectBytes(
      outer,
      '22.05',
      { has: 1, one: { x: 4 }, more: [{ x: 5 }, { x: 6 }] },
      '01 04 00000002 05 06',
    );
    expectBytes(outer, '22.05', { has: 0, one: { x: 0 }, more: [] }, '00 00000000');
  });

  test('a field with a fallback may be left out where it could stand, one without may not', () => {
    expect(toHex(encodeWith(type, '23.02', { first: 1 }))).toBe('0100070009');
    const error = protocolErrorOf(() => encodeWith(type, '23.02', {} as never));
    expect([error.code, error.fieldPath]).toEqual(['SLURMWIRE_FIELD_MISSING', 'first']);
  });

  test('null is a value, not "left out": it does not become the fallback', () => {
    const withDefault = struct({ name: text.else('default') });
    expect(toHex(encodeWith(withDefault, '22.05', { name: null }))).toBe('00000000');
    expect(toHex(encodeWith(withDefault, '22.05', {}))).toBe('0000000864656661756c7400');
    expect(protocolErrorOf(() => encodeWith(type, '23.02', { first: 1, late: null as never })).code).toBe(
      'SLURMWIRE_BAD_VALUE',
    );
  });

  test('fallbacks may be records and lists; equal ones pass, others are refused', () => {
    const inner = struct({ a: u8, b: list(u8) });
    const outer = struct({ inner: inner.since('24.05').else({ a: 1, b: [2] }) });
    expect(toHex(encodeWith(outer, '22.05', { inner: { a: 1, b: [2] } }))).toBe('');
    for (const other of [
      { a: 1, b: [3] },
      { a: 1, b: [] },
      { a: 1, b: null },
      { a: 2, b: [2] },
    ]) {
      expect(protocolErrorOf(() => encodeWith(outer, '22.05', { inner: other })).code).toBe(
        'SLURMWIRE_NOT_IN_RELEASE',
      );
    }
  });

  test('decoded records cannot spoil the fallback they share', () => {
    const outer = struct({ items: list(u8).since('24.05').else([]) });
    const { items } = decodeWith(outer, '22.05', new Uint8Array(0));
    expect(() => items?.push(1)).toThrow(TypeError);
    expect(decodeWith(outer, '22.05', new Uint8Array(0))).toEqual({ items: [] });
  });
});

describe('versions', () => {
  const type = struct({ flags: versions({ '20.11': u16, '23.11': u32 }) });

  test.each([
    ['20.11', '0003'],
    ['23.02', '0003'],
    ['23.11', '00000003'],
    ['26.11', '00000003'],
  ] as const)('%s takes the newest case that is not newer', (release, hex) => {
    expectBytes(type, release, { flags: 3 }, hex);
  });

  test('what fits the wider case only is refused by the narrower, not cut', () => {
    expectBytes(type, '23.11', { flags: 0x10000 }, '00010000');
    const error = protocolErrorOf(() => encodeWith(type, '23.02', { flags: 0x10000 }));
    expect([error.code, error.fieldPath]).toEqual(['SLURMWIRE_BAD_VALUE', 'flags']);
  });

  test('a release before the first case is the typed error', () => {
    const late = struct({ flags: versions({ '23.11': u32 }) });
    expect(protocolErrorOf(() => decodeWith(late, '23.02', new Uint8Array(4))).code).toBe(
      'SLURMWIRE_NOT_IN_RELEASE',
    );
  });
});

describe('layouts', () => {
  const type = struct({ a: u8, b: u16, c: u8.since('24.11').else(0) }, [
    { since: '23.02', order: ['b', 'a', 'c'] },
    { since: '25.05', order: ['c', 'b', 'a'] },
  ]);

  test.each([
    ['20.11', '01 0002', 0],
    ['22.05', '01 0002', 0],
    ['23.02', '0002 01', 0],
    ['24.05', '0002 01', 0],
    ['24.11', '0002 01 03', 3],
    ['25.05', '03 0002 01', 3],
    ['26.11', '03 0002 01', 3],
  ] as const)('%s stands in its own order', (release, hex, c) => {
    expectBytes(type, release, { a: 1, b: 2, c }, hex);
  });

  test('the keys of a record stand in the order declared, in every release', () => {
    for (const release of RELEASE_NAMES) {
      const decoded = decodeWith(type, release, encodeWith(type, release, { c: 0, b: 2, a: 1 }));
      expect(Object.keys(decoded)).toEqual(['a', 'b', 'c']);
    }
  });

  test('a condition may look at a field that a layout moved in front', () => {
    const moved = struct({ value: u8.when((own) => own.kind === 1).else(0), kind: u8 }, [
      { since: '20.11', order: ['kind', 'value'] },
    ]);
    expectBytes(moved, '22.05', { value: 5, kind: 1 }, '01 05');
    expectBytes(moved, '22.05', { value: 0, kind: 2 }, '02');
  });
});

describe('lists', () => {
  test('null and empty are two values of a list', () => {
    expectBytes(list(u16), '22.05', null, 'fffffffe');
    expectBytes(list(u16), '22.05', [], '00000000');
    expectBytes(list(u16), '22.05', [1, 2], '00000002 0001 0002');
  });

  test('an array is never null: its count NO_VAL is a count', () => {
    expectBytes(array(u8), '22.05', [], '00000000');
    expectBytes(array(u8, 'u16'), '22.05', [7], '0001 07');
    expect(protocolErrorOf(() => decodeWith(array(u8), '22.05', fromHex('fffffffe00'))).code).toBe(
      'SLURMWIRE_BAD_COUNT',
    );
    expect(protocolErrorOf(() => encodeWith(array(u8), '22.05', null as never)).code).toBe(
      'SLURMWIRE_BAD_VALUE',
    );
  });

  test('a count of 16 bits holds 65535 items and no more', () => {
    const type = array(u8, 'u16');
    const full = Array<number>(0xffff).fill(1);
    expect(decodeWith(type, '22.05', encodeWith(type, '22.05', full))).toHaveLength(0xffff);
    expect(protocolErrorOf(() => encodeWith(type, '22.05', [...full, 1])).code).toBe('SLURMWIRE_BAD_VALUE');
  });

  test('the count is held against what the smallest items would take', () => {
    const type = list(struct({ id: u32, name: text, flag: bool.since('23.02').else(false) }));
    const item = '00000001 00000000'.replace(' ', '');
    expect(decodeWith(type, '22.05', fromHex(`00000001${item}`))).toHaveLength(1);
    const error = protocolErrorOf(() => decodeWith(type, '22.05', fromHex(`00000002${item}`)));
    expect(error).toMatchObject({ code: 'SLURMWIRE_BAD_COUNT', offset: 0 });
    expect(error.message).toContain('2 items of at least 8 bytes, 8 left');
    expect(protocolErrorOf(() => decodeWith(type, '23.02', fromHex(`00000001${item}`))).message).toContain(
      '1 items of at least 9 bytes, 8 left',
    );
  });

  test('a fault names the item', () => {
    const type = struct({ jobs: list(struct({ name: text })) });
    const wrong = { jobs: [{ name: 'a' }, { name: 5 as never }] };
    expect(protocolErrorOf(() => encodeWith(type, '22.05', wrong)).fieldPath).toBe('jobs/1/name');
    const bytes = fromHex('00000002000000026100ffffffff');
    expect(protocolErrorOf(() => decodeWith(type, '22.05', bytes))).toMatchObject({
      fieldPath: 'jobs/1/name',
      offset: 10,
      message: expect.stringMatching(/^field jobs\/1\/name at byte 10: string of 4294967295 bytes, 0 left/),
    });
  });

  test('holes are not items', () => {
    // biome-ignore lint/suspicious/noSparseArray: the hole is the point
    const holey = [1, , 3] as number[];
    expect(protocolErrorOf(() => encodeWith(list(u8), '22.05', holey))).toMatchObject({
      code: 'SLURMWIRE_BAD_VALUE',
      fieldPath: '1',
    });
  });
});

describe('optional', () => {
  const type = optional(struct({ x: u16 }));

  test('one byte says whether it follows', () => {
    expectBytes(type, '22.05', null, '00');
    expectBytes(type, '22.05', { x: 5 }, '01 0005');
    expect(decodeWith(type, '22.05', fromHex('7f0005'))).toEqual({ x: 5 });
  });

  test('two bytes where it is declared twice', () => {
    expectBytes(optional(type), '22.05', { x: 5 }, '01 01 0005');
    expectBytes(optional(type), '22.05', null, '00');
    expect(decodeWith(optional(type), '22.05', fromHex('0100'))).toBeNull();
  });
});

describe('dependent', () => {
  const type = struct({
    kind: u8,
    value: dependent<number | string | null>((own, release) => {
      const number = release === '20.11' ? u8 : u32;
      return (own.kind === 1 ? number : text) as WireType<unknown, unknown>;
    }),
  });

  test('the type follows from the fields before it and the release', () => {
    expectBytes(type, '20.11', { kind: 1, value: 5 }, '01 05');
    expectBytes(type, '21.08', { kind: 1, value: 5 }, '01 00000005');
    expectBytes(type, '21.08', { kind: 2, value: 'a' }, '02 00000002 6100');
  });

  test('the value has to fit the type chosen', () => {
    expect(protocolErrorOf(() => encodeWith(type, '21.08', { kind: 1, value: 'a' }))).toMatchObject({
      code: 'SLURMWIRE_BAD_VALUE',
      fieldPath: 'value',
    });
  });
});

describe('what a declaration cannot say', () => {
  test.each([
    ['since', () => struct({ x: u8.since('23.02') })],
    ['through', () => struct({ x: u8.through('23.02') })],
    ['when', () => struct({ x: u8.when(() => true) })],
  ])('%s without else', (_, declare) => {
    expect(declare).toThrow(new TypeError('field x is not always on the wire and needs .else(value)'));
  });

  test.each([
    ['a field missing', ['a']],
    ['a field too many', ['a', 'b', 'c']],
    ['a field twice', ['a', 'a']],
    ['a field twice beside all', ['a', 'b', 'b']],
  ])('a layout with %s', (_, order) => {
    expect(() => struct({ a: u8, b: u8 }, [{ since: '23.02', order }])).toThrow(
      new TypeError('the layout since 23.02 does not name each field once'),
    );
  });

  test('else before since is the same as after', () => {
    const type = struct({ x: u8.else(3).since('23.02') });
    expect(decodeWith(type, '22.05', new Uint8Array(0))).toEqual({ x: 3 });
    expect(decodeWith(type, '23.02', Uint8Array.of(4))).toEqual({ x: 4 });
  });

  test('the methods leave the type they are called on as it was', () => {
    u8.since('23.02')
      .through('23.11')
      .when(() => false)
      .else(1);
    expect([u8.first, u8.last, u8.condition, u8.fallback]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});

test('the TypeScript types follow from the declaration', () => {
  const type = struct({
    id: u32,
    sluid: u64.since('24.11').else(0n),
    names: list(text),
    inner: optional(struct({ flag: bool.else(false) })),
    wide: versions({ '20.11': u16, '23.11': u32 }),
  });
  expectTypeOf<Decoded<typeof type>>().toEqualTypeOf<{
    id: number;
    sluid: bigint;
    names: (string | null)[] | null;
    inner: { flag: boolean } | null;
    wide: number;
  }>();
  expectTypeOf<Encodable<typeof type>>().toEqualTypeOf<{
    readonly id: number;
    readonly sluid?: bigint | undefined;
    readonly names: readonly (string | null)[] | null;
    readonly inner: { readonly flag?: boolean | undefined } | null;
    readonly wide: number;
  }>();
  expect(Object.keys(decodeWith(type, '20.11', new Uint8Array(11)))).toEqual([
    'id',
    'sluid',
    'names',
    'inner',
    'wide',
  ]);
});
