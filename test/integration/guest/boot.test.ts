import { describe, expect, test } from 'vitest';
import { guestUnavailable, runGuest } from '../../support/guest.js';

const reason = guestUnavailable();

describe.skipIf(reason)(`a guest${reason ? ` (skipped: ${reason})` : ''}`, () => {
  test("has the hardware that was asked for, this machine's programs, and gives its files back", async () => {
    const guest = await runGuest({
      cpus: 4,
      numaNodes: 2,
      script:
        'cat /sys/devices/system/node/online; nproc; node -e "process.stdout.write(process.version)"; echo kept > /guest/file; exit 3',
    });
    expect(guest.status, guest.stderr).toBe(3);
    expect(guest.stdout).toBe(`0-1\n4\n${process.version}`);
    expect(guest.read('file').toString()).toBe('kept\n');
  }, 250_000);
});
