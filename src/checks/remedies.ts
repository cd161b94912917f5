import type { Remedy } from '../model/results.js';
import type { NetView } from './view.js';

/**
 * A command as it must be typed to reach the namespace under judgement: many findings are about another namespace than
 * the one that the person's shell is in. Where that namespace has neither a name nor a visible process, the person
 * must know how to get in.
 */
export function commandIn(net: NetView, command: string): string {
  if (net.facts.current) return command;
  if (net.facts.name !== undefined) return `ip netns exec ${net.facts.name} ${command}`;
  const pid = net.processes[0]?.last.pid;
  return pid === undefined
    ? `${command}  # inside that network namespace`
    : `nsenter --net=/proc/${pid}/ns/net ${command}`;
}

/** Limits of socket buffers that other namespaces show but that can be written in the initial one (pid 1 of the host) alone. */
const HOST_WIDE = new Set(['rmem_max', 'wmem_max', 'rmem_default', 'wmem_default'].map((name) => `net.core.${name}`));

/** `sysctl -w` with quotes where the value has blanks. */
function write(net: NetView, key: string, value: string): string {
  if (HOST_WIDE.has(key) && net.facts.initial === false)
    return `nsenter --net=/proc/1/ns/net sysctl -w ${key}=${value}`;
  return commandIn(net, `sysctl -w ${/\s/.test(value) ? `"${key}=${value}"` : `${key}=${value}`}`);
}

type SysctlRemedy = Pick<Remedy, 'commands' | 'tunes' | 'undo'>;

/** The commands, the tunes and the undo of setting sysctls, from what they are now. Keys that are not shown here are left out of undo. */
export function setSysctls(net: NetView, wanted: Readonly<Record<string, string | number>>): SysctlRemedy {
  const changes = Object.entries(wanted).map(([key, to]) => ({ key, to: String(to), from: net.sysctl(key) }));
  return {
    commands: changes.map(({ key, to }) => write(net, key, to)),
    tunes: changes.flatMap(({ key, to, from }) => (from === undefined ? [] : [{ key, from, to }])),
    undo: changes.flatMap(({ key, from }) => (from === undefined ? [] : [write(net, key, from)])).join(' && '),
  };
}
