#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/gaps.h"
#include "probes/sockets/sock_diag.h"

namespace sockdoc {

/** What /proc/PID/stat says, proc_pid_stat(5). The same for a thread's stat. */
struct ProcessStat {
  std::string comm;
  char state = '?';
  int ppid = 0;
  std::uint32_t flags = 0;
  std::uint64_t user_ticks = 0;
  std::uint64_t system_ticks = 0;
  int threads = 0;
  std::uint64_t start_ticks = 0;
  int cpu = -1;

  [[nodiscard]] bool is_kernel_thread() const { return (flags & 0x00200000u) != 0; }  // PF_KTHREAD
};

/** The name may hold blanks and parentheses: it ends at the last ')'. */
std::optional<ProcessStat> parse_stat(std::string_view text);

/** A process with its descriptors and, after the join, its sockets. */
struct ProcessEntry {
  int pid = 0;
  ProcessStat stat;
  int children = 0;
  bool asked = false;
  bool self = false;

  bool descriptors_read = false;
  int open = 0;
  int sockets = 0;
  int highest = -1;
  /** Its sockets are held[first_held, first_held + sockets) of the DescriptorTable. */
  std::uint32_t first_held = 0;

  std::array<std::uint32_t, kTcpStates> tcp{};
  std::uint32_t udp = 0;
  std::uint32_t unix_sockets = 0;
  bool zero_copy = false;

  [[nodiscard]] bool has_internet_sockets() const;
  [[nodiscard]] bool listens() const { return tcp[kListen] > 0; }
  [[nodiscard]] bool reported() const { return asked || sockets > 0; }
};

/** All processes that are visible, without kernel threads. */
class ProcessTable {
 public:
  /** Reads /proc/PID/stat of every process. */
  static ProcessTable read(const std::vector<int>& asked, const std::vector<int>& self, Gaps& gaps);

  [[nodiscard]] std::vector<ProcessEntry>& all() { return processes_; }
  [[nodiscard]] const std::vector<ProcessEntry>& all() const { return processes_; }
  [[nodiscard]] ProcessEntry& at(std::uint32_t index) { return processes_[index]; }
  [[nodiscard]] const ProcessEntry& at(std::uint32_t index) const { return processes_[index]; }

 private:
  void count_children();

  std::vector<ProcessEntry> processes_;
  std::unordered_map<int, std::uint32_t> by_pid_;
};

}  // namespace sockdoc
