#pragma once

#include <atomic>
#include <cstddef>

namespace sockdoc::preload {

/**
 * The descriptors of libsd itself. They sit high, close on exec, and are not the program's: for it they are not open.
 * Its close_range() and closefrom() loops leave them, and where it puts something of its own on their number, they move
 * away.
 */
class OwnDescriptors {
 public:
  static constexpr std::size_t kMost = 64;

  /** Takes `fd` over, to a high number. Where it then stands, see number(); a negative errno when there is no room. */
  [[nodiscard]] int adopt(int fd);
  [[nodiscard]] int number(std::size_t place) const { return numbers_[place].load() - 1; }
  void release(std::size_t place);

  [[nodiscard]] bool owns(int fd) const { return count_.load(std::memory_order_relaxed) != 0 && place_of(fd) < kMost; }
  /** Frees the number `fd` for the program, if it is one of ours. */
  void move_away(int fd);

  /** The first of ours within a range, or -1. */
  [[nodiscard]] long first_within(unsigned first, unsigned last) const;

 private:
  [[nodiscard]] std::size_t place_of(int fd) const;

  std::atomic<int> numbers_[kMost] = {};  // the descriptor + 1; 0: free
  std::atomic<unsigned> count_{0};
  std::atomic<std::size_t> end_{0};  // all places from here on were never used
};

extern OwnDescriptors own_descriptors;

}  // namespace sockdoc::preload
