/** Numbers and names of all message types, described here or not. Source: `slurm_msg_type_t` of each release. */
import { MESSAGE_TYPE_ROWS } from './generated/message-type-rows.js';
import type { Release } from './release.js';
import { rowIn, rowsBy } from './versioned-table.js';

const byNumber = rowsBy(MESSAGE_TYPE_ROWS, 0);
const byName = rowsBy(MESSAGE_TYPE_ROWS, 1);

/** Upstream's name of a message number in a release (some numbers were reused), or `null`. */
export function messageTypeName(type: number, release: Release): string | null {
  return rowIn(byNumber.get(type), release)?.[1] ?? null;
}

/** The number of a message name in a release, or `null` where that release does not have it. */
export function messageTypeNumber(name: string, release: Release): number | null {
  return rowIn(byName.get(name), release)?.[0] ?? null;
}
