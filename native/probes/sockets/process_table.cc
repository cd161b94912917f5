#include "probes/sockets/process_table.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <numeric>

#include "base/procfs.h"

namespace sockdoc {
namespace {

/** Fields after the name, counted from `state` = 3 as in proc_pid_stat(5). */
void take_fields(std::string_view rest, ProcessStat& stat) {
  for (int field = 3; !rest.empty() && field <= 39; ++field) {
    const std::string_view text = take_until(rest, ' ');
    const auto number = [&] { return parse_number<std::uint64_t>(text).value_or(0); };
    switch (field) {
      case 3:
        if (!text.empty()) stat.state = text.front();
        break;
      case 4:
        stat.ppid = static_cast<int>(number());
        break;
      case 9:
        stat.flags = static_cast<std::uint32_t>(number());
        break;
      case 14:
        stat.user_ticks = number();
        break;
      case 15:
        stat.system_ticks = number();
        break;
      case 20:
        stat.threads = static_cast<int>(number());
        break;
      case 22:
        stat.start_ticks = number();
        break;
      case 39:
        stat.cpu = static_cast<int>(number());
        break;
      default:
        break;
    }
  }
}

bool contains(const std::vector<int>& pids, int pid) { return std::find(pids.begin(), pids.end(), pid) != pids.end(); }

}  // namespace

std::optional<ProcessStat> parse_stat(std::string_view text) {
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return std::nullopt;
  ProcessStat stat;
  stat.comm = text.substr(open + 1, close - open - 1);
  if (text.size() < close + 2) return std::nullopt;
  take_fields(text.substr(close + 2), stat);
  return stat;
}

bool ProcessEntry::has_internet_sockets() const { return udp > 0 || std::accumulate(tcp.begin(), tcp.end(), 0u) > 0; }

ProcessTable ProcessTable::read(const std::vector<int>& asked, const std::vector<int>& self, Gaps& gaps) {
  ProcessTable table;
  FolderReader folder(AT_FDCWD, "/proc");
  char path[32];
  char buffer[1024];
  const bool whole = folder.for_each_number([&](const char*, int pid) {
    std::snprintf(path, sizeof path, "%d/stat", pid);
    const auto text = read_small(folder.fd(), path, buffer);
    auto stat = text ? parse_stat(*text) : std::nullopt;
    if (!stat || stat->is_kernel_thread()) return;  // it has ended meanwhile, or holds no descriptors
    ProcessEntry entry;
    entry.pid = pid;
    entry.stat = std::move(*stat);
    entry.asked = contains(asked, pid);
    entry.self = contains(self, pid);
    table.by_pid_.emplace(pid, static_cast<std::uint32_t>(table.processes_.size()));
    table.processes_.push_back(std::move(entry));
  });
  if (!folder.valid() || !whole) gaps.add_errno("sockets", "the processes of /proc", errno, "a mounted /proc");
  table.count_children();
  return table;
}

void ProcessTable::count_children() {
  for (const ProcessEntry& process : processes_) {
    if (const auto parent = by_pid_.find(process.stat.ppid); parent != by_pid_.end()) {
      ++processes_[parent->second].children;
    }
  }
}

}  // namespace sockdoc
