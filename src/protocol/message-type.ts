/** Numbers and names of all message types, described here or not. Source: `slurm_msg_type_t` of each release. */
import { MESSAGE_TYPE_ROWS } from './generated/message-type-rows.js';
import type { Release } from './release.js';
import { rowIn, rowsBy } from './versioned-table.js';

const byNumber = rowsBy(MESSAGE_TYPE_ROWS, 0);
const byName = rowsBy(MESSAGE_TYPE_ROWS, 1);

/** What was found before: {@link rowIn} compares releases row by row. */
const nameFound = new Map<Release, Map<number, string>>();
const numberFound = new Map<Release, Map<string, number>>();

/** Upstream's name of a message number in a release (some numbers were reused), or `null`. */
export function messageTypeName(type: number, release: Release): string | null {
  return (
    recalled(nameFound, release, type) ??
    note(nameFound, release, type, rowIn(byNumber.get(type), release)?.[1])
  );
}

/** The number of a message name in a release, or `null` where that release does not have it. */
export function messageTypeNumber(name: string, release: Release): number | null {
  return (
    recalled(numberFound, release, name) ??
    note(numberFound, release, name, rowIn(byName.get(name), release)?.[0])
  );
}

type Found<K, V> = Map<Release, Map<K, V>>;

function recalled<K, V>(found: Found<K, V>, release: Release, key: K): V | undefined {
  return found.get(release)?.get(key);
}

/** Only what there is: what there is not could be asked for without end. */
function note<K, V>(found: Found<K, V>, release: Release, key: K, value: V | undefined): V | null {
  if (value === undefined) return null;
  const inRelease = found.get(release) ?? new Map<K, V>();
  found.set(release, inRelease.set(key, value));
  return value;
}
