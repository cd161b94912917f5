#pragma once

#include <atomic>
#include <cstdint>

namespace sockdoc::preload {

/**
 * How long this process waits, each time, for others that share bytes with it and may mean harm: longer than what they
 * do can take; once that was in vain, little, for a while. All in ms; `now` of coarse_ms().
 */
struct Patience {
  std::uint64_t most = 7000;
  std::uint64_t little = 200;
  std::uint64_t for_so_long = 60'000;
  std::atomic<std::uint64_t> little_until{0};

  [[nodiscard]] std::uint64_t ms(std::uint64_t now) const { return now < little_until.load() ? little : most; }
  void in_vain(std::uint64_t now) { little_until = now + for_so_long; }
};

/** For who gives bytes back that were set aside. */
extern Patience thaw_patience;

}  // namespace sockdoc::preload
