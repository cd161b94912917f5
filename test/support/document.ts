import type { CheckDocument, Result } from '../../src/model/results.js';

/** A finding with everything that a writer may meet. */
export const resultOf = (parts: Partial<Result> = {}): Result => ({
  id: 'listen-overflow',
  title: 'Accept queue overflows',
  category: 'tcp',
  status: 'fail',
  summary: '12 connections were turned away',
  evidence: [
    { source: '/proc/net/netstat', key: 'TcpExtListenOverflows', value: 12, unit: '1', scope: 'window' },
    { source: '/proc/net/netstat', key: 'TcpExtListenOverflows', value: 1234567, unit: '1', scope: 'total' },
  ],
  subject: { pid: 42, comm: 'server', listener: '0.0.0.0:80' },
  why: 'Clients wait.',
  remedy: {
    summary: 'Accept faster. Or raise the backlog.',
    commands: ['sysctl -w net.core.somaxconn=8192'],
    tunes: [{ key: 'net.core.somaxconn', from: '4096', to: '8192' }],
    risk: 'Longer waits.',
    undo: 'sysctl -w net.core.somaxconn=4096',
    needs: 'restart of the application',
  },
  references: ['https://docs.kernel.org/networking/snmp_counter.html (TcpExtListenOverflows)'],
  ...parts,
});

export const plainResult = (parts: Partial<Result>): Result => {
  const { remedy: _remedy, subject: _subject, ...rest } = resultOf({ evidence: [], references: [] });
  return { ...rest, ...parts };
};

export function documentOf(results: Result[], parts: Partial<CheckDocument> = {}): CheckDocument {
  const count = (status: Result['status']) => results.filter((r) => r.status === status && !r.suppressed).length;
  return {
    schemaVersion: 1,
    command: 'check',
    version: '1.2.3',
    takenAt: '2026-01-01T00:00:00.000Z',
    durationMs: 1010,
    windowMs: 1000,
    host: {
      hostname: 'web',
      kernel: '6.18.0',
      arch: 'x64',
      cpus: 2,
      memoryBytes: 2 ** 33,
      container: null,
      netns: '1',
    },
    summary: {
      pass: count('pass'),
      info: count('info'),
      warn: count('warn'),
      fail: count('fail'),
      skip: count('skip'),
      unknown: count('unknown'),
      notApplicable: count('not-applicable'),
      suppressed: results.filter((r) => r.suppressed).length,
      complete: count('skip') + count('unknown') === 0,
    },
    action: 'listen-overflow (server, pid 42, 0.0.0.0:80): Accept faster: sysctl -w net.core.somaxconn=8192',
    results,
    gaps: [],
    ...parts,
  };
}

/** What a hostile process may call itself: an escape sequence, a title change, markup, a change of direction. */
export const HOSTILE = '\u001b[2J\u001b]0;owned\u0007\u009b31m<b>&"\'`|*_[x](y)\u202e\u2028\r\nx';

/** Nothing in it can steer a terminal; line feeds are ours. */
export const isHarmless = (text: string): boolean =>
  !/(?!\n)[\p{Cc}\u202a-\u202e\u2066-\u2069\u2028\u2029]/u.test(text);
