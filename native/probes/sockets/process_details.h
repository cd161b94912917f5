#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/gaps.h"
#include "probes/sockets/descriptors.h"

namespace sockdoc {

/** A limit of prlimit(2); `unlimited` instead of a value for RLIM_INFINITY. */
struct Limit {
  std::optional<std::uint64_t> soft;
  std::optional<std::uint64_t> hard;
  bool soft_unlimited = false;
};

/** What a reported process has beside stat and its descriptors. */
struct ProcessDetails {
  std::optional<std::uint32_t> uid;
  std::string command_line;
  std::string netns;
  std::string cgroup;
  std::map<std::string, std::string> cgroups;
  std::string cpus_allowed;
  std::string mems_allowed;
  Limit files;
  Limit memlock;
};

/** One line of /proc/PID/limits, where prlimit(2) is not permitted. */
Limit parse_limit(std::string_view text, std::string_view name);

/** /proc/PID/cgroup: the path of "cpu" and "memory" (version 1) and "unified". */
std::map<std::string, std::string> parse_cgroups(std::string_view text);

/** Which of them says where the process is: the unified one, unless version 1 has its cpu controller. */
std::string main_cgroup(const std::map<std::string, std::string>& cgroups);

ProcessDetails read_details(int pid);

}  // namespace sockdoc
