/** All targets, each loaded when it is wanted: what is not loaded has no counters to look through. */
import type { Target } from '../target.js';

export const TARGETS: Readonly<Record<string, () => Promise<Target>>> = {
  body: async () => (await import('./body.js')).body,
  frame: async () => (await import('./frame.js')).frame,
  reply: async () => (await import('./reply.js')).reply,
  verbs: async () => (await import('./verbs.js')).verbs,
  munge: async () => (await import('./munge.js')).munge,
  sack: async () => (await import('./sack.js')).sack,
  jwt: async () => (await import('./jwt.js')).jwt,
  hostlist: async () => (await import('./hostlist.js')).hostlist,
  ids: async () => (await import('./ids.js')).ids,
  'slurm-conf': async () => (await import('./slurm-conf.js')).slurmConf,
  fixture: async () => (await import('./fixture.js')).fixture,
  capture: async () => (await import('./capture.js')).capture,
  decode: async () => (await import('./decode.js')).decode,
  embedded: async () => (await import('./embedded.js')).embedded,
  redact: async () => (await import('./redact.js')).redact,
};
