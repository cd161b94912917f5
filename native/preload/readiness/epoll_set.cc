#include "preload/readiness/epoll_set.h"

#include <sys/syscall.h>

#include <cerrno>

#include "preload/connection/connections.h"
#include "preload/readiness/sets.h"
#include "preload/readiness/user_memory.h"

namespace sockdoc::preload {

using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;

void EpollSet::begin(Handle handle, std::atomic<std::uint8_t>* elsewhere, Changes changes) {
  if (doorbells_.exchange(0) != 0) connections.slabs().leave_set(this->handle(), -1);
  if (!threads.any()) unwatch_all();
  watches.begin_anew();
  waiter_ = 0;
  kicks_ = kicked_ = vain_rings_ = 0;
  for (unsigned at = 0; at < chunks_end_.load(); at++) {
    Chunk* chunk = chunks_[at].load();
    if (chunk != nullptr) chunk->clear();
  }
  sockets_ = 0;
  writers_ = 0;
  oneshot_ = 0;
  tells_once_ = changes == Changes::may_wait ? 0 : 1;
  kernel_said_ = 0;
  kept_ = 0;
  epoll_sets.settled(deferred_.exchange(0));
  changing_.begin_anew();
  life_.fetch_add(1);
  number_ = -1;
  deferring_ = changes == Changes::may_wait ? kMayWait : kAtOnce;
  elsewhere_ = elsewhere;
  if (elsewhere != nullptr) *elsewhere = 0;
  epoch_ = table.epoch();
  process_ = static_cast<std::int32_t>(raw(SYS_getpid));
  changes_.fetch_add(1);
  handle_.store(handle.word(), memory_order_release);
}

/** Others may get these watches. */
void EpollSet::unwatch_all() {
  each([&](unsigned, Member& member) {
    Connection* connection = connection_of(member.socket());
    if (connection != nullptr) connection->unwatch(member.socket());
    return Look::on;
  });
  watches.release_all();
}

/** Whom EPOLLONESHOT has told of bytes in a ring, the kernel would tell once more. */
void EpollSet::end(int fd) {
  constexpr std::uint32_t kKept = EPOLLONESHOT | EPOLLET | EPOLLWAKEUP;
  each([&](unsigned, Member& member) {
    Member::Interest interest;
    const bool told = member.read(interest) && (interest.events & EPOLLONESHOT) != 0 && member.fired(interest.version);
    if (!told || table.find(member.fd()).word() != member.socket().word()) return Look::on;
    epoll_event disarmed = {};
    disarmed.events = interest.events & kKept;
    disarmed.data.u64 = interest.data;
    raw(SYS_epoll_ctl, fd, EPOLL_CTL_MOD, member.fd(), &disarmed);
    return Look::on;
  });
  unwatch_all();
  take_doorbells_out(fd);
  for (unsigned at = 0; at < chunks_end_.load(); at++) {
    Chunk* chunk = chunks_[at].load();
    if (chunk != nullptr) chunk->clear();
  }
  writers_ = 0;
  epoll_sets.settled(deferred_.exchange(0));
}

Member* EpollSet::place_of(std::uint32_t socket) {
  const unsigned at = socket / DescriptorTable::kSlots;
  Chunk* chunk = chunk_at(chunks_[at]);
  if (chunk == nullptr) return nullptr;
  std::uint32_t end = chunks_end_.load();
  while (end <= at && !chunks_end_.compare_exchange_weak(end, at + 1)) {
  }
  return &chunk->members[socket % DescriptorTable::kSlots];
}

bool EpollSet::has(std::uint32_t socket) const {
  Chunk* chunk = chunks_[socket / DescriptorTable::kSlots].load(memory_order_acquire);
  if (chunk == nullptr) return false;
  return (chunk->present[socket % DescriptorTable::kSlots / kBits].load() >> socket % kBits & 1) != 0;
}

Member* EpollSet::member(std::uint32_t socket) const {
  if (!has(socket)) return nullptr;
  return &chunks_[socket / DescriptorTable::kSlots]
              .load(memory_order_acquire)
              ->members[socket % DescriptorTable::kSlots];
}

void EpollSet::changed(Handle socket, int fd, const epoll_event& event, std::uint32_t change, bool added) {
  Member* member = place_of(socket.index());
  sockets_.fetch_add(1, memory_order_relaxed);
  if (member == nullptr || change == 0) return connections.stay_receiving(socket, abi::Reason::interest_unclear);
  const bool twice = added && has(socket.index()) && member->socket().word() == socket.word();
  const bool oneshot = (event.events & EPOLLONESHOT) != 0;
  const bool other_data = added || member->data() != event.data.u64;
  if (oneshot) oneshot_ = 1;
  if (added) member->quiet_sleeps = 0;
  member->now_registered(life_.load(),
                         (event.events & ~kPlain) == 0 && !twice && may_defer() ? Member::kKnown | event.events : 0);
  member->commit(change, socket, fd, event);
  Chunk* chunk = chunks_[socket.index() / DescriptorTable::kSlots].load();
  chunk->present[socket.index() % DescriptorTable::kSlots / kBits].fetch_or(std::uint64_t{1} << socket.index() % kBits);
  set_writer(socket.index(), (event.events & kWritable) != 0 && (event.events & (EPOLLET | EPOLLONESHOT)) == 0);
  changes_.fetch_add(1);
  const std::uint32_t kept = kept_.load();
  if (kept != 0) return connections.stay_receiving(socket, static_cast<abi::Reason>(kept));
  // One socket by two descriptors, several that one event could mean, and wake-ups that the kernel deals out among
  // sets: none of them worth following.
  bool unclear = twice || (event.events & EPOLLEXCLUSIVE) != 0;
  if (oneshot && other_data) {
    each([&](unsigned, Member& one) {
      if (&one == member || one.data() != event.data.u64) return Look::on;
      unclear = true;
      connections.stay_receiving(one.socket(), abi::Reason::interest_unclear);
      return Look::on;
    });
  }
  if (unclear) connections.stay_receiving(socket, abi::Reason::interest_unclear);
}

void EpollSet::removed(Handle socket, int fd) {
  Member* known = member(socket.index());
  if (known == nullptr || known->socket().word() != socket.word() || known->fd() != fd) return;
  changes_.fetch_add(1);
  known->now_registered(life_.load(), 0);
  Chunk* chunk = chunks_[socket.index() / DescriptorTable::kSlots].load();
  chunk->present[socket.index() % DescriptorTable::kSlots / kBits].fetch_and(
      ~(std::uint64_t{1} << socket.index() % kBits));
  set_writer(socket.index(), false);
}

/** Of one that has its chunk. */
void EpollSet::set_writer(std::uint32_t socket, bool is_one) {
  Chunk* chunk = chunks_[socket / DescriptorTable::kSlots].load(memory_order_acquire);
  if (is_one && writers_.load(memory_order_relaxed) == 0) writers_ = 1;
  put(chunk->writers[socket % DescriptorTable::kSlots / kBits], std::uint64_t{1} << socket % kBits, is_one);
}

void EpollSet::will_have(const epoll_event* event) {
  if (only_levels() && sockdoc::preload::readable(event, sizeof *event)) will_have(event->events);
}

void EpollSet::will_have(std::uint32_t events) {
  if ((events & ~kPlain) != 0) tells_once_ = 1;
}

/** Whatever comes to that member by the kernel makes the set ready. */
bool EpollSet::wakes_alone(const Member& member) const {
  Member::Interest interest;
  return member.read(interest) && (interest.events & kReadable) != 0 && (interest.events & EPOLLONESHOT) == 0 &&
         epoll_sets.only_in(*this, member.socket());
}

bool EpollSet::mark_all(int set, int place, bool watch) {
  // Of many that answer by and by each sleep meets some. One that is watched costs a step of each sleep.
  constexpr std::uint32_t kMostQuiet = 16;
  // Each is one of those that a wait looks at.
  constexpr std::uint32_t kMostWatched = 256;
  std::uint32_t watched = 0;
  const bool alone = threads.alone(place);
  const bool watching = watch && alone && may_defer() && watches.may_watch();
  if (watching) {
    number_.store(set, memory_order_relaxed);
    const bool heard = vain_rings_.load(memory_order_relaxed) < kMostVainRings;
    if (watches.begin(handle(), heard ? set : -1)) doorbells_ = 1;
  }
  each_awake([&](unsigned socket, Member& member) {
    Connection* connection = connection_of(member.socket());
    const std::uint64_t received = connection == nullptr ? 0 : connection->received();
    const bool busy = received != member.received.load(memory_order_relaxed);
    const std::uint32_t quiet = busy ? 0 : member.quiet_sleeps.load(memory_order_relaxed) + 1;
    member.quiet_sleeps.store(quiet, memory_order_relaxed);
    if (watching && quiet < kMostQuiet && watched < kMostWatched && connection != nullptr && wakes_alone(member) &&
        connection->mark_watched(member.socket(), watches)) {
      // Once more: who has it in his set too marks it after that.
      if (epoll_sets.only_in(*this, member.socket())) {
        member.received.store(received, memory_order_relaxed);
        watched++;
        return Look::on;
      }
    }
    if (busy) {
      member.received.store(received, memory_order_relaxed);
      Chunk* chunk = chunks_[socket / DescriptorTable::kSlots].load(memory_order_acquire);
      chunk->busy[socket % DescriptorTable::kSlots / kBits].fetch_or(std::uint64_t{1} << socket % kBits);
    }
    sleepers.mark(member.socket());
    return Look::on;
  });
  // Another thread that has come meanwhile has said so before it marked anything.
  if (watching && watches.may_watch() && may_defer()) return watches.begun();
  if (watching) {
    each_awake([&](unsigned, Member& member) {
      sleepers.mark(member.socket());
      return Look::on;
    });
    end_sleep(true);
  }
  if (alone) watches.release_all();  // nothing is watched
  // Who gives the set to others has perhaps not seen them.
  if (!may_defer() && doorbells_.exchange(0) != 0) connections.slabs().leave_set(handle(), set);
  return false;
}

void EpollSet::kick_again() {
  std::uint32_t left = kicks_.load();
  while (left != 0 && !kicks_.compare_exchange_weak(left, left - 1)) {
  }
  if (left != 0) kick(number());
}

/** Nothing of ours is in the set when others see it. A sleeper whom they were to wake looks again. */
void EpollSet::take_doorbells_out(int set) {
  if (doorbells_.exchange(0) == 0) return;
  if (threads.any() && set >= 0) {
    // What wakes him is not for others to take. Who interrupted him, or finds no processor for him, goes on.
    constexpr std::uint64_t kPatience = 2000 * kTicksPerUs;
    kicked_ = 1;
    kick(set);
    for (const std::uint64_t begun = ticks(); kicked_.load() != 0 && ticks() - begun < kPatience;) raw(SYS_sched_yield);
  }
  connections.slabs().leave_set(handle(), set);
}

void EpollSet::forget_vain_rings() {
  if (vain_rings_.load(memory_order_relaxed) < kMostVainRings) vain_rings_.store(0, memory_order_relaxed);
}

/** Who rings and sends nothing is not heard for long. */
void EpollSet::rung_in_vain() {
  if (vain_rings_.load(memory_order_relaxed) >= kMostVainRings || doorbells_.load(memory_order_relaxed) == 0) return;
  if (vain_rings_.fetch_add(1) + 1 < kMostVainRings) return;
  doorbells_ = 0;
  connections.slabs().leave_set(handle(), number());
}

void EpollSet::disturb_watch() {
  // Who watches sleeps for so long that threads which look may take as many, and no longer.
  constexpr std::uint32_t kMostKicks = 64;
  watches.watch_no_more();
  kicks_ = kMostKicks;
  kick(number());
}

/** Once for each that has received anything since the last time: the others cost nothing until they do. */
void EpollSet::unmark_busy() {
  const unsigned end = chunks_end_.load(memory_order_acquire);
  for (unsigned at = 0; at < end; at++) {
    Chunk* chunk = chunks_[at].load(memory_order_acquire);
    for (unsigned word = 0; chunk != nullptr && word < kWords; word++) {
      if (chunk->busy[word].load(memory_order_relaxed) == 0) continue;
      std::uint64_t bits = chunk->busy[word].exchange(0) & chunk->present[word].load();
      for (; bits != 0; bits &= bits - 1) {
        const Member& member = chunk->members[word * kBits + static_cast<unsigned>(__builtin_ctzll(bits))];
        Connection* connection = connection_of(member.socket());
        if (connection != nullptr) connection->unmark(member.socket());
      }
    }
  }
}

void EpollSet::keep_all(abi::Reason reason) {
  kept_ = static_cast<std::uint32_t>(reason);
  if (may_ever_defer()) defer_no_more(number());
  each([&](unsigned, Member& member) {
    connections.stay_receiving(member.socket(), reason);
    return Look::on;
  });
}

Member* EpollSet::with_data(std::uint64_t data) {
  constexpr std::uint32_t kNone = ~0U;
  std::atomic<std::uint64_t>& hint = hints_[(data * 0x9e3779b97f4a7c15 >> 40) % kHints];
  const std::uint64_t seen = hint.load(memory_order_relaxed);
  const auto changes = changes_.load();
  Member::Interest interest;
  if (static_cast<std::uint32_t>(seen) == kNone && seen >> 32 == changes) return nullptr;
  if (seen != 0 && static_cast<std::uint32_t>(seen) != kNone) {
    Member* likely = member(static_cast<std::uint32_t>(seen) - 1);
    if (likely != nullptr && likely->read_settled(interest) && interest.data == data) return likely;
  }
  Member* result = nullptr;
  each([&](unsigned socket, Member& one) {
    if (!one.read_settled(interest) || interest.data != data) return Look::on;
    hint.store(socket + 1, memory_order_relaxed);
    result = &one;
    return Look::stop;
  });
  if (result == nullptr) hint.store(std::uint64_t{changes} << 32 | kNone, memory_order_relaxed);
  return result;
}

void EpollSet::kick(int set) {
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLONESHOT;
  event.data.u64 = EpollSets::bell_data();
  const int bell = epoll_sets.bell();
  if (raw(SYS_epoll_ctl, set, EPOLL_CTL_MOD, bell, &event) == -ENOENT) {
    raw(SYS_epoll_ctl, set, EPOLL_CTL_ADD, bell, &event);
  }
}

bool EpollSet::shared() {
  if (table.inherited()) [[unlikely]]
    static_cast<void>(table.mine());
  std::atomic<std::uint8_t>* elsewhere = elsewhere_.load(memory_order_relaxed);
  if (epoch_.load(memory_order_relaxed) != table.epoch()) [[unlikely]] {
    const bool ours = process_.load() == static_cast<std::int32_t>(raw(SYS_getpid));
    if (ours) {
      epoch_ = table.epoch();
    } else if (elsewhere != nullptr) {
      *elsewhere = 1;
    }
  }
  if (elsewhere != nullptr && elsewhere->load(memory_order_relaxed) == 0) return false;
  if (kept_.load() == 0) keep_all(abi::Reason::set_shared);
  return true;
}

}  // namespace sockdoc::preload
