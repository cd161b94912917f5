import { RING_OVERRUNS } from '../symptoms/index.js';
import { defineTunable, number, numbers, SCALING } from '../tunable.js';

/** Of one interface, by its driver. What the driver allows is read from it; these ranges are of ethtool itself. */
const ETHTOOL = { kind: 'ethtool', scope: 'netns', source: 'ethtool(8)' } as const;
const QUEUE = { kind: 'sysfs', scope: 'netns', unit: 'entries', needs: 'nothing', source: SCALING } as const;

const ring = (direction: 'rx' | 'tx', what: string) =>
  defineTunable({
    ...ETHTOOL,
    key: `ethtool:*:rings.${direction}`,
    sets: `How many packets a queue of the card ${what}.`,
    unit: 'entries',
    form: number(1, 65_536),
    raiseOnly: true,
    risk: 'The queues are set up anew: packets are lost for a moment, and with some drivers the link goes down for a second. A larger ring adds delay under load.',
    needs: 'nothing (a short interruption of the interface)',
    ...(direction === 'rx' ? { symptoms: [RING_OVERRUNS] } : {}),
  });

const channels = (kind: 'combined' | 'rx' | 'tx') =>
  defineTunable({
    ...ETHTOOL,
    key: `ethtool:*:channels.${kind}`,
    sets: 'How many queues, and interrupts, the card works with.',
    unit: 'queues',
    form: number(1, 4096),
    raiseOnly: true,
    risk: 'The queues are set up anew: packets are lost for a moment. More interrupts.',
    needs: 'nothing (a short interruption of the interface)',
  });

const coalescing = (field: string, sets: string, unit: string, form = number(0, 1_000_000)) =>
  defineTunable({
    ...ETHTOOL,
    key: `ethtool:*:coalescing.${field}`,
    sets,
    unit,
    form,
    raiseOnly: false,
    risk: 'One interrupt per packet at worst: under a flood the CPU does nothing else.',
    needs: 'nothing',
  });

export const interfaces = [
  ring('rx', 'can receive before the CPU takes them'),
  ring('tx', 'holds to be sent'),
  channels('combined'),
  channels('rx'),
  channels('tx'),
  coalescing('rxUsecs', 'How long an interrupt of receiving is held back.', 'us'),
  coalescing('txUsecs', 'How long an interrupt of sending is held back.', 'us'),
  defineTunable({
    ...ETHTOOL,
    key: 'ethtool:*:coalescing.adaptiveRx',
    sets: 'Whether the driver chooses by the load how long it holds interrupts back.',
    unit: '',
    form: { type: 'words', words: ['on', 'off'] },
    raiseOnly: false,
    risk: 'One interrupt per packet at worst: under a flood the CPU does nothing else.',
    needs: 'nothing',
  }),
  defineTunable({
    ...ETHTOOL,
    key: 'ethtool:*:features.*',
    sets: 'Whether the card or the driver does a part of the work of the CPU.',
    unit: '',
    form: { type: 'words', words: ['on', 'off'] },
    raiseOnly: false,
    risk: 'Somebody may have turned it off for a bug of the driver, or because a capture or a bridge wants packets as they came.',
    needs: 'nothing',
  }),
  defineTunable({
    ...QUEUE,
    key: '/sys/class/net/*/queues/*/rps_cpus',
    sets: 'Which CPUs the packets of a queue are handed to.',
    unit: '',
    form: { type: 'cpus' },
    raiseOnly: false,
    default: () => '0',
    risk: 'Interrupts between CPUs and cache misses: costs CPU time where no CPU was full.',
  }),
  defineTunable({
    ...QUEUE,
    key: '/sys/class/net/*/queues/*/rps_flow_cnt',
    sets: 'The share of a queue in the table of receive flow steering.',
    form: number(0, 2 ** 29),
    raiseOnly: true,
    default: () => '0',
    risk: 'Interrupts between CPUs; no gain where threads wander.',
  }),
  defineTunable({
    ...QUEUE,
    key: '/sys/class/net/*/gro_flush_timeout',
    sets: 'How long packets are held together before they are handed on.',
    unit: 'ns',
    form: number(0, 1_000_000_000),
    raiseOnly: false,
    default: () => '0',
    risk: 'Programs that poll the card themselves may count on it.',
    source: 'https://docs.kernel.org/networking/napi.html',
  }),
  defineTunable({
    ...QUEUE,
    key: '/sys/class/net/*/napi_defer_hard_irqs',
    sets: 'How often an interrupt is put off while packets come.',
    unit: 'times',
    form: numbers(1, 0, 2 ** 31 - 1),
    raiseOnly: false,
    default: () => '0',
    risk: 'Programs that poll the card themselves may count on it.',
    source: 'https://docs.kernel.org/networking/napi.html',
  }),
];
