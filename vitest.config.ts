import { defineConfig } from 'vitest/config';

/**
 * What counts or times on the whole host: one file at a time, since anything beside it would be seen. What looks at processes
 * and namespaces of its own does not belong here, however long it waits.
 */
const HOST_WIDE = [
  'test/integration/at-rest.test.ts',
  'test/integration/checks/host/{fd-select,local-traffic,run-queue-delay,throttling}.test.ts',
  'test/integration/checks/net/{drop-reasons,kernel-log}.test.ts',
  'test/integration/checks/nic/{packet-path,rfs}.test.ts',
  // Eight servers, one after the other, with as much load as this host can make: what ran beside them came to its limits.
  // So do servers that are moved, and a family of processes that all want the processor.
  'test/integration/migrate/{migrate,servers}.test.ts',
  'test/integration/probes/{connection-events,drops,kernel-log,socket-share}.test.ts',
  // Whoever looks at the processes of this host meanwhile sees a tuned.
  'test/integration/tune/tuner.test.ts',
  'test/integration/views/{busy,sched,traffic}.test.ts',
];

/** These look at a machine that others may use too. A second try is reported as such, and never hides at home. */
const retry = process.env.CI ? 1 : 0;

// unit: pure code. integration: real processes and the built command, in namespaces of their own, which mostly wait: two
// files at a time, also on two cores. host: the same, for what is host-wide.
export default defineConfig({
  // JSX as it is built: what React adds for developers is not what the command runs.
  oxc: { jsx: { development: false } },
  test: {
    disableConsoleIntercept: true,
    // Ends what hangs: a busy machine may be slow.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts', 'test/e2e/**/*.test.ts'],
          exclude: ['test/integration/guest/**', ...HOST_WIDE],
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          retry,
        },
      },
      {
        extends: true,
        test: { name: 'host', include: HOST_WIDE, fileParallelism: false, sequence: { groupOrder: 2 }, retry },
      },
      // Emulated hosts: they take minutes each, so that scripts/test.sh runs them beside the others.
      {
        extends: true,
        test: {
          name: 'guest',
          include: ['test/integration/guest/**/*.test.ts'],
          fileParallelism: false,
          retry,
        },
      },
      // The injector, built to watch its own memory, at work on the same programs; libsd in them is the one that ships.
      // units runs sockdoc itself, and unread waits more than it does.
      {
        extends: true,
        test: {
          name: 'sanitised',
          include: ['test/integration/inject/*.test.ts'],
          exclude: ['test/integration/inject/{units,unread}.test.ts'],
          env: { SOCKDOC_INJECT_BUILD: 'asan', ASAN_OPTIONS: 'detect_stack_use_after_return=1:strict_string_checks=1' },
          maxWorkers: 2,
          sequence: { groupOrder: 3 },
          retry,
        },
      },
      // Not a test: writes fixtures/hosts anew (npm run record), to be read before it is committed.
      { extends: true, test: { name: 'record', include: ['test/record/**/*.record.ts'], testTimeout: 600_000 } },
    ],
  },
});
