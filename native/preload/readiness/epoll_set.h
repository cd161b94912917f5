#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <cstdint>

#include "preload/connection/role.h"
#include "preload/readiness/member.h"
#include "preload/readiness/sleepers.h"
#include "preload/readiness/waiting.h"
#include "preload/readiness/watches.h"
#include "preload/thread.h"

namespace sockdoc::preload {

/** An epoll set of this process. */
class EpollSet {
 public:
  static constexpr std::uint32_t kReadable = EPOLLIN | EPOLLRDNORM;
  static constexpr std::uint32_t kWritable = EPOLLOUT | EPOLLWRNORM;
  /** Level-triggered interest in what a connection may have. */
  static constexpr std::uint32_t kPlain = kReadable | kWritable | EPOLLPRI | EPOLLRDHUP | EPOLLERR | EPOLLHUP;

  enum class Changes { at_once, may_wait };
  /** `elsewhere` is one for all processes that will have the set from this one; null without memory. */
  void begin(Handle handle, std::atomic<std::uint8_t>* elsewhere, Changes changes);
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

  /**
   * Changes that the kernel hears of later, and of the last one alone: see epoll_deferred.cc. `set` is a number of this
   * set, in the calling process. True: the change is made, and the call's result is 0.
   */
  [[nodiscard]] bool defer(int set, int operation, Handle socket, int fd, const epoll_event* event);
  [[nodiscard]] bool may_defer() const { return deferring_.load() == kMayWait; }
  /** Whether it may again once other processes that a fork gave it to have it no more. */
  [[nodiscard]] bool lent() const { return deferring_.load(std::memory_order_relaxed) > kMayWait; }
  [[nodiscard]] bool may_ever_defer() const { return deferring_.load() != kAtOnce; }
  /** Before a fork. */
  void lend(int set);
  /** For one that is lent: changes may wait again where nobody else has it. A look now and then. */
  void come_back();
  [[nodiscard]] bool deferred() const { return deferred_.load() != 0; }
  [[nodiscard]] bool deferred(std::uint32_t socket) const;
  /** The kernel hears of all that was deferred; or of this socket's. */
  void settle(int set);
  void settle(int set, std::uint32_t socket);
  /**
   * Before a look at the kernel that does not wait: of what it would say too little of, and too much of. With
   * `surplus_may_stay` members may have interest left with the kernel that the program has no more; whether any has.
   */
  [[nodiscard]] bool settle_for_look(int set, bool surplus_may_stay);
  /** It is worth to leave it: the kernel had nothing to say when it was asked last, and whatever it says it repeats. */
  [[nodiscard]] bool may_have_surplus() const {
    return only_levels() && kernel_said_.load(std::memory_order_relaxed) == 0;
  }
  /** After that look; found as epoll_wait(2) gives it. */
  void looked(int found) {
    const std::uint32_t said = found != 0 ? 1 : 0;
    if (kernel_said_.load(std::memory_order_relaxed) != said) kernel_said_.store(said, std::memory_order_relaxed);
  }
  /** No member was ever anything but level-triggered. */
  [[nodiscard]] bool only_levels() const { return tells_once_.load() == 0; }
  /** Before a member of any kind is registered so. */
  void will_have(const epoll_event* event);
  void will_have(std::uint32_t events);
  /** Also from now on, since others look at the set, or change it. */
  void defer_no_more(int set);
  /** A number that leads to it; -1 where none does any more. */
  [[nodiscard]] int number() const;

  /** Some member may have bytes in its ring. */
  [[nodiscard]] bool anything_awake() const;
  /** Some member can be written to, without a look at the kernel, and its interest says that this is to be told. */
  [[nodiscard]] bool anything_writable();
  /** Of some member that waits to be written to only the kernel knows whether it can be, and it may well be. */
  [[nodiscard]] bool writers_unclear();
  /**
   * Before sleeping; and afterwards those that were busy, so that what comes to them need not wake anybody. `place` is
   * that of the thread among those inside; `watch`: on watches, where that may be. True: end_sleep() is to be told so
   * when it is awake, and it may not sleep for longer than longest_watch_ns.
   */
  [[nodiscard]] bool mark_all(int set, int place, bool watch);
  void unmark_busy();
  /** Its sockets, and those that come to it, stay on the kernel. */
  void keep_all(abi::Reason reason);

  /**
   * Drops what is not the program's to see from `count` events of the kernel: ours, and a second one of EPOLLONESHOT.
   * How many are left.
   */
  int sift(epoll_event* events, int count);
  /**
   * Puts what is ready by rings behind `from_kernel` events, or into them where they are of the same socket; how many
   * there are then, at most `room`. -1 if `events` is no memory.
   */
  int collect(epoll_event* events, int from_kernel, int room);

  /** Whether what came by rings would be reported now, to who waits for this set in another way than by epoll_wait. */
  [[nodiscard]] bool readable();
  /** That somebody waits so: from now on everything comes by the kernel, behind what the rings still hold. */
  void waited_for();
  /** Some of those whose ring may have bytes next. */
  void visit_awake(Peers& peers);

  /** Before its interest changes, or it is taken out; and afterwards, for a sleeper that came in between. */
  void before_change(Handle socket) {
    Connection* connection = connection_of(socket);
    if (connection != nullptr && connection->unwatch(socket) && threads.any()) disturb_watch();
  }
  /** With a call that waits: where threads share a set it is not watched. */
  void is_waited_for_here() {
    const std::uint64_t me = this_thread();
    std::uint64_t waiter = waiter_.load(std::memory_order_relaxed);
    if (waiter == me || (waiter == 0 && waiter_.compare_exchange_strong(waiter, me)) || waiter == me) return;
    if (!watches.may_watch()) return;
    watches.watch_no_more();
    if (threads.any()) disturb_watch();
  }
  /** Of a number of this set. */
  void before_close() {
    const int place = threads.enter();
    if (threads.alone(place)) unwatch_all();
    threads.leave(place);
  }
  /** A call had something for the program; or nothing but what is ours. */
  void rung_for_something() {
    if (vain_rings_.load(std::memory_order_relaxed) != 0) forget_vain_rings();
  }
  void rung_in_vain();
  /** Awake again; `watched`: what mark_all() said. Before sift(). */
  void end_sleep(bool watched) {
    if (watched) watches.end();
    if (kicks_.load(std::memory_order_relaxed) != 0) kicks_.store(0, std::memory_order_relaxed);
  }
  /** Another thread takes or changes what may have been to wake him who sleeps on watches: he looks again. */
  void disturb_watch();

  /** One of our events was taken, perhaps not by him whom it was for. */
  void kick_again();

  /** A sleeper looks again. */
  void kick(int set);

  /** True when another process has used this set, or this one has it from its parent. */
  [[nodiscard]] bool shared();
  /** In a child, which has but one thread. */
  void forked();

  ThreadsInside threads;  // that sleep on it
  Watches watches;
  std::atomic<std::uint64_t> kernel_asked{0};
  std::atomic<std::uint32_t> calls_since{0};
  std::atomic<std::uint32_t> turn{0};

 private:
  static constexpr unsigned kWords = DescriptorTable::kSlots / kBits;

  struct Chunk {
    std::atomic<std::uint64_t> present[kWords];
    std::atomic<std::uint64_t> deferred[kWords];
    std::atomic<std::uint64_t> busy[kWords];     // of those that a sleeper has marked
    std::atomic<std::uint64_t> writers[kWords];  // of those present, with level-triggered interest in EPOLLOUT
    Member members[DescriptorTable::kSlots];

    void clear() {
      for (std::atomic<std::uint64_t>& word : present) word = 0;
      for (std::atomic<std::uint64_t>& word : writers) word = 0;
      for (std::atomic<std::uint64_t>& word : deferred) word = 0;
      for (std::atomic<std::uint64_t>& word : busy) word = 0;
    }
  };
  static constexpr unsigned kHints = 8192;

  void unwatch_all();
  void take_doorbells_out(int set);
  void forget_vain_rings();
  [[nodiscard]] bool wakes_alone(const Member& member) const;

  struct Bytes;
  [[nodiscard]] Bytes bytes_of(Member& member, const Member::Interest& interest);

  enum class Look { on, stop };
  /**
   * visit(socket, member) for those of 64 sockets each that `which(word, chunk)` names and that are members, beginning
   * behind the one that was served last.
   */
  template <typename Which, typename Visit>
  void each_in_turn(Which which, Visit visit);
  template <typename Visit>
  void each_awake(Visit visit) {
    each_in_turn([](unsigned word, const Chunk&) { return sleepers.awake(word).load(); }, visit);
  }
  template <typename Visit>
  void each_writer(Visit visit) {
    if (!tells_writers()) return;
    each_in_turn([](unsigned word, const Chunk& chunk) { return chunk.writers[word % kWords].load(); }, visit);
  }
  /** Whether we tell who can be written to. Where others change the set too, only the kernel knows who asks. */
  [[nodiscard]] bool tells_writers() const {
    return writers_.load(std::memory_order_relaxed) != 0 && kept_.load(std::memory_order_relaxed) == 0;
  }
  [[nodiscard]] bool used_by_others() const {
    return kept_.load(std::memory_order_relaxed) == static_cast<std::uint32_t>(abi::Reason::set_shared);
  }
  template <typename Visit>
  void each(Visit visit);
  void set_writer(std::uint32_t socket, bool is_one);
  void set_deferred(Chunk& chunk, std::uint32_t socket);
  void clear_deferred(Chunk& chunk, std::uint32_t socket);
  void settle_one(int set, Chunk& chunk, std::uint32_t socket);
  template <typename Visit>
  void each_deferred(Visit visit);
  [[nodiscard]] static bool takes_bytes(const Member& member);

  [[nodiscard]] Member* with_data(std::uint64_t data);

  std::atomic<std::uint64_t> handle_{0};
  std::atomic<std::uint32_t> sockets_{0};      // ever added
  std::atomic<std::uint32_t> oneshot_{0};      // some member was ever added with EPOLLONESHOT
  std::atomic<std::uint32_t> writers_{0};      // some bit was ever set in the words of that name
  std::atomic<std::uint32_t> tells_once_{0};   // see only_levels()
  std::atomic<std::uint32_t> kernel_said_{0};  // anything when it was last looked at
  std::atomic<std::uint32_t> changes_{0};
  std::atomic<std::uint32_t> cursor_{0};
  std::atomic<std::uint32_t> kept_{0};  // a Reason
  static constexpr std::uint32_t kMostVainRings = 64;
  std::atomic<std::uint32_t> doorbells_{0};   // some of our slabs' are in it
  std::atomic<std::uint32_t> vain_rings_{0};  // in succession; after the last none is heard
  std::atomic<std::uint32_t> kicked_{0};      // somebody waits until the sleeper has seen it
  std::atomic<std::uint32_t> kicks_{0};       // left for one who was disturbed, where others take them
  std::atomic<std::uint64_t> waiter_{0};      // the first thread that waited for it
  std::atomic<std::uint32_t> epoch_{0};
  std::atomic<std::int32_t> process_{0};
  std::atomic<std::atomic<std::uint8_t>*> elsewhere_{nullptr};
  Role changing_;                       // for what is deferred, and settled
  std::atomic<std::uint32_t> life_{0};  // a set that is closed leaves its memory to the next one
  std::atomic<std::uint32_t> interruptions_{0};
  static constexpr std::uint32_t kAtOnce = 0;
  static constexpr std::uint32_t kMayWait = 1;
  std::atomic<std::uint32_t> deferring_{kAtOnce};  // above these: lent, another number each time
  std::atomic<std::uint32_t> lendings_{0};
  std::atomic<std::uint64_t> lent_until_{0};  // at least, in ticks
  std::atomic<std::uint32_t> deferred_{0};    // bits in the words of that name
  std::atomic<int> number_{-1};               // by which a change was deferred last
  std::atomic<std::uint32_t> chunks_end_{0};
  std::atomic<Chunk*> chunks_[DescriptorTable::kChunks] = {};
  std::atomic<std::uint64_t> hints_[kHints] = {};
};

template <typename Which, typename Visit>
void EpollSet::each_in_turn(Which which, Visit visit) {
  const unsigned words = chunks_end_.load(std::memory_order_acquire) * kWords;
  if (words == 0) return;
  const unsigned cursor = cursor_.load(std::memory_order_relaxed);
  const unsigned first = cursor / kBits % words;
  const std::uint64_t until_cursor = ~std::uint64_t{0} >> (kBits - 1 - cursor % kBits);
  for (unsigned step = 0; step <= words; step++) {
    const unsigned word = first + step < words ? first + step : first + step - words;
    Chunk* chunk = chunks_[word / kWords].load(std::memory_order_acquire);
    if (chunk == nullptr) continue;
    std::uint64_t bits = which(word, *chunk);
    if (bits == 0) continue;
    bits &= chunk->present[word % kWords].load();
    if (step == 0) bits &= ~until_cursor;
    if (step == words) bits &= until_cursor;
    for (; bits != 0; bits &= bits - 1) {
      const unsigned socket = word * kBits + static_cast<unsigned>(__builtin_ctzll(bits));
      if (visit(socket, chunk->members[socket % DescriptorTable::kSlots]) == Look::stop) return;
    }
  }
}

template <typename Visit>
void EpollSet::each(Visit visit) {
  const unsigned end = chunks_end_.load(std::memory_order_acquire);
  for (unsigned at = 0; at < end; at++) {
    Chunk* chunk = chunks_[at].load(std::memory_order_acquire);
    if (chunk == nullptr) continue;
    for (unsigned word = 0; word < kWords; word++) {
      for (std::uint64_t bits = chunk->present[word].load(); bits != 0; bits &= bits - 1) {
        const unsigned place = word * kBits + static_cast<unsigned>(__builtin_ctzll(bits));
        if (visit(at * DescriptorTable::kSlots + place, chunk->members[place]) == Look::stop) return;
      }
    }
  }
}

}  // namespace sockdoc::preload
