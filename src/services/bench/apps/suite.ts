import type { Suite } from '../cases.js';
import { missingPrograms } from '../programs.js';
import { haproxy } from './haproxy.js';
import { memcached } from './memcached.js';
import { nginx } from './nginx.js';
import { postgres } from './postgres.js';
import { redis } from './redis.js';

const APPS = [redis, nginx, memcached, postgres, haproxy];

/** Servers as they are, under their own load generators, as they are too. */
export const apps: Suite = {
  id: 'apps',
  title: 'Applications',
  measures: 'Requests that unmodified servers answer to their own load generators.',
  transports: ['kernel', 'unix', 'shm'],
  programs: [...new Map(APPS.flatMap(({ programs }) => programs).map((one) => [one.name, one])).values()],
  plan: (options) => ({
    cases: APPS.filter(({ programs }) => !missingPrograms(programs)).flatMap((app) => app.cases(options)),
    missing: APPS.flatMap(({ name, programs }) => {
      const missing = missingPrograms(programs);
      return missing ? [{ case: name, ...missing }] : [];
    }),
  }),
};
