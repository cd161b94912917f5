#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/gaps.h"
#include "probes/sockets/process_table.h"
#include "probes/sockets/system_calls.h"

namespace sockdoc {

/** /proc/PID/task/TID/schedstat (Documentation/scheduler/sched-stats.rst): nanoseconds and time slices. */
struct SchedulerTimes {
  std::uint64_t run_ns = 0;
  std::uint64_t delay_ns = 0;
  std::uint64_t timeslices = 0;
};

std::optional<SchedulerTimes> parse_schedstat(std::string_view text);

struct Switches {
  std::uint64_t voluntary = 0;
  std::uint64_t involuntary = 0;
};

/** From /proc/PID/task/TID/status. */
std::optional<Switches> parse_switches(std::string_view text);

struct ThreadRow {
  int pid = 0;
  int tid = 0;
  ProcessStat stat;
  std::optional<SchedulerTimes> times;
  std::optional<Switches> switches;
  std::string wait_channel;
  std::optional<BlockedCall> call;
};

/** Sums over the threads of a process; absent where one of them could not be read. */
struct ThreadSums {
  std::optional<SchedulerTimes> times;
  std::optional<Switches> switches;
};

/** Threads of processes, read within a limit for the whole host. */
class ThreadReader {
 public:
  ThreadReader(std::size_t limit, Gaps& gaps) : limit_(limit), gaps_(gaps) {}

  /** Reads the threads of one process, adds their rows and returns their sums. */
  ThreadSums read(const ProcessEntry& process);

  [[nodiscard]] const std::vector<ThreadRow>& rows() const { return rows_; }
  /** Notes what was left out. Call once at the end. */
  void finish();

 private:
  void read_thread(int folder, const char* tid_name, ThreadRow& row);

  std::size_t limit_;
  Gaps& gaps_;
  std::vector<ThreadRow> rows_;
  std::uint64_t left_out_ = 0;
  std::uint64_t calls_denied_ = 0;
  std::uint64_t times_missing_ = 0;
};

}  // namespace sockdoc
