#pragma once

#include <array>
#include <cstdint>

namespace sockdoc {

/**
 * Values of the maps that the scheduler's programs write and we read (sched_programs.cc writes them by offset). Counts
 * only grow. A maximum belongs to an epoch, the time between two readings: each slot says which, so that it begins anew
 * without anybody clearing it.
 */
struct SchedHistogram {
  static constexpr std::size_t kBuckets = 32;
  std::array<std::uint64_t, kBuckets> counts{};
  std::uint64_t sum_ns = 0;
  struct Maximum {
    std::uint64_t epoch = 0;
    std::uint64_t ns = 0;
  };
  std::array<Maximum, 2> maxima{};  // by the lowest bit of the epoch
};

/** What happened on one CPU. */
struct SchedCpu {
  SchedHistogram run_delay;
  SchedHistogram wakeup;
  std::uint64_t switches = 0;
  std::uint64_t last = 0;  // who came last, as its number + 1; 0: nobody yet
};

/** A thread that is watched. It is switched in on one CPU at a time, so only `migrations` is added to atomically. */
struct SchedThread {
  SchedHistogram run_delay;
  std::uint64_t migrations = 0;
};

/** Kept with each task by the kernel; gone with the task. */
struct SchedWaiting {
  std::uint64_t since_ns = 0;  // 0: does not wait
  std::uint64_t woken = 0;     // 1: waits since a wake-up, or will when it is woken; 0: since it was pushed off its CPU
  std::uint64_t delay_ns = 0;  // what the scheduler itself had counted when it last left a CPU
  enum State : std::uint64_t { unknown, owed, counted };
  std::uint64_t wait = unknown;  // of the wait since then
};

struct SchedControl {
  std::uint64_t epoch = 1;
  std::uint64_t watched = 0;  // entries of the map of threads: 0 saves looking there
};

}  // namespace sockdoc
