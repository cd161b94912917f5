#include "probes/descriptors/peers.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <string_view>

namespace sockdoc {
namespace {

constexpr std::size_t kMaxShared = 16;

std::size_t hash_of(const Address& local, std::uint16_t local_port, const Address& remote, std::uint16_t remote_port) {
  const std::hash<std::string_view> hash;
  const auto bytes = [](const Address& address) {
    return std::string_view(reinterpret_cast<const char*>(address.data()), address.size());
  };
  return (hash(bytes(local)) * 31 + hash(bytes(remote))) * 31 + (std::size_t{local_port} << 16 | remote_port);
}

bool is_connected_tcp(const SocketFact& fact) {
  return fact.protocol == SocketFact::Protocol::tcp && fact.state != kListen && fact.remote_port != 0;
}

/** What a descriptor was opened for, from the permissions of its link in /proc/PID/fd. */
int access_of(int pid, int fd) {
  char path[48];
  std::snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
  struct stat info {};
  if (::lstat(path, &info) != 0) return -1;
  const bool reads = (info.st_mode & S_IRUSR) != 0, writes = (info.st_mode & S_IWUSR) != 0;
  return reads && writes ? O_RDWR : writes ? O_WRONLY : O_RDONLY;
}

}  // namespace

PeerFinder::PeerFinder(const DescriptorCensus& census, const SocketFacts& facts, const ProcessTable& processes,
                       std::uint32_t target)
    : census_(census), facts_(facts), processes_(processes), target_(target), by_inode_(census.held().size()) {
  std::iota(by_inode_.begin(), by_inode_.end(), 0u);
  // Stable: of one inode they stay in the order of processes.
  std::stable_sort(by_inode_.begin(), by_inode_.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return census_.held()[a].inode < census_.held()[b].inode; });
  match_connections();
}

void PeerFinder::match_connections() {
  std::unordered_multimap<std::size_t, const SocketFact*> wanted;
  for (const HeldFile& held : census_.held()) {
    if (held.process != target_ || held.is_pipe) continue;
    const SocketFact* fact = facts_.find(held.inode);
    if (fact == nullptr || !is_connected_tcp(*fact)) continue;
    wanted.emplace(hash_of(fact->remote, fact->remote_port, fact->local, fact->local_port), fact);
  }
  if (wanted.empty()) return;
  for (const SocketFact& fact : facts_.all()) {
    if (!is_connected_tcp(fact)) continue;
    const auto [first, last] = wanted.equal_range(hash_of(fact.local, fact.local_port, fact.remote, fact.remote_port));
    for (auto at = first; at != last; ++at) consider(*at->second, fact);
  }
}

void PeerFinder::consider(const SocketFact& mine, const SocketFact& other) {
  const bool swapped = mine.local_port == other.remote_port && mine.remote_port == other.local_port &&
                       mine.local == other.remote && mine.remote == other.local;
  if (!swapped || mine.inode == other.inode) return;
  Match& match = connections_[mine.inode];
  if (mine.netns == other.netns) {
    match.here = other.inode;
  } else if (!is_loopback(mine.local) && match.elsewhere != other.inode) {
    match.elsewhere = other.inode;
    ++match.found_elsewhere;
  }
}

template <typename Visit>
void PeerFinder::for_each_holder(std::uint64_t inode, Visit visit) const {
  auto at = std::lower_bound(by_inode_.begin(), by_inode_.end(), inode, [&](std::uint32_t index, std::uint64_t wanted) {
    return census_.held()[index].inode < wanted;
  });
  for (; at != by_inode_.end() && census_.held()[*at].inode == inode; ++at) visit(census_.held()[*at]);
}

void PeerFinder::take_peers(std::uint64_t inode, DescriptorLinks& links) const {
  std::size_t count = 0;
  for_each_holder(inode, [&](const HeldFile& held) {
    ++count;
    if (links.peer == nullptr || (links.peer->process == target_ && held.process != target_)) links.peer = &held;
  });
  if (count > 0 || census_.complete()) links.peers = count;
}

void PeerFinder::take_sharers(std::uint64_t inode, DescriptorLinks& links) const {
  for_each_holder(inode, [&](const HeldFile& held) {
    if (held.process == target_ || links.shared.size() == kMaxShared) return;
    if (links.shared.empty() || links.shared.back() != held.process) links.shared.push_back(held.process);
  });
}

DescriptorLinks PeerFinder::of_socket(const SocketFact* fact, std::uint64_t inode) const {
  DescriptorLinks links;
  take_sharers(inode, links);
  if (fact == nullptr) return links;
  if (fact->protocol == SocketFact::Protocol::unix_domain) {
    if (fact->peer_inode != 0) take_peers(fact->peer_inode, links);
  } else if (const auto match = connections_.find(fact->inode); match != connections_.end()) {
    const auto& [here, elsewhere, found] = match->second;
    if (here != 0 || found == 1) take_peers(here != 0 ? here : elsewhere, links);
  }
  return links;
}

DescriptorLinks PeerFinder::of_pipe(std::uint64_t inode, int access) const {
  DescriptorLinks links;
  std::size_t count = 0;
  for_each_holder(inode, [&](const HeldFile& held) {
    const int theirs = access_of(processes_.at(held.process).pid, held.fd);
    if (theirs == access) {
      const bool known = !links.shared.empty() && links.shared.back() == held.process;
      if (held.process != target_ && !known && links.shared.size() < kMaxShared) links.shared.push_back(held.process);
    } else if (theirs >= 0) {
      ++count;
      if (links.peer == nullptr || (links.peer->process == target_ && held.process != target_)) links.peer = &held;
    }
  });
  if (count > 0 || census_.complete()) links.peers = count;
  return links;
}

}  // namespace sockdoc
