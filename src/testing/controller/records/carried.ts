/** Records for older peers: upstream's packing leaves out what their version has no room for, and so does this. */
import { isAtLeast, type Release } from '../../../protocol/release.js';
import type { Encodable, WireType } from '../../../protocol/wire-type.js';

// biome-ignore lint/suspicious/noExplicitAny: stands for "some type", which only `any` can say in both positions
type SomeType = WireType<any, any>;

/** Takes from a record of a message, or from a part of one, the fields that are not on the wire in this release. */
export function carriedIn<T extends SomeType>(type: T, release: Release, record: Encodable<T>): Encodable<T> {
  for (const name of absentIn(type, release)) (record as Record<string, undefined>)[name] = undefined;
  return record;
}

const ABSENT = new WeakMap<SomeType, Map<Release, readonly string[]>>();

function absentIn(type: SomeType, release: Release): readonly string[] {
  const known = ABSENT.get(type) ?? new Map<Release, readonly string[]>();
  ABSENT.set(type, known);
  const names = known.get(release) ?? namesAbsent(type, release);
  known.set(release, names);
  return names;
}

function namesAbsent({ spec }: SomeType, release: Release): string[] {
  if (spec.kind !== 'struct') throw new TypeError('only the fields of a struct come and go');
  return spec.fields
    .filter(
      ([, { first, last }]) =>
        (first !== undefined && !isAtLeast(release, first)) ||
        (last !== undefined && !isAtLeast(last, release)),
    )
    .map(([name]) => name);
}
