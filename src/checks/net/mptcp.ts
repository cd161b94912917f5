import { defineCheck, type Finding, type NetContext } from '../check.js';
import { info, needsWindow, notApplicable, pass, warn } from '../findings.js';
import type { NetView } from '../view.js';
import { uplinks } from './uplinks.js';

const KEY = 'net.mptcp.enabled';

/** Fallbacks that something on the path causes, or damage: a peer that simply does not speak MPTCP is not among them. */
const BROKEN: Readonly<Record<string, string>> = {
  MPTcpExtMPCapableFallbackACK: 'the third packet of the handshake came without its MPTCP option',
  MPTcpExtMPCapableDataFallback: 'data came without its mapping right after the handshake',
  MPTcpExtMPCapableSYNTXDrop: 'SYNs with the MPTCP option were not answered, SYNs without it were sent instead',
  MPTcpExtBlackhole: 'a path that swallows MPTCP: it was turned off for a time',
  MPTcpExtDSSCorruptionFallback: 'mappings were damaged on the way',
  MPTcpExtDssFallback: 'mappings were damaged or missing',
  MPTcpExtDataCsumErr: 'checksums of the data did not match',
};
const PEER_WITHOUT = 'MPTcpExtMPCapableFallbackSYNACK';
const USED = ['MPTcpExtMPCapableSYNTX', 'MPTcpExtMPCapableSYNRX'];

export const mptcp = defineCheck({
  id: 'mptcp',
  title: 'Multipath TCP',
  category: 'tcp',
  scope: 'netns',
  priority: 40,
  page: {
    mechanism:
      'An MPTCP connection spreads over several paths and survives the loss of one. It is negotiated with a TCP option; a middlebox that strips or swallows the option, or rewrites data, makes the connection fall back to plain TCP, and a path that swallows such SYNs costs retransmission timeouts until the kernel gives MPTCP up for a while.',
    reads: 'net.mptcp.enabled; MPTcpExt counters in /proc/net/netstat, twice; routes and addresses by rtnetlink.',
    threshold:
      'warn: a counter of a fallback caused on the path, or of damaged mappings, grew within the window. info: peers answered without MPTCP; such a fallback happened since boot; or the host has several uplinks and MPTCP is off.',
    why: 'Connections that should use several paths use one, and some wait for a timeout before they begin.',
    remedy:
      'Find what changes the packets: a firewall, NAT or proxy between the two (compare the options in a capture on both sides: tcpdump "tcp[13] & 2 != 0" -v). Until then plain TCP for these peers saves the timeouts.',
    risk: 'Without MPTCP a connection does not survive the loss of its path.',
    undo: 'sysctl -w net.mptcp.enabled=<former value>',
    needs: 'new connections',
    tune: { keys: ['net.mptcp.enabled'] },
    sources: [
      'https://docs.kernel.org/networking/mptcp-sysctl.html (enabled, blackhole_timeout)',
      'RFC 8684, section 3.7 (fallback)',
    ],
  },
  judge({ net }: NetContext): Finding[] {
    const enabled = net.sysctlNumber(KEY);
    if (enabled === undefined) return [notApplicable('this kernel has no MPTCP')];
    if (enabled === 0) return [off(net)];
    if (USED.every((counter) => (net.total(counter) ?? 0) === 0))
      return [notApplicable('nothing has used MPTCP in this namespace', [net.sysctlEvidence(KEY)])];
    if (!net.first) return [needsWindow()];
    const broken = Object.keys(BROKEN).filter((counter) => (net.delta(counter) ?? 0) > 0);
    if (broken.length > 0)
      return broken.map((counter) =>
        warn(`${net.delta(counter)} times within the window: ${BROKEN[counter]}`, net.evidence(counter), {
          weight: net.delta(counter) ?? 0,
        }),
      );
    return [quiet(net)];
  },
});

function quiet(net: NetView): Finding {
  const plain = net.delta(PEER_WITHOUT) ?? 0;
  if (plain > 0)
    return info(`${plain} peers answered without MPTCP: those connections are plain TCP`, net.evidence(PEER_WITHOUT), {
      why: 'The peer does not speak MPTCP, or something on the path strips the option. Nothing is lost but the second path.',
    });
  const before = Object.keys(BROKEN).filter((counter) => (net.total(counter) ?? 0) > 0);
  const evidence = [...USED, ...before].flatMap((counter) => net.evidence(counter));
  return before.length > 0
    ? info(
        `none within the window; since boot: ${before.map((c) => `${net.total(c)} × ${BROKEN[c]}`).join('; ')}`,
        evidence,
      )
    : pass('no MPTCP connection fell back', evidence);
}

function off(net: NetView): Finding {
  const names = uplinks(net.facts).map((link) => link.name);
  const evidence = [net.sysctlEvidence(KEY)];
  if (names.length < 2) return pass('MPTCP is off, and there is one uplink at most', evidence);
  return info(`MPTCP is off on a host with several uplinks (${names.join(', ')})`, evidence, {
    subject: { key: KEY },
    why: 'Programs that ask for MPTCP could use both uplinks and survive the loss of one.',
    remedy: {
      summary: 'Allow MPTCP sockets',
      commands: [`sysctl -w ${KEY}=1`],
      tunes: [{ key: KEY, from: '0', to: '1' }],
      risk: 'Only programs that ask for it (IPPROTO_MPTCP, mptcpize) use it.',
      undo: `sysctl -w ${KEY}=0`,
    },
  });
}
