#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "probes/descriptors/census.h"
#include "probes/descriptors/socket_facts.h"

namespace sockdoc {

/** Who is at the other end of a descriptor of one process, and who shares it. */
struct DescriptorLinks {
  /** The other end; of several that of another process. nullptr: nobody that we see. */
  const HeldFile* peer = nullptr;
  /** How many descriptors hold the other end; unknown where that cannot be told. */
  std::optional<std::size_t> peers;
  /** Indices of other processes that hold the same end, each once. */
  std::vector<std::uint32_t> shared;
};

/** Finds the other ends of the sockets and pipes of one process. */
class PeerFinder {
 public:
  PeerFinder(const DescriptorCensus& census, const SocketFacts& facts, const ProcessTable& processes,
             std::uint32_t target);

  [[nodiscard]] DescriptorLinks of_socket(const SocketFact* fact, std::uint64_t inode) const;
  /** `access` as of open(2)'s O_ACCMODE. */
  [[nodiscard]] DescriptorLinks of_pipe(std::uint64_t inode, int access) const;

 private:
  struct Match {
    std::uint32_t here = 0;  // inode in the same namespace
    std::uint32_t elsewhere = 0;
    int found_elsewhere = 0;
  };

  void match_connections();
  void consider(const SocketFact& mine, const SocketFact& other);
  void take_peers(std::uint64_t inode, DescriptorLinks& links) const;
  void take_sharers(std::uint64_t inode, DescriptorLinks& links) const;

  template <typename Visit>
  void for_each_holder(std::uint64_t inode, Visit visit) const;

  const DescriptorCensus& census_;
  const SocketFacts& facts_;
  const ProcessTable& processes_;
  std::uint32_t target_;
  std::vector<std::uint32_t> by_inode_;  // indices into census_.held()
  std::unordered_map<std::uint32_t, Match> connections_;
};

}  // namespace sockdoc
