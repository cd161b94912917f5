#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "probes/sockets/descriptors.h"
#include "probes/sockets/sock_diag.h"

namespace sockdoc {

/** What a connection is to the joins: small, because there is one for each of them. */
struct ConnectionLink {
  Address local{};
  Address remote{};
  std::uint16_t local_port = 0;
  std::uint16_t remote_port = 0;
  std::uint8_t family = 0;
  std::uint8_t state = 0;
  bool windowed = false;
  std::uint32_t inode = 0;
  std::uint32_t segments = 0;  // with data, both directions
  std::uint64_t bytes = 0;     // both directions
};

/** A listener and what hangs on it. */
struct ListenerRow {
  InetSocket socket;
  std::uint64_t connections = 0;
  std::uint64_t syn_received = 0;
  std::unordered_map<std::uint32_t, std::uint32_t> serving;  // process → connections
};

/** The listeners of one namespace, found by the local end of a connection. */
class ListenerIndex {
 public:
  /** Keeps a reference: `listeners` must not change in number. */
  explicit ListenerIndex(std::vector<ListenerRow>& listeners);

  /** Whether a connection with this local end came in by one of them. */
  [[nodiscard]] bool accepted(const ConnectionLink& link) const { return leader(link).has_value(); }

  /** Adds connections and embryonic connections to their listeners. */
  void attribute(const std::vector<ConnectionLink>& links, const DescriptorTable& descriptors);

 private:
  /** The first of the listeners that it can have come in by: of its address, else of the wildcard. */
  [[nodiscard]] std::optional<std::uint32_t> leader(const ConnectionLink& link) const;
  /** Several listeners on one address (SO_REUSEPORT): which of them a process holds, by their leader and the process.
   */
  void find_groups(const DescriptorTable& descriptors);
  [[nodiscard]] std::uint32_t member(std::uint32_t leader, const ConnectionLink& link,
                                     const DescriptorTable& descriptors) const;

  std::vector<ListenerRow>& listeners_;
  std::unordered_map<std::uint16_t, std::vector<std::uint32_t>> by_port_;
  std::unordered_map<std::uint64_t, std::uint32_t> groups_;  // leader << 32 | process → listener
};

}  // namespace sockdoc
