import { BACKLOG_DROPS, SQUEEZES } from '../symptoms/index.js';
import { defineTunable, INT_MAX, number, SCALING, SYSCTL_NET } from '../tunable.js';

/** How the CPUs take packets in; one setting for the whole host. */
const HOST = { kind: 'sysctl', scope: 'host', needs: 'nothing' } as const;

const busy = (name: 'busy_read' | 'busy_poll', what: string) =>
  defineTunable({
    ...HOST,
    key: `net.core.${name}`,
    sets: `How long ${what} asks the card itself before it sleeps.`,
    unit: 'us',
    form: number(0, 1000),
    raiseOnly: false,
    default: () => '0',
    risk: 'CPU time and power while nothing comes.',
    source: `${SYSCTL_NET} (${name})`,
  });

export const receiving = [
  defineTunable({
    ...HOST,
    key: 'net.core.netdev_max_backlog',
    sets: 'How many packets wait for a CPU where a card has no receive queue of its own for it.',
    unit: 'packets',
    form: number(1, INT_MAX),
    raiseOnly: true,
    default: () => '1000',
    risk: 'Packets wait longer before they are dropped.',
    source: `${SYSCTL_NET} (netdev_max_backlog)`,
    symptoms: [BACKLOG_DROPS],
  }),
  defineTunable({
    ...HOST,
    key: 'net.core.netdev_budget',
    sets: 'How many packets one round of receiving takes.',
    unit: 'packets',
    form: number(1, 65_536),
    raiseOnly: true,
    default: () => '300',
    risk: 'Other work of the CPU waits longer for its turn.',
    source: `${SYSCTL_NET} (netdev_budget)`,
    symptoms: [SQUEEZES],
  }),
  defineTunable({
    ...HOST,
    key: 'net.core.netdev_budget_usecs',
    sets: 'How long one round of receiving takes at most.',
    unit: 'us',
    form: number(1, 1_000_000),
    raiseOnly: true,
    // Two ticks, whose length is the HZ that the kernel was built with.
    risk: 'Other work of the CPU waits longer for its turn.',
    source: `${SYSCTL_NET} (netdev_budget_usecs)`,
    symptoms: [SQUEEZES],
  }),
  defineTunable({
    ...HOST,
    key: 'net.core.rps_sock_flow_entries',
    sets: 'Size of the table that remembers on which CPU a program reads a flow.',
    unit: 'entries',
    form: number(0, 2 ** 29),
    raiseOnly: true,
    default: () => '0',
    risk: 'Interrupts between CPUs; no gain where threads wander.',
    source: `${SCALING} (RFS)`,
  }),
  busy('busy_read', 'a read'),
  busy('busy_poll', 'poll() or select()'),
];
