#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace sockdoc::bench {

/** What libsd says of one of our sockets. */
struct Carried {
  bool mapped = false;   // the memory is shared: the connection is upgraded
  bool by_ring = false;  // both directions, now
  std::uint64_t bytes = 0;
  std::uint64_t ring_bytes = 0;  // of `bytes`
  std::string reason;            // why it is on the kernel; empty where none is known
};

/** nullopt when this process runs without libsd. */
[[nodiscard]] std::optional<Carried> carried(int fd);

}  // namespace sockdoc::bench
