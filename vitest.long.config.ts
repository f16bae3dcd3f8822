import { defineConfig } from 'vitest/config';

/** `npm run test:long`: what does not fit the five minutes of `npm test`. One file at a time: they measure. */
export default defineConfig({
  test: {
    name: 'long',
    include: ['test/**/*.long.test.ts'],
    exclude: ['test/fixtures/**'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 600_000,
    hookTimeout: 120_000,
    teardownTimeout: 20_000,
  },
});
