/**
 * Slurm's numbers for "not set" and "unlimited". Wire records keep them as they are; these names and tests make them readable.
 *
 * Source: `slurm/slurm.h` of all releases 20.11 to 26.11.
 */

export const NO_VAL8 = 0xfe;
export const NO_VAL16 = 0xfffe;
export const NO_VAL = 0xfffffffe;
export const NO_VAL64 = 0xfffffffffffffffen;
export const INFINITE8 = 0xff;
export const INFINITE16 = 0xffff;
export const INFINITE = 0xffffffff;
export const INFINITE64 = 0xffffffffffffffffn;

/** "Not set", for a 32-bit field. Narrower and wider fields: compare with their own constant. */
export function isNoVal(value: number): boolean {
  return value === NO_VAL;
}

/** "Unlimited", for a 32-bit field. */
export function isInfinite(value: number): boolean {
  return value === INFINITE;
}
