#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace sockdoc {

/** A sample of perf_event_open(2): who ran, and where in the kernel; an empty chain for one in user space. */
struct CpuSample {
  std::uint32_t pid = 0;
  std::uint32_t tid = 0;
  std::span<const std::uint64_t> chain;
};

/**
 * Samples of what one CPU runs, at so many per second of its time, none while it is idle: a timer of the kernel that
 * writes into memory shared with us. Needs CAP_PERFMON (or CAP_SYS_ADMIN; kernel.perf_event_paranoid below 0 allows it
 * to everybody). Ends with the object.
 */
class PerfRing {
 public:
  static Result<PerfRing> open(int cpu, unsigned hertz);

  PerfRing(PerfRing&& other) noexcept;
  PerfRing& operator=(PerfRing&&) = delete;
  PerfRing(const PerfRing&) = delete;
  PerfRing& operator=(const PerfRing&) = delete;
  ~PerfRing();

  /** Becomes readable when the ring is half full. */
  [[nodiscard]] int fd() const { return fd_.get(); }

  /** Takes out what there is. Returns how many samples the kernel had no room for. */
  std::uint64_t drain(const std::function<void(const CpuSample&)>& take);

 private:
  PerfRing(Fd fd, void* memory) : fd_(std::move(fd)), memory_(memory) {}

  Fd fd_;
  void* memory_ = nullptr;
  std::vector<std::uint64_t> record_;
};

/**
 * Reads one PERF_RECORD_SAMPLE (TID and CALLCHAIN) whose header was taken off; nothing for a damaged one. For PerfRing,
 * and for tests.
 */
bool parse_cpu_sample(std::span<const std::uint64_t> words, CpuSample& sample);

}  // namespace sockdoc
