#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace sockdoc {

/** A line "cpuN" of /proc/stat, proc_stat(5), in clock ticks. Time of guests is part of user and nice. */
struct CpuTicks {
  int cpu = 0;
  std::uint64_t user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0;

  [[nodiscard]] std::uint64_t busy() const { return user + nice + system + irq + softirq; }
  [[nodiscard]] std::uint64_t total() const { return busy() + idle + iowait + steal; }
};

struct HostTimes {
  std::vector<CpuTicks> cpus;  // those that are online
  std::optional<std::uint64_t> switches;
  std::optional<std::uint64_t> runnable;
};

HostTimes parse_host_times(std::string_view stat);

}  // namespace sockdoc
