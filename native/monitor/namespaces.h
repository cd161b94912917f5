#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "probes/netlink.h"

namespace sockdoc::monitor {

/**
 * A network namespace that processes are in, with a socket to ask about its connections. That socket keeps the
 * namespace alive, so it goes with the last process that is in it; and as long as it is there, no other one gets the
 * same number.
 */
struct Namespace {
  std::uint64_t id = 0;
  NetlinkSocket diag;
};

class Namespaces {
 public:
  /** The one with this inode number, which the process whose /proc folder is given is in. */
  [[nodiscard]] Result<std::shared_ptr<Namespace>> enter(std::uint64_t id, int proc);

 private:
  std::map<std::uint64_t, std::weak_ptr<Namespace>> known_;
};

}  // namespace sockdoc::monitor
