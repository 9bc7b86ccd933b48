/**
 * The vocabulary in which messages are declared. A declaration is data: the encoder and decoder of each release, the
 * TypeScript type, the annotated dump and the generated test values all come from the same one.
 *
 * ```ts
 * const body = struct({
 *   name: text,
 *   sluid: u64.since('24.11').else(0n),      // older releases do not have it; a decoder then says 0n
 *   flags: versions({ '20.11': u16, '24.05': u32 }),
 * });
 * ```
 */
import { isAtLeast, type Release } from './release.js';

/** What a type is, for the walkers: `compile.ts`, the tests' value generator, the annotated dump. */
export type Spec =
  | { readonly kind: 'u8' | 'u16' | 'u32' | 'u64' | 'i64' | 'bool' | 'bigU32' | 'double' }
  | { readonly kind: 'text' | 'bitString' | 'address' | 'rest' }
  | {
      readonly kind: 'struct';
      readonly fields: readonly (readonly [string, WireType<unknown, unknown>])[];
      readonly layouts: readonly Layout[];
    }
  | {
      readonly kind: 'list';
      readonly item: WireType<unknown, unknown>;
      readonly count: 'u16' | 'u32' | CountField;
      readonly nullable: boolean;
    }
  | {
      readonly kind: 'optional';
      readonly item: WireType<unknown, unknown>;
      readonly width: 'u8' | 'u16';
      readonly present: number;
    }
  | { readonly kind: 'unlessNoVal'; readonly item: WireType<unknown, unknown>; readonly first: string }
  | { readonly kind: 'atMostOne'; readonly item: WireType<unknown, unknown> }
  | { readonly kind: 'undescribed'; readonly what: string }
  | { readonly kind: 'versions'; readonly cases: readonly (readonly [Release, WireType<unknown, unknown>])[] }
  | {
      readonly kind: 'dependent';
      readonly choose: (own: Record<string, unknown>, release: Release) => WireType<unknown, unknown>;
    };

/** From `since` until the next layout, the fields stand on the wire in `order`, which names each that those releases have. */
export interface Layout {
  readonly since: Release;
  readonly order: readonly (string | Standing)[];
}

/** A place of a field in an order that is not its only one, see {@link again} and {@link where}. */
export interface Standing {
  readonly field: string;
  readonly condition: Condition | undefined;
}

/** A list's count that stands elsewhere: the field of that name in the enclosing record, less what is counted but not listed. */
export interface CountField {
  readonly field: string;
  readonly unlisted: (own: Record<string, unknown>) => number;
}

/** What a field is where it is not on the wire: a value, or one that other fields of the record give (undefined: they do not). */
export interface Fallback<Out> {
  readonly value?: Out;
  readonly derive?: Derivation<Out>;
}

// biome-ignore lint/suspicious/noExplicitAny: the record is the caller's, whose fields have not been checked yet
type Derivation<Out> = (own: Record<string, any>) => Out | undefined;

/** Decides from the fields before it (and the enclosing record's) whether a field is on the wire. */
export type Condition = (own: Record<string, unknown>, outer: Record<string, unknown>) => boolean;

/**
 * The type of one value on the wire: `Out` is what decoding gives, `In` what encoding takes. Immutable; the methods return a
 * changed copy and speak about the use of the type as a field.
 */
export class WireType<Out, In = Out> {
  readonly spec: Spec;
  /** First release that has the field. */
  readonly first: Release | undefined;
  /** Last release that has the field. */
  readonly last: Release | undefined;
  readonly condition: Condition | undefined;
  /** Value of the field where it is not on the wire, and where an encoder's caller leaves it out. */
  readonly fallback: Fallback<Out> | undefined;
  /** For the type checker only; never set. */
  declare readonly in: (value: In) => void;

  constructor(
    spec: Spec,
    use: Partial<Pick<WireType<Out, In>, 'first' | 'last' | 'condition' | 'fallback'>> = {},
  ) {
    this.spec = spec;
    this.first = use.first;
    this.last = use.last;
    this.condition = use.condition;
    this.fallback = use.fallback;
  }

  /** The field exists from this release on. Needs an {@link else}. */
  since(first: Release): WireType<Out, In> {
    return new WireType<Out, In>(this.spec, { ...this, first });
  }

  /** The field exists up to and including this release. Needs an {@link else}. */
  through(last: Release): WireType<Out, In> {
    return new WireType<Out, In>(this.spec, { ...this, last });
  }

  /** The field is on the wire only when this holds. Needs an {@link else}. */
  when(condition: Condition): WireType<Out, In> {
    return new WireType<Out, In>(this.spec, { ...this, condition });
  }

  /**
   * The value that stands for "not there". Encoding refuses any other value where the field cannot be carried. Frozen, since
   * all decoded records share it.
   */
  else(value: Out): WireType<Out, In | undefined> {
    return new WireType<Out, In | undefined>(this.spec, {
      first: this.first,
      last: this.last,
      condition: this.condition,
      fallback: { value: Object.freeze(value) as Out },
    });
  }

  /** Null stands for "not there": {@link else} for a type that has no null of its own. */
  elseNull(): WireType<Out | null, In | null | undefined> {
    return (this as WireType<Out | null, In | null>).else(null);
  }

  /**
   * The value follows from other fields of the record: decoding fills it in where it is not on the wire, encoding where the caller
   * leaves it out. So a field that a release renamed or reshaped has both forms in every release, and either may be given.
   */
  elseFrom(derive: Derivation<Out>): WireType<Out, In | undefined> {
    return new WireType<Out, In | undefined>(this.spec, {
      first: this.first,
      last: this.last,
      condition: this.condition,
      fallback: { derive },
    });
  }
}

// biome-ignore lint/suspicious/noExplicitAny: stands for "some type", which only `any` can say in both positions
type SomeType = WireType<any, any>;
type Fields = Readonly<Record<string, SomeType>>;
type OutOf<T> = T extends WireType<infer Out, infer _In> ? Out : never;
type InOf<T> = T extends WireType<infer _Out, infer In> ? In : never;
type Flat<T> = { [K in keyof T]: T[K] } & {};

type StructOut<F extends Fields> = Flat<{ -readonly [K in keyof F]: OutOf<F[K]> }>;
type OptionalKeys<F extends Fields> = { [K in keyof F]: undefined extends InOf<F[K]> ? K : never }[keyof F];
type StructIn<F extends Fields> = Flat<
  { readonly [K in Exclude<keyof F, OptionalKeys<F>>]: InOf<F[K]> } & {
    readonly [K in OptionalKeys<F>]?: InOf<F[K]>;
  }
>;

/** What decoding a type gives. */
export type Decoded<T extends SomeType> = OutOf<T>;
/** What encoding a type takes. */
export type Encodable<T extends SomeType> = InOf<T>;

export const u8 = new WireType<number>({ kind: 'u8' });
export const u16 = new WireType<number>({ kind: 'u16' });
export const u32 = new WireType<number>({ kind: 'u32' });
export const u64 = new WireType<bigint>({ kind: 'u64' });
/** A u32 as bigint: the narrow form, with {@link versions}, of what became a {@link u64}. */
export const bigU32 = new WireType<bigint>({ kind: 'bigU32' });
/** Seconds since the epoch, signed 64-bit. */
export const time = new WireType<bigint>({ kind: 'i64' });
/** One byte; any non-zero byte reads as true. */
export const bool = new WireType<boolean>({ kind: 'bool' });
/** A string, or null for C's NULL. The empty string is another value than null. */
export const text = new WireType<string | null>({ kind: 'text' });

/** What upstream multiplies a double with before it packs it (FLOAT_MULT). */
export const FLOAT_MULT = 1_000_000;

/**
 * Upstream's packdouble: the number **as it is on the wire, {@link FLOAT_MULT} times the value meant**. Not divided here, since
 * that rounds, and one in a few numbers would encode to other bytes than it came from. Only the payload of a NaN is not kept.
 */
export const double = new WireType<number>({ kind: 'double' });

/** A bit string: how many bits, and which of them are set, ascending. */
export interface BitString {
  readonly size: number;
  readonly set: readonly number[];
}

/**
 * A bit string, or null for none. On the wire: u32 number of bits (NO_VAL: none), then the bits as text, `0x` and one upper-case hex
 * digit per four bits, most significant first. Text of any other form is refused, so what was read encodes to the same bytes.
 */
export const bitString = new WireType<BitString | null>({ kind: 'bitString' });

/** Whatever is left of the message, as it is. */
export const rest = new WireType<Uint8Array>({ kind: 'rest' });

/** Fields one after another, in the order declared or in that of the newest layout not newer than the release. */
export function struct<const F extends Fields>(
  fields: F,
  layouts: readonly Layout[] = [],
): WireType<StructOut<F>, StructIn<F>> {
  const entries = Object.entries(fields);
  for (const [name, field] of entries) {
    if ((field.first ?? field.last ?? field.condition) !== undefined && field.fallback === undefined) {
      throw new TypeError(`field ${name} is not always on the wire and needs .else(value)`);
    }
  }
  layouts.forEach((layout, i) => {
    checkLayout(layout, layouts[i + 1]?.since, fields);
  });
  return new WireType({ kind: 'struct', fields: entries, layouts });
}

function checkLayout({ since, order }: Layout, until: Release | undefined, fields: Fields): void {
  const plain = order.filter((place) => typeof place === 'string');
  const named = new Set(order.map((place) => (typeof place === 'string' ? place : place.field)));
  const isElsewhere = ({ first, last }: SomeType) =>
    (last !== undefined && !isAtLeast(last, since)) ||
    (first !== undefined && until !== undefined && isAtLeast(first, until));
  const missing = Object.entries(fields).filter(([name, field]) => !named.has(name) && !isElsewhere(field));
  const strangers = [...named].filter((name) => !Object.hasOwn(fields, name));
  if (new Set(plain).size < plain.length || missing.length > 0 || strangers.length > 0) {
    throw new TypeError(`the layout since ${since} does not name each field once`);
  }
}

/** In a layout: the field stands here too, with the same value. The last one read counts, as it does upstream. */
export function again(field: string): Standing {
  return { field, condition: undefined };
}

/** In a layout: the field stands here when the condition holds. All such conditions of a field together leave it one place. */
export function where(condition: Condition, field: string): Standing {
  return { field, condition };
}

/** A u32 count, then the items; the count NO_VAL is null. */
export function list<O, I>(item: WireType<O, I>): WireType<O[] | null, readonly I[] | null> {
  return new WireType({ kind: 'list', item: item as SomeType, count: 'u32', nullable: true });
}

/** A count of the given width, then the items. */
export function array<O, I>(item: WireType<O, I>, count: 'u16' | 'u32' = 'u32'): WireType<O[], readonly I[]> {
  return new WireType({ kind: 'list', item: item as SomeType, count, nullable: false });
}

const NOTHING_UNLISTED = () => 0;

/**
 * Items whose count is the field `count` of the enclosing record, see {@link countOf}.
 *
 * @param unlisted how many are counted there but have no item.
 */
export function counted<O, I>(
  item: WireType<O, I>,
  count: string,
  unlisted: CountField['unlisted'] = NOTHING_UNLISTED,
): WireType<O[], readonly I[]> {
  const countField = { field: count, unlisted };
  return new WireType({ kind: 'list', item: item as SomeType, count: countField, nullable: false });
}

/** The count of a {@link counted} list, a u32. May be left out when encoding; a wrong one is refused. */
export function countOf(
  list: string,
  unlisted: CountField['unlisted'] = NOTHING_UNLISTED,
): WireType<number, number | undefined> {
  return u32.elseFrom((own) => (Array.isArray(own[list]) ? own[list].length + unlisted(own) : undefined));
}

/**
 * A list in releases whose wire has room for one item: null on the wire is the empty list. The item's type is one that has null.
 * With {@link versions}, so that callers see a list in the releases before as well.
 */
export function atMostOne<O, I>(item: WireType<O, I>): WireType<O[], readonly I[]> {
  return new WireType({ kind: 'atMostOne', item: item as SomeType });
}

/**
 * A byte (or u16) that says whether the value follows; null where it does not. Any but 0 reads as yes.
 *
 * @param mark how "yes" is written.
 */
export function optional<O, I>(
  item: WireType<O, I>,
  { width = 'u8', present = 1 }: { readonly width?: 'u8' | 'u16'; readonly present?: number } = {},
): WireType<O | null, I | null> {
  return new WireType({ kind: 'optional', item: item as SomeType, width, present });
}

/** A record whose first field is a u32: NO_VAL in its place is null, and nothing more follows. */
export function unlessNoVal<O, I>(item: WireType<O, I>): WireType<O | null, I | null> {
  const first = item.spec.kind === 'struct' ? item.spec.fields[0] : undefined;
  if (first?.[1].spec.kind !== 'u32') throw new TypeError('the first field of the record is not a u32');
  return new WireType({ kind: 'unlessNoVal', item: item as SomeType, first: first[0] });
}

/** Something that can be on the wire but that this library does not describe: neither reads nor writes it. */
export function undescribed(what: string): WireType<never> {
  return new WireType({ kind: 'undescribed', what });
}

/** A type that changed: each case holds from its release on. */
export function versions<const C extends Readonly<Partial<Record<Release, SomeType>>>>(
  cases: C,
): WireType<OutOf<NonNullable<C[keyof C]>>, InOf<NonNullable<C[keyof C]>>> {
  return new WireType({ kind: 'versions', cases: Object.entries(cases) as [Release, SomeType][] });
}

/** A type that the fields before it decide. */
export function dependent<O>(
  choose: (own: Record<string, unknown>, release: Release) => WireType<unknown, unknown>,
): WireType<O> {
  return new WireType<O>({ kind: 'dependent', choose });
}
