#include "probes/sockets/listeners.h"

#include <sys/socket.h>

namespace sockdoc {
namespace {

constexpr int kExactly = 2;

/** How well a listener's address fits a connection's local one; 0 is not at all. */
int fit(const InetSocket& listener, const ConnectionLink& link) {
  if (listener.local == link.local) return kExactly;
  if (!is_wildcard(listener.local)) return 0;
  // [::] without IPV6_V6ONLY takes IPv4 too; the connections that it accepts are then sockets of AF_INET6.
  return listener.family == link.family ? 1 : 0;
}

std::uint64_t group_key(std::uint32_t leader, std::uint32_t process) { return std::uint64_t{leader} << 32 | process; }

}  // namespace

ListenerIndex::ListenerIndex(std::vector<ListenerRow>& listeners) : listeners_(listeners) {
  for (std::uint32_t i = 0; i < listeners.size(); ++i) by_port_[listeners[i].socket.local_port].push_back(i);
}

std::optional<std::uint32_t> ListenerIndex::leader(const ConnectionLink& link) const {
  const auto found = by_port_.find(link.local_port);
  if (found == by_port_.end()) return std::nullopt;
  std::optional<std::uint32_t> leader;
  int best = 0;
  for (const std::uint32_t i : found->second) {
    const int fits = fit(listeners_[i].socket, link);
    if (fits <= best) continue;
    best = fits;
    leader = i;
    if (best == kExactly) break;
  }
  return leader;
}

void ListenerIndex::find_groups(const DescriptorTable& descriptors) {
  for (const auto& [port, of_port] : by_port_) {
    if (of_port.size() < 2) continue;
    for (const std::uint32_t i : of_port) {
      const InetSocket& socket = listeners_[i].socket;
      ConnectionLink own;
      own.local = socket.local;
      own.local_port = port;
      own.family = socket.family;
      const std::uint32_t first = leader(own).value_or(i);
      descriptors.for_each_owner(socket.inode,
                                 [&](const HeldSocket& held) { groups_.emplace(group_key(first, held.process), i); });
    }
  }
}

/** Of a group the one whose process holds the connection; else the leader. */
std::uint32_t ListenerIndex::member(std::uint32_t leader, const ConnectionLink& link,
                                    const DescriptorTable& descriptors) const {
  std::optional<std::uint32_t> found;
  descriptors.for_each_owner(link.inode, [&](const HeldSocket& held) {
    const auto own = groups_.find(group_key(leader, held.process));
    if (own != groups_.end() && !found) found = own->second;
  });
  return found.value_or(leader);
}

void ListenerIndex::attribute(const std::vector<ConnectionLink>& links, const DescriptorTable& descriptors) {
  find_groups(descriptors);
  for (const ConnectionLink& link : links) {
    if (link.state == kTimeWait || link.state == kBoundInactive) continue;
    const auto first = leader(link);
    if (!first) continue;
    ListenerRow& listener = listeners_[member(*first, link, descriptors)];
    if (link.state == kSynReceived) {
      ++listener.syn_received;
      continue;
    }
    ++listener.connections;
    descriptors.for_each_owner(link.inode, [&](const HeldSocket& held) { ++listener.serving[held.process]; });
  }
}

}  // namespace sockdoc
