#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/gaps.h"
#include "probes/sched/cpu_times.h"
#include "probes/sched/sched_programs.h"
#include "probes/sched/sched_view.h"
#include "probes/sched/thread_table.h"

namespace sockdoc {

/** SchedulerRequest in src/probes/native.ts. */
struct SchedRequest {
  std::optional<std::vector<int>> pids;  // threads of these processes only
  std::vector<int> socket_pids;          // processes that hold internet sockets
  std::vector<int> self_pids;
  std::size_t limit = 100;  // threads
};

/**
 * What the scheduler does on this host, between one reading and the next. read() answers with JSON,
 * {"windowMs", "scheduler": SchedulerView of src/model/views/scheduler.ts, "gaps"}: rates and histograms are absent at
 * the first reading, and histograms without start() or where BPF is not to be had. Calls wait for each other.
 */
class SchedProbe {
 public:
  /** Attaches the programs; what prevents it becomes a gap of every reading. */
  void start();
  std::string read(const SchedRequest& request);
  /** Detaches the programs. The end of the object does it too. */
  void stop();

 private:
  /** What stands at a reading for the next one to be compared with. */
  struct Base {
    double at_ms = 0;
    HostTimes times;
    std::vector<SchedCpu> cpus;
    std::vector<std::uint64_t> migrations;
    std::map<int, SchedThread> threads;
  };

  Status attach();
  SchedView take(const SchedRequest& request, Gaps& gaps);
  void add_cpus(SchedView& view, const Base& now, std::uint64_t epoch) const;
  void watch(const SchedRequest& request, Base& now, Gaps& gaps);
  void add_threads(SchedView& view, Base& now, std::uint64_t epoch, const SchedRequest& request, Gaps& gaps);

  std::mutex mutex_;
  std::optional<SchedPrograms> programs_;
  std::optional<Error> refused_;
  std::optional<Base> base_;
  ThreadTable threads_;
};

}  // namespace sockdoc
