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
  struct End {
    bool shared = false;
    std::string reason;  // why it is not
  };
  std::string no_monitor = "no monitor runs";   // empty: one answered
  std::unordered_set<int> clients;              // processes under libsd
  std::unordered_map<std::uint64_t, End> ends;  // by the socket's cookie
};

/** How the bytes of a connection travel, and why it is the kernel's way where it is. */
struct Transport {
  std::string_view name;
  std::string_view reason;
};

/** The one place that decides it. `owner` is null where the process is not known. */
inline Transport transport_of(const Transports& known, std::uint64_t cookie, const ProcessEntry* owner) {
  if (const auto end = known.ends.find(cookie); end != known.ends.end()) {
    if (end->second.shared) return {"shm", {}};
    return {"kernel", end->second.reason};
  }
  if (!known.no_monitor.empty()) return {"kernel", known.no_monitor};
  if (owner == nullptr) return {"kernel", "its process is not known"};
  if (!known.clients.contains(owner->pid)) return {"kernel", "its process is not under libsd"};
  return {"kernel", "libsd has not asked for it"};
}

}  // namespace sockdoc
