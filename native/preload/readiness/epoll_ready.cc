#include <poll.h>
#include <sys/syscall.h>

#include "preload/connection/connections.h"
#include "preload/readiness/epoll_set.h"
#include "preload/readiness/sets.h"
#include "preload/readiness/user_memory.h"

/* What of an epoll set's members is ready without the kernel's word for it, beside what the kernel says. */
namespace sockdoc::preload {

using std::memory_order_acquire;
using std::memory_order_relaxed;

namespace {

constexpr std::uint32_t kWritable = EpollSet::kWritable;
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

/** What makes an interest in EPOLLOUT true at once, if it is level-triggered. */
bool EpollSet::takes_bytes(const Member& member) {
  const Connection* connection = connection_of(member.socket());
  return connection != nullptr && connection->takes_bytes();
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

bool EpollSet::anything_writable() {
  bool result = false;
  each_writer([&](unsigned, Member& member) {
    result = takes_bytes(member);
    return result ? Look::stop : Look::on;
  });
  return result;
}

bool EpollSet::writers_unclear() {
  bool result = false;
  each_writer([&](unsigned socket, Member& member) {
    if (table.state(member.socket()) == nullptr) set_writer(socket, false);  // closed
    const Connection* connection = connection_of(member.socket());
    result = connection != nullptr && !connection->takes_bytes() && !connection->refused();
    return result ? Look::stop : Look::on;
  });
  return result;
}

int EpollSet::sift(epoll_event* events, int count) {
  int left = 0;
  for (int i = 0; i < count; i++) {
    const std::uint64_t data = events[i].data.u64;
    if (data == EpollSets::bell_data()) {
      kicked_ = 0;
      kick_again();
      continue;
    }
    if (data == Doorbell::data()) continue;
    // Others may have set it anew, and then the kernel tells it again.
    if (has_oneshot() && !used_by_others()) {
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
  if (!connection->is_drained()) {
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
  }
  // A look more or less is all the same: a locked instruction here would keep the processor from looking at the next.
  const std::uint32_t looks = member.idle.load(memory_order_relaxed);
  member.idle.store(looks >= kIdleLooks ? 0 : looks + 1, memory_order_relaxed);
  if (looks >= kIdleLooks) sleepers.mark(socket);
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

void EpollSet::visit_awake(Peers& peers) {
  peers.add_others();  // of other members, and of sockets that are the kernel's, no bell tells
  each_awake([&](unsigned, const Member& member) {
    peers.add(member.socket());
    return peers.enough() ? Look::stop : Look::on;
  });
}

void EpollSet::waited_for() {
  if (kept_.load() == 0) keep_all(abi::Reason::set_waited_for);
  if (anything_awake()) sleepers.keep_looking(handle());
}

int EpollSet::collect(epoll_event* events, int from_kernel, int room) {
  int count = from_kernel;
  bool bad_memory = false;
  const auto candidates = [this](unsigned word, const Chunk& chunk) {
    const std::uint64_t awake = sleepers.awake(word).load();
    return tells_writers() ? awake | chunk.writers[word % kWords].load() : awake;
  };
  each_in_turn(candidates, [&](unsigned socket, Member& member) {
    Member::Interest interest;
    if (!member.read(interest)) return Look::on;
    const bool edge = (interest.events & EPOLLET) != 0;
    const bool oneshot = (interest.events & EPOLLONESHOT) != 0;
    const auto [any, arrivals] = sleepers.is_awake(socket) ? bytes_of(member, interest) : Bytes{};
    std::uint32_t bits = any ? interest.events & kReadable : 0;
    if (!edge && !oneshot && (interest.events & kWritable) != 0 && tells_writers() && takes_bytes(member)) {
      bits |= interest.events & kWritable;
    }
    if (bits == 0) return Look::on;
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

}  // namespace sockdoc::preload
