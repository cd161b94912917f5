#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <cstdint>

#include "preload/readiness/sleepers.h"

namespace sockdoc::preload {

/**
 * What an epoll set wants to know of one TCP socket. The registration with the kernel stays the program's own; this is
 * its copy, so that bytes that come by a ring are reported as the kernel would report them.
 */
class Member {  // all zero at first
 public:
  struct Interest {
    std::uint32_t version = 0;
    std::uint32_t events = 0;
    std::uint64_t data = 0;
  };

  /** False while it changes: whoever changes it looks for sleepers afterwards. */
  [[nodiscard]] bool read(Interest& into) const;
  /** The same, and waits for the end of a change, within reason. */
  [[nodiscard]] bool read_settled(Interest& into) const;

  /**
   * Around a change of the kernel's registration: begin() before it, then one of the others with what begin() gave.
   * Meanwhile an event may come of either registration, and nobody decides about it. 0: somebody else changes it too,
   * and which change the kernel saw last will not be known.
   */
  [[nodiscard]] std::uint32_t begin();
  void commit(std::uint32_t change, Handle socket, int fd, const epoll_event& event);
  void abandon(std::uint32_t change);

  [[nodiscard]] Handle socket() const { return Handle(socket_.load(std::memory_order_relaxed)); }
  [[nodiscard]] int fd() const { return fd_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t data() const { return data_.load(); }

  /** EPOLLONESHOT: true for one event after each change, whoever delivers it. */
  [[nodiscard]] bool fire(std::uint32_t version);
  [[nodiscard]] bool fired(std::uint32_t version) const { return fired_.load() == version; }
  /** EPOLLET: true once for what has arrived, in one thread. */
  [[nodiscard]] bool take_edge(std::uint64_t arrivals);
  [[nodiscard]] bool edge_taken(std::uint64_t arrivals) const { return edge_.load() == arrivals; }

  /** Looks in a row that found nothing. */
  std::atomic<std::uint32_t> idle{0};

 private:
  static constexpr std::uint64_t kNoEdge = ~std::uint64_t{0};

  std::atomic<std::uint64_t> socket_{0};
  std::atomic<std::uint32_t> version_{0};  // odd while it changes
  std::atomic<std::uint32_t> events_{0};
  std::atomic<std::uint64_t> data_{0};
  std::atomic<std::uint64_t> edge_{0};   // arrivals at the last edge
  std::atomic<std::uint32_t> fired_{0};  // the version that has had its event
  std::atomic<std::int32_t> fd_{0};
};

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

class EpollSets {
 public:
  /** From now on sets are followed; before, no call is looked at. */
  void start();
  /** Sets are the kernel's alone again: nothing of ours is in them. With all other threads stopped. */
  void stop();
  [[nodiscard]] bool started() const { return started_.load(std::memory_order_relaxed); }

  void record(int fd);
  /** The set behind a descriptor; null for what is none. */
  [[nodiscard]] EpollSet* find(int fd) const {
    const Handle handle = table.find(fd);
    return handle ? find(handle) : nullptr;
  }
  [[nodiscard]] EpollSet* find(Handle handle) const {
    const SocketWaits* waits = sleepers.known_waits(handle.index());
    EpollSet* set = waits == nullptr ? nullptr : waits->set.load(std::memory_order_acquire);
    return set != nullptr && set->handle().word() == handle.word() ? set : nullptr;
  }
  /** The same, and one that was there before libsd or came from elsewhere is taken in with its members. */
  [[nodiscard]] EpollSet* find_or_recover(int fd);
  /** The members of a recorded set as the kernel has them. With all other threads stopped. */
  void recover(int fd);

  /** True when a thread sleeps on a set that this socket is in. */
  [[nodiscard]] bool sleep_on(std::uint32_t socket) const;

  /** What tells a sleeper of a set to look again: always readable; see EpollSet::kick. -1 without one. */
  [[nodiscard]] int bell() const;
  [[nodiscard]] static std::uint64_t bell_data();

  /** One byte of each set that all processes share which have it from one another. */
  [[nodiscard]] std::atomic<std::uint8_t>* used_elsewhere(std::uint32_t place) const {
    return elsewhere_ == nullptr ? nullptr : &elsewhere_[place];
  }

 private:
  static constexpr unsigned kMost = 4096;

  EpollSet* attach(int fd);
  bool recover(EpollSet& set, int fd);

  std::atomic<EpollSet*> sets_[kMost] = {};
  std::atomic<std::uint32_t> count_{0};
  std::atomic<bool> started_{false};
  std::atomic<std::uint64_t> recovering_{0};
  std::atomic<int> bell_{-1};  // its place among our own descriptors
  std::atomic<std::uint8_t>* elsewhere_ = nullptr;
};

extern EpollSets epoll_sets;

}  // namespace sockdoc::preload
