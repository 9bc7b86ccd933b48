/** "Nothing has changed since you last asked." */

/** SLURM_NO_CHANGE_IN_DATA. */
export const NO_CHANGE = 1900;

/** @param known as of when the caller knows it all, in seconds since 1970; 0: never. */
export function nothingSince(known: bigint, lastUpdate: number): boolean {
  // What changes in the second of an answer is told once more.
  return known - 1n >= BigInt(lastUpdate);
}
