import type { Suite } from '../cases.js';
import { missingPrograms } from '../programs.js';
import { nginx } from './nginx.js';
import { redis } from './redis.js';

const APPS = [redis, nginx];

/** Servers as they are, under their own load generators, as they are too. */
export const apps: Suite = {
  id: 'apps',
  title: 'Applications',
  measures: 'Requests that unmodified servers answer to their own load generators.',
  transports: ['kernel', 'unix', 'shm'],
  programs: APPS.flatMap(({ programs }) => programs),
  plan: (options) => ({
    cases: APPS.filter(({ programs }) => !missingPrograms(programs)).flatMap((app) => app.cases(options)),
    missing: APPS.flatMap(({ name, programs }) => {
      const missing = missingPrograms(programs);
      return missing ? [{ case: name, ...missing }] : [];
    }),
  }),
};
