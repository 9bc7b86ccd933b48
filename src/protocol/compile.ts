/**
 * Turns a declaration into an encoder and a decoder, once per (type, release), and keeps them.
 */
import { type Address, readAddress, writeAddress } from './address.js';
import type { ByteReader } from './byte-reader.js';
import type { ByteWriter } from './byte-writer.js';
import { CodecFault, within } from './codec-fault.js';
import { isAtLeast, type Release } from './release.js';
import { NO_VAL } from './sentinels.js';
import { showValue } from './slurm-error.js';
import type { Spec, WireType } from './wire-type.js';

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
      return compileOptional(codecOf(spec.item, release));
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
      reader.trace?.spans.push({ path: reader.trace.path.join('/'), start, end: reader.offset, value });
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

interface Slot {
  readonly name: string;
  readonly field: WireType<unknown, unknown>;
  /** Undefined where the release does not have the field. */
  readonly codec: Codec | undefined;
}

function compileStruct(spec: Extract<Spec, { kind: 'struct' }>, release: Release): Codec {
  const slots = spec.fields.map(([name, field]): Slot => {
    return { name, field, codec: isFieldIn(field, release) ? codecOf(field, release) : undefined };
  });
  const layout = spec.layouts.filter((l) => isAtLeast(release, l.since)).at(-1);
  const onWire =
    layout === undefined ? slots : layout.order.map((name) => slots.find((s) => s.name === name) as Slot);
  const names = new Set(slots.map((slot) => slot.name));
  return {
    minSize: slots.reduce((sum, { codec, field }) => sum + (field.condition ? 0 : (codec?.minSize ?? 0)), 0),

    decode(reader, outer) {
      const record: Fields = {};
      // All keys first, in the order declared, so that records of one type look alike whatever the release's layout.
      for (const { name, field } of slots) record[name] = field.fallback?.value;
      for (const slot of onWire) {
        if (slot.codec === undefined || slot.field.condition?.(record, outer) === false) continue;
        reader.trace?.path.push(slot.name);
        try {
          record[slot.name] = slot.codec.decode(reader, record);
        } catch (thrown) {
          throw within(thrown, slot.name);
        }
        reader.trace?.path.pop();
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
      for (const slot of onWire) {
        try {
          encodeSlot(slot, writer, record, outer, release);
        } catch (thrown) {
          throw within(thrown, slot.name);
        }
      }
    },
  };
}

function encodeSlot(
  { name, field, codec }: Slot,
  writer: ByteWriter,
  record: Fields,
  outer: Fields,
  release: Release,
): void {
  const value = record[name];
  if (codec === undefined || field.condition?.(record, outer) === false) {
    if (sameValue(value, field.fallback?.value)) return;
    const why =
      codec === undefined
        ? `protocol ${release} cannot carry it`
        : 'it is not on the wire beside these other fields';
    throw new CodecFault('SLURMWIRE_NOT_IN_RELEASE', `is set to ${showValue(value)}, but ${why}`);
  }
  if (value === undefined) throw new CodecFault('SLURMWIRE_FIELD_MISSING', 'is not given');
  codec.encode(writer, value, record);
}

/** Equal as far as fallbacks go, which are scalars, null, empty lists or plain small records. */
function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => sameValue((a as Fields)[key], (b as Fields)[key]))
  );
}

function compileList({ item, count, nullable }: Extract<Spec, { kind: 'list' }>, release: Release): Codec {
  const codec = codecOf(item, release);
  const minItem = Math.max(1, codec.minSize);
  return {
    minSize: count === 'u16' ? 2 : 4,

    decode(reader, outer) {
      const at = reader.offset;
      const length = count === 'u16' ? reader.u16() : reader.u32();
      if (nullable && length === NO_VAL) return null;
      if (length * minItem > reader.remaining) {
        throw new CodecFault(
          'SLURMWIRE_BAD_COUNT',
          `${length} items of at least ${minItem} bytes, ${reader.remaining} left`,
          at,
        );
      }
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
      else writer.u32(value.length);
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

function compileOptional(item: Codec): Codec {
  return {
    minSize: 1,
    decode: (reader, outer) => (reader.u8() === 0 ? null : item.decode(reader, outer)),
    encode(writer, value, outer) {
      writer.u8(value === null ? 0 : 1);
      if (value !== null) item.encode(writer, value, outer);
    },
  };
}
