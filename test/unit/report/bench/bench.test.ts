import { describe, expect, test } from 'vitest';
import type { BenchDocument } from '../../../../src/model/bench.js';
import { benchCsv } from '../../../../src/report/bench/csv.js';
import { benchHtml } from '../../../../src/report/bench/html.js';
import { benchMarkdown } from '../../../../src/report/bench/markdown.js';
import { benchSvg } from '../../../../src/report/bench/svg.js';
import { prettyBench, prettyComparison } from '../../../../src/report/pretty/bench.js';
import { compareResults } from '../../../../src/services/bench/compare.js';
import { benchDocument, benchResult, shmResult } from '../../../support/bench.js';
import { HOSTILE, isHarmless } from '../../../support/document.js';

const plain = { columns: 120, colour: false, unicode: true };

const sizes = (parts: Partial<BenchDocument> = {}) =>
  benchDocument({
    results: [1, 8, 1024].flatMap((bytes) => [
      benchResult({ case: `${bytes} B`, bytes }),
      shmResult({ case: `${bytes} B`, bytes }),
    ]),
    ...parts,
  });

describe('for people', () => {
  test('a line for each transport, with the ratio and the transfer of a line', () => {
    const lines = prettyBench(benchDocument(), plain).split('\n');
    expect(lines[2]).toMatch(/^8 B +CPU 0, 1 +kernel +50 µs +80 µs +8 % +100 ns$/);
    expect(lines[3]).toMatch(/^ +shm +0.25 µs +0.5 µs +8 % +200.0 ×$/);
  });

  test('what is no result of shared memory says so, and so does what others disturbed', () => {
    const kept = shmResult({ transport: 'libsd', reason: 'the policy denies it', ringShare: [0, 0, 0, 0, 0] });
    const text = prettyBench(benchDocument({ results: [benchResult({ disturbed: 2 }), kept] }), {
      ...plain,
      columns: 200,
    });
    expect(text).toContain('not by shared memory: the policy denies it');
    expect(text).toContain('others disturbed 2 of 5');
    expect(text).toMatch(/^ +libsd /m);
  });

  test('what could not be measured is named with what helps', () => {
    const notMeasured = [{ suite: 'apps', case: 'nginx', reason: 'not installed: wrk', next: 'apt install wrk' }];
    expect(prettyBench(benchDocument({ notMeasured }), plain)).toContain(
      'apps, nginx: not installed: wrk\n  apt install wrk',
    );
  });

  test('a comparison says what is worse', () => {
    const worse = benchResult({ p50: 100, repetitions: [99, 100, 101] });
    const compared = compareResults(
      { path: 'a', document: benchDocument() },
      { path: 'b', document: benchDocument({ results: [worse] }) },
    );
    const text = prettyComparison(compared, plain);
    expect(text).toMatch(/8 B +CPU 0, 1 +kernel +50 µs +100 µs +0.50 × +worse/);
    expect(text).toContain('Only in a:\n  rtt, 8 B, shm');
  });
});

describe('CSV', () => {
  test('has a line for each repetition', () => {
    const lines = benchCsv(benchDocument()).trimEnd().split('\r\n');
    expect(lines).toHaveLength(11);
    expect(lines[1]).toBe('rtt,8 B,kernel,8,0 1,round trip,us,1,48,90,,0');
    expect(lines[6]).toBe('rtt,8 B,shm,8,0 1,round trip,us,1,0.24,90,1,0');
  });

  test('is no formula, whatever a name is', () => {
    const csv = benchCsv(benchDocument({ results: [benchResult({ case: '=1+"2",3' })] }));
    expect(csv).toContain(`rtt,"'=1+""2"",3",kernel`);
  });
});

test('Markdown has a table for each suite', () => {
  const text = benchMarkdown(benchDocument());
  expect(text).toContain('## rtt\n\n| case | where | transport |');
  expect(text).toContain('| 8 B | CPU 0, 1 | shm | 0.25 µs | 0.5 µs | 8 % | 200.0 × | 100 ns |  |');
});

describe('charts', () => {
  test('have a line for each transport and a point for each size', () => {
    const svg = benchSvg(sizes());
    expect(svg.match(/<polyline/g)).toHaveLength(2);
    expect(svg.match(/<circle/g)).toHaveLength(6);
    expect(svg).toContain('Round trip by message size, CPU 0, 1');
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });

  test('lower is lower: 50 µs stands above 0.25 µs', () => {
    const at = [...benchSvg(sizes()).matchAll(/<circle cx="[\d.]+" cy="([\d.]+)"/g)].map((match) => Number(match[1]));
    expect(at[0]).toBeLessThan(at[3] as number);
  });

  test('where there is one case only, there is none', () => {
    expect(benchSvg(benchDocument())).toContain('Nothing was measured');
    expect(
      benchSvg(sizes({ results: sizes().results.map((result) => ({ ...result, repetitions: [], p50: 0 })) })),
    ).not.toMatch(/NaN|Infinity/);
  });
});

test('the page holds charts, tables and what they depend on, and loads nothing', () => {
  const html = benchHtml(sizes());
  expect(html).toContain('<h2>rtt</h2>');
  expect(html.match(/<tr>/g)).toHaveLength(7);
  expect(html).toContain('<svg');
  expect(html).toContain('Linux 6.18.0 x64, A Processor, 2 CPUs, virtual');
  expect(html).not.toMatch(/<script|<link|src=|href=/);
});

describe.each([
  ['markdown', benchMarkdown],
  ['csv', benchCsv],
  ['svg', benchSvg],
  ['html', benchHtml],
  ['text', (document: BenchDocument) => prettyBench(document, plain)],
])('as %s', (name, write) => {
  test('names of a hostile host are harmless', () => {
    const { host, settings } = benchDocument();
    const results = [1, 2].map((bytes) => benchResult({ case: HOSTILE + bytes, bytes, suite: HOSTILE }));
    const text = write(
      benchDocument({
        host: { ...host, hostname: HOSTILE, cpuModel: HOSTILE },
        settings: { ...settings, suites: [HOSTILE] },
        results,
        notMeasured: [{ suite: HOSTILE, case: HOSTILE, reason: HOSTILE, next: HOSTILE }],
      }),
    );
    expect(isHarmless(text.replaceAll('\r\n', '\n'))).toBe(true);
    if (name === 'html' || name === 'svg') expect(text).not.toContain('<b>');
  });
});
