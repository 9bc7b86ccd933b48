import type { Measure } from './measure.js';
import { importTime } from './measures/import-time.js';
import { installSize } from './measures/install-size.js';

/** All measures, in the order of the table. A file each in `measures/`. */
export const MEASURES: readonly Measure[] = [importTime, installSize];
