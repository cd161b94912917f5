import { describe, expect, test } from 'vitest';
import type { PairReading } from '../../../../src/services/advise/readings.js';
import { effectsOf } from '../../../../src/services/migrate/effect.js';

interface Parts {
  bytesPerS: number;
  cores?: number;
  byMemory?: number;
  part?: number;
}

function reading({ bytesPerS, cores, byMemory = 0, part = 1 }: Parts): PairReading {
  const end = { uid: 0, partOfTraffic: part, ...(cores === undefined ? {} : { cpuCores: cores / 2 }) };
  const flow = { bytesPerS: bytesPerS / 2, segmentsPerS: bytesPerS / 128 };
  const pair = { client: 1, server: 2, ports: [80], connections: 1, byMemory, severalHolders: 0 };
  return {
    pair: { ...pair, toServer: flow, toClient: flow },
    client: { pid: 1, comm: 'wrk', ...end },
    server: { pid: 2, comm: 'nginx', ...end },
    othersCores: 0,
  };
}

const effect = (before: Parts, after: Parts) =>
  effectsOf([reading(before)], [reading({ byMemory: 1, ...after })], undefined)[0];

describe('what moving did', () => {
  test('throughput after by before, and CPU per byte before by after', () => {
    const found = effect({ bytesPerS: 1e6, cores: 1 }, { bytesPerS: 4e6, cores: 2 });
    expect(found).toMatchObject({ client: { pid: 1, comm: 'wrk' }, timesThroughput: 4, timesLessCpu: 2 });
    expect(found).not.toHaveProperty('predictedTimesLessCpu');
  });

  test('the part of a process that is the pair’s is that of before: messages in memory are not counted', () => {
    const found = effect({ bytesPerS: 1e6, cores: 1, part: 0.5 }, { bytesPerS: 1e6, cores: 0.5, part: 0.1 });
    expect(found).toMatchObject({ before: { cpuCores: 0.5 }, after: { cpuCores: 0.25 }, timesLessCpu: 2 });
  });

  test('too little says nothing', () => {
    expect(effect({ bytesPerS: 10, cores: 1 }, { bytesPerS: 1e6, cores: 1 })).not.toHaveProperty('timesThroughput');
    expect(effect({ bytesPerS: 1e6, cores: 1 }, { bytesPerS: 1e6, cores: 0.001 })).not.toHaveProperty('timesLessCpu');
    expect(effect({ bytesPerS: 1e6 }, { bytesPerS: 2e6 })).toMatchObject({ timesThroughput: 2 });
  });

  test('a pair that did not move, or had moved before, has no effect', () => {
    expect(effect({ bytesPerS: 1e6 }, { bytesPerS: 1e6, byMemory: 0 })).toBeUndefined();
    expect(effect({ bytesPerS: 1e6, byMemory: 1 }, { bytesPerS: 1e6 })).toBeUndefined();
    expect(effectsOf([reading({ bytesPerS: 1e6 })], [], undefined)).toEqual([]);
  });
});
