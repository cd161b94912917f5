import type { PortUse } from '../../model/snapshot/index.js';
import type { NetView } from '../view.js';

export const RANGE = 'net.ipv4.ip_local_port_range';
export const RESERVED = 'net.ipv4.ip_local_reserved_ports';
const REUSE = 'net.ipv4.tcp_tw_reuse';

export interface PortRange {
  low: number;
  high: number;
  /** Ports of it that connect() may choose. */
  size: number;
}

/** The range of local ports for outgoing connections, without the reserved ones; IPv6 uses it too. */
export function portRange(net: NetView): PortRange | undefined {
  const [low, high] = net.sysctlNumbers(RANGE);
  if (low === undefined || high === undefined || high < low) return undefined;
  const taken = reserved(net).reduce((sum, [a, b]) => sum + Math.max(0, Math.min(b, high) - Math.max(a, low) + 1), 0);
  return { low, high, size: Math.max(1, high - low + 1 - taken) };
}

/** ip_local_reserved_ports ("8080,9000-9010") as pairs. */
function reserved(net: NetView): [number, number][] {
  return (net.sysctl(RESERVED) ?? '')
    .split(',')
    .filter(Boolean)
    .map((part) => {
      const [from, to] = part.split('-').map(Number);
      return [from ?? 0, to ?? from ?? 0];
    });
}

export const isReserved = (net: NetView, port: number): boolean =>
  reserved(net).some(([from, to]) => port >= from && port <= to);

/** What ip_local_reserved_ports must be for these ports to be reserved as well. */
export const withReserved = (net: NetView, ports: readonly number[]): string =>
  [net.sysctl(RESERVED) ?? '', ...ports.map(String)].filter(Boolean).join(',');

/**
 * Ports that an outgoing connection cannot have: those of TIME_WAIT only where the kernel may not take them over
 * (tcp_tw_reuse 1, or 2 for loopback, and timestamps on).
 */
export function blocked(net: NetView, use: PortUse): number {
  const reuse = net.sysctl(REUSE);
  const loopback = [use.source, use.destination].some((a) => a.startsWith('127.') || a === '::1' || a === '[::1]');
  const reusable = net.sysctl('net.ipv4.tcp_timestamps') !== '0' && (reuse === '1' || (reuse === '2' && loopback));
  return reusable ? use.inUse - use.timeWait : use.inUse;
}
