import { defineConfig } from 'vitest/config';

/** Everything of `npm test`: pure tests near the code, the house rules, and tests with real processes. */
export default defineConfig({
  test: {
    // One bound for all projects: two cores, and every cluster test runs six processes of its own.
    maxWorkers: 2,
    teardownTimeout: 20_000,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'test/transcripts/*.test.ts', 'test/sim/mutants/*.test.ts'],
          pool: 'forks',
          // Far above what they take: a slow day is no failure.
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'house',
          include: ['test/house/**/*.test.ts'],
          pool: 'forks',
          testTimeout: 60_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'cluster',
          include: ['test/**/*.test.ts'],
          exclude: [
            'test/house/**',
            'test/transcripts/**',
            'test/sim/**',
            'test/fixtures/**',
            'test/**/*.long.test.ts',
          ],
          pool: 'forks',
          testTimeout: 90_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
