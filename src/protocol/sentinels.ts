/**
 * Slurm's numbers for "not set" and "unlimited". Wire records keep them as they are; these names and tests make them readable.
 *
 * Source: `slurm/slurm.h` of all releases 20.11 to 26.11.
 */

/** "Not set", 8 bits. */
export const NO_VAL8 = 0xfe;
/** "Not set", 16 bits. */
export const NO_VAL16 = 0xfffe;
/** "Not set", 32 bits. */
export const NO_VAL = 0xfffffffe;
/** "Not set", 64 bits. */
export const NO_VAL64 = 0xfffffffffffffffen;
/** "Unlimited", 8 bits. */
export const INFINITE8 = 0xff;
/** "Unlimited", 16 bits. */
export const INFINITE16 = 0xffff;
/** "Unlimited", 32 bits. */
export const INFINITE = 0xffffffff;
/** "Unlimited", 64 bits. */
export const INFINITE64 = 0xffffffffffffffffn;

/** True for "not set" in a 32-bit field. Narrower and wider fields: compare with their own constant. */
export function isNoVal(value: number): boolean {
  return value === NO_VAL;
}

/** True for "unlimited" in a 32-bit field. */
export function isInfinite(value: number): boolean {
  return value === INFINITE;
}
