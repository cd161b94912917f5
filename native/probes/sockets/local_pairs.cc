#include "probes/sockets/local_pairs.h"

#include <algorithm>
#include <bit>
#include <map>
#include <optional>
#include <tuple>

#include "probes/sockets/four_tuple.h"

namespace sockdoc {
namespace {

/** One end of a connection: which namespace, which link. */
struct End {
  std::uint32_t netns;
  std::uint32_t link;
};

bool is_talking(const ConnectionLink& link) {
  return link.inode != 0 && link.state != kTimeWait && link.state != kSynReceived && link.state != kBoundInactive;
}

class Matcher {
 public:
  Matcher(std::vector<NetnsSockets>& namespaces, const DescriptorTable& descriptors)
      : namespaces_(namespaces), descriptors_(descriptors) {
    std::size_t ends = 0;
    for (NetnsSockets& netns : namespaces_) {
      ends += netns.links.size();
      listeners_.emplace_back(netns.listeners);
    }
    slots_.assign(std::bit_ceil(ends * 2 + 2), End{kFree, 0});
    for_each_end([&](End end) { insert(end); });
    for_each_end([&](End end) { match(end); });
  }

  std::vector<std::vector<LocalPairRow>> take(std::size_t limit) {
    std::vector<std::vector<LocalPairRow>> rows(namespaces_.size());
    for (const auto& [key, row] : pairs_) rows[std::get<0>(key)].push_back(row);
    for (auto& of_netns : rows) {
      std::sort(of_netns.begin(), of_netns.end(), [](const LocalPairRow& a, const LocalPairRow& b) {
        return std::tie(a.bytes, a.segments, a.connections) > std::tie(b.bytes, b.segments, b.connections);
      });
      if (of_netns.size() > limit) of_netns.resize(limit);
    }
    return rows;
  }

 private:
  static constexpr std::uint32_t kFree = ~0u;

  template <typename Visit>
  void for_each_end(Visit visit) {
    for (std::uint32_t n = 0; n < namespaces_.size(); ++n) {
      for (std::uint32_t i = 0; i < namespaces_[n].links.size(); ++i) {
        if (is_talking(namespaces_[n].links[i])) visit(End{n, i});
      }
    }
  }

  const ConnectionLink& link(End end) const { return namespaces_[end.netns].links[end.link]; }
  std::size_t first_slot(std::uint64_t hash) const { return hash & (slots_.size() - 1); }
  std::size_t next_slot(std::size_t slot) const { return (slot + 1) & (slots_.size() - 1); }

  void insert(End end) {
    const ConnectionLink& of = link(end);
    std::size_t slot = first_slot(hash_of_pair(of.local, of.local_port, of.remote, of.remote_port));
    while (slots_[slot].netns != kFree) slot = next_slot(slot);
    slots_[slot] = end;
  }

  std::optional<End> other_end(End end) const {
    const ConnectionLink& of = link(end);
    std::optional<End> elsewhere;
    int found_elsewhere = 0;
    for (std::size_t slot = first_slot(hash_of_pair(of.local, of.local_port, of.remote, of.remote_port));
         slots_[slot].netns != kFree; slot = next_slot(slot)) {
      if (!swapped(of, link(slots_[slot]))) continue;
      if (slots_[slot].netns == end.netns) return slots_[slot];
      elsewhere = slots_[slot];
      ++found_elsewhere;
    }
    if (found_elsewhere != 1 || is_loopback(of.remote)) return std::nullopt;
    return elsewhere;
  }

  bool is_client(End end, End other) const {
    const bool accepted = listeners_[end.netns].accepted(link(end));
    const bool other_accepted = listeners_[other.netns].accepted(link(other));
    if (accepted != other_accepted) return other_accepted;
    return std::tuple(link(other).local_port, other.netns, other.link) <
           std::tuple(link(end).local_port, end.netns, end.link);
  }

  void match(End end) {
    const std::optional<End> other = other_end(end);
    if (!other || !is_client(end, *other)) return;
    const std::uint32_t client = descriptors_.find(link(end).inode);
    const std::uint32_t server = descriptors_.find(link(*other).inode);
    if (client == DescriptorTable::kNone || server == DescriptorTable::kNone) return;
    const std::uint16_t port = link(*other).local_port;
    const auto key = std::tuple(end.netns, descriptors_.at(client).process, descriptors_.at(server).process, port);
    LocalPairRow& row = pairs_[key];
    row.client = std::get<1>(key);
    row.server = std::get<2>(key);
    row.server_port = port;
    ++row.connections;
    row.bytes += link(end).bytes;
    row.segments += link(end).segments;
    row.windowed |= link(end).windowed;
  }

  std::vector<NetnsSockets>& namespaces_;
  const DescriptorTable& descriptors_;
  std::vector<ListenerIndex> listeners_;
  std::vector<End> slots_;
  std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t, std::uint16_t>, LocalPairRow> pairs_;
};

}  // namespace

std::vector<std::vector<LocalPairRow>> local_pairs(std::vector<NetnsSockets>& namespaces,
                                                   const DescriptorTable& descriptors, std::size_t limit) {
  return Matcher(namespaces, descriptors).take(limit);
}

}  // namespace sockdoc
