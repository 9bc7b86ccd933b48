import { defineConfig } from 'vitest/config';
import { LONG, LONG_ON_EMBEDDED, ONLY_REAL } from './test/live/support/only-real.js';

const common = {
  setupFiles: ['test/support/seed.ts', 'test/support/watch.ts'],
  // Tests that change users or load native code want a process of their own, not a thread.
  pool: 'forks' as const,
  testTimeout: 60_000,
  hookTimeout: 180_000,
};

/** Set by `npm run test:live`, `test:embedded` and `test:long`. */
const isLong = process.env.SLURMWIRE_LIVE !== undefined;

const notEmbedded = [
  ...Object.keys(ONLY_REAL),
  ...(process.env.SLURMWIRE_LIVE === 'all' ? [] : LONG_ON_EMBEDDED),
];

export default defineConfig({
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    // The live ones mostly wait, for Slurm.
    maxWorkers: 4,
    projects: [
      {
        test: {
          ...common,
          name: 'tests',
          include: ['test/**/*.test.ts'],
          exclude: isLong ? [] : LONG.map((file) => `test/live/${file}`),
        },
      },
      {
        // The live suite once more, on the embedded cluster.
        test: {
          ...common,
          name: 'embedded',
          include: ['test/live/*.test.ts'],
          exclude: notEmbedded.map((file) => `test/live/${file}`),
          env: { SLURMWIRE_LIVE_ON: 'embedded' },
        },
      },
    ],
  },
});
