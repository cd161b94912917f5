#pragma once

#include <atomic>
#include <cstdint>

#include "preload/table/memory.h"

namespace sockdoc::preload {

/**
 * How many processes have a socket, or an epoll set, since forks copied it: words that parents and children share. A
 * process that has closed its copy counts itself out. Who ended without that is counted out by its parent, if that
 * knows it by a number (expect_child()). What somebody got in another way is not counted (forbid()). So the count is
 * never too low, and one means that nobody else has it.
 *
 * A child with a number has a lifeline too: a page of memory that its parent maps before the fork, and not after it.
 * All that comes of the child by forks maps it, until it ends or executes another program; and a file that somebody
 * maps so cannot be sealed. So whoever has the file learns that none of them is left: that of what was given to nobody
 * else there is no other copy, and that their numbers are free.
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
  /** They are not counted out any more, and have no lifelines. */
  void forget_children();

  /**
   * Before a fork: one more. `place` is what the socket has, or kNone where nobody else has it; its place from now on,
   * kNone without memory.
   */
  [[nodiscard]] std::uint32_t share(std::uint32_t place, unsigned child);
  /** The calling process has closed its last descriptor of the socket. */
  void leave(std::uint32_t place);
  /** Children that are no more are counted out of whatever they had. */
  void count_out_ended();
  /** The same, where nobody has looked within the last millisecond. */
  void count_out_at_times();

  /** True when no other process has it. */
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
    std::atomic<std::uint32_t> numbers;            // that are given out
    std::atomic<std::uint32_t> parents[kUnknown];  // who has given them out, by his number or that of who made him
    std::atomic<std::uint32_t> end;                // all places from here on were never used
    std::atomic<std::uint64_t> counts[kPlaces];
  };

  /** Of what this process had alone: the children that it was given to, and how often it was to others. */
  static constexpr std::uint64_t kMine = std::uint64_t{1} << 63;
  static constexpr std::uint64_t kToOthers = std::uint64_t{1} << 32;
  struct Given {
    std::atomic<std::uint64_t> to[kPlaces];
  };

  struct Child {
    std::atomic<std::int32_t> process;    // 0: it has ended, or there is none
    std::atomic<std::uint32_t> lifeline;  // among own_descriptors, + 1; 0: there is none
    std::uint64_t inode;
    void* memory;
  };

  [[nodiscard]] static std::uint64_t bit(unsigned number) {
    return number == kUnknown ? 0 : std::uint64_t{1} << (kFirstChild + number);
  }
  [[nodiscard]] static bool is_no_more(std::int32_t process);
  [[nodiscard]] std::atomic<std::uint64_t>& at(std::uint32_t place) const { return shared_.load()->counts[place - 1]; }
  [[nodiscard]] Shared* shared();
  [[nodiscard]] Given* given();
  [[nodiscard]] std::uint32_t unused_place();
  void give(std::uint32_t place, unsigned child);
  static void count_out(std::atomic<std::uint64_t>& word, unsigned child);
  void throw_lifeline(Child& child);
  [[nodiscard]] static bool is_let_go(const Child& child);
  [[nodiscard]] std::uint32_t with_all_that_came_of(unsigned number) const;
  void look_after(unsigned number);
  void free_numbers(std::uint32_t numbers);
  void count_out_everywhere(std::uint32_t numbers, bool all_that_came_of_them);

  std::atomic<Shared*> shared_{nullptr};
  std::atomic<Given*> given_{nullptr};
  std::atomic<std::uint32_t> next_{0};
  std::atomic<std::uint64_t> due_{0};      // in ticks
  std::atomic<std::uint32_t> looking_{0};  // somebody is
  unsigned mine_ = kUnknown;
  unsigned kin_ = kUnknown;  // the number of who came last, of us and those that we come of, with one
  Child children_[kUnknown] = {};
};

}  // namespace sockdoc::preload
