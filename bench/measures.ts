import type { Measure } from './measure.js';
import { callMemory } from './measures/call-memory.js';
import { codec } from './measures/codec.js';
import { cpuPerKill } from './measures/cpu-per-kill.js';
import { fanOut } from './measures/fan-out.js';
import { growthCalls } from './measures/growth-calls.js';
import { growthJobs } from './measures/growth-jobs.js';
import { growthNodes } from './measures/growth-nodes.js';
import { importTime } from './measures/import-time.js';
import { installSize } from './measures/install-size.js';
import { killLatency } from './measures/kill-latency.js';
import { killsPerSecond } from './measures/kills-per-second.js';
import { massCancel } from './measures/mass-cancel.js';

/** All measures, in the order of the table. A file each in `measures/`. */
export const MEASURES: readonly Measure[] = [
  killsPerSecond,
  cpuPerKill,
  killLatency,
  massCancel,
  fanOut,
  codec,
  growthJobs,
  growthNodes,
  growthCalls,
  importTime,
  installSize,
  callMemory,
];
