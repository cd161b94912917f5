import { doubleTable } from '../suggestions/conntrack.js';
import { CONNTRACK_LOSSES } from '../symptoms/index.js';
import { defineTunable, INT_MAX, IP_SYSCTL, number } from '../tunable.js';

const NEIGHBOURS = ['128', '512', '1024'] as const;

const neighbours = (family: 'ipv4' | 'ipv6', level: 1 | 2 | 3) =>
  defineTunable({
    key: `net.${family}.neigh.default.gc_thresh${level}`,
    kind: 'sysctl',
    sets: `The ${['size below which', 'size above which', 'largest size, at which'][level - 1]} the neighbour table is ${['not cleaned up', 'cleaned up soon', 'full'][level - 1]}.`,
    unit: 'entries',
    form: number(1, INT_MAX),
    scope: 'host',
    raiseOnly: true,
    default: () => NEIGHBOURS[level - 1],
    risk: 'More kernel memory, and longer rounds of cleaning up.',
    needs: 'nothing',
    source: `${IP_SYSCTL} (neigh/default/gc_thresh${level})`,
  });

export const tables = [
  ...(['ipv4', 'ipv6'] as const).flatMap((family) => ([1, 2, 3] as const).map((level) => neighbours(family, level))),
  defineTunable({
    key: 'net.netfilter.nf_conntrack_max',
    kind: 'sysctl',
    sets: 'How many connections the tracking table holds.',
    unit: 'entries',
    form: number(1, INT_MAX),
    scope: 'host',
    raiseOnly: true,
    risk: 'About 320 bytes of kernel memory for each entry in use.',
    needs: 'nothing',
    source: 'https://docs.kernel.org/networking/nf_conntrack-sysctl.html (nf_conntrack_max)',
    symptoms: [CONNTRACK_LOSSES],
    suggest: doubleTable,
  }),
  defineTunable({
    key: 'net.netfilter.nf_conntrack_buckets',
    kind: 'sysctl',
    sets: 'How many chains the tracking table has.',
    unit: 'chains',
    form: number(1024, INT_MAX),
    scope: 'host',
    raiseOnly: true,
    risk: 'Eight bytes for each; the table is built anew, which takes a moment.',
    needs: 'nothing',
    source: 'https://docs.kernel.org/networking/nf_conntrack-sysctl.html (nf_conntrack_buckets)',
  }),
];
