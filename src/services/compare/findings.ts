import type { DiffDocument } from '../../model/diff.js';
import type { Result } from '../../model/results.js';
import { subjectText } from '../../model/subject.js';

/** Which findings came, went or have another status. Findings about the same thing are matched without pids, which change. */
export function compareFindings(from: readonly Result[], to: readonly Result[]): DiffDocument['findings'] {
  const before = byKey(from.filter(speaks));
  const appeared: Result[] = [];
  const changed: { from: Result; to: Result }[] = [];
  for (const result of to.filter(speaks)) {
    const earlier = before.get(keyOf(result))?.shift();
    if (!earlier) appeared.push(result);
    else if (earlier.status !== result.status) changed.push({ from: earlier, to: result });
  }
  return { appeared, disappeared: [...before.values()].flat(), changed };
}

const speaks = ({ status }: Result) => status === 'fail' || status === 'warn' || status === 'info';

function keyOf({ id, subject }: Result): string {
  const { pid: _pid, tid: _tid, fd: _fd, connection: _connection, cpu: _cpu, ...lasting } = subject ?? {};
  return `${id}\n${subjectText(lasting)}`;
}

function byKey(results: readonly Result[]): Map<string, Result[]> {
  const groups = new Map<string, Result[]>();
  for (const result of results) groups.set(keyOf(result), [...(groups.get(keyOf(result)) ?? []), result]);
  return groups;
}
