#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "preload/thread.h"

namespace sockdoc::preload {

/**
 * The descriptors of libsd itself. They sit high, close on exec, and are not the program's: for it they are not open.
 * Its close_range() and closefrom() loops leave them, and where it puts something of its own on their number, they move
 * away.
 */
class OwnDescriptors {
 public:
  static constexpr std::size_t kMost = 168;
  static constexpr std::size_t kMoments = 8;  // places that are left to those which go within a moment

  /**
   * Takes `fd` over, which was made with Making, to a high number. Where it then stands, see number(); a negative errno
   * when there is no room, and `fd` is the caller's still. For a moment it may stand on the program's last free number.
   */
  enum class For { long_while, moment };
  [[nodiscard]] int adopt(int fd, For how_long = For::long_while);
  [[nodiscard]] int number(std::size_t place) const { return numbers_[place].load() - 1; }
  void release(std::size_t place);

  [[nodiscard]] bool owns(int fd) const { return count_.load(std::memory_order_relaxed) != 0 && place_of(fd) < kMost; }

  /**
   * While one of them lives what was made within it stands on its number: no thread of the program puts something of
   * its own there, by dup2(2), which we would take, or close, for ours. No handler runs meanwhile, so for short steps
   * alone; begun before the descriptor is made, ended once it is adopted or closed.
   */
  class Making {
   public:
    Making();
    ~Making();
    Making(const Making&) = delete;
    Making& operator=(const Making&) = delete;

   private:
    SignalsBlocked blocked_;
  };
  /**
   * What number() says stays on its number as long as one of them lives that was there before: who closes it, or puts
   * something of the program's in its place, waits for that. For one system call that does not wait.
   */
  class Using {
   public:
    Using();
    ~Using();
    Using(const Using&) = delete;
    Using& operator=(const Using&) = delete;
  };
  /** Around the system call by which the program puts something on the number `to`: one of ours is moved away first. */
  class Replacing {
   public:
    explicit Replacing(int to);
    ~Replacing();
    Replacing(const Replacing&) = delete;
    Replacing& operator=(const Replacing&) = delete;
  };

  /** The first of ours within a range, or -1. */
  [[nodiscard]] long first_within(unsigned first, unsigned last) const;
  /** In a child, which has but one thread. */
  void forked() { making_ = replacing_ = using_ = 0; }

 private:
  [[nodiscard]] std::size_t place_of(int fd) const;
  void move_away(int fd);
  [[nodiscard]] bool raise(std::size_t place, int fd, For how_long);

  static constexpr int kLost = -1;

  std::atomic<int> numbers_[kMost] = {};  // the descriptor + 1; 0: free; kLost: not released yet
  std::atomic<unsigned> count_{0};
  std::atomic<std::size_t> end_{0};  // all places from here on were never used
  std::atomic<unsigned> making_{0};
  std::atomic<unsigned> replacing_{0};
  std::atomic<unsigned> using_{0};
};

extern OwnDescriptors own_descriptors;

/**
 * One of them; or, in a child on the memory of the process that they are recorded in, one of the child's: as high, and
 * without a record. Such a child may close what its parent took, which is open in the parent until that closes it too.
 * All zero: none.
 */
class OwnDescriptor {
 public:
  /** Takes `fd` over, or closes it where there is no room: false. There was none before. */
  bool take(int fd, OwnDescriptors::For how_long = OwnDescriptors::For::long_while);
  /** In the calling process, which may be a child of the one that took it; -1: it has none. */
  [[nodiscard]] int number() const;
  /** Of another process it is forgotten. */
  void close();

 private:
  int place_ = 0;           // among own_descriptors, + 1
  bool forgotten_ = false;  // what stands there, by such a child
  int number_ = 0;          // + 1: of `process_` alone
  std::int32_t process_ = 0;
};

}  // namespace sockdoc::preload
