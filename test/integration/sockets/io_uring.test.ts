import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiled, hasLibsd, outcomeOf, upgrading } from '../../support/libsd.js';
import { MonitorBench } from '../../support/monitor.js';

const IO_URING = 33; // of native/abi/reasons.h

const PROGRAMS = {
  'linked with liburing': { suffix: '-shared', libraries: ['-luring'] },
  'with liburing inside': { suffix: '-static', libraries: ['-l:liburing.a'] },
};

// liburing makes its system calls itself, so no hook sees what it does with a socket.
describe.runIf(hasLibsd).concurrent('a program that uses its sockets by io_uring', () => {
  let bench: MonitorBench;
  beforeAll(async () => {
    bench = new MonitorBench();
    await bench.running();
  });
  afterAll(() => bench.remove());

  const missing = existsSync('/usr/include/liburing.h') ? undefined : 'liburing-dev is not installed';

  for (const [how, build] of Object.entries(PROGRAMS)) {
    it.for(['early', 'late'])(
      `${how}, which makes its ring %s, keeps its stream and stays on the kernel`,
      async (when, { skip }) => {
        if (missing !== undefined) skip(missing);
        const program = await outcomeOf([compiled('libsd/liburing', build), when], upgrading(bench.socket));
        if (program.stdout.includes('io_uring_queue_init failed')) skip('this kernel has no io_uring for us');
        const lines = program.stdout.trimEnd().split('\n');
        const stayed = when === 'late' ? ['before: by the kernel'] : [];
        expect(lines.slice(0, -1)).toEqual([...stayed, 'by the ring: 4', 'ordinary', 'by the ring: 6', 'answer']);
        expect(lines.at(-1)?.split(' ')).toContain(String(IO_URING));
        expect(program).toMatchObject({ status: 0, stderr: '' });
      },
    );
  }
});
