import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { hasLibsd } from '../../support/libsd.js';

const SCRIPT = fileURLToPath(new URL('../../../scripts/python-suites.mjs', import.meta.url));

// The quick suites, and of the large one what is about TCP; `npm run test:python` runs them all, in whole.
const SUITES: readonly { suite: string; without?: string }[] = [
  {
    suite: 'test_socket',
    without: 'UDP|Unix|UNIX|CAN|BT|RDS|QIPCRTR|Hyper|SCMRights|LinuxKernelCrypto|NetworkConnection',
  },
  { suite: 'test_selectors' },
  { suite: 'test_socketserver' },
  { suite: 'test_httplib' },
  { suite: 'test_smtplib' },
  { suite: 'test_xmlrpc', without: 'MultiPath' },
];

describe.runIf(hasLibsd).concurrent("Python's own tests end on rings as they do without", () => {
  it.for(SUITES)('$suite', { timeout: 180_000 }, async ({ suite, without }, { skip }) => {
    if (!existsSync('/usr/lib/python3.11/test/test_socket.py')) skip('needs libpython3.11-testsuite');
    const flags = ['--rings', ...(without === undefined ? [] : [`--without=${without}`])];
    const { exitCode, stdout } = await execa(process.execPath, [SCRIPT, ...flags, suite], { reject: false });
    expect({ exitCode, stdout }).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('all end as without') });
  });
});
