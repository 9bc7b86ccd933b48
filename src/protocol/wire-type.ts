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
import type { Release } from './release.js';

/** What a type is, for the walkers: `compile.ts`, the tests' value generator, the annotated dump. */
export type Spec =
  | { readonly kind: 'u8' | 'u16' | 'u32' | 'u64' | 'i64' | 'bool' | 'text' | 'address' | 'rest' }
  | {
      readonly kind: 'struct';
      readonly fields: readonly (readonly [string, WireType<unknown, unknown>])[];
      readonly layouts: readonly Layout[];
    }
  | {
      readonly kind: 'list';
      readonly item: WireType<unknown, unknown>;
      readonly count: 'u16' | 'u32';
      readonly nullable: boolean;
    }
  | { readonly kind: 'optional'; readonly item: WireType<unknown, unknown> }
  | { readonly kind: 'versions'; readonly cases: readonly (readonly [Release, WireType<unknown, unknown>])[] }
  | {
      readonly kind: 'dependent';
      readonly choose: (own: Record<string, unknown>, release: Release) => WireType<unknown, unknown>;
    };

/** From `since` on, the fields stand on the wire in `order` (which names each of them once). */
export interface Layout {
  readonly since: Release;
  readonly order: readonly string[];
}

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
  readonly fallback: { readonly value: Out } | undefined;
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
/** Seconds since the epoch, signed 64-bit. */
export const time = new WireType<bigint>({ kind: 'i64' });
/** One byte; any non-zero byte reads as true. */
export const bool = new WireType<boolean>({ kind: 'bool' });
/** A string, or null for C's NULL. The empty string is another value than null. */
export const text = new WireType<string | null>({ kind: 'text' });

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
  for (const { since, order } of layouts) {
    if ([...order].sort().join() !== Object.keys(fields).sort().join()) {
      throw new TypeError(`the layout since ${since} does not name each field once`);
    }
  }
  return new WireType({ kind: 'struct', fields: entries, layouts });
}

/** A u32 count, then the items; the count NO_VAL is null. */
export function list<O, I>(item: WireType<O, I>): WireType<O[] | null, readonly I[] | null> {
  return new WireType({ kind: 'list', item: item as SomeType, count: 'u32', nullable: true });
}

/** A count of the given width, then the items. */
export function array<O, I>(item: WireType<O, I>, count: 'u16' | 'u32' = 'u32'): WireType<O[], readonly I[]> {
  return new WireType({ kind: 'list', item: item as SomeType, count, nullable: false });
}

/** One byte that says whether the value follows; null where it does not. */
export function optional<O, I>(item: WireType<O, I>): WireType<O | null, I | null> {
  return new WireType({ kind: 'optional', item: item as SomeType });
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
