#include "preload/readiness/epoll.h"

#include <sys/syscall.h>

#include <cerrno>

#include "preload/calls.h"
#include "preload/connection/connections.h"

namespace sockdoc::preload {
namespace {

constexpr std::size_t kMaskBytes = 8;

int pwait(int set, epoll_event* events, int count, int timeout, const sigset_t* mask) {
  return mask == nullptr ? sockdoc_original_epoll_wait(set, events, count, timeout)
                         : sockdoc_original_epoll_pwait(set, events, count, timeout, mask);
}

int pwait2(int set, epoll_event* events, int count, const timespec* timeout, const sigset_t* mask) {
  return sockdoc_original_epoll_pwait2(set, events, count, timeout, mask);
}

int syscall_pwait(int set, epoll_event* events, int count, int timeout, const sigset_t* mask) {
  return static_cast<int>(sockdoc_original_syscall(SYS_epoll_pwait, set, reinterpret_cast<long>(events), count, timeout,
                                                   reinterpret_cast<long>(mask), kMaskBytes));
}

int syscall_pwait2(int set, epoll_event* events, int count, const timespec* timeout, const sigset_t* mask) {
  return static_cast<int>(sockdoc_original_syscall(SYS_epoll_pwait2, set, reinterpret_cast<long>(events), count,
                                                   reinterpret_cast<long>(timeout), reinterpret_cast<long>(mask),
                                                   kMaskBytes));
}

/** As many as are compared with what the rings have, and as leave room for that. */
int room_beside_rings(int count) {
  constexpr int kMost = 64;
  const int room = count - count / 4;
  return room < kMost ? room : kMost;
}

int with_rings(EpollSet& set, const EpollWait& wait, int from_kernel) {
  const int kept = set.sift(wait.events, from_kernel);
  const int count = set.collect(wait.events, kept, wait.count);
  if (count < 0) errno = EFAULT;
  if (count > 0) {
    set.rung_for_something();
  } else if (kept < from_kernel) {
    set.rung_in_vain();
  }
  return count;
}

/**
 * The kernel, without waiting. It may have more interest than the program meanwhile as long as it has nothing to say,
 * as mostly; where it has, it says it again once that is settled, since only levels are told so.
 */
int ask_now(EpollSet& set, const EpollWait& wait, int room, const sigset_t* mask) {
  const bool surplus = set.settle_for_look(wait.set, set.may_have_surplus());
  int found = ask(wait, room, Timeout::ns(0), mask);
  set.looked(found);
  if (surplus && found > 0 && set.only_levels()) {
    static_cast<void>(set.settle_for_look(wait.set, false));
    found = ask(wait, room, Timeout::ns(0), mask);
  }
  return found;
}

enum class Look { first, again };

/** What there is now: of the rings, and of the kernel when it is its turn, or knows what is waited for. */
int look(EpollSet& set, const EpollWait& wait, KernelTurn& kernel, std::uint64_t now, Look look) {
  if (!kernel.due(now) && (look == Look::again || !set.writers_unclear())) return with_rings(set, wait, 0);
  // Where there is room for one, kernel and rings take turns.
  if (wait.count == 1 && (set.turn.fetch_add(1, std::memory_order_relaxed) & 1) != 0) {
    const int found = with_rings(set, wait, 0);
    if (found != 0) return found;
  }
  kernel.taken(now);
  const int from_kernel = ask_now(set, wait, room_beside_rings(wait.count), nullptr);
  kernel.ended(ticks());
  return from_kernel < 0 ? from_kernel : with_rings(set, wait, from_kernel);
}

enum class Woken { by_something, by_time, by_end_of_watch };

/** `found` is as the call's result; by_something with 0 was not for the program. `watch`: see EpollSet::mark_all(). */
Woken sleep(EpollSet& set, const EpollWait& wait, Timeout& timeout, bool watch, SignalsHeld& signals, int& found) {
  const int place = one_thread() && !set.may_ever_defer() ? ThreadsInside::kNowhere : set.threads.enter();
  const bool watched = set.mark_all(wait.set, place, watch);
  found = with_rings(set, wait, 0);
  if (found != 0) {
    set.end_sleep(watched);
    set.threads.leave(place);
    set.unmark_busy();
    return Woken::by_something;
  }
  set.settle(wait.set);
  timeout.pass();
  const bool part = watched && timeout.longer_than(longest_watch_ns);
  // A signal that comes between two parts is let in by the second.
  if (part) signals.hold();
  found = ask(wait, wait.count, part ? Timeout::ns(longest_watch_ns) : timeout,
              wait.mask != nullptr ? wait.mask : signals.mask());
  set.end_sleep(watched);
  set.threads.leave(place);
  if (found == 0) return part ? Woken::by_end_of_watch : Woken::by_time;
  set.unmark_busy();
  if (found > 0) found = with_rings(set, wait, found);
  return Woken::by_something;
}

}  // namespace

const EpollWays kEpollByFunction = {pwait, pwait2};
const EpollWays kEpollBySyscall = {syscall_pwait, syscall_pwait2};

int ask(const EpollWait& wait, int room, const Timeout& timeout, const sigset_t* mask) {
  if (!wait.fine) return wait.ways.pwait(wait.set, wait.events, room, timeout.in_ms(), mask);
  timespec left = {};
  return wait.ways.pwait2(wait.set, wait.events, room, timeout.in(left), mask);
}

int wait_on(EpollSet& set, const EpollWait& wait) {
  Timeout timeout = wait.timeout;
  KernelTurn kernel(set.kernel_asked, set.calls_since, static_cast<unsigned>(wait.count));
  if (timeout.zero()) {
    int found = ask_now(set, wait, wait.count, wait.mask);
    int left = found < 0 ? found : with_rings(set, wait, found);
    // What is ours took all the room.
    if (left == 0 && found == wait.count) {
      found = ask_now(set, wait, wait.count, wait.mask);
      left = found < 0 ? found : with_rings(set, wait, found);
    }
    return left;
  }
  SignalsHeld signals;
  for (bool watch = true;;) {
    Spin spin(timeout);
    int found = look(set, wait, kernel, spin.begun(), Look::first);
    kernel.count();
    if (found != 0) return found;
    // With a mask the program counts on the kernel to let a signal in that waits already.
    if (wait.mask == nullptr && spin.worth_it()) {
      while (found == 0 && spin.go_on(signals, [&](Peers& peers) { set.visit_awake(peers); })) {
        found = look(set, wait, kernel, spin.now(), Look::again);
      }
      spin.ended(found > 0);
      if (found != 0) return found;
    }
    notice_messages();
    const Woken woken = sleep(set, wait, timeout, watch, signals, found);
    if (found > 0) spin.slept();
    if (found != 0 || woken == Woken::by_time) return found;
    timeout.pass();
    if (timeout.zero()) return 0;
    watch = woken != Woken::by_end_of_watch;  // nothing comes now: a sleep without an end
  }
}

void tell_sleepers(EpollSet& set, int fd, Handle socket, std::uint32_t events) {
  if ((events & (EPOLLIN | EPOLLRDNORM)) == 0 || !set.threads.any() || !sleepers.is_awake(socket.index())) return;
  sleepers.mark(socket);
  Connection* connection = connection_of(socket);
  if (connection != nullptr && connection->has_ring_bytes()) set.kick(fd);
}

}  // namespace sockdoc::preload
