#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "probes/sockets/process_table.h"

namespace sockdoc {

/** What the monitor says of connections; it was asked before the reading. */
struct Transports {
  static constexpr std::uint32_t kAnybody = ~std::uint32_t{0};  // no user has it, setreuid(2) means "as it is" by it
  struct End {
    std::uint32_t uid = kAnybody;  // whose the socket must be for this to count
    bool shared = false;
    std::uint64_t sent = 0;  // bytes by shared memory so far, which the kernel does not count
    std::uint64_t received = 0;
    std::string reason;  // why it is not
  };
  std::string no_monitor = "no monitor runs";  // empty: one answered
  std::unordered_set<int> clients;             // processes under libsd
  // By the socket's cookie. One monitor may speak of a socket that is another's to speak of.
  std::unordered_multimap<std::uint64_t, End> ends;

  /** What is said of a socket by who may; null where nobody says anything. */
  [[nodiscard]] const End* find(std::uint64_t cookie, std::uint32_t uid) const {
    for (auto [at, last] = ends.equal_range(cookie); at != last; ++at) {
      if (at->second.uid == kAnybody || at->second.uid == uid) return &at->second;
    }
    return nullptr;
  }
};

/** How the bytes of a connection travel, and why it is the kernel's way where it is. */
struct Transport {
  std::string_view name;
  std::string_view reason;
};

/** The one place that decides it. `owner` is null where the process is not known. */
inline Transport transport_of(const Transports& known, std::uint64_t cookie, std::uint32_t uid,
                              const ProcessEntry* owner) {
  if (const Transports::End* end = known.find(cookie, uid)) {
    if (end->shared) return {"shm", {}};
    return {"kernel", end->reason};
  }
  if (!known.no_monitor.empty()) return {"kernel", known.no_monitor};
  if (owner == nullptr) return {"kernel", "its process is not known"};
  if (!known.clients.contains(owner->pid)) return {"kernel", "its process is not under libsd"};
  return {"kernel", "libsd has not asked for it"};
}

}  // namespace sockdoc
