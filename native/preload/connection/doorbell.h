#pragma once

#include <atomic>
#include <cstdint>

#include "preload/table/table.h"

namespace sockdoc::preload {

/**
 * This process's end of the doorbell of a slab: a pair of UNIX stream sockets that are shut down. shutdown(2) on one
 * end wakes whoever has the other one in an epoll set with EPOLLET. It takes no memory there, leaves nothing to be
 * read, and never waits, whatever the other process does to its end. docs/decisions/0088 says what it is for.
 */
class Doorbell {  // all zero at first
 public:
  /** Each is a descriptor of the program's limit: no more than one for so many of these. */
  static constexpr std::uint32_t kDescriptorsForEach = 32;
  static constexpr std::uint32_t kMost = 64;

  /** Takes `fd` over, which was made with OwnDescriptors::Making. False: there is no room, it is the caller's still. */
  [[nodiscard]] bool take(int fd);
  [[nodiscard]] bool there() const { return number() >= 0 && deaf_.load(std::memory_order_relaxed) == 0; }
  void close();
  /** Wakes who watches the other end. */
  void ring();

  /** Puts it into the epoll set `set`, by a number of it, unless it is there. False: it is not, or in another one. */
  [[nodiscard]] bool join(Handle set, int number);
  /**
   * Takes it out again, if that is where it is. One that the program has driven from its number meanwhile is closed,
   * since the kernel knows the set's member by the number that it had.
   */
  void part(Handle set, int number);

  /** With each sleep that it could have ended: whether it is time to ask for it. */
  [[nodiscard]] bool worth_asking() {
    if (asked_.load(std::memory_order_relaxed) != 0) return false;
    return sleeps_.fetch_add(1, std::memory_order_relaxed) % kSleeps == kSleeps - 1;
  }
  void asked() { asked_ = 1; }

  /** What epoll_wait(2) gives with its events. */
  [[nodiscard]] static std::uint64_t data();

 private:
  static constexpr std::uint32_t kSleeps = 64;

  [[nodiscard]] int number() const;

  std::atomic<int> place_{0};             // among our own descriptors, + 1
  std::atomic<std::uint64_t> set_{0};     // which has it
  std::atomic<int> member_{-1};           // by which number
  std::atomic<std::uint32_t> barred_{0};  // the kernel does not want it there
  std::atomic<std::uint32_t> deaf_{0};    // somebody has closed it, or forbids to ring it
  std::atomic<std::uint32_t> sleeps_{0};
  std::atomic<std::uint32_t> asked_{0};
};

}  // namespace sockdoc::preload
