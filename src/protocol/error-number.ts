import { ERROR_ROWS } from './generated/error-rows.js';
import { rowsBy } from './versioned-table.js';

/** Made by the first who asks: few errors are made by name. */
let byName: ReturnType<typeof rowsBy<1>> | undefined;

/** The number of an error name (unique through all releases), or `null`. */
export function errorNumber(name: string): number | null {
  byName ??= rowsBy(ERROR_ROWS, 1);
  return byName.get(name)?.[0]?.[0] ?? null;
}
