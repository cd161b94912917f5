#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "probes/sockets/process_table.h"

namespace sockdoc {

/**
 * The container that a process is in by its /proc/PID/cgroup: the id that engines put there, 64 hexadecimal digits, or
 * the name (LXC, systemd-nspawn); the innermost of several, empty for none. As src/probes/containers.ts tells it.
 */
std::string container_in(std::string_view cgroups);

/** What the containers of processes are called. Looks at a process once; it hardly ever moves. */
class ContainerCache {
 public:
  /** `names` by id, from the engines' state; an id without a name is cut to the 12 digits that engines show. */
  std::string of(const ProcessEntry& process, const std::map<std::string, std::string>& names);

 private:
  struct Known {
    std::uint64_t start_ticks = 0;
    std::string container;
  };
  std::unordered_map<int, Known> known_;
};

}  // namespace sockdoc
