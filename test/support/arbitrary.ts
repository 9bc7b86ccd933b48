/** Random values of a declaration: what the round-trip tests feed to the codec. */
import fc from 'fast-check';
import { caseIn, isFieldIn } from '../../src/protocol/compile.js';
import { NO_VAL, type Release } from '../../src/protocol/index.js';
import type { BitString } from '../../src/protocol/wire-type.js';
import { type AnyType, isUndescribed, settled } from './description.js';

type Fields = Record<string, unknown>;

/** Arbitraries in place of the derived ones, by path without list positions: `returnList/type`. */
export type Overrides = Readonly<Record<string, fc.Arbitrary<unknown>>>;

/**
 * Values that a release can carry whole, in the shape that decoding gives: all keys there, fields that are not on the wire at their
 * fallback.
 */
export function arbitraryOf(
  type: AnyType,
  release: Release,
  overrides: Overrides = {},
): fc.Arbitrary<unknown> {
  return valuesOf(type, release, '', overrides).map((value) => settled(type, value, release));
}

/** Strings in every shape the wire knows but NULL: empty, control characters, beyond the BMP, bytes that are not UTF-8. */
export function anyText(): fc.Arbitrary<string> {
  const escaped = (byte: number) => String.fromCharCode(0xdc00 + byte);
  const part = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 4 }).map((text) => text.replaceAll('\0', '0')),
    fc.constantFrom(
      '\n',
      '\x01',
      '\x7f',
      '"',
      '\\',
      'ü',
      '\u2028',
      '\ufeff',
      '\ufffd',
      '\uffff',
      '😀',
      '𝒳\u{10ffff}',
    ),
    // Bytes that begin no UTF-8 sequence, and first bytes of a sequence that does not go on: no such neighbours make a character,
    // which would decode as that character.
    fc.integer({ min: 0x80, max: 0xc1 }).map(escaped),
    fc.integer({ min: 0xf5, max: 0xff }).map(escaped),
    fc.integer({ min: 0xc2, max: 0xf4 }).map((byte) => `${escaped(byte)}/`),
  );
  return fc.oneof(
    fc.constant(''),
    fc.array(part, { maxLength: 6 }).map((parts) => parts.join('')),
  );
}

/** Addresses as decoding writes them. The URL parser of the platform is the authority on how IPv6 is shortened. */
export function anyAddress(): fc.Arbitrary<unknown> {
  const port = fc.integer({ min: 0, max: 0xffff });
  const ipv4 = fc.ipV4().map((address) => ({ family: 2, address }));
  const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
  const ipv6 = fc.array(group, { minLength: 8, maxLength: 8 }).map((groups) => {
    const text = groups.map((value) => value.toString(16)).join(':');
    return { family: 10, address: new URL(`http://[${text}]/`).hostname.slice(1, -1) };
  });
  const other = fc.integer({ min: 0, max: 0xffff }).filter((family) => family !== 2 && family !== 10);
  return fc.oneof(
    fc.tuple(fc.oneof(ipv4, ipv6), port).map(([address, number]) => ({ ...address, port: number })),
    other.map((family) => ({ family })),
  );
}

/** Bit strings with the ends of the range, whole and broken hex digits well represented. */
export function anyBitString(): fc.Arbitrary<BitString> {
  const size = fc.oneof(fc.constantFrom(0, 1, 3, 4, 5, 8, 63, 64, 65), fc.integer({ min: 0, max: 300 }));
  return size.chain((bits) => {
    const set = bits === 0 ? fc.constant([]) : fc.uniqueArray(fc.integer({ min: 0, max: bits - 1 }));
    return set.map((positions) => ({ size: bits, set: [...positions].sort((a, b) => a - b) }));
  });
}

function valuesOf(
  type: AnyType,
  release: Release,
  path: string,
  overrides: Overrides,
): fc.Arbitrary<unknown> {
  const override = overrides[path];
  if (override !== undefined) return override;
  const { spec } = type;
  switch (spec.kind) {
    case 'u8':
      return integers(0xff);
    case 'u16':
      return integers(0xffff);
    case 'u32':
      return integers(0xffffffff);
    case 'u64':
      return bigints(0n, 2n ** 64n - 1n);
    case 'bigU32':
      return bigints(0n, 2n ** 32n - 1n);
    case 'i64':
      return bigints(-(2n ** 63n), 2n ** 63n - 1n);
    case 'bool':
      return fc.boolean();
    case 'text':
      return fc.option(anyText(), { nil: null, freq: 4 });
    case 'double':
      return fc.double();
    case 'bitString':
      return fc.option(anyBitString(), { nil: null, freq: 4 });
    case 'address':
      return anyAddress();
    case 'rest':
      return fc.uint8Array({ maxLength: 20 });
    case 'struct':
      return structsOf(spec.fields, release, path, overrides);
    case 'list': {
      const items = fc.array(valuesOf(spec.item, release, path, overrides), { maxLength: 3 });
      return spec.nullable ? fc.option(items, { nil: null, freq: 4 }) : items;
    }
    case 'atMostOne': {
      const item = valuesOf(spec.item, release, path, overrides).filter((value) => value !== null);
      return fc.array(item, { maxLength: 1 });
    }
    case 'optional':
    case 'unlessNoVal': {
      if (isUndescribed(type)) return fc.constant(null);
      const item = valuesOf(spec.item, release, path, overrides);
      const possible =
        spec.kind === 'optional' ? item : item.filter((value) => (value as Fields)[spec.first] !== NO_VAL);
      return fc.option(possible, { nil: null, freq: 4 });
    }
    case 'undescribed':
      throw new Error(`${path}: what is not described has no values`);
    case 'versions':
      return valuesOf(caseIn(spec, release), release, path, overrides);
    case 'dependent':
      throw new Error(`${path}: a dependent type has values only beside the fields it depends on`);
  }
}

function structsOf(
  fields: readonly (readonly [string, AnyType])[],
  release: Release,
  path: string,
  overrides: Overrides,
): fc.Arbitrary<Fields> {
  const present = fields.filter(([, field]) => isFieldIn(field, release));
  const values = (field: AnyType, name: string) =>
    valuesOf(field, release, path === '' ? name : `${path}/${name}`, overrides);
  const free = present.filter(([, field]) => field.spec.kind !== 'dependent');
  const own = fc.record(Object.fromEntries(free.map(([name, field]) => [name, values(field, name)])));
  return own.chain((record) => {
    const dependents = present.flatMap(([name, field]) =>
      field.spec.kind === 'dependent' ? [[name, values(field.spec.choose(record, release), name)]] : [],
    );
    return fc.record(Object.fromEntries(dependents)).map((more) => ({ ...record, ...more }));
  });
}

/** Numbers with the ends of the range and Slurm's sentinels of every width well represented. */
function integers(max: number): fc.Arbitrary<number> {
  const special = [
    0, 1, 0xfe, 0xff, 0xfffe, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffd, 0xfffffffe, 0xffffffff,
  ];
  return fc.oneof(fc.constantFrom(...special.filter((value) => value <= max)), fc.integer({ min: 0, max }));
}

function bigints(min: bigint, max: bigint): fc.Arbitrary<bigint> {
  const special = [min, min + 1n, -1n, 0n, 1n, 2n ** 53n + 1n, max - 1n, max];
  return fc.oneof(
    fc.constantFrom(...special.filter((value) => value >= min && value <= max)),
    fc.bigInt({ min, max }),
  );
}
