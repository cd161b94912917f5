#include "preload/readiness/epoll_set.h"

#include <poll.h>
#include <sys/syscall.h>

#include <cerrno>

#include "preload/connection/connections.h"
#include "preload/readiness/sets.h"
#include "preload/readiness/user_memory.h"

namespace sockdoc::preload {

using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;

namespace {

constexpr unsigned kWords = DescriptorTable::kSlots / kBits;
constexpr std::uint32_t kReadable = EPOLLIN | EPOLLRDNORM;
/** A connection that had nothing so often goes back to the kernel's care, so that it costs no looks any more. */
constexpr std::uint32_t kIdleLooks = 1024;

bool kernel_readable(int fd) {
  pollfd one = {fd, POLLIN, 0};
  const timespec now = {};
  return raw(SYS_ppoll, &one, 1, &now, 0, 0) == 1 && (one.revents & POLLNVAL) == 0;
}

/**
 * What else is true of a descriptor now: an edge tells all of it. Without a system call where the connection knows:
 * nothing of what we sent lies in the kernel, and the peer has not said that it ends. One that dies without a word
 * makes an edge of the kernel's own.
 */
std::uint32_t kernel_state(const Member& member, std::uint32_t interest) {
  constexpr std::uint32_t kWritable = EPOLLOUT | EPOLLWRNORM;
  constexpr std::uint32_t kPollable = kWritable | EPOLLPRI | EPOLLRDHUP;
  if ((interest & kPollable) == 0) return 0;
  const Connection* connection = connection_of(member.socket());
  if (connection != nullptr && (interest & EPOLLPRI) == 0 && !connection->peer_ends() &&
      ((interest & kWritable) == 0 || connection->all_taken())) {
    return interest & kWritable;
  }
  pollfd one = {member.fd(), static_cast<short>(interest & kPollable), 0};
  const timespec now = {};
  if (raw(SYS_ppoll, &one, 1, &now, 0, 0) != 1 || (one.revents & POLLNVAL) != 0) return 0;
  return static_cast<std::uint32_t>(one.revents);
}

}  // namespace

void EpollSet::begin(Handle handle, std::uint32_t place) {
  for (unsigned at = 0; at < chunks_end_.load(); at++) {
    Chunk* chunk = chunks_[at].load();
    if (chunk == nullptr) continue;
    for (std::atomic<std::uint64_t>& word : chunk->present) word = 0;
  }
  sockets_ = 0;
  oneshot_ = 0;
  kept_ = 0;
  place_ = place;
  std::atomic<std::uint8_t>* elsewhere = epoll_sets.used_elsewhere(place);
  if (elsewhere != nullptr) *elsewhere = 0;
  epoch_ = table.epoch();
  process_ = static_cast<std::int32_t>(raw(SYS_getpid));
  changes_.fetch_add(1);
  handle_.store(handle.word(), memory_order_release);
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
  for (unsigned at = 0; at < chunks_end_.load(); at++) {
    Chunk* chunk = chunks_[at].load();
    if (chunk == nullptr) continue;
    for (std::atomic<std::uint64_t>& word : chunk->present) word = 0;
  }
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
  return (chunk->present_word(socket).load() >> socket % kBits & 1) != 0;
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
  member->commit(change, socket, fd, event);
  Chunk* chunk = chunks_[socket.index() / DescriptorTable::kSlots].load();
  chunk->present_word(socket.index()).fetch_or(std::uint64_t{1} << socket.index() % kBits);
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
  Chunk* chunk = chunks_[socket.index() / DescriptorTable::kSlots].load();
  chunk->present_word(socket.index()).fetch_and(~(std::uint64_t{1} << socket.index() % kBits));
}

template <typename Visit>
void EpollSet::each_awake(Visit visit) {
  const unsigned words = chunks_end_.load(memory_order_acquire) * kWords;
  if (words == 0) return;
  const unsigned cursor = cursor_.load(memory_order_relaxed);
  const unsigned first = cursor / kBits % words;
  const std::uint64_t until_cursor = ~std::uint64_t{0} >> (kBits - 1 - cursor % kBits);
  for (unsigned step = 0; step <= words; step++) {
    const unsigned word = first + step < words ? first + step : first + step - words;
    std::uint64_t bits = sleepers.awake(word).load();
    if (bits == 0) continue;
    Chunk* chunk = chunks_[word / kWords].load(memory_order_acquire);
    if (chunk == nullptr) continue;
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
  const unsigned end = chunks_end_.load(memory_order_acquire);
  for (unsigned at = 0; at < end; at++) {
    Chunk* chunk = chunks_[at].load(memory_order_acquire);
    if (chunk == nullptr) continue;
    for (unsigned word = 0; word < kWords; word++) {
      for (std::uint64_t bits = chunk->present[word].load(); bits != 0; bits &= bits - 1) {
        const unsigned place = word * kBits + static_cast<unsigned>(__builtin_ctzll(bits));
        if (visit(at * DescriptorTable::kSlots + place, chunk->members[place]) == Look::stop) return;
      }
    }
  }
}

bool EpollSet::anything_awake() const {
  const unsigned end = chunks_end_.load(memory_order_acquire);
  for (unsigned at = 0; at < end; at++) {
    for (unsigned word = 0; word < kWords; word++) {
      const std::uint64_t bits = sleepers.awake(at * kWords + word).load();
      if (bits == 0) continue;
      const Chunk* chunk = chunks_[at].load(memory_order_acquire);
      if (chunk != nullptr && (bits & chunk->present[word].load()) != 0) return true;
    }
  }
  return false;
}

void EpollSet::mark_all() {
  each_awake([&](unsigned, Member& member) {
    sleepers.mark(member.socket());
    return Look::on;
  });
}

void EpollSet::keep_all(abi::Reason reason) {
  kept_ = static_cast<std::uint32_t>(reason);
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

int EpollSet::sift(epoll_event* events, int count) {
  int left = 0;
  for (int i = 0; i < count; i++) {
    const std::uint64_t data = events[i].data.u64;
    if (data == EpollSets::bell_data()) continue;
    if (has_oneshot()) {
      Member* member = with_data(data);
      Member::Interest interest;
      if (member != nullptr && member->read_settled(interest) && (interest.events & EPOLLONESHOT) != 0 &&
          !member->fire(interest.version)) {
        continue;
      }
    }
    if (left != i) events[left] = events[i];
    left++;
  }
  return left;
}

struct EpollSet::Bytes {
  bool any = false;
  std::uint64_t arrivals = 0;
};

/** What the ring of a member has for who has this interest. */
EpollSet::Bytes EpollSet::bytes_of(Member& member, const Member::Interest& interest) {
  const Handle socket = member.socket();
  Connection* connection = connection_of(socket);
  if (connection == nullptr) {
    EpollSet* inner = epoll_sets.find(socket);
    if (inner == nullptr) return {};
    // Its sockets stay on the kernel; once their rings are drained, it tells all.
    if (!inner->anything_awake()) sleepers.fall_asleep(socket);
    return {inner->readable(), inner->changes_.load()};
  }
  const std::uint64_t arrivals = connection->arrivals();
  if (connection->has_ring_bytes()) {
    member.idle.store(0, memory_order_relaxed);
    return {true, arrivals};
  }
  // The kernel's bytes may come first; what arrived behind them is an edge all the same.
  if ((interest.events & EPOLLET) != 0 && (interest.events & kReadable) != 0 && !member.edge_taken(arrivals) &&
      connection->unread() > 0 && kernel_readable(member.fd())) {
    return {true, arrivals};
  }
  if (member.idle.fetch_add(1, memory_order_relaxed) >= kIdleLooks) {
    member.idle.store(0, memory_order_relaxed);
    sleepers.mark(socket);
  }
  return {};
}

bool EpollSet::readable() {
  bool result = false;
  each_awake([&](unsigned, Member& member) {
    Member::Interest interest;
    if (!member.read(interest) || (interest.events & kReadable) == 0) return Look::on;
    if ((interest.events & EPOLLONESHOT) != 0 && member.fired(interest.version)) return Look::on;
    const Bytes bytes = bytes_of(member, interest);
    result = bytes.any && ((interest.events & EPOLLET) == 0 || !member.edge_taken(bytes.arrivals));
    return result ? Look::stop : Look::on;
  });
  return result;
}

void EpollSet::waited_for() {
  if (kept_.load() == 0) keep_all(abi::Reason::set_waited_for);
  if (anything_awake()) sleepers.keep_looking(handle());
}

int EpollSet::collect(epoll_event* events, int from_kernel, int room) {
  int count = from_kernel;
  bool bad_memory = false;
  each_awake([&](unsigned socket, Member& member) {
    Member::Interest interest;
    if (!member.read(interest)) return Look::on;
    const std::uint32_t bits = interest.events & kReadable;
    const bool edge = (interest.events & EPOLLET) != 0;
    const bool oneshot = (interest.events & EPOLLONESHOT) != 0;
    const auto [any, arrivals] = bytes_of(member, interest);
    if (!any || bits == 0) return Look::on;
    for (int i = 0; i < from_kernel; i++) {
      if (events[i].data.u64 != interest.data) continue;
      events[i].events |= bits;
      if (edge) static_cast<void>(member.take_edge(arrivals));
      return Look::on;
    }
    if ((edge && member.edge_taken(arrivals)) || (oneshot && member.fired(interest.version))) return Look::on;
    if (count == room) return Look::stop;
    if (!writable(&events[count], sizeof events[count])) {
      bad_memory = true;
      return Look::stop;
    }
    if ((edge && !member.take_edge(arrivals)) || (oneshot && !member.fire(interest.version))) return Look::on;
    events[count].events = edge ? bits | kernel_state(member, interest.events) : bits;
    events[count].data.u64 = interest.data;
    count++;
    cursor_.store(socket, memory_order_relaxed);
    return Look::on;
  });
  return bad_memory && count == 0 ? -1 : count;
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
  std::atomic<std::uint8_t>* elsewhere = epoll_sets.used_elsewhere(place_.load(memory_order_relaxed));
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
