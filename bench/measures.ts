import type { Measure } from './measure.js';
import { fanOut } from './measures/fan-out.js';
import { massCancel } from './measures/mass-cancel.js';

/** All measures, in the order of the table. A file each in `measures/`. */
export const MEASURES: readonly Measure[] = [massCancel, fanOut];
