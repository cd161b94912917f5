#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/fd.h"
#include "base/gaps.h"
#include "probes/cpu/perf_ring.h"
#include "probes/cpu/socket_path.h"

namespace sockdoc {

/**
 * How much of its CPU time a process spends in the kernel's socket path, by samples of all CPUs, so many per second of
 * busy time. A share of p from n samples is off by less than 2·√(p(1−p)/n) in 19 of 20 cases. Reading is cheap: a
 * thread of its own takes the samples out of the rings when they are half full, and read() what has come since.
 */
class SocketShareProbe {
 public:
  ~SocketShareProbe() { stop(); }

  /** Begins to sample `hertz` times per second; what prevents it becomes a gap of every reading. */
  void start(unsigned hertz);
  /**
   * JSON, {"windowMs", "processes":[{"pid", "samples", "kernel", "socket", "upkeep", "aside"}…], "gaps"}: of these
   * processes, since the call before (or start()). Samples in interrupts count nowhere; `socket` is part of `kernel`,
   * `upkeep` of `socket`; `aside` are those of threads that had none in `socket`. Processes without samples are left
   * out; without `processes` nothing is sampled.
   */
  std::string read(const std::vector<int>& pids);
  void stop();

 private:
  struct Counts {
    std::uint64_t samples = 0;
    std::uint64_t kernel = 0;
    std::uint64_t socket = 0;
    std::uint64_t upkeep = 0;
    std::uint64_t aside = 0;
  };
  struct ThreadCounts {
    std::uint32_t pid = 0;
    Counts counts;
  };

  Status open(unsigned hertz);
  void run();
  void drain();
  void count(const CpuSample& sample);
  [[nodiscard]] std::unordered_map<std::uint32_t, Counts> by_process() const;

  std::mutex calls_;  // start, read and stop wait for each other
  std::thread thread_;
  Fd wake_;  // eventfd: the thread shall end
  std::optional<Error> refused_;
  double since_ms_ = 0;

  std::mutex samples_;  // the thread and read()
  std::vector<PerfRing> rings_;
  std::optional<SocketPath> path_;
  std::unordered_map<std::uint32_t, ThreadCounts> threads_;  // by tid
  std::uint64_t lost_ = 0;
  std::uint64_t beyond_ = 0;
};

}  // namespace sockdoc
