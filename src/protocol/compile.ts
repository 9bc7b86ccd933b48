/**
 * Turns a declaration into an encoder and a decoder, once per (type, release), and keeps them.
 */
import { type Address, readAddress, writeAddress } from './address.js';
import { readBitString, writeBitString } from './bit-string.js';
import type { ByteReader } from './byte-reader.js';
import type { ByteWriter } from './byte-writer.js';
import { CodecFault, within } from './codec-fault.js';
import { isAtLeast, type Release } from './release.js';
import { NO_VAL } from './sentinels.js';
import { showValue } from './slurm-error.js';
import type { BitString, Condition, CountField, Spec, Standing, WireType } from './wire-type.js';

type Fields = Record<string, unknown>;

/** Reads and writes one type in one release. `outer` is the enclosing record, for conditions that look outside. */
export interface Codec<Out = unknown, In = Out> {
  decode(reader: ByteReader, outer: Fields): Out;
  encode(writer: ByteWriter, value: In, outer: Fields): void;
  /** The fewest bytes a value takes: bounds counts before anything is allocated for them. */
  readonly minSize: number;
}

const compiled = new WeakMap<Spec, Map<Release, Codec>>();

/** The codec of `type` in `release`. */
export function codecOf<Out, In>(type: WireType<Out, In>, release: Release): Codec<Out, In> {
  const byRelease = compiled.get(type.spec) ?? new Map<Release, Codec>();
  compiled.set(type.spec, byRelease);
  const codec = byRelease.get(release) ?? compile(type.spec, release);
  byRelease.set(release, codec);
  return codec as Codec<Out, In>;
}

/** True when the release has this field at all. */
export function isFieldIn(field: WireType<unknown, unknown>, release: Release): boolean {
  return (
    (field.first === undefined || isAtLeast(release, field.first)) &&
    (field.last === undefined || isAtLeast(field.last, release))
  );
}

/** The case of a type that changed which holds in a release. */
export function caseIn(
  spec: Extract<Spec, { kind: 'versions' }>,
  release: Release,
): WireType<unknown, unknown> {
  const held = spec.cases.filter(([since]) => isAtLeast(release, since)).at(-1);
  if (held === undefined) throw new CodecFault('SLURMWIRE_NOT_IN_RELEASE', `has no form in ${release}`);
  return held[1];
}

function compile(spec: Spec, release: Release): Codec {
  switch (spec.kind) {
    case 'u8':
      return leaf(
        1,
        (r) => r.u8(),
        (w, v) => w.u8(v as number),
      );
    case 'u16':
      return leaf(
        2,
        (r) => r.u16(),
        (w, v) => w.u16(v as number),
      );
    case 'u32':
      return leaf(
        4,
        (r) => r.u32(),
        (w, v) => w.u32(v as number),
      );
    case 'u64':
      return leaf(
        8,
        (r) => r.u64(),
        (w, v) => w.u64(v as bigint),
      );
    case 'bigU32':
      return leaf(
        4,
        (r) => BigInt(r.u32()),
        (w, v) => w.bigU32(v as bigint),
      );
    case 'i64':
      return leaf(
        8,
        (r) => r.i64(),
        (w, v) => w.i64(v as bigint),
      );
    case 'bool':
      return leaf(
        1,
        (r) => r.u8() !== 0,
        (w, v) => w.u8(asBit(v)),
      );
    case 'text':
      return leaf(
        4,
        (r) => r.text(),
        (w, v) => w.text(v as string | null),
      );
    case 'address':
      return leaf(2, readAddress, (w, v) => writeAddress(w, v as Address));
    case 'double':
      return leaf(
        8,
        (r) => r.f64(),
        (w, v) => w.f64(v as number),
      );
    case 'bitString':
      return leaf(4, readBitString, (w, v) => writeBitString(w, v as BitString | null));
    case 'rest':
      return leaf(
        0,
        (r) => r.raw(r.remaining),
        (w, v) => w.raw(v as Uint8Array),
      );
    case 'struct':
      return compileStruct(spec, release);
    case 'list':
      return compileList(spec, release);
    case 'optional':
      return compileOptional(spec, codecOf(spec.item, release));
    case 'unlessNoVal':
      return compileUnlessNoVal(spec, codecOf(spec.item, release));
    case 'atMostOne':
      return compileAtMostOne(codecOf(spec.item, release), release);
    case 'undescribed':
      return compileUndescribed(spec.what);
    case 'versions':
      return codecOf(caseIn(spec, release), release);
    case 'dependent':
      return {
        minSize: 0,
        decode: (reader, outer) => codecOf(spec.choose(outer, release), release).decode(reader, outer),
        encode: (writer, value, outer) =>
          codecOf(spec.choose(outer, release), release).encode(writer, value, outer),
      };
  }
}

function leaf(
  minSize: number,
  read: (reader: ByteReader) => unknown,
  write: (writer: ByteWriter, value: unknown) => void,
): Codec {
  return {
    minSize,
    decode(reader) {
      const start = reader.offset;
      const value = read(reader);
      note(reader, start, '', value);
      return value;
    },
    encode: write,
  };
}

function asBit(value: unknown): number {
  if (typeof value !== 'boolean')
    throw new CodecFault('SLURMWIRE_BAD_VALUE', `${showValue(value)} is not a boolean`);
  return value ? 1 : 0;
}

/** The value of a field that is not on the wire, as far as the rest of the record is known. */
export function fallbackOf({ fallback }: WireType<unknown, unknown>, record: Fields): unknown {
  return fallback?.derive === undefined ? fallback?.value : fallback.derive(record);
}

/** A field of a struct in a release. */
export interface Slot {
  readonly name: string;
  readonly field: WireType<unknown, unknown>;
  /** Undefined where the release does not have the field. */
  readonly codec: Codec | undefined;
  /** Of a field that has several places in the layout: when this one is its place. */
  readonly place: Condition | undefined;
}

/** The fields of a struct in a release. */
export interface Places {
  /** All, in the order declared. */
  readonly slots: readonly Slot[];
  /** Those on the wire, in the order in which they stand there. */
  readonly carried: readonly (Slot & { readonly codec: Codec })[];
  readonly absent: readonly Slot[];
  /** Whose value follows from others where it is not given. */
  readonly derived: readonly Slot[];
}

export function placesOf(spec: Extract<Spec, { kind: 'struct' }>, release: Release): Places {
  const slots = spec.fields.map(([name, field]): Slot => {
    return {
      name,
      field,
      codec: isFieldIn(field, release) ? codecOf(field, release) : undefined,
      place: undefined,
    };
  });
  const layout = spec.layouts.filter((l) => isAtLeast(release, l.since)).at(-1);
  const placed = layout === undefined ? slots : layout.order.map((place) => slotAt(slots, place));
  const carried = placed.filter((slot): slot is Slot & { codec: Codec } => slot.codec !== undefined);
  const absent = slots.filter(({ codec }) => codec === undefined);
  const derived = slots.filter(({ field }) => field.fallback?.derive !== undefined);
  return { slots, carried, absent, derived };
}

function compileStruct(spec: Extract<Spec, { kind: 'struct' }>, release: Release): Codec {
  const { slots, carried, absent, derived } = placesOf(spec, release);
  const names = new Set(slots.map((slot) => slot.name));
  return {
    minSize: slots.reduce((sum, { codec, field }) => sum + (field.condition ? 0 : (codec?.minSize ?? 0)), 0),

    decode(reader, outer) {
      const record: Fields = {};
      // All keys first, in the order declared, so that records of one type look alike whatever the release's layout.
      for (const { name, field } of slots) record[name] = field.fallback?.value;
      for (const slot of carried) {
        if (slot.field.condition?.(record, outer) === false) continue;
        if (slot.place?.(record, outer) === false) continue;
        reader.trace?.path.push(slot.name);
        try {
          record[slot.name] = slot.codec.decode(reader, record);
        } catch (thrown) {
          throw within(thrown, slot.name);
        }
        reader.trace?.path.pop();
      }
      for (const { name, field } of derived) {
        if (record[name] === undefined) record[name] = fallbackOf(field, record);
      }
      return record;
    },

    encode(writer, value, outer) {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        throw new CodecFault('SLURMWIRE_BAD_VALUE', `${showValue(value)} is not a record`);
      }
      const given = value as Fields;
      for (const name of Object.keys(given)) {
        if (!names.has(name))
          throw within(new CodecFault('SLURMWIRE_BAD_VALUE', 'there is no such field'), name);
      }
      const record: Fields = {};
      for (const { name, field } of slots)
        record[name] = given[name] ?? (given[name] === null ? null : field.fallback?.value);
      for (const { name, field } of derived) {
        if (record[name] === undefined) record[name] = fallbackOf(field, record);
      }
      for (const { name, field } of absent) {
        const why = `protocol ${release} cannot carry it`;
        refuseUnlessFallback(name, field, record, why);
      }
      for (const { name, field, codec, place } of carried) {
        if (place?.(record, outer) === false) continue;
        if (field.condition?.(record, outer) === false) {
          refuseUnlessFallback(name, field, record, 'it is not on the wire beside these other fields');
          continue;
        }
        try {
          const own = record[name];
          if (own === undefined) throw new CodecFault('SLURMWIRE_FIELD_MISSING', 'is not given');
          codec.encode(writer, own, record);
        } catch (thrown) {
          throw within(thrown, name);
        }
      }
    },
  };
}

function slotAt(slots: readonly Slot[], place: string | Standing): Slot {
  const slot = slots.find(({ name }) => name === (typeof place === 'string' ? place : place.field)) as Slot;
  return typeof place === 'string' ? slot : { ...slot, place: place.condition };
}

/** Refuses a value that would be lost, since its field is not on the wire. */
function refuseUnlessFallback(
  name: string,
  field: WireType<unknown, unknown>,
  record: Fields,
  why: string,
): void {
  const value = record[name];
  const fallback = fallbackOf(field, record);
  // Where the fields it would follow from are missing, their own places say so.
  if (fallback === undefined || isSameValue(value, fallback)) return;
  const fault = new CodecFault('SLURMWIRE_NOT_IN_RELEASE', `is set to ${showValue(value)}, but ${why}`);
  throw within(fault, name);
}

/** Equal as far as fallbacks go: scalars, null, lists, plain small records, of which the caller may leave fields out. */
export function isSameValue(given: unknown, fallback: unknown): boolean {
  if (Object.is(given, fallback)) return true;
  if (typeof given !== 'object' || typeof fallback !== 'object' || given === null || fallback === null)
    return false;
  if (Array.isArray(given) && given.length !== (fallback as readonly unknown[]).length) return false;
  return Object.entries(given).every(
    ([key, value]) => value === undefined || isSameValue(value, (fallback as Fields)[key]),
  );
}

function compileList(spec: ListSpec, release: Release): Codec {
  const { item, count, nullable } = spec;
  const codec = codecOf(item, release);
  return {
    minSize: count === 'u16' ? 2 : count === 'u32' ? 4 : 0,

    decode(reader, outer) {
      const length = readLength(reader, spec, codec, outer);
      if (length === null) return null;
      const items: unknown[] = [];
      for (let i = 0; i < length; i++) {
        reader.trace?.path.push(i);
        try {
          items.push(codec.decode(reader, outer));
        } catch (thrown) {
          throw within(thrown, i);
        }
        reader.trace?.path.pop();
      }
      return items;
    },

    encode(writer, value, outer) {
      if (value === null && nullable) {
        writer.u32(NO_VAL);
        return;
      }
      if (!Array.isArray(value))
        throw new CodecFault('SLURMWIRE_BAD_VALUE', `${showValue(value)} is not an array`);
      if (count === 'u16') writer.u16(value.length);
      else if (count === 'u32') writer.u32(value.length);
      else checkCount(value.length, count, outer);
      for (let i = 0; i < value.length; i++) {
        try {
          codec.encode(writer, value[i], outer);
        } catch (thrown) {
          throw within(thrown, i);
        }
      }
    },
  };
}

export type ListSpec = Extract<Spec, { kind: 'list' }>;

/** How many items follow, no more than there can be in what is left; `null` for a list that is null. */
export function readLength(
  reader: ByteReader,
  { count, nullable }: ListSpec,
  { minSize }: Codec,
  outer: Fields,
): number | null {
  const at = reader.offset;
  const length = readCount(reader, count, outer);
  if (nullable && length === NO_VAL) return null;
  const minItem = Math.max(1, minSize);
  if (length >= 0 && length * minItem <= reader.remaining) return length;
  throw new CodecFault(
    'SLURMWIRE_BAD_COUNT',
    `${length} items of at least ${minItem} bytes, ${reader.remaining} left`,
    at,
  );
}

function readCount(reader: ByteReader, count: 'u16' | 'u32' | CountField, outer: Fields): number {
  if (typeof count !== 'string') return (outer[count.field] as number) - count.unlisted(outer);
  const start = reader.offset;
  const length = count === 'u16' ? reader.u16() : reader.u32();
  note(reader, start, ' (count)', length);
  return length;
}

function checkCount(length: number, { field, unlisted }: CountField, outer: Fields): void {
  const all = length + unlisted(outer);
  if (outer[field] === all) return;
  throw new CodecFault(
    'SLURMWIRE_BAD_VALUE',
    `there are ${all} items, but ${field} is ${showValue(outer[field])}`,
  );
}

/** Notes the bytes from `start` on for a dump, under the path walked so far. */
function note({ trace, offset }: ByteReader, start: number, what: string, value: unknown): void {
  trace?.spans.push({ path: `${trace.path.join('/')}${what}`, start, end: offset, value });
}

function compileOptional({ width, present }: Extract<Spec, { kind: 'optional' }>, item: Codec): Codec {
  return {
    minSize: width === 'u8' ? 1 : 2,
    decode(reader, outer) {
      const start = reader.offset;
      const mark = width === 'u8' ? reader.u8() : reader.u16();
      note(reader, start, ' (present)', mark);
      return mark === 0 ? null : item.decode(reader, outer);
    },
    encode(writer, value, outer) {
      const mark = value === null ? 0 : present;
      if (width === 'u8') writer.u8(mark);
      else writer.u16(mark);
      if (value !== null) item.encode(writer, value, outer);
    },
  };
}

function compileUnlessNoVal({ first }: Extract<Spec, { kind: 'unlessNoVal' }>, item: Codec): Codec {
  return {
    minSize: 4,
    decode(reader, outer) {
      const start = reader.offset;
      if (reader.u32() === NO_VAL) {
        note(reader, start, ' (present)', null);
        return null;
      }
      reader.offset = start;
      return item.decode(reader, outer);
    },
    encode(writer, value, outer) {
      if (value === null) {
        writer.u32(NO_VAL);
        return;
      }
      if ((value as Fields)[first] === NO_VAL) {
        const fault = new CodecFault('SLURMWIRE_BAD_VALUE', 'NO_VAL here says that there is no such record');
        throw within(fault, first);
      }
      item.encode(writer, value, outer);
    },
  };
}

function compileAtMostOne(item: Codec, release: Release): Codec {
  return {
    minSize: item.minSize,
    decode(reader, outer) {
      const value = item.decode(reader, outer);
      return value === null ? [] : [value];
    },
    encode(writer, value, outer) {
      if (!Array.isArray(value))
        throw new CodecFault('SLURMWIRE_BAD_VALUE', `${showValue(value)} is not an array`);
      if (value.length > 1) {
        const why = `has ${value.length} items, but protocol ${release} carries one`;
        throw new CodecFault('SLURMWIRE_NOT_IN_RELEASE', why);
      }
      if (value.length === 1 && value[0] === null) {
        throw within(new CodecFault('SLURMWIRE_BAD_VALUE', `null is "none" in protocol ${release}`), 0);
      }
      try {
        item.encode(writer, value.length === 0 ? null : value[0], outer);
      } catch (thrown) {
        throw within(thrown, 0);
      }
    },
  };
}

function compileUndescribed(what: string): Codec {
  return {
    minSize: 0,
    decode(reader) {
      throw new CodecFault(
        'SLURMWIRE_UNKNOWN_TYPE',
        `${what}, of which there is no description`,
        reader.offset,
      );
    },
    encode() {
      throw new CodecFault('SLURMWIRE_BAD_VALUE', `${what} has no description`);
    },
  };
}
