import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['test/support/seed.ts'],
    // Tests that change users or load native code want a process of their own, not a thread.
    pool: 'forks',
    // The live ones mostly wait, for Slurm.
    maxWorkers: 4,
    testTimeout: 60_000,
    hookTimeout: 180_000,
  },
});
