import type { Link } from '../../model/snapshot/index.js';
import type { NicDetail } from '../../model/views/nic.js';
import type { Ink } from '../look.js';

interface Fact {
  label: string;
  text: string;
  ink?: Ink;
}

/** What an interface is and how it is set, in sections; what its driver does not have is left out. */
export function factsOf({ link, addresses }: NicDetail, verbose: boolean): { title: string; facts: Fact[] }[] {
  return [
    { title: 'Link', facts: [...linkFacts(link), ...addressFacts(link, addresses)] },
    { title: 'Queues and interrupts', facts: queueFacts(link) },
    { title: 'Offloads and capabilities', facts: [...offloadFacts(link, verbose), ...capabilityFacts(link)] },
  ];
}

const fact = (label: string, parts: readonly (string | undefined | false)[], ink?: Ink): Fact[] => {
  const text = parts.filter(Boolean).join(', ');
  return text === '' ? [] : [{ label, text, ...(ink ? { ink } : {}) }];
};
const switched = (name: string, on: boolean | undefined) =>
  on === undefined ? undefined : `${name} ${on ? 'on' : 'off'}`;
const named = (name: string, value: string | number | undefined) =>
  value === undefined ? undefined : `${name} ${value}`;

function linkFacts(link: Link): Fact[] {
  const { pcie, bond, partnerModes, signalQuality, signalQualityMax } = link;
  const narrow = pcie?.width !== undefined && pcie.maxWidth !== undefined && pcie.width < pcie.maxWidth;
  return [
    ...fact('no link', [link.downReason], 'red'),
    ...fact('driver', [link.driver, link.firmware && `firmware ${link.firmware}`]),
    ...fact('speed', [
      named('supports up to', link.supportedSpeedMbps && `${link.supportedSpeedMbps} Mbit/s`),
      switched('autonegotiation', link.autoNegotiation),
      named('error correction', link.errorCorrection),
      signalQuality !== undefined && `signal quality ${signalQuality} of ${signalQualityMax ?? '?'}`,
    ]),
    ...fact('link partner', partnerModes ?? []),
    ...fact(
      'PCI Express',
      [
        pcie?.speedGts !== undefined && `${pcie.speedGts} of ${pcie.maxSpeedGts ?? '?'} GT/s`,
        pcie?.width !== undefined && `${pcie.width} of ${pcie.maxWidth ?? '?'} lanes`,
      ],
      narrow ? 'yellow' : undefined,
    ),
    ...fact('part of', [named('master', link.master), named('above', link.lower)]),
    ...fact('bond', bond ? [bond.mode, ...bond.members.map(memberText)] : []),
  ];
}

const memberText = ({ name, up, active }: { name: string; up: boolean; active?: boolean }) =>
  `${name} ${up ? 'up' : 'down'}${active ? ' (active)' : ''}`;

function addressFacts(link: Link, addresses: NicDetail['addresses']): Fact[] {
  return [
    ...fact('MAC', [link.macAddress]),
    ...fact(
      'addresses',
      addresses.map(({ address, prefixLength }) => `${address}/${prefixLength}`),
    ),
  ];
}

const ofMost = (name: string, value: number | undefined, most: number | undefined) =>
  value === undefined ? undefined : `${name} ${value}${most === undefined ? '' : ` of ${most}`}`;

function queueFacts(link: Link): Fact[] {
  const { channels, rings, coalescing, rss, rxQueueList = [], txQueueList = [] } = link;
  const steered = rxQueueList.filter(({ cpus }) => cpus !== undefined && !/^0*$/.test(cpus));
  const pinned = txQueueList.filter(({ cpus }) => cpus !== undefined && !/^0*$/.test(cpus));
  return [
    ...fact('channels', [
      channels?.combinedMax !== 0 && ofMost('combined', channels?.combined, channels?.combinedMax),
      channels?.rxMax !== 0 && ofMost('rx', channels?.rx, channels?.rxMax),
      channels?.txMax !== 0 && ofMost('tx', channels?.tx, channels?.txMax),
    ]),
    ...fact('queues', [
      named('rx', rxQueueList.length || link.rxQueues),
      named('tx', txQueueList.length || link.txQueues),
    ]),
    ...fact('rings', [
      ofMost('rx', rings?.rx, rings?.rxMax),
      ofMost('tx', rings?.tx, rings?.txMax),
      switched('header split', rings?.dataSplit),
    ]),
    ...fact('coalescing', [
      switched('adaptive rx', coalescing?.adaptiveRx),
      switched('adaptive tx', coalescing?.adaptiveTx),
      coalescing?.rxUsecs !== undefined && `rx ${coalescing.rxUsecs} µs`,
      named('rx frames', coalescing?.rxFrames),
      coalescing?.txUsecs !== undefined && `tx ${coalescing.txUsecs} µs`,
      named('tx frames', coalescing?.txFrames),
    ]),
    ...fact('RSS', [
      rss?.tableSize !== undefined && `${rss.tableSize} entries over ${rss.queuesUsed ?? '?'} queues`,
      rss?.hashFunction,
    ]),
    ...fact(
      'RPS',
      steered.map(
        ({ index, cpus, flowCount }) => `rx-${index} to CPU mask ${cpus}${flowCount ? ` (${flowCount} flows)` : ''}`,
      ),
    ),
    ...fact(
      'XPS',
      pinned.map(({ index, cpus }) => `tx-${index} from CPU mask ${cpus}`),
    ),
    ...fact('NAPI', [
      link.groFlushTimeoutNs ? `flush after ${link.groFlushTimeoutNs} ns` : undefined,
      link.napiDeferHardIrqs ? `defers ${link.napiDeferHardIrqs} interrupts` : undefined,
      link.threadedNapi && 'in threads',
    ]),
    ...fact('transmit', [named('queue length', link.transmitQueueLength), named('qdisc', link.qdisc)]),
  ];
}

/** Every feature is too many to read: those that are on, and those that somebody could turn on. */
function offloadFacts({ features = {}, gsoMaxBytes }: Link, verbose: boolean): Fact[] {
  const names = (wanted: (feature: { on: boolean; changeable: boolean }) => boolean) =>
    Object.entries(features).flatMap(([name, feature]) => (wanted(feature) ? [name] : []));
  return [
    ...fact(
      'on',
      names(({ on, changeable }) => on && (changeable || verbose)),
    ),
    ...fact(
      'could be on',
      names(({ on, changeable }) => !on && changeable),
      'yellow',
    ),
    ...(verbose
      ? fact(
          'never',
          names(({ on, changeable }) => !on && !changeable),
        )
      : []),
    ...fact('GSO', [gsoMaxBytes === undefined ? undefined : `up to ${gsoMaxBytes} bytes`]),
  ];
}

function capabilityFacts({ pause, timestamping, xdp }: Link): Fact[] {
  return [
    ...fact('pause', [
      switched('autonegotiation', pause?.autoNegotiation),
      switched('rx', pause?.rx),
      switched('tx', pause?.tx),
    ]),
    ...fact(
      'timestamps',
      timestamping
        ? [
            timestamping.hardwareTransmit && 'hardware transmit',
            timestamping.hardwareReceive && 'hardware receive',
            !timestamping.hardwareTransmit && !timestamping.hardwareReceive && 'in software only',
            timestamping.clockIndex !== undefined && `clock /dev/ptp${timestamping.clockIndex}`,
          ]
        : [],
    ),
    ...fact(
      'XDP',
      xdp ? [...(xdp.features.length > 0 ? xdp.features : ['none']), xdp.attached && `attached: ${xdp.attached}`] : [],
    ),
  ];
}
