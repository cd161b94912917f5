#include "probes/descriptors/socket_facts.h"

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/netns.h"

namespace sockdoc {
namespace {

using Protocol = SocketFact::Protocol;

/** All states, without TCP's information and memory: five times cheaper for the kernel than what rates need. */
Result<NetlinkEnd> dump_briefly(NetlinkSocket& socket, std::uint8_t family, std::uint8_t protocol,
                                const OnInetSocket& on_socket) {
  inet_diag_req_v2 request{};
  request.sdiag_family = family;
  request.sdiag_protocol = protocol;
  request.idiag_states = ~0u;
  NetlinkRequest dump(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
  return socket.request(dump.append(request), [&](std::uint16_t, Bytes payload) {
    if (const auto parsed = parse_inet_socket(payload)) on_socket(*parsed);
  });
}

SocketFact fact_of(const InetSocket& socket, Protocol protocol, std::uint16_t netns) {
  SocketFact fact;
  fact.inode = socket.inode;
  fact.protocol = protocol;
  fact.family = socket.family;
  fact.state = socket.state;
  fact.local_port = socket.local_port;
  fact.remote_port = socket.remote_port;
  fact.netns = netns;
  fact.receive_queue = socket.receive_queue;
  fact.send_queue = socket.send_queue;
  fact.local = socket.local;
  fact.remote = socket.remote;
  return fact;
}

Result<NetlinkEnd> dump_unix_peers(NetlinkSocket& socket, const std::function<void(Bytes)>& on_message) {
  unix_diag_req request{};
  request.sdiag_family = AF_UNIX;
  request.udiag_states = ~0u;
  request.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN;
  NetlinkRequest dump(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
  return socket.request(dump.append(request), [&](std::uint16_t, Bytes payload) { on_message(payload); });
}

}  // namespace

std::string unix_name(std::string_view name) {
  const bool abstract = !name.empty() && name.front() == '\0';
  std::string text = abstract ? "@" : std::string();
  if (abstract) name.remove_prefix(1);
  while (!abstract && name.ends_with('\0')) name.remove_suffix(1);
  for (const char c : name) text += c == '\0' ? '@' : c;  // as ss writes zeros inside
  return text;
}

bool SocketFacts::read(const std::string& path, bool names, Gaps& gaps) {
  bool whole = false;
  const Status entered = in_netns(path, false, [&] { whole = visit(names, gaps); });
  ++netns_;
  if (!entered) {
    gaps.add({"descriptors", "sockets of other network namespaces", std::strerror(entered.error().code),
              "CAP_SYS_ADMIN", 1});
  }
  return whole;
}

bool SocketFacts::visit(bool names, Gaps& gaps) {
  const auto note = [&](const char* what, const Error& error) {
    if (error.code == ENOENT || error.code == EPROTONOSUPPORT || error.code == EAFNOSUPPORT) {
      gaps.add({"descriptors", what, "not in this kernel (inet_diag, tcp_diag, udp_diag or unix_diag)", ""});
    } else {
      gaps.add_errno("descriptors", what, error.code, "CAP_NET_ADMIN");
    }
    return false;
  };
  auto socket = NetlinkSocket::open(NETLINK_SOCK_DIAG);
  if (!socket) return note("sock_diag", socket.error());
  bool whole = true;
  for (const auto family : {std::uint8_t{AF_INET}, std::uint8_t{AF_INET6}}) {
    for (const auto protocol : {std::uint8_t{IPPROTO_TCP}, std::uint8_t{IPPROTO_UDP}}) {
      const bool tcp = protocol == IPPROTO_TCP;
      const auto end = dump_briefly(*socket, family, protocol, [&](const InetSocket& s) {
        if (s.inode != 0) facts_.push_back(fact_of(s, tcp ? Protocol::tcp : Protocol::udp, netns_));
      });
      if (!end) whole = note(tcp ? "TCP sockets" : "UDP sockets", end.error());
    }
  }
  const auto end = dump_unix_peers(*socket, [&](Bytes message) { take_unix(message, names); });
  return end ? whole : note("UNIX sockets", end.error());
}

void SocketFacts::take_unix(Bytes message, bool names) {
  const auto parsed = parse_unix_socket(message);
  if (!parsed || parsed->inode == 0) return;
  SocketFact fact;
  fact.inode = parsed->inode;
  fact.protocol = SocketFact::Protocol::unix_domain;
  fact.state = parsed->state;
  fact.netns = netns_;
  fact.receive_queue = parsed->receive_queue;
  fact.send_queue = parsed->send_queue;
  const Attributes attributes(after(message, sizeof(unix_diag_msg)));
  if (const auto peer = attributes.find(UNIX_DIAG_PEER)) fact.peer_inode = peer->as<std::uint32_t>().value_or(0);
  if (names && !parsed->name.empty()) {
    fact.name = static_cast<std::uint32_t>(names_.size());
    names_.push_back(unix_name(parsed->name));
  }
  facts_.push_back(fact);
}

void SocketFacts::finish() {
  std::sort(facts_.begin(), facts_.end(), [](const SocketFact& a, const SocketFact& b) { return a.inode < b.inode; });
}

const SocketFact* SocketFacts::find(std::uint64_t inode) const {
  const auto at = std::lower_bound(facts_.begin(), facts_.end(), inode,
                                   [](const SocketFact& fact, std::uint64_t wanted) { return fact.inode < wanted; });
  return at != facts_.end() && at->inode == inode ? &*at : nullptr;
}

}  // namespace sockdoc
