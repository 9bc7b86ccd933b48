import type { Measure } from './measure.js';
import { codec } from './measures/codec.js';
import { importTime } from './measures/import-time.js';
import { installSize } from './measures/install-size.js';
import { massCancel } from './measures/mass-cancel.js';

/** All measures, in the order of the table. A file each in `measures/`. */
export const MEASURES: readonly Measure[] = [massCancel, codec, importTime, installSize];
import { fanOut } from './measures/fan-out.js';
import { massCancel } from './measures/mass-cancel.js';

/** All measures, in the order of the table. A file each in `measures/`. */
export const MEASURES: readonly Measure[] = [massCancel, fanOut];
