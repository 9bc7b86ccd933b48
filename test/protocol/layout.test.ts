/** The language that messages are declared in, on small made-up declarations. */
import { describe, expect, expectTypeOf, test } from 'vitest';
import { RELEASE_NAMES, type Release } from '../../src/protocol/index.js';
import {
  again,
  array,
  atMostOne,
  bigU32,
  bitString,
  bool,
  counted,
  countOf,
  type Decoded,
  dependent,
  double,
  type Encodable,
  FLOAT_MULT,
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
  undescribed,
  unlessNoVal,
  versions,
  type WireType,
  where,
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

describe('bit strings', () => {
  test('are a size and hex digits, the last of which holds bit 0', () => {
    expectBytes(bitString, '22.05', null, 'fffffffe');
    expectBytes(bitString, '22.05', { size: 0, set: [] }, '00000000 00000003 307800');
    expectBytes(bitString, '22.05', { size: 1, set: [0] }, '00000001 00000004 30783100');
    expectBytes(bitString, '22.05', { size: 6, set: [1, 5] }, '00000006 00000005 3078323200');
    expectBytes(bitString, '22.05', { size: 8, set: [4, 5, 6, 7] }, '00000008 00000005 3078463000');
  });

  test.each([
    ['a digit too many', '00000004 00000005 3078304600'],
    ['a bit beyond the size', '00000003 00000004 30783800'],
    ['lower-case digits', '00000004 00000004 30786600'],
    ['no prefix', '00000004 00000004 31314600'],
    ['a blank', '00000004 00000004 30782000'],
    ['bytes behind the first NUL', '00000004 00000006 307846004100'],
  ])('%s is refused', (_, hex) => {
    const bytes = fromHex(hex.replaceAll(' ', ''));
    const error = protocolErrorOf(() => decodeWith(bitString, '22.05', bytes));
    expect([error.code, error.offset]).toEqual(['SLURMWIRE_BAD_TEXT', 0]);
  });

  test('no text at all, or a size beyond the bytes, is a bad count', () => {
    for (const hex of [
      '0000000400000000',
      '000000080000000430784600',
      '4000000000000004307846',
      'ffffffff00000003307800',
    ]) {
      const error = protocolErrorOf(() => decodeWith(bitString, '22.05', fromHex(hex)));
      expect([error.code, error.offset]).toEqual(['SLURMWIRE_BAD_COUNT', 0]);
    }
  });

  test.each([
    [{ size: 4, set: [4] }, 'set/0'],
    [{ size: 4, set: [-1] }, 'set/0'],
    [{ size: 4, set: [1, 1] }, 'set/1'],
    [{ size: 4, set: [2, 1] }, 'set/1'],
    [{ size: 4, set: [0.5] }, 'set/0'],
    [{ size: 4, set: ['1'] }, 'set/0'],
    [{ size: -1, set: [] }, 'size'],
    [{ size: 2 ** 30, set: [] }, 'size'],
    [{ size: 4, set: [], more: 1 }, 'more'],
  ])('%j is no bit string', (value, path) => {
    const error = protocolErrorOf(() => encodeWith(bitString, '22.05', value as never));
    expect([error.code, error.fieldPath]).toEqual(['SLURMWIRE_BAD_VALUE', path]);
  });
});

describe('double', () => {
  test('is the number on the wire, a million times the value', () => {
    expectBytes(double, '22.05', 1.5 * FLOAT_MULT, '4136e36000000000');
    expectBytes(double, '22.05', -0, '8000000000000000');
    expectBytes(double, '22.05', Number.POSITIVE_INFINITY, '7ff0000000000000');
    expectBytes(double, '22.05', 5e-324, '0000000000000001');
    expect(decodeWith(double, '22.05', fromHex('fff8000000000000'))).toBeNaN();
  });
});

describe('a u32 that is a bigint', () => {
  test('as the narrow form of what became a u64', () => {
    const type = struct({ bits: versions({ '20.11': bigU32, '21.08': u64 }) });
    expectBytes(type, '20.11', { bits: 0xffffffffn }, 'ffffffff');
    expectBytes(type, '21.08', { bits: 0x100000000n }, '0000000100000000');
    expect(protocolErrorOf(() => encodeWith(type, '20.11', { bits: 0x100000000n })).code).toBe(
      'SLURMWIRE_BAD_VALUE',
    );
  });
});

describe('a list whose count stands elsewhere', () => {
  const type = struct(
    { total: countOf('items', unlisted), hidden: u8, items: counted(u16, 'total', unlisted) },
    [{ since: '23.02', order: ['hidden', 'total', 'items'] }],
  );
  function unlisted(own: Record<string, unknown>): number {
    return typeof own.hidden === 'number' ? own.hidden : 0;
  }

  test('counts what is listed and what is not', () => {
    expectBytes(type, '22.05', { total: 3, hidden: 1, items: [5, 6] }, '00000003 01 0005 0006');
    expectBytes(type, '23.02', { total: 3, hidden: 1, items: [5, 6] }, '01 00000003 0005 0006');
    expectBytes(type, '22.05', { total: 2, hidden: 2, items: [] }, '00000002 02');
  });

  test('need not be given, and must not be wrong', () => {
    expect(toHex(encodeWith(type, '22.05', { hidden: 1, items: [5] }))).toBe('00000002010005');
    const error = protocolErrorOf(() => encodeWith(type, '22.05', { total: 1, hidden: 1, items: [5] }));
    expect([error.code, error.fieldPath]).toEqual(['SLURMWIRE_BAD_VALUE', 'items']);
    expect(error.message).toContain('there are 2 items, but total is 1');
  });

  test('more items than bytes, or fewer than none', () => {
    for (const hex of ['00000003010005', 'ffffffff00', '0000000001']) {
      const error = protocolErrorOf(() => decodeWith(type, '22.05', fromHex(hex)));
      expect([error.code, error.fieldPath, error.offset]).toEqual(['SLURMWIRE_BAD_COUNT', 'items', 5]);
    }
  });
});

describe('a list that was one value', () => {
  const type = struct({ paths: versions({ '20.11': atMostOne(text), '24.05': array(text) }) });

  test('null on the wire is the empty list', () => {
    expectBytes(type, '22.05', { paths: [] }, '00000000');
    expectBytes(type, '22.05', { paths: ['a'] }, '00000002 6100');
    expectBytes(type, '24.05', { paths: ['a', null] }, '00000002 00000002 6100 00000000');
  });

  test('what it cannot carry is refused', () => {
    expect(protocolErrorOf(() => encodeWith(type, '22.05', { paths: ['a', 'b'] }))).toMatchObject({
      code: 'SLURMWIRE_NOT_IN_RELEASE',
      fieldPath: 'paths',
      message: expect.stringContaining('has 2 items, but protocol 22.05 carries one'),
    });
    expect(protocolErrorOf(() => encodeWith(type, '22.05', { paths: [null] }))).toMatchObject({
      code: 'SLURMWIRE_BAD_VALUE',
      fieldPath: 'paths/0',
    });
    expect(protocolErrorOf(() => encodeWith(type, '22.05', { paths: [7 as never] }))).toMatchObject({
      code: 'SLURMWIRE_BAD_VALUE',
      fieldPath: 'paths/0',
    });
  });
});

describe('records that may be absent', () => {
  test('with a mark of another width and value', () => {
    const type = optional(struct({ x: u8 }), { width: 'u16', present: 0xff });
    expectBytes(type, '22.05', { x: 5 }, '00ff 05');
    expectBytes(type, '22.05', null, '0000');
  });

  test('with NO_VAL in place of the first field', () => {
    const type = struct({ inner: unlessNoVal(struct({ n: u32, x: u8 })) });
    expectBytes(type, '22.05', { inner: { n: 2, x: 5 } }, '00000002 05');
    expectBytes(type, '22.05', { inner: null }, 'fffffffe');
    expect(
      protocolErrorOf(() => encodeWith(type, '22.05', { inner: { n: 0xfffffffe, x: 5 } })),
    ).toMatchObject({ code: 'SLURMWIRE_BAD_VALUE', fieldPath: 'inner/n' });
    expect(protocolErrorOf(() => encodeWith(type, '22.05', { inner: 7 as never })).fieldPath).toBe('inner');
    expect(() => unlessNoVal(struct({ x: u8 }))).toThrow(TypeError);
  });

  test('whose content is not described', () => {
    const type = struct({ cred: optional(undescribed('a credential')) });
    expectBytes(type, '22.05', { cred: null }, '00');
    expect(protocolErrorOf(() => decodeWith(type, '22.05', fromHex('01aa')))).toMatchObject({
      code: 'SLURMWIRE_UNKNOWN_TYPE',
      fieldPath: 'cred',
      offset: 1,
    });
    expect(protocolErrorOf(() => encodeWith(type, '22.05', { cred: {} as never })).code).toBe(
      'SLURMWIRE_BAD_VALUE',
    );
  });
});

describe('a field that follows from others', () => {
  const inner = struct({ id: u32, more: u8.else(9) });
  const type = struct({
    id: u32.through('22.05').elseFrom((own) => own.whole?.id as number | undefined),
    whole: inner
      .since('23.02')
      .elseFrom((own) => (own.id === undefined ? undefined : { id: own.id as number, more: 9 })),
  });

  test('is there in every release', () => {
    expectBytes(type, '22.05', { id: 7, whole: { id: 7, more: 9 } }, '00000007');
    expectBytes(type, '23.02', { id: 7, whole: { id: 7, more: 1 } }, '00000007 01');
  });

  test('either may be given', () => {
    for (const release of ['22.05', '23.02'] as const) {
      const hex = release === '22.05' ? '00000007' : '0000000709';
      expect(toHex(encodeWith(type, release, { id: 7 }))).toBe(hex);
      expect(toHex(encodeWith(type, release, { whole: { id: 7 } }))).toBe(hex);
      expect(toHex(encodeWith(type, release, { id: 7, whole: { id: 7 } }))).toBe(hex);
    }
  });

  test('neither may be missing, and they must not contradict each other', () => {
    expect(protocolErrorOf(() => encodeWith(type, '22.05', {}))).toMatchObject({
      code: 'SLURMWIRE_FIELD_MISSING',
      fieldPath: 'id',
    });
    expect(protocolErrorOf(() => encodeWith(type, '23.02', {}))).toMatchObject({
      code: 'SLURMWIRE_FIELD_MISSING',
      fieldPath: 'whole',
    });
    for (const [release, path] of [
      ['22.05', 'whole'],
      ['23.02', 'id'],
    ] as const) {
      const error = protocolErrorOf(() => encodeWith(type, release, { id: 7, whole: { id: 8 } }));
      expect([error.code, error.fieldPath]).toEqual(['SLURMWIRE_NOT_IN_RELEASE', path]);
    }
    const error = protocolErrorOf(() => encodeWith(type, '22.05', { whole: { id: 7, more: 1 } }));
    expect([error.code, error.fieldPath]).toEqual(['SLURMWIRE_NOT_IN_RELEASE', 'whole']);
  });
});

describe('places in a layout', () => {
  const isLong = (own: Record<string, unknown>) => own.long === 1;
  const type = struct(
    { long: u8, a: u8, b: u8, extra: u8.when(isLong).else(0), late: u8.since('25.05').else(0) },
    [
      { since: '20.11', order: ['a', 'long', again('a'), 'b', 'extra'] },
      {
        since: '24.11',
        order: [
          ...['long', where(isLong, 'a'), 'extra', where(isLong, 'b')],
          ...[where((own) => !isLong(own), 'b'), where((own) => !isLong(own), 'a'), 'late'],
        ],
      },
    ],
  );

  test('a field that stands twice', () => {
    expectBytes(type, '22.05', { long: 1, a: 2, b: 3, extra: 4, late: 0 }, '02 01 02 03 04');
    expect(decodeWith(type, '22.05', fromHex('0201070304')).a).toBe(7);
  });

  test('an order that another field decides', () => {
    expectBytes(type, '24.11', { long: 1, a: 2, b: 3, extra: 4, late: 0 }, '01 02 04 03');
    expectBytes(type, '25.05', { long: 0, a: 2, b: 3, extra: 0, late: 5 }, '00 03 02 05');
  });

  test('a field that no release of the layout has need not be named, others must', () => {
    const since = (order: string[]) => () =>
      struct({ a: u8, late: u8.since('25.05').else(0) }, [{ since: '24.05', order }]);
    expect(since(['late', 'a'])).not.toThrow();
    expect(since(['a'])).toThrow(TypeError);
    expect(since(['a', 'late', 'nosuch'])).toThrow(TypeError);
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
