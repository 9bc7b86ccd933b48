import type { Measure } from './measure.js';
import { cpuPerKillMeasure } from './measures/cpu-per-kill.js';
import { killLatencyMeasure } from './measures/kill-latency.js';
import { killsPerSecondMeasure } from './measures/kills-per-second.js';

/** All measures, in the order of the table. A file each in `measures/`. */
export const MEASURES: readonly Measure[] = [killsPerSecondMeasure, cpuPerKillMeasure, killLatencyMeasure];
