#pragma once

#include <atomic>
#include <cstdint>

#include "preload/table/memory.h"

namespace sockdoc::preload {

/**
 * How many processes have a socket since forks copied it: words that parents and children share. A process that has
 * closed its copy counts itself out; one that ended or executed another program does not, nor does what got the socket
 * in another way (forbid()). So the count is never too low, and one means that nobody else has it.
 */
class Holders {
 public:
  static constexpr std::uint32_t kNone = 0;

  /** Before a fork: one more. `place` is what the socket has, or kNone; its place from now on, kNone without memory. */
  [[nodiscard]] std::uint32_t share(std::uint32_t place);
  /** The calling process has closed its last descriptor of the socket. */
  void leave(std::uint32_t place) {
    if (place != kNone) at(place).fetch_sub(1, std::memory_order_acq_rel);
  }
  /** True when no other process has it; the place is free then. */
  [[nodiscard]] bool alone(std::uint32_t place);
  /** Somebody has the socket who does not count. */
  void forbid(std::uint32_t place) {
    if (place != kNone) at(place).fetch_add(kForbidden, std::memory_order_relaxed);
  }

 private:
  static constexpr std::uint32_t kPlaces = 1 << 16;
  static constexpr std::uint32_t kForbidden = 1 << 20;
  using Counts = std::atomic<std::uint32_t>[kPlaces];

  [[nodiscard]] std::atomic<std::uint32_t>& at(std::uint32_t place) const { return (*counts_.load())[place - 1]; }

  std::atomic<Counts*> counts_{nullptr};
  std::atomic<std::uint32_t> next_{0};
};

}  // namespace sockdoc::preload
