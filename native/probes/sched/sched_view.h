#pragma once

#include <optional>
#include <vector>

#include "base/json.h"
#include "probes/sched/cpu_times.h"
#include "probes/sched/sched_layout.h"
#include "probes/sched/thread_table.h"

namespace sockdoc {

/** A histogram of one window. */
struct SchedWindow {
  std::array<std::uint64_t, SchedHistogram::kBuckets> counts{};
  std::uint64_t sum_ns = 0;
  std::uint64_t max_ns = 0;

  /** What came between two readings; the maximum is that of the epoch that ended. */
  static SchedWindow between(const SchedHistogram& before, const SchedHistogram& after, std::uint64_t epoch);
  void add(const SchedWindow& other);
};

struct SchedCpuView {
  CpuTicks ticks;                  // now
  std::optional<CpuTicks> before;  // absent at the first reading, and for a CPU that was not online then
  std::optional<SchedWindow> run_delay;
  std::optional<SchedWindow> wakeup;
  std::optional<std::uint64_t> switches;
  std::optional<std::uint64_t> migrations;
};

struct SchedThreadView {
  ThreadActivity activity;
  std::optional<SchedWindow> run_delay;
  std::optional<std::uint64_t> migrations;
};

struct SchedView {
  bool bpf = false;
  std::optional<double> seconds;
  std::optional<std::uint64_t> runnable;
  std::optional<std::uint64_t> switches;
  std::vector<SchedCpuView> cpus;
  std::vector<SchedThreadView> threads;
  std::size_t threads_left_out = 0;
};

/** `SchedulerView` of src/model/views/scheduler.ts, as a value. */
void write_view(Json& json, const SchedView& view);

}  // namespace sockdoc
