#include "probes/sockets/port_use.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_map>

namespace sockdoc {
namespace {

struct Tuple {
  Address source;
  Address destination;
  std::uint16_t port;

  bool operator==(const Tuple&) const = default;
};

struct TupleHash {
  std::size_t operator()(const Tuple& tuple) const {
    char bytes[34];
    std::memcpy(bytes, tuple.source.data(), 16);
    std::memcpy(bytes + 16, tuple.destination.data(), 16);
    std::memcpy(bytes + 32, &tuple.port, 2);
    return std::hash<std::string_view>()(std::string_view(bytes, sizeof bytes));
  }
};

Tuple tuple_of(const ConnectionLink& link) { return {link.local, link.remote, link.remote_port}; }

bool takes_a_port(const ConnectionLink& link, const ListenerIndex& listeners, PortRange range) {
  if (link.state == kClose || link.state == kSynReceived || link.state == kBoundInactive) return false;
  return link.local_port >= range.first && link.local_port <= range.last && !listeners.accepted(link);
}

/** For the few rows that are kept: which process holds most of their connections. */
void find_holders(std::vector<PortUseRow>& rows, const std::vector<ConnectionLink>& links,
                  const DescriptorTable& descriptors) {
  std::unordered_map<Tuple, std::unordered_map<std::uint32_t, std::uint32_t>, TupleHash> holders;
  for (const PortUseRow& row : rows) holders[{row.source, row.destination, row.destination_port}];
  for (const ConnectionLink& link : links) {
    const auto found = holders.find(tuple_of(link));
    if (found == holders.end()) continue;
    descriptors.for_each_owner(link.inode, [&](const HeldSocket& held) { ++found->second[held.process]; });
  }
  for (PortUseRow& row : rows) {
    const auto& counts = holders[{row.source, row.destination, row.destination_port}];
    const auto most = std::max_element(counts.begin(), counts.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    if (most != counts.end()) row.process = most->first;
  }
}

}  // namespace

std::vector<PortUseRow> port_use(const std::vector<ConnectionLink>& links, const ListenerIndex& listeners,
                                 const DescriptorTable& descriptors, PortRange range, std::size_t limit) {
  std::unordered_map<Tuple, PortUseRow, TupleHash> by_tuple;
  for (const ConnectionLink& link : links) {
    if (!takes_a_port(link, listeners, range)) continue;
    PortUseRow& row = by_tuple[tuple_of(link)];
    row.family = link.family;
    ++row.in_use;
    if (link.state == kTimeWait) ++row.time_wait;
  }
  std::vector<PortUseRow> rows;
  rows.reserve(by_tuple.size());
  for (auto& [tuple, row] : by_tuple) {
    row.source = tuple.source;
    row.destination = tuple.destination;
    row.destination_port = tuple.port;
    rows.push_back(row);
  }
  const auto most = [](const PortUseRow& a, const PortUseRow& b) { return a.in_use > b.in_use; };
  const std::size_t kept = std::min(limit, rows.size());
  std::partial_sort(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(kept), rows.end(), most);
  rows.resize(kept);
  find_holders(rows, links, descriptors);
  return rows;
}

}  // namespace sockdoc
