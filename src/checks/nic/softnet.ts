import type { Evidence } from '../../model/results.js';
import type { Softnet } from '../../model/snapshot/index.js';
import { growth, type HostView } from '../view.js';

export const SOFTNET = '/proc/net/softnet_stat';

export type SoftnetField = 'processed' | 'dropped' | 'squeezed' | 'receivedRps' | 'flowLimit';

/** One CPU of softnet_stat over the window. */
export interface SoftnetRow {
  cpu: number;
  total(field: SoftnetField): number | undefined;
  delta(field: SoftnetField): number | undefined;
  evidence(field: SoftnetField): Evidence[];
}

/** Paired by CPU number (column 13): CPUs that are offline have no line. */
export function softnetRows(host: HostView): SoftnetRow[] {
  const before = new Map((host.first?.softnet ?? []).map((row) => [row.cpu, row]));
  return host.last.softnet.map((last) => rowOf(before.get(last.cpu), last));
}

function rowOf(first: Softnet | undefined, last: Softnet): SoftnetRow {
  const subject = { cpu: last.cpu };
  const delta = (field: SoftnetField) => growth(first?.[field], last[field]);
  return {
    cpu: last.cpu,
    total: (field) => last[field],
    delta,
    evidence(field) {
      const unit = field === 'squeezed' ? '1' : 'packets';
      const grown = delta(field);
      const total = last[field];
      return [
        ...(grown === undefined
          ? []
          : [{ source: SOFTNET, key: field, value: grown, unit, scope: 'window' as const, subject }]),
        ...(total === undefined
          ? []
          : [{ source: SOFTNET, key: field, value: total, unit, scope: 'total' as const, subject }]),
      ];
    },
  };
}

export const sumOf = (rows: readonly SoftnetRow[], of: (row: SoftnetRow) => number | undefined): number =>
  rows.reduce((sum, row) => sum + (of(row) ?? 0), 0);
