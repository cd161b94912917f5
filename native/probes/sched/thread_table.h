#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/gaps.h"
#include "probes/sockets/threads.h"

namespace sockdoc {

/** What one thread did since the reading before; rates are absent at the first. */
struct ThreadActivity {
  int pid = 0;
  int tid = 0;
  std::string process;
  bool serves_sockets = false;
  ProcessStat stat;
  std::optional<double> seconds;  // between the two readings of this thread
  std::optional<SchedulerTimes> times;
  std::optional<Switches> switches;
  std::string wait_channel;
  std::optional<BlockedCall> call;
};

struct ThreadsRequest {
  std::optional<std::vector<int>> pids;  // only these processes
  std::unordered_set<int> sockets;       // processes that hold internet sockets
  std::unordered_set<int> self;          // left out unless asked for
  std::size_t limit = 100;               // rows
};

struct ThreadsReading {
  std::vector<ThreadActivity> rows;  // those that serve sockets first, then by run-queue delay
  std::size_t left_out = 0;
};

/** The threads that these processes have now. */
std::vector<int> threads_of(const std::vector<int>& pids);

/**
 * Threads of the host by their run-queue delay, from /proc/PID/task/TID. Of every thread schedstat is read, which is
 * cheap; stat and status only of those that ran or waited since the reading before, so that a host with thousands of
 * sleeping threads costs little: what has not moved is as it was. What a thread waits for is read of the rows alone.
 */
class ThreadTable {
 public:
  ThreadsReading read(const ThreadsRequest& request, Gaps& gaps);

 private:
  struct Sample {
    std::optional<SchedulerTimes> times;
    std::optional<Switches> switches;
    std::optional<ProcessStat> stat;  // absent: not read
    std::int64_t at_ns = 0;
  };
  using Samples = std::unordered_map<int, Sample>;
  struct Pass;

  void read_process(Pass& pass, int pid, const char* name);
  void read_thread(Pass& pass, int folder, int pid, const char* name, int tid);
  static bool is_runnable(const Sample& sample);
  static bool read_details(int folder, const char* name, Sample& now);
  void compare(const Sample* before, const Sample& now, ThreadActivity& row) const;
  static void add_gaps(const Pass& pass, Gaps& gaps);

  Samples before_;
  bool complete_ = false;     // `before_` has every thread that there was
  std::int64_t last_ns_ = 0;  // when that reading began; 0: there was none
};

}  // namespace sockdoc
