import { isVersionChange } from './silent-close.js';

/** A controller is upgraded or downgraded once in a while, not in the time of one call. */
const PLANS = 3;

/**
 * Does work that plans for the version of the controller, and begins again where that speaks another one meanwhile and nothing was done.
 *
 * @param work settles a link by itself each time.
 */
export async function plannedAnew<T>(work: () => Promise<T>): Promise<T> {
  for (let plan = 1; ; plan++) {
    try {
      return await work();
    } catch (error) {
      if (plan === PLANS || !isVersionChange(error)) throw error;
    }
  }
}
