#include "preload/readiness/member.h"

#include <sys/syscall.h>

namespace sockdoc::preload {

using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;

namespace {

/** Longer than epoll_ctl(2) takes. */
constexpr int kChangeLooks = 20000;

}  // namespace

// A change is odd while it is under way; 0 stands for none, so the count begins at 2.
bool Member::read(Interest& into) const {
  into.version = version_.load(memory_order_acquire);
  if (into.version % 2 != 0) return false;
  into.events = events_.load(memory_order_acquire);
  // Acquire: what is looked at next comes after it. (A fence says the same, but not to the thread sanitizer.)
  into.data = data_.load(memory_order_acquire);
  return version_.load(memory_order_relaxed) == into.version;
}

bool Member::read_settled(Interest& into) const {
  for (int look = 0; look < kChangeLooks; look++) {
    if (read(into)) return true;
    if (look > 100) raw(SYS_sched_yield);
  }
  return false;
}

std::uint32_t Member::begin() {
  std::uint32_t seen = version_.load(memory_order_relaxed);
  if (seen % 2 != 0 || !version_.compare_exchange_strong(seen, seen + 1)) return 0;
  return seen + 1;
}

void Member::commit(std::uint32_t change, Handle socket, int fd, const epoll_event& event) {
  socket_.store(socket.word(), memory_order_relaxed);
  fd_.store(fd, memory_order_relaxed);
  events_.store(event.events, memory_order_release);
  data_.store(event.data.u64);
  edge_.store(kNoEdge, memory_order_relaxed);
  idle.store(0, memory_order_relaxed);
  version_.store(change + 1, memory_order_release);
}

void Member::abandon(std::uint32_t change) {
  if (fired_.load() == change - 1) fired_.store(change + 1);
  version_.store(change + 1, memory_order_release);
}

bool Member::fire(std::uint32_t version) {
  std::uint32_t before = fired_.load();
  return before != version && fired_.compare_exchange_strong(before, version);
}

bool Member::take_edge(std::uint64_t arrivals) {
  std::uint64_t before = edge_.load();
  return before != arrivals && edge_.compare_exchange_strong(before, arrivals);
}

}  // namespace sockdoc::preload
