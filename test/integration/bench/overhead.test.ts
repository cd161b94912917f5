import { afterAll, describe, expect, test } from 'vitest';
import type { BenchDocument, BenchResult } from '../../../src/model/bench.js';
import { allowedCpus } from '../../../src/services/bench/host.js';
import { sockdoc, workFolder } from '../../support/cli.js';
import { hasLibsd } from '../../support/libsd.js';
import { expectValid } from '../../support/schemas.js';

const folder = workFolder();
afterAll(folder.remove);

describe.runIf(hasLibsd)('what libsd costs where it does not help', () => {
  test('is measured, and not called shared memory', async () => {
    const args = ['bench', 'run', 'overhead', '--quick', '--duration', '20ms', '--json'];
    const { stdout, stderr, code } = await sockdoc(args, { env: { TMPDIR: folder.path } });
    expect({ stderr, code }, stdout).toEqual({ stderr: '', code: 0 });
    const document = JSON.parse(stdout) as BenchDocument;
    await expectValid('bench', document);
    const crowd = `${8 * allowedCpus().length} busy processes on ${allowedCpus().length} CPUs, round trips`;
    const cases = [
      'start and end of a program',
      'only the server has libsd, round trip',
      'only the server has libsd, one way',
    ];
    const of = (name: string) => document.results.filter((result) => result.case === name);
    for (const name of [...cases, crowd]) {
      for (const { repetitions } of of(name)) for (const value of repetitions) expect(value, name).toBeGreaterThan(0);
    }
    const named = ({ transport, reason }: BenchResult) => [transport, reason];
    expect(cases.map((name) => of(name).map(named))).toEqual([
      [
        ['kernel', undefined],
        ['libsd', 'it talks to nobody'],
      ],
      [
        ['kernel', undefined],
        ['libsd', 'the client has no libsd'],
      ],
      [
        ['kernel', undefined],
        ['libsd', 'the client has no libsd'],
      ],
    ]);
    expect(of(crowd)).toHaveLength(2);
  });
});
