#pragma once

#include <atomic>
#include <cstdint>

#include "preload/table/memory.h"

namespace sockdoc::preload {

/**
 * How many processes have a socket since forks copied it: words that parents and children share. A process that has
 * closed its copy counts itself out. One that ended without that is counted out by its parent, if that knows it by a
 * number (expect_child()). One that executed another program is not, nor is what got the socket in another way
 * (forbid()). So the count is never too low, and one means that nobody else has it.
 */
class Holders {
 public:
  static constexpr std::uint32_t kNone = 0;
  static constexpr unsigned kUnknown = 32;

  /** Before a fork that comes back to us: a number for the child among all who share the words; kUnknown: none is free.
   */
  [[nodiscard]] unsigned expect_child();
  /** After it, in the parent: the child's process id, or -1 where there is none. */
  void born(unsigned number, std::int32_t process);
  /** In the child. */
  void begin_as(unsigned number);

  /** Before a fork: one more. `place` is what the socket has, or kNone; its place from now on, kNone without memory. */
  [[nodiscard]] std::uint32_t share(std::uint32_t place, unsigned child);
  /** The calling process has closed its last descriptor of the socket. */
  void leave(std::uint32_t place) {
    if (place != kNone) count_out(place, mine_);
  }
  /** The calling process executes another program, which may leave the socket to more: its end says nothing then. */
  void end_says_nothing(std::uint32_t place) {
    if (place != kNone && mine_ != kUnknown) at(place).fetch_and(~bit(mine_));
  }
  /** `each(number)` for every child that is no more; then its number is another's. */
  template <typename Each>
  void ended(Each each) {
    for (unsigned number = 0; number < kUnknown; number++) {
      const std::int32_t process = children_[number].load(std::memory_order_relaxed);
      if (process != 0 && is_no_more(process)) forget(number, process, each);
    }
  }
  /** A child that is no more had the socket, perhaps. */
  void ended_with(std::uint32_t place, unsigned child) {
    if (place != kNone && (at(place).load() & bit(child)) != 0) count_out(place, child);
  }

  /** True when no other process has it; the place is free then. */
  [[nodiscard]] bool alone(std::uint32_t place);
  /** Somebody has the socket who does not count. */
  void forbid(std::uint32_t place) {
    if (place != kNone) at(place).fetch_or(kForbidden, std::memory_order_relaxed);
  }

 private:
  // A word: how many, and which of the children with a number are among them.
  static constexpr std::uint32_t kPlaces = 1 << 16;
  static constexpr std::uint64_t kForbidden = std::uint64_t{1} << 31;
  static constexpr unsigned kFirstChild = 32;
  struct Shared {
    std::atomic<std::uint32_t> numbers;  // that are given out
    std::atomic<std::uint64_t> counts[kPlaces];
  };

  [[nodiscard]] static std::uint64_t bit(unsigned number) {
    return number == kUnknown ? 0 : std::uint64_t{1} << (kFirstChild + number);
  }
  [[nodiscard]] static bool is_no_more(std::int32_t process);
  [[nodiscard]] std::atomic<std::uint64_t>& at(std::uint32_t place) const { return shared_.load()->counts[place - 1]; }
  [[nodiscard]] Shared* shared();
  void count_out(std::uint32_t place, unsigned number);

  template <typename Each>
  void forget(unsigned number, std::int32_t process, Each each) {
    if (!children_[number].compare_exchange_strong(process, 0)) return;
    each(number);
    shared_.load()->numbers.fetch_and(~(std::uint32_t{1} << number));
  }

  std::atomic<Shared*> shared_{nullptr};
  std::atomic<std::uint32_t> next_{0};
  unsigned mine_ = kUnknown;
  std::atomic<std::int32_t> children_[kUnknown] = {};
};

}  // namespace sockdoc::preload
