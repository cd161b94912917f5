import { expect, test } from 'vitest';
import { width } from '../../../src/report/layout.js';
import { prettyCheck } from '../../../src/report/pretty/check.js';
import { documentOf, HOSTILE, isHarmless, plainResult, resultOf } from '../../support/document.js';

const plain = { columns: undefined, colour: false, unicode: true, verbose: false };

test('a finding says what was seen, why, what to do, at what risk and how to undo it; the action comes last', () => {
  const text = prettyCheck(documentOf([resultOf(), plainResult({ id: 'orphans', status: 'pass' })]), plain);
  expect(text).toBe(`sockdoc 1.2.3 · web · Linux 6.18.0 x64 · 2 CPUs, 8 GiB · window 1 s · 2026-01-01T00:00:00.000Z

✖ FAIL (1)

✖ listen-overflow: 12 connections were turned away
  About server, pid 42, 0.0.0.0:80
  Seen  TcpExtListenOverflows: +12 in the window, 1,234,567 in total (/proc/net/netstat)
  Why   Clients wait.
  Do    Accept faster. Or raise the backlog.
        sysctl -w net.core.somaxconn=8192
  Risk  Longer waits.
  Undo  sysctl -w net.core.somaxconn=4096
  Needs restart of the application
  More  sockdoc explain listen-overflow

1 fail, 0 warn, 0 info, 1 pass, 0 not applicable
→ Do first: listen-overflow (server, pid 42, 0.0.0.0:80): Accept faster: sysctl -w net.core.somaxconn=8192
`);
});

test('findings of one check share their reasons and remedies', () => {
  const text = prettyCheck(documentOf([resultOf(), resultOf({ summary: 'another listener' })]), plain);
  expect(text.match(/Clients wait/g)).toHaveLength(1);
  expect(text.match(/somaxconn=8192/g)).toHaveLength(2); // once as the remedy, once in the last line
  expect(text).toContain('✖ listen-overflow: another listener');
});

test('worst first, passes only on request, suppressed ones apart', () => {
  const results = [
    plainResult({ id: 'a', status: 'pass', summary: 'fine' }),
    plainResult({ id: 'b', status: 'info' }),
    plainResult({ id: 'c', status: 'warn' }),
    plainResult({ id: 'd', status: 'fail' }),
    plainResult({ id: 'e', status: 'fail', suppressed: { reason: 'known', expires: '2027-01-01' } }),
  ];
  const text = prettyCheck(documentOf(results), plain);
  const at = ['✖ d:', '▲ c:', '● b:', 'e (fail)'].map((mark) => text.indexOf(mark));
  expect(at.every((position) => position > 0)).toBe(true);
  expect(at).toEqual(at.toSorted((x, y) => x - y));
  expect(text).toContain('Accepted: known, until 2027-01-01');
  expect(text).not.toContain('fine');
  expect(prettyCheck(documentOf(results), { ...plain, verbose: true })).toContain('✔ a: fine');
});

test('an incomplete run says what it could not see and which privilege helps', () => {
  const results = [
    plainResult({ id: 'a', status: 'unknown', summary: 'sockets could not be read' }),
    plainResult({ id: 'b', status: 'unknown', summary: 'sockets could not be read' }),
  ];
  const gaps = [
    { probe: 'sockets', what: 'descriptors', reason: 'permission denied', needs: 'CAP_SYS_PTRACE', count: 12 },
    { probe: 'links', what: 'rings of lo', reason: 'not supported' },
  ];
  const text = prettyCheck(documentOf(results, { gaps, action: null }), plain);
  expect(text).toContain('a, b: sockets could not be read');
  expect(text).toContain('CAP_SYS_PTRACE would help: descriptors (12 times): permission denied');
  expect(text).toContain('sudo sockdoc check');
  expect(text).toContain('this run is incomplete');
  expect(text.trimEnd().split('\n').at(-1)).toBe(
    '→ Nothing to do about what could be seen; some checks could not see (above).',
  );
});

test('text of the host cannot steer the terminal, and colours are ours alone', () => {
  const result = resultOf({
    summary: HOSTILE,
    why: HOSTILE,
    subject: { comm: HOSTILE, pid: 1 },
    evidence: [{ source: HOSTILE, key: HOSTILE, value: HOSTILE, unit: HOSTILE }],
  });
  const gaps = [{ probe: 'x', what: HOSTILE, reason: HOSTILE, needs: HOSTILE }];
  const document = documentOf([result], { action: HOSTILE, gaps, selection: HOSTILE });
  expect(isHarmless(prettyCheck(document, { ...plain, verbose: true }))).toBe(true);
  const coloured = prettyCheck(document, { ...plain, colour: true });
  expect(coloured).toContain('\u001b[31m');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: our own colours are what is removed here
  expect(isHarmless(coloured.replace(/\u001b\[\d+m/g, ''))).toBe(true);
});

test.each([20, 40, 60, 80, 200])('at %i columns no line is wider', (columns) => {
  const long = resultOf({ summary: `${'word '.repeat(60)}${'x'.repeat(300)}` });
  for (const unicode of [true, false]) {
    const text = prettyCheck(documentOf([long]), { columns, colour: false, unicode, verbose: true });
    for (const line of text.split('\n')) expect(width(line)).toBeLessThanOrEqual(columns);
  }
});

test('without Unicode only ASCII is written', () => {
  expect(prettyCheck(documentOf([resultOf({ summary: 'größer → 大' })]), { ...plain, unicode: false })).toMatch(
    /^[\n\x20-\x7e]*$/,
  );
});
