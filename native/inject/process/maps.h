#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sockdoc::inject {

/** A line of /proc/PID/maps. */
struct Mapping {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t offset = 0;
  bool readable = false;
  bool writable = false;
  bool executable = false;
  std::string path;

  [[nodiscard]] bool holds(std::uint64_t address) const { return address >= begin && address < end; }
};

/** Nothing with errno set when it may not be read. Empty for what has no memory. */
std::optional<std::vector<Mapping>> read_maps(pid_t pid);

}  // namespace sockdoc::inject
