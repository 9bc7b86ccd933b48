/** Walks declarations: which fields a message has, where, and a plain value with everything in it. */
import { caseIn, fallbackOf, isFieldIn } from '../../src/protocol/compile.js';
import { MESSAGES, type MessageName, type Release } from '../../src/protocol/index.js';
import { messageType } from '../../src/protocol/messages/index.js';
import type { CountField, Spec, WireType } from '../../src/protocol/wire-type.js';

export type AnyType = WireType<unknown, unknown>;
export type Path = readonly (string | number)[];
type Fields = Record<string, unknown>;

/** Every described message with its declaration. */
export const DESCRIBED: readonly (readonly [name: MessageName, type: AnyType])[] = (
  Object.keys(MESSAGES) as MessageName[]
).map((name) => [name, messageType(name)]);

/** A field of a record, and whether the release walked has it. Paths lead through item 0 of lists. */
export interface FieldPlace {
  readonly path: Path;
  readonly field: AnyType;
  readonly present: boolean;
  /** Present, and its condition holds in the value walked. */
  readonly onWire: boolean;
  /** What the field is in that release, behind `versions`. */
  readonly spec: Spec;
}

/**
 * All fields of a type in a release, outermost first; of fields that are not on the wire only the field itself. Conditions are those of
 * `value`, whose lists have one item.
 */
export function fieldPlaces(
  type: AnyType,
  release: Release,
  value: unknown = exampleOf(type, release),
): FieldPlace[] {
  return placesIn(type, release, value, {}, []);
}

function placesIn(type: AnyType, release: Release, value: unknown, outer: Fields, path: Path): FieldPlace[] {
  const spec = formIn(type, release);
  switch (spec.kind) {
    case 'struct': {
      const record = (value ?? {}) as Fields;
      return spec.fields.flatMap(([name, field]) => {
        const here = [...path, name];
        const present = isFieldIn(field, release);
        const onWire = present && field.condition?.(record, outer) !== false;
        const place = {
          path: here,
          field,
          present,
          onWire,
          spec: present ? formIn(field, release) : field.spec,
        };
        return onWire ? [place, ...placesIn(field, release, record[name], record, here)] : [place];
      });
    }
    case 'list':
    case 'atMostOne':
      return placesIn(spec.item, release, (value as unknown[] | undefined)?.[0], outer, [...path, 0]);
    case 'optional':
    case 'unlessNoVal':
      return placesIn(spec.item, release, value, outer, path);
    default:
      return [];
  }
}

/** A value with everything in it that the release can carry: optionals there, lists of one, no field at its fallback. */
export function exampleOf(type: AnyType, release: Release): unknown {
  return settled(type, undefined, release);
}

/** True for what the codec neither reads nor writes. */
export function isUndescribed({ spec }: AnyType): boolean {
  return spec.kind === 'undescribed' || (spec.kind === 'optional' && isUndescribed(spec.item));
}

function simpleExample(spec: Spec): unknown {
  switch (spec.kind) {
    case 'u8':
    case 'u16':
    case 'u32':
      return 3;
    case 'u64':
    case 'bigU32':
      return 4n;
    case 'i64':
      return -5n;
    case 'bool':
      return true;
    case 'double':
      return 1500000.5;
    case 'text':
      return 'text';
    case 'bitString':
      return { size: 6, set: [5] };
    case 'address':
      return { family: 2, address: '192.0.2.7', port: 6818 };
    case 'rest':
      return Uint8Array.of(1, 0, 2);
    default:
      return undefined;
  }
}

/**
 * The value with what other fields decide put right: fallbacks where a field is not on the wire, derived fields as the others have it,
 * counts as long as their lists, an example where something is missing. Keys in the order declared.
 */
export function settled(type: AnyType, value: unknown, release: Release, outer: Fields = {}): unknown {
  const spec = formIn(type, release);
  if (isUndescribed(type) || (value === null && spec.kind !== 'struct')) return value ?? null;
  switch (spec.kind) {
    case 'struct':
      return settledRecord(spec.fields, (value ?? {}) as Fields, release, outer);
    case 'list':
    case 'atMostOne':
      return ((value ?? [undefined]) as unknown[]).map((item) => settled(spec.item, item, release, outer));
    case 'optional':
    case 'unlessNoVal':
      return settled(spec.item, value, release, outer);
    case 'dependent':
      return value === undefined ? {} : settled(spec.choose(outer, release), value, release, outer);
    default:
      return value ?? simpleExample(spec);
  }
}

function settledRecord(
  fields: readonly (readonly [string, AnyType])[],
  given: Fields,
  release: Release,
  outer: Fields,
): Fields {
  const record: Fields = {};
  const offWire: (readonly [string, AnyType])[] = [];
  for (const [name, field] of fields) {
    const carried = isFieldIn(field, release) && field.condition?.(record, outer) !== false;
    if (!carried) offWire.push([name, field]);
    // A field that was off the wire has null there, which its type need not have.
    const value = field.condition === undefined ? given[name] : (given[name] ?? undefined);
    record[name] = carried ? settled(field, value, release, record) : field.fallback?.value;
  }
  for (const [name, field] of offWire) record[name] = fallbackOf(field, record);
  for (const [, field] of fields) {
    const count = countFieldOf(field, release);
    const counter = fields.find(([name]) => name === count?.field)?.[1];
    if (count !== undefined && counter !== undefined) {
      record[count.field] = fallbackOf(counter, record) ?? record[count.field];
    }
  }
  return record;
}

/** The field that counts the items of a list, where the list does not do it itself. */
function countFieldOf(type: AnyType, release: Release): CountField | undefined {
  const spec = formIn(type, release);
  if (spec.kind === 'list') return typeof spec.count === 'string' ? undefined : spec.count;
  return spec.kind === 'optional' ? countFieldOf(spec.item, release) : undefined;
}

/** Another valid value than {@link exampleOf} gives. */
export function otherExampleOf(type: AnyType, release: Release): unknown {
  const spec = formIn(type, release);
  switch (spec.kind) {
    case 'u8':
    case 'u16':
    case 'u32':
      return 7;
    case 'u64':
    case 'bigU32':
    case 'i64':
      return 8n;
    case 'bool':
      return false;
    case 'double':
      return Number.NEGATIVE_INFINITY;
    case 'bitString':
      return { size: 0, set: [] };
    case 'text':
      return 'other';
    case 'address':
      return { family: 10, address: '2001:db8::1', port: 6817 };
    case 'list':
    case 'atMostOne':
      return [];
    case 'optional':
    case 'unlessNoVal':
      return null;
    case 'rest':
      return new Uint8Array(0);
    case 'struct':
      return Object.fromEntries(spec.fields.map(([name, field]) => [name, otherExampleOf(field, release)]));
    default:
      return undefined;
  }
}

/** What stands on the wire for a type in a release. */
export function formIn(type: AnyType, release: Release): Spec {
  return type.spec.kind === 'versions' ? formIn(caseIn(type.spec, release), release) : type.spec;
}

/** False for a type that takes whatever is left of the message. */
export function hasKnownEnd(type: AnyType): boolean {
  return fieldPlaces(type, '26.11').every(({ spec }) => spec.kind !== 'rest');
}

/** A deep copy of `value` with `replacement` at `path`; `undefined` takes the field away. */
export function withAt(value: unknown, path: Path, replacement: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return replacement;
  if (Array.isArray(value))
    return value.map((item, i) => (i === step ? withAt(item, rest, replacement) : item));
  const { [step]: inner, ...others } = value as Record<string, unknown>;
  if (rest.length === 0 && replacement === undefined) return others;
  return { ...others, [step]: withAt(inner, rest, replacement) };
}

export function at(value: unknown, path: Path): unknown {
  return path.reduce((inner, step) => (inner as Record<string | number, unknown>)[step], value);
}
