#include <sys/syscall.h>

#include <cerrno>

#include "preload/connection/connections.h"
#include "preload/readiness/epoll_set.h"
#include "preload/readiness/sets.h"
#include "preload/readiness/user_memory.h"

/*
 * Programs change what they wait for with every request, and the kernel need not hear of it as long as it is not asked.
 * So a change of level-triggered interest in a connection on rings is made in our copy alone, and settled before the
 * kernel is asked about the set, a thread sleeps in it, or somebody else may see it. docs/decisions/0067 has the rules.
 *
 *  - Only what the kernel has is changed or taken out later: what it does not have is added at once, so that settling
 *    needs no memory and has no limit to meet. Who looks at our copy knows then what the call would have said.
 *  - While a thread is inside a wait on the set each change is made at once. Who defers says so first and looks for
 *    such threads then, who do it the other way round.
 *  - Who settles has the set's role. A signal handler that comes in between counts as an interruption, after which the
 *    interrupted step is made anew; one that leaves by longjmp() leaves what was not done marked as deferred.
 */
namespace sockdoc::preload {

using std::memory_order_acquire;
using std::memory_order_relaxed;

namespace {

std::uint64_t bit_of(std::uint32_t socket) { return std::uint64_t{1} << socket % kBits; }

/** Level-triggered interest and nothing else, in memory that can be read. */
bool plain(int operation, const epoll_event* event) {
  if (operation == EPOLL_CTL_DEL) return true;
  if (operation != EPOLL_CTL_ADD && operation != EPOLL_CTL_MOD) return false;
  return readable(event, sizeof *event) && (event->events & ~EpollSet::kPlain) == 0;
}

}  // namespace

bool EpollSet::deferred(std::uint32_t socket) const {
  const Chunk* chunk = chunks_[socket / DescriptorTable::kSlots].load(memory_order_acquire);
  return chunk != nullptr && (chunk->deferred[socket % DescriptorTable::kSlots / kBits].load() & bit_of(socket)) != 0;
}

void EpollSet::set_deferred(Chunk& chunk, std::uint32_t socket) {
  if (!put(chunk.deferred[socket % DescriptorTable::kSlots / kBits], bit_of(socket), true)) return;
  deferred_.fetch_add(1);
  epoll_sets.deferred();
}

void EpollSet::clear_deferred(Chunk& chunk, std::uint32_t socket) {
  if (!put(chunk.deferred[socket % DescriptorTable::kSlots / kBits], bit_of(socket), false)) return;
  deferred_.fetch_sub(1);
  epoll_sets.settled(1);
}

bool EpollSet::defer(int set, int operation, Handle socket, int fd, const epoll_event* event) {
  if (!may_defer() || !plain(operation, event)) return false;
  const std::uint32_t index = socket.index();
  Chunk* chunk = chunks_[index / DescriptorTable::kSlots].load(memory_order_acquire);
  Connection* connection = connection_of(socket);
  if (chunk == nullptr || connection == nullptr || !connection->on_rings()) return false;
  Member& member = chunk->members[index % DescriptorTable::kSlots];
  const Holding holding(changing_);
  if (holding.nested()) interruptions_.fetch_add(1);
  const std::uint32_t known = member.registered(life_.load());
  if (known == 0 || known == Member::kUnclear || member.socket().word() != socket.word() || member.fd() != fd ||
      !may_defer() || threads.any() || has(index) != (operation != EPOLL_CTL_ADD) ||
      (operation != EPOLL_CTL_DEL && member.data() != event->data.u64)) {
    return false;
  }
  const std::uint32_t change = member.begin();
  if (change == 0) return false;
  number_.store(set, memory_order_relaxed);
  set_deferred(*chunk, index);
  std::atomic<std::uint64_t>& present = chunk->present[index % DescriptorTable::kSlots / kBits];
  if (operation == EPOLL_CTL_DEL) {
    put(present, bit_of(index), false);
    set_writer(index, false);
    connection->unwatch(socket);
    member.abandon(change);
  } else {
    member.commit(change, socket, fd, *event);
    set_writer(index, (event->events & kWritable) != 0);
    // For who has found no member with these data.
    if (operation == EPOLL_CTL_ADD && put(present, bit_of(index), true)) changes_.fetch_add(1);
  }
  // Or somebody is about to give the set to others, and has seen nothing that was deferred.
  if (threads.any() || !may_defer()) {
    settle_one(set, *chunk, index);
    before_change(socket);
  }
  return true;
}

/** With the role. What cannot be told to the kernel now stays deferred. */
void EpollSet::settle_one(int set, Chunk& chunk, std::uint32_t socket) {
  constexpr int kMostTimes = 16;
  Member& member = chunk.members[socket % DescriptorTable::kSlots];
  for (int times = 0; times < kMostTimes && deferred(socket); times++) {
    const std::uint32_t interruptions = interruptions_.load();
    Member::Interest interest;
    if (!member.read(interest)) return;  // a handler on top of who changes it, and will do this
    const bool gone = table.find(member.fd()).word() != member.socket().word();  // with its registration
    if (gone) member.now_registered(life_.load(), 0);
    const std::uint32_t known = member.registered(life_.load());
    const std::uint32_t wanted = has(socket) && !gone ? Member::kKnown | interest.events : 0;
    if (wanted != known) {
      epoll_event event = {};
      event.events = interest.events;
      event.data.u64 = interest.data;
      member.now_registered(life_.load(), Member::kUnclear);
      long result = raw(SYS_epoll_ctl, set, wanted != 0 ? EPOLL_CTL_MOD : EPOLL_CTL_DEL, member.fd(), &event);
      if (result == -ENOENT && wanted != 0 && known == Member::kUnclear) {
        result = raw(SYS_epoll_ctl, set, EPOLL_CTL_ADD, member.fd(), &event);
      }
      if (failed(result) && result != -ENOENT) return;
      member.now_registered(life_.load(), failed(result) ? 0 : wanted);
    }
    clear_deferred(chunk, socket);
    if (interruptions_.load() == interruptions) return;
    member.now_registered(life_.load(), Member::kUnclear);
    set_deferred(chunk, socket);
  }
}

void EpollSet::settle(int set, std::uint32_t socket) {
  if (set < 0 || !deferred(socket)) return;
  const Holding holding(changing_);
  if (holding.nested()) interruptions_.fetch_add(1);
  settle_one(set, *chunks_[socket / DescriptorTable::kSlots].load(), socket);
}

template <typename Visit>
void EpollSet::each_deferred(Visit visit) {
  const unsigned end = chunks_end_.load(memory_order_acquire);
  for (unsigned at = 0; at < end && deferred(); at++) {
    Chunk* chunk = chunks_[at].load(memory_order_acquire);
    if (chunk == nullptr) continue;
    for (unsigned word = 0; word < kWords; word++) {
      for (std::uint64_t bits = chunk->deferred[word].load(); bits != 0; bits &= bits - 1) {
        visit(*chunk, at * DescriptorTable::kSlots + word * kBits + static_cast<unsigned>(__builtin_ctzll(bits)));
      }
    }
  }
}

void EpollSet::settle(int set) {
  if (set < 0 || !deferred()) return;
  const Holding holding(changing_);
  if (holding.nested()) interruptions_.fetch_add(1);
  each_deferred([&](Chunk& chunk, std::uint32_t socket) { settle_one(set, chunk, socket); });
}

/** EPOLLOUT that we know to be true need not be asked for. */
bool EpollSet::settle_for_look(int set, bool surplus_may_stay) {
  if (!deferred()) return false;
  bool left = false;
  const Holding holding(changing_);
  if (holding.nested()) interruptions_.fetch_add(1);
  each_deferred([&](Chunk& chunk, std::uint32_t socket) {
    const Member& member = chunk.members[socket % DescriptorTable::kSlots];
    Member::Interest interest;
    const std::uint32_t known = member.registered(life_.load());
    if (!member.read(interest)) return;
    const std::uint32_t wanted = has(socket) ? Member::kKnown | interest.events : 0;
    const std::uint32_t surplus = known & ~wanted;
    // Who is out of the set may be gone, with what its data mean; and writable it nearly always is.
    const bool may_stay = surplus_may_stay && wanted != 0 && known != Member::kUnclear && (surplus & kWritable) == 0;
    const bool too_little = (wanted & ~known & ~kWritable) != 0 || ((wanted & ~known) != 0 && !takes_bytes(member));
    if (too_little || (surplus != 0 && !may_stay)) {
      settle_one(set, chunk, socket);
    } else if (surplus != 0) {
      left = true;
    }
  });
  return left;
}

void EpollSet::defer_no_more(int set) {
  deferring_ = kAtOnce;
  settle(set);
  take_doorbells_out(set);
}

void EpollSet::lend(int set) {
  const std::uint32_t number = kMayWait + 1 + lendings_.fetch_add(1) % (1U << 31);
  std::uint32_t before = deferring_.load();
  while (before != kAtOnce && !deferring_.compare_exchange_weak(before, number)) {
  }
  if (before == kMayWait) settle(set);
  take_doorbells_out(set);
}

/** What our parent's other threads had begun, they end there. */
void EpollSet::forked() {
  changing_.begin_anew();
  kicks_ = 0;
  const unsigned end = chunks_end_.load();
  for (unsigned at = 0; at < end; at++) {
    Chunk* chunk = chunks_[at].load();
    for (unsigned word = 0; chunk != nullptr && word < kWords; word++) chunk->deferred[word] = 0;
  }
  epoll_sets.settled(deferred_.exchange(0));
}

/**
 * Nobody else has it: none of those that forks gave it to is left, or has it still. What the kernel has of the members
 * is not known any more, so that the next change of each is made at once.
 */
void EpollSet::come_back() {
  constexpr std::uint64_t kShortly = std::uint64_t{1} << 23;  // some milliseconds
  const std::uint32_t seen = deferring_.load();
  const std::uint64_t now = ticks();
  if (seen <= kMayWait || now < lent_until_.load(memory_order_relaxed)) return;
  lent_until_.store(now + kShortly, memory_order_relaxed);
  // A fork that began before has changed what was seen, or is under way; one that begins later changes it.
  if (connections.forking() || connections.stopped() || !table.alone_with(handle())) return;
  life_.fetch_add(1);
  std::uint32_t lent = seen;
  (void)deferring_.compare_exchange_strong(lent, kMayWait);
}

int EpollSet::number() const {
  const int likely = number_.load(memory_order_relaxed);
  if (likely < 0 || table.find(likely).word() == handle().word()) return likely;
  int result = -1;
  table.each([&](int fd, Handle one) {
    if (one.word() == handle().word()) result = fd;
  });
  return result;
}

}  // namespace sockdoc::preload
