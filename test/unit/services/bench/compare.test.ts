import { expect, test } from 'vitest';
import { compareResults } from '../../../../src/services/bench/compare.js';
import { benchDocument, benchResult, shmResult } from '../../../support/bench.js';

const run = (path: string, parts: Parameters<typeof benchDocument>[0] = {}) => ({
  path,
  document: benchDocument(parts),
});

test('what both measured is compared, what one alone measured is named', () => {
  const twice = shmResult({ p50: 0.125, repetitions: [0.12, 0.125, 0.125, 0.126, 0.13] });
  const only = benchResult({ case: '64 B', bytes: 64, cpus: [0, 0] });
  const document = compareResults(run('a'), run('b', { results: [twice, only] }));
  expect(document.compared).toEqual([
    {
      suite: 'rtt',
      case: '8 B',
      transport: 'shm',
      cpus: [0, 1],
      unit: 'us',
      from: 0.25,
      to: 0.125,
      times: 2,
      verdict: 'better',
    },
  ]);
  expect(document.onlyFrom).toEqual(['rtt, 8 B, kernel, CPU 0 and 1']);
  expect(document.onlyTo).toEqual(['rtt, 64 B, kernel, CPU 0']);
  expect(document.differences).toEqual([]);
});

test('what else differs between the runs is told', () => {
  const { host, settings } = benchDocument();
  const other = run('b', {
    host: { ...host, kernel: '6.19.0', mitigations: {} },
    versions: { 'redis-server': '8.0.0' },
    settings: { ...settings, environment: { SOCKDOC_SPIN_US: '50' } },
  });
  expect(compareResults(run('a'), other).differences).toEqual([
    { what: 'kernel', from: '6.18.0', to: '6.19.0' },
    { what: 'redis-server', from: '7.0.15', to: '8.0.0' },
    { what: 'spectre_v2', from: 'Mitigation; Retpolines', to: 'none' },
    { what: 'SOCKDOC_SPIN_US', from: 'none', to: '50' },
  ]);
});
