/** Walks declarations: which fields a message has, where, and a plain value with everything in it. */
import { caseIn, isFieldIn } from '../../src/protocol/compile.js';
import { MESSAGES, type MessageName, type Release } from '../../src/protocol/index.js';
import { messageType } from '../../src/protocol/messages/index.js';
import type { Spec, WireType } from '../../src/protocol/wire-type.js';

export type AnyType = WireType<unknown, unknown>;
export type Path = readonly (string | number)[];

/** Every described message with its declaration. */
export const DESCRIBED: readonly (readonly [name: MessageName, type: AnyType])[] = (
  Object.keys(MESSAGES) as MessageName[]
).map((name) => [name, messageType(name)]);

/** A field of a record, and whether the release walked has it. Paths lead through item 0 of lists. */
export interface FieldPlace {
  readonly path: Path;
  readonly field: AnyType;
  readonly present: boolean;
  /** What the field is in that release, behind `versions`. */
  readonly spec: Spec;
}

/** All fields of a type in a release, outermost first; of fields the release lacks only the field itself. */
export function fieldPlaces(type: AnyType, release: Release, path: Path = []): FieldPlace[] {
  const { spec } = type;
  switch (spec.kind) {
    case 'struct':
      return spec.fields.flatMap(([name, field]) => {
        const here = [...path, name];
        const present = isFieldIn(field, release);
        const place = { path: here, field, present, spec: present ? formIn(field, release) : field.spec };
        return present ? [place, ...fieldPlaces(field, release, here)] : [place];
      });
    case 'list':
      return fieldPlaces(spec.item, release, [...path, 0]);
    case 'optional':
      return fieldPlaces(spec.item, release, path);
    case 'versions':
      return fieldPlaces(caseIn(spec, release), release, path);
    default:
      return [];
  }
}

/** A value with everything in it that the release can carry: optionals there, lists of one, no field at its fallback. */
export function exampleOf(type: AnyType, release: Release): unknown {
  const { spec } = type;
  switch (spec.kind) {
    case 'u8':
    case 'u16':
    case 'u32':
      return 3;
    case 'u64':
      return 4n;
    case 'i64':
      return -5n;
    case 'bool':
      return true;
    case 'text':
      return 'text';
    case 'address':
      return { family: 2, address: '192.0.2.7', port: 6818 };
    case 'rest':
      return Uint8Array.of(1, 0, 2);
    case 'struct':
      return Object.fromEntries(
        spec.fields.map(([name, field]) => [
          name,
          isFieldIn(field, release) ? exampleOf(field, release) : field.fallback?.value,
        ]),
      );
    case 'list':
      return [exampleOf(spec.item, release)];
    case 'optional':
      return exampleOf(spec.item, release);
    case 'versions':
      return exampleOf(caseIn(spec, release), release);
    case 'dependent':
      return {};
  }
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
    case 'i64':
      return 8n;
    case 'bool':
      return false;
    case 'text':
      return 'other';
    case 'address':
      return { family: 10, address: '2001:db8::1', port: 6817 };
    case 'list':
      return [];
    case 'optional':
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
