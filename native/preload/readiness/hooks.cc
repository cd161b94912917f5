#include <sys/syscall.h>

#include "preload/calls.h"
#include "preload/connection/handing_over.h"
#include "preload/readiness/by_syscall.h"
#include "preload/readiness/epoll.h"
#include "preload/readiness/poll.h"
#include "preload/readiness/user_memory.h"
#include "preload/tracking.h"

/* The hooks of the calls that wait for descriptors. */
// NOLINTBEGIN: the names and types are libc's
using namespace sockdoc::preload;

namespace {

constexpr std::int64_t kMicrosecond = 1000;
constexpr std::int64_t kSecond = 1'000'000'000;

bool valid(const timeval* time) {
  return time == nullptr || (readable(time, sizeof *time) && time->tv_sec >= 0 && time->tv_usec >= 0);
}
bool valid(const timespec* time) { return time == nullptr || (readable(time, sizeof *time) && Timeout::valid(*time)); }

Timeout timeout_of(const timeval* time) {
  if (time == nullptr) return Timeout::never();
  const timespec same = {time->tv_sec + time->tv_usec / 1'000'000, time->tv_usec % 1'000'000 * kMicrosecond};
  return Timeout::of(&same);
}

void write_left(const Timeout& timeout, timeval* into) {
  timespec left = {};
  if (into == nullptr || timeout.in(left) == nullptr) return;
  *into = {left.tv_sec, left.tv_nsec / kMicrosecond};
}

void write_left(const Timeout& timeout, timespec* into) {
  timespec left = {};
  if (into != nullptr && timeout.in(left) != nullptr) *into = left;
}

}  // namespace

extern "C" {

int sockdoc_hook_poll(pollfd* fds, nfds_t count, int timeout) {
  PollWait wait = {fds, count, Timeout::ms(timeout), nullptr, poll_by_function};
  return polling(wait, SOCKDOC_CALL(poll, fds, count, timeout));
}
int sockdoc_hook___poll_chk(pollfd* fds, nfds_t count, int timeout, size_t room) {
  PollWait wait = {fds, count, Timeout::ms(timeout), nullptr, poll_by_function};
  if (room / sizeof(pollfd) < count) return sockdoc_original___poll_chk(fds, count, timeout, room);
  return polling(wait, SOCKDOC_CALL(__poll_chk, fds, count, timeout, room));
}
int sockdoc_hook_ppoll(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask) {
  if (!epoll_sets.started() || !valid(timeout)) return sockdoc_original_ppoll(fds, count, timeout, mask);
  PollWait wait = {fds, count, Timeout::of(timeout), mask, poll_by_function};
  return polling(wait, SOCKDOC_CALL(ppoll, fds, count, timeout, mask));
}
int sockdoc_hook___ppoll_chk(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask, size_t room) {
  if (!epoll_sets.started() || room / sizeof(pollfd) < count || !valid(timeout)) {
    return sockdoc_original___ppoll_chk(fds, count, timeout, mask, room);
  }
  PollWait wait = {fds, count, Timeout::of(timeout), mask, poll_by_function};
  return polling(wait, SOCKDOC_CALL(__ppoll_chk, fds, count, timeout, mask, room));
}

int sockdoc_hook_select(int count, fd_set* in, fd_set* out, fd_set* error, timeval* timeout) {
  if (!epoll_sets.started() || !valid(timeout)) return sockdoc_original_select(count, in, out, error, timeout);
  SelectWait wait = {count, in, out, error, timeout_of(timeout), nullptr, select_by_function};
  int result = 0;
  if (idle_rings.any() && select_in_slices(wait, result)) {
    wait.timeout.pass();
    write_left(wait.timeout, timeout);
    return result;
  }
  NamedSockets named;
  if (!select_with_rings(wait, named, result)) return sockdoc_original_select(count, in, out, error, timeout);
  write_left(wait.timeout, timeout);
  return result;
}
int sockdoc_hook_pselect(int count, fd_set* in, fd_set* out, fd_set* error, const timespec* timeout,
                         const sigset_t* mask) {
  if (!epoll_sets.started() || !valid(timeout)) return sockdoc_original_pselect(count, in, out, error, timeout, mask);
  SelectWait wait = {count, in, out, error, Timeout::of(timeout), mask, select_by_function};
  return selecting(wait, SOCKDOC_CALL(pselect, count, in, out, error, timeout, mask));
}

int sockdoc_hook_epoll_create(int size) { return creating_set(SOCKDOC_CALL(epoll_create, size)); }
int sockdoc_hook_epoll_create1(int flags) { return creating_set(SOCKDOC_CALL(epoll_create1, flags)); }
int sockdoc_hook_epoll_ctl(int set, int operation, int fd, epoll_event* event) {
  return controlling_set(set, operation, fd, event, SOCKDOC_CALL(epoll_ctl, set, operation, fd, event));
}
int sockdoc_hook_epoll_wait(int set, epoll_event* events, int count, int timeout) {
  const EpollWait wait = {set, events, count, Timeout::ms(timeout), nullptr, false, kEpollByFunction};
  return waiting_on_set(wait, SOCKDOC_CALL(epoll_wait, set, events, count, timeout));
}
int sockdoc_hook_epoll_pwait(int set, epoll_event* events, int count, int timeout, const sigset_t* mask) {
  const EpollWait wait = {set, events, count, Timeout::ms(timeout), mask, false, kEpollByFunction};
  return waiting_on_set(wait, SOCKDOC_CALL(epoll_pwait, set, events, count, timeout, mask));
}
int sockdoc_hook_epoll_pwait2(int set, epoll_event* events, int count, const timespec* timeout, const sigset_t* mask) {
  if (!epoll_sets.started() || !valid(timeout)) {
    return sockdoc_original_epoll_pwait2(set, events, count, timeout, mask);
  }
  const EpollWait wait = {set, events, count, Timeout::of(timeout), mask, true, kEpollByFunction};
  return waiting_on_set(wait, SOCKDOC_CALL(epoll_pwait2, set, events, count, timeout, mask));
}
}
// NOLINTEND

namespace sockdoc::preload {

namespace {

template <typename Pointer>
Pointer pointer(long word) {
  return reinterpret_cast<Pointer>(word);
}

}  // namespace

long waiting_by_syscall(long number, long a, long b, long c, long d, long e, long f) {
  const auto call = [&] { return static_cast<int>(sockdoc_original_syscall(number, a, b, c, d, e, f)); };
  const int fd = static_cast<int>(a);
  switch (number) {
    case SYS_poll: {
      PollWait wait = {pointer<pollfd*>(a), static_cast<nfds_t>(static_cast<unsigned>(b)),
                       Timeout::ms(static_cast<int>(c)), nullptr, poll_by_syscall};
      return polling(wait, call);
    }
    case SYS_ppoll: {
      auto* timeout = pointer<timespec*>(c);
      if (!valid(timeout) || (d != 0 && e != sizeof(std::uint64_t))) return call();
      PollWait wait = {pointer<pollfd*>(a), static_cast<nfds_t>(static_cast<unsigned>(b)), Timeout::of(timeout),
                       pointer<const sigset_t*>(d), poll_by_syscall};
      NamedSockets named;
      int result = 0;
      if (!poll_with_rings(wait, named, result)) return call();
      write_left(wait.timeout, timeout);
      return result;
    }
    case SYS_select:
    case SYS_pselect6: {
      const sigset_t* mask = nullptr;
      const bool fine = number == SYS_pselect6;
      if (fine ? !valid(pointer<timespec*>(e)) : !valid(pointer<timeval*>(e))) return call();
      if (fine && f != 0) {
        const auto* masks = pointer<const long*>(f);
        if (!readable(masks, 2 * sizeof(long)) || (masks[0] != 0 && masks[1] != sizeof(std::uint64_t))) return call();
        mask = pointer<const sigset_t*>(masks[0]);
      }
      SelectWait wait = {fd,
                         pointer<fd_set*>(b),
                         pointer<fd_set*>(c),
                         pointer<fd_set*>(d),
                         fine ? Timeout::of(pointer<timespec*>(e)) : timeout_of(pointer<timeval*>(e)),
                         mask,
                         select_by_syscall};
      NamedSockets named;
      int result = 0;
      if (!select_with_rings(wait, named, result)) return call();
      fine ? write_left(wait.timeout, pointer<timespec*>(e)) : write_left(wait.timeout, pointer<timeval*>(e));
      return result;
    }
    case SYS_epoll_create:
    case SYS_epoll_create1:
      return creating_set(call);
    case SYS_epoll_ctl:
      return controlling_set(fd, static_cast<int>(b), static_cast<int>(c), pointer<const epoll_event*>(d), call);
    case SYS_epoll_wait:
    case SYS_epoll_pwait: {
      const bool masked = number == SYS_epoll_pwait && e != 0;
      if (masked && f != sizeof(std::uint64_t)) return call();
      const EpollWait wait = {fd,
                              pointer<epoll_event*>(b),
                              static_cast<int>(c),
                              Timeout::ms(static_cast<int>(d)),
                              masked ? pointer<const sigset_t*>(e) : nullptr,
                              false,
                              kEpollBySyscall};
      return waiting_on_set(wait, call);
    }
    case SYS_epoll_pwait2: {
      if (!valid(pointer<const timespec*>(d)) || (e != 0 && f != sizeof(std::uint64_t))) return call();
      const EpollWait wait = {fd,
                              pointer<epoll_event*>(b),
                              static_cast<int>(c),
                              Timeout::of(pointer<const timespec*>(d)),
                              pointer<const sigset_t*>(e),
                              true,
                              kEpollBySyscall};
      return waiting_on_set(wait, call);
    }
    case SYS_io_uring_setup: {
      // Its rings change epoll sets without a call that we see, and read from and write to sockets.
      const int ring = call();
      if (ring >= 0 && monitor_link.wanted() && table.mine()) {
        sleepers.keep_all(abi::Reason::io_uring);
        all_go_back(abi::Reason::io_uring);
      }
      return ring;
    }
    default:
      return call();
  }
}

}  // namespace sockdoc::preload
