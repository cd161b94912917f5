#include "probes/sockets/process_details.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>

#include "base/procfs.h"

namespace sockdoc {
namespace {

std::string_view take_word(std::string_view& rest) {
  const std::size_t start = rest.find_first_not_of(' ');
  if (start == std::string_view::npos) return {};
  rest.remove_prefix(start);
  return take_until(rest, ' ');
}

Limit limit_of(const rlimit& limits) {
  Limit limit;
  limit.soft_unlimited = limits.rlim_cur == RLIM_INFINITY;
  if (limits.rlim_cur != RLIM_INFINITY) limit.soft = limits.rlim_cur;
  if (limits.rlim_max != RLIM_INFINITY) limit.hard = limits.rlim_max;
  return limit;
}

void read_limits(int pid, ProcessDetails& details, std::span<char> buffer) {
  rlimit files{}, memlock{};
  if (::prlimit(pid, RLIMIT_NOFILE, nullptr, &files) == 0 && ::prlimit(pid, RLIMIT_MEMLOCK, nullptr, &memlock) == 0) {
    details.files = limit_of(files);
    details.memlock = limit_of(memlock);
    return;
  }
  char path[32];
  std::snprintf(path, sizeof path, "/proc/%d/limits", pid);
  if (const auto text = read_small(AT_FDCWD, path, buffer)) {
    details.files = parse_limit(*text, "Max open files");
    details.memlock = parse_limit(*text, "Max locked memory");
  }
}

}  // namespace

Limit parse_limit(std::string_view text, std::string_view name) {
  std::string_view rest = line_of(text, name);
  const std::string_view soft = take_word(rest), hard = take_word(rest);
  Limit limit;
  limit.soft_unlimited = soft == "unlimited";
  limit.soft = parse_number<std::uint64_t>(soft);
  limit.hard = parse_number<std::uint64_t>(hard);
  return limit;
}

std::map<std::string, std::string> parse_cgroups(std::string_view text) {
  std::map<std::string, std::string> cgroups;
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    const std::string_view id = take_until(line, ':');
    std::string_view controllers = take_until(line, ':');
    if (id == "0") cgroups["unified"] = line;
    while (!controllers.empty()) {
      const std::string_view controller = take_until(controllers, ',');
      if (controller == "cpu" || controller == "memory") cgroups[std::string(controller)] = line;
    }
  }
  return cgroups;
}

std::string main_cgroup(const std::map<std::string, std::string>& cgroups) {
  for (const char* hierarchy : {"cpu", "unified", "memory"}) {
    if (const auto found = cgroups.find(hierarchy); found != cgroups.end()) return found->second;
  }
  return {};
}

ProcessDetails read_details(int pid) {
  ProcessDetails details;
  char path[32];
  char buffer[8192];
  const auto read = [&](const char* file) {
    std::snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    return read_small(AT_FDCWD, path, buffer);
  };
  if (const auto text = read("status")) {
    details.uid = parse_number<std::uint32_t>(line_of(*text, "Uid:"));
    details.cpus_allowed = line_of(*text, "Cpus_allowed_list:");
    details.mems_allowed = line_of(*text, "Mems_allowed_list:");
  }
  if (const auto text = read("cgroup")) {
    details.cgroups = parse_cgroups(*text);
    details.cgroup = main_cgroup(details.cgroups);
  }
  if (const auto text = read("cmdline")) {
    details.command_line = text->substr(0, 512);
    std::replace(details.command_line.begin(), details.command_line.end(), '\0', ' ');
    while (details.command_line.ends_with(' ')) details.command_line.pop_back();
  }
  std::snprintf(path, sizeof path, "/proc/%d/ns/net", pid);
  if (const auto link = read_link(AT_FDCWD, path, buffer)) {
    if (const auto inode = inode_of_link(*link, "net")) details.netns = std::to_string(*inode);
  }
  read_limits(pid, details, buffer);
  return details;
}

}  // namespace sockdoc
