import { afterAll, expect, test } from 'vitest';
import { Workshop } from '../../../src/control/bench/workshop.js';
import type { BenchTransport } from '../../../src/model/bench.js';
import { haproxy } from '../../../src/services/bench/apps/haproxy.js';
import { memcached } from '../../../src/services/bench/apps/memcached.js';
import { nginx } from '../../../src/services/bench/apps/nginx.js';
import { postgres } from '../../../src/services/bench/apps/postgres.js';
import { redis } from '../../../src/services/bench/apps/redis.js';
import { allowedCpus } from '../../../src/services/bench/host.js';
import { missingPrograms } from '../../../src/services/bench/programs.js';
import { hasLibsd } from '../../support/libsd.js';

const workshop = new Workshop();
afterAll(() => workshop.close());

const transports: readonly BenchTransport[] = hasLibsd ? ['kernel', 'unix', 'shm'] : ['kernel', 'unix'];

const APPS = [redis, nginx, memcached, postgres, haproxy];

test.for(APPS)('$name answers its load by every transport that both speak', async (app, { skip }) => {
  const missing = missingPrograms(app.programs);
  if (missing) skip(missing.reason);
  const cases = app.cases({ quick: true, cpus: allowedCpus().slice(0, 2) });
  for (const transport of transports) {
    const [one] = cases.filter((candidate) => candidate.transports.includes(transport));
    if (!one) continue;
    const rig = await one.rig.open({ workshop, transport });
    const { value, carried } = await one.measure(rig, 50);
    expect(value).toBeGreaterThan(0);
    expect(carried !== undefined).toBe(transport === 'shm');
    expect(rig.pids()).toHaveLength(app === haproxy ? 2 : 1);
    await rig.close();
  }
});

test('an app that is not installed is named with the command that installs it', () => {
  expect(missingPrograms([{ name: 'no-such-server', package: 'no-such-package' }])).toEqual({
    reason: 'not installed: no-such-server',
    next: 'apt install no-such-package',
  });
});
