import { defineConfig } from 'vitest/config';

// unit: pure code. integration and e2e: real processes, namespaces and the built command; one file at a time, because the
// host's counters are shared and this is meant to pass on two cores.
export default defineConfig({
  test: {
    disableConsoleIntercept: true,
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts', 'test/e2e/**/*.test.ts'],
          exclude: ['test/integration/guest/**'],
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // These look at a whole machine that others may use too. A second try is reported as such, and never hides at home.
          retry: process.env.CI ? 1 : 0,
        },
      },
      // Emulated hosts: they take minutes each, so that scripts/test.sh runs them beside the others.
      {
        extends: true,
        test: {
          name: 'guest',
          include: ['test/integration/guest/**/*.test.ts'],
          fileParallelism: false,
          retry: process.env.CI ? 1 : 0,
        },
      },
      // Not a test: writes fixtures/hosts anew (npm run record), to be read before it is committed.
      { extends: true, test: { name: 'record', include: ['test/record/**/*.record.ts'], testTimeout: 600_000 } },
    ],
  },
});
