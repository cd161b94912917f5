#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <cstdint>

#include "preload/readiness/member.h"
#include "preload/readiness/sleepers.h"

namespace sockdoc::preload {

/** An epoll set of this process. */
class EpollSet {
 public:
  void begin(Handle handle, std::uint32_t place);
  /** `fd` leads to it: the kernel alone has its members. With all other threads stopped. */
  void end(int fd);

  [[nodiscard]] Handle handle() const { return Handle(handle_.load(std::memory_order_relaxed)); }
  [[nodiscard]] bool has_sockets() const { return sockets_.load(std::memory_order_relaxed) != 0; }
  [[nodiscard]] bool has(std::uint32_t socket) const;
  /** The member of a socket; null when it is none. */
  [[nodiscard]] Member* member(std::uint32_t socket) const;
  [[nodiscard]] bool has_oneshot() const { return oneshot_.load(std::memory_order_relaxed) != 0; }
  /** The member of a socket, whether it is one or not; null without memory. */
  [[nodiscard]] Member* place_of(std::uint32_t socket);

  /** After the kernel agreed to EPOLL_CTL_ADD or _MOD; `change` is from the member's begin(). */
  void changed(Handle socket, int fd, const epoll_event& event, std::uint32_t change, bool added);
  void removed(Handle socket, int fd);

  /** Some member may have bytes in its ring. */
  [[nodiscard]] bool anything_awake() const;
  void mark_all();
  /** Its sockets, and those that come to it, stay on the kernel. */
  void keep_all(abi::Reason reason);

  /**
   * Drops what is not the program's to see from `count` events of the kernel: ours, and a second one of EPOLLONESHOT.
   * How many are left.
   */
  int sift(epoll_event* events, int count);
  /**
   * Puts what came by rings behind `from_kernel` events, or into them where they are of the same socket; how many there
   * are then, at most `room`. -1 if `events` is no memory.
   */
  int collect(epoll_event* events, int from_kernel, int room);

  /** Whether what came by rings would be reported now, to who waits for this set in another way than by epoll_wait. */
  [[nodiscard]] bool readable();
  /** That somebody waits so: from now on everything comes by the kernel, behind what the rings still hold. */
  void waited_for();

  /** A sleeper looks again. */
  void kick(int set);

  /** True when another process has used this set, or this one has it from its parent. */
  [[nodiscard]] bool shared();

  ThreadsInside threads;  // that sleep on it
  std::atomic<std::uint64_t> kernel_asked{0};
  std::atomic<std::uint32_t> calls_since{0};
  std::atomic<std::uint32_t> turn{0};

 private:
  struct Chunk {
    std::atomic<std::uint64_t> present[DescriptorTable::kSlots / kBits];
    Member members[DescriptorTable::kSlots];

    std::atomic<std::uint64_t>& present_word(std::uint32_t socket) {
      return present[socket % DescriptorTable::kSlots / kBits];
    }
  };
  static constexpr unsigned kHints = 8192;

  struct Bytes;
  [[nodiscard]] Bytes bytes_of(Member& member, const Member::Interest& interest);

  enum class Look { on, stop };
  /** visit(socket, member) for awake members, beginning behind the one that was served last. */
  template <typename Visit>
  void each_awake(Visit visit);
  template <typename Visit>
  void each(Visit visit);

  [[nodiscard]] Member* with_data(std::uint64_t data);

  std::atomic<std::uint64_t> handle_{0};
  std::atomic<std::uint32_t> sockets_{0};  // ever added
  std::atomic<std::uint32_t> oneshot_{0};  // some member was ever added with EPOLLONESHOT
  std::atomic<std::uint32_t> changes_{0};
  std::atomic<std::uint32_t> cursor_{0};
  std::atomic<std::uint32_t> kept_{0};  // a Reason
  std::atomic<std::uint32_t> epoch_{0};
  std::atomic<std::int32_t> process_{0};
  std::atomic<std::uint32_t> place_{0};  // in EpollSets
  std::atomic<std::uint32_t> chunks_end_{0};
  std::atomic<Chunk*> chunks_[DescriptorTable::kChunks] = {};
  std::atomic<std::uint64_t> hints_[kHints] = {};
};

}  // namespace sockdoc::preload
