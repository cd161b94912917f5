#pragma once

#include <atomic>
#include <cstdint>

#include "abi/messages.h"
#include "preload/table/memory.h"
#include "preload/table/table.h"

/*
 * Who of this process sleeps on which socket, and which connections may get bytes by a ring.
 *
 * A connection is *marked* while its peer has to send by the kernel, which wakes whoever sleeps, in whatever call, or
 * *awake* while bytes may come by the ring. It begins marked. A call that goes to sleep marks what it waits for. A read
 * that takes bytes wakes it again, and so does, once after it has moved, who was woken on an epoll set that it is in;
 * but only when nobody sleeps on it: not on the socket, and not on an epoll set. So whoever sleeps is woken by the
 * kernel, and what was idle once costs nothing until it moves again.
 */
namespace sockdoc::preload {

class Connection;
class EpollSet;

inline constexpr unsigned kSockets = DescriptorTable::kSlots * DescriptorTable::kChunks;
inline constexpr unsigned kBits = 64;

/** Sets or clears bits; whether this changed any. No locked instruction where it does not. */
inline bool put(std::atomic<std::uint64_t>& word, std::uint64_t bits, bool set) {
  const std::uint64_t wanted = set ? bits : 0;
  if ((word.load(std::memory_order_relaxed) & bits) == wanted) return false;
  return ((set ? word.fetch_or(bits) : word.fetch_and(~bits)) & bits) != wanted;
}

/**
 * Threads that are inside something. One that left by longjmp() is noticed when it comes back, instead of being counted
 * for ever.
 */
class ThreadsInside {
 public:
  /** What leave() has to be given. */
  [[nodiscard]] int enter();
  static constexpr int kNowhere = -1;  // leave() does nothing
  void leave(int place);
  [[nodiscard]] bool any() const;
  /** Nobody else is inside. */
  [[nodiscard]] bool alone(int place) const;

 private:
  static constexpr int kPlaces = 4;
  struct Place {
    std::atomic<std::uint64_t> thread{0};
    std::atomic<std::uintptr_t> stack{0};
  };
  Place places_[kPlaces];
  std::atomic<std::uint64_t> more_{0};
};

/** What is kept per place of the table, beside SocketState. */
struct SocketWaits {
  std::atomic<EpollSet*> set;  // what was made of an epoll set in this place
  std::atomic<std::uint32_t> sleepers;
};

class Sleepers {
 public:
  /** Sleeping calls that name this socket itself: recv, poll, select. */
  void add(std::uint32_t socket);
  void remove(std::uint32_t socket);
  [[nodiscard]] bool by_name(std::uint32_t socket) const {
    const SocketWaits* one = known_waits(socket);
    return (one != nullptr && one->sleepers.load() != 0) || everywhere_.load() != 0;
  }
  /** For a call that names too many. */
  void add_to_all() { everywhere_.fetch_add(1); }
  void remove_from_all() { everywhere_.fetch_sub(1); }

  /**
   * With the receiver's role, before a read lets bytes come by the ring again: whether it may. It may not while
   * somebody sleeps.
   */
  [[nodiscard]] bool may_wake(Handle handle, Connection& connection);
  /** With the receiver's role, after its mark: what the ring still holds is to be found by those who look. */
  void marked(Handle handle, bool empty) {
    if (empty) fall_asleep(handle);
  }
  /** Before sleeping, and after add() or the like. What came before the mark is to be seen after it. */
  void mark(Handle handle);

  /** No connection of this process wakes any more: its epoll sets cannot be followed. */
  void keep_all(abi::Reason reason) { all_kept_.store(static_cast<std::uint32_t>(reason)); }

  /** An epoll set that others wait for, and whose members' rings hold something. */
  void keep_looking(Handle set) { awake_[set.index() / kBits].fetch_or(std::uint64_t{1} << set.index() % kBits); }
  void fall_asleep(Handle handle) {
    awake_[handle.index() / kBits].fetch_and(~(std::uint64_t{1} << handle.index() % kBits));
  }

  /** 64 sockets each: those whose ring may hold bytes. */
  [[nodiscard]] const std::atomic<std::uint64_t>& awake(unsigned word) const { return awake_[word]; }
  [[nodiscard]] bool is_awake(std::uint32_t socket) const {
    return (awake_[socket / kBits].load(std::memory_order_relaxed) >> socket % kBits & 1) != 0;
  }

  /** Null without memory. */
  [[nodiscard]] SocketWaits* waits(std::uint32_t place) {
    Waits* chunk = chunk_at(waits_[place / DescriptorTable::kSlots]);
    return chunk == nullptr ? nullptr : &(*chunk)[place % DescriptorTable::kSlots];
  }
  /** The same, where nothing is to be made. */
  [[nodiscard]] SocketWaits* known_waits(std::uint32_t place) const {
    Waits* chunk = waits_[place / DescriptorTable::kSlots].load(std::memory_order_acquire);
    return chunk == nullptr ? nullptr : &(*chunk)[place % DescriptorTable::kSlots];
  }

 private:
  using Waits = SocketWaits[DescriptorTable::kSlots];

  [[nodiscard]] bool somebody(std::uint32_t socket, const SocketWaits& waits) const;

  std::atomic<Waits*> waits_[DescriptorTable::kChunks] = {};
  std::atomic<std::uint64_t> awake_[kSockets / kBits] = {};
  std::atomic<std::uint32_t> everywhere_{0};
  std::atomic<std::uint32_t> all_kept_{0};
};

extern Sleepers sleepers;

}  // namespace sockdoc::preload
