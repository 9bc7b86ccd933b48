/** All targets, each loaded when it is wanted: what is not loaded has no counters to look through. */
import type { Target } from '../target.js';

type Load = () => Promise<Target>;

export const TARGETS: Readonly<Record<string, Load>> = {
  body: async () => (await import('./body.js')).body,
  frame: async () => (await import('./frame.js')).frame,
};
