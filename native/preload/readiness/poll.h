#pragma once

#include <poll.h>
#include <sys/select.h>

#include <csignal>
#include <ctime>

#include "preload/readiness/named.h"
#include "preload/readiness/waiting.h"

/* poll and select, and their kin, for programs with connections on rings. */
namespace sockdoc::preload {

using PollWay = int (*)(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask);
int poll_by_function(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask);
int poll_by_syscall(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask);

/** A call as the program made it. What is left of the timeout is in it afterwards. */
struct PollWait {
  pollfd* fds;
  nfds_t count;
  Timeout timeout;
  const sigset_t* mask;
  PollWay way;
};

/** The whole wait, with errno; false when the program's own call does as well, while `named` lives. */
[[nodiscard]] bool poll_with_rings(PollWait& wait, NamedSockets& named, int& result);

template <typename Call>
inline auto polling_once(PollWait& wait, Call call) {
  NamedSockets named;
  int result = 0;
  if (!poll_with_rings(wait, named, result)) return call();
  return static_cast<decltype(call())>(result);
}

template <typename Call>
inline auto polling(PollWait& wait, Call call) {
  if (!epoll_sets.started()) return call();
  if (!idle_rings.any() || wait.timeout.zero()) return polling_once(wait, call);
  const int result = wait_in_slices(wait.timeout, [&](const Timeout& slice) {
    PollWait part = wait;
    part.timeout = slice;
    return polling_once(part, [&] {
      timespec left = {};
      return part.way(part.fds, part.count, slice.in(left), part.mask);
    });
  });
  return static_cast<decltype(call())>(result);
}

using SelectWay = int (*)(int count, fd_set* in, fd_set* out, fd_set* error, const timespec* timeout,
                          const sigset_t* mask);
int select_by_function(int count, fd_set* in, fd_set* out, fd_set* error, const timespec* timeout,
                       const sigset_t* mask);
int select_by_syscall(int count, fd_set* in, fd_set* out, fd_set* error, const timespec* timeout, const sigset_t* mask);

struct SelectWait {
  int count;
  fd_set* in;
  fd_set* out;
  fd_set* error;
  Timeout timeout;
  const sigset_t* mask;
  SelectWay way;
};

[[nodiscard]] bool select_with_rings(SelectWait& wait, NamedSockets& named, int& result);

/** As select_with_rings(), but for calls that are made in slices while rings hold pages. */
[[nodiscard]] bool select_in_slices(SelectWait& wait, int& result);

template <typename Call>
inline auto selecting(SelectWait& wait, Call call) {
  if (!epoll_sets.started()) return call();
  if (int result = 0; idle_rings.any() && select_in_slices(wait, result)) return static_cast<decltype(call())>(result);
  NamedSockets named;
  int result = 0;
  if (!select_with_rings(wait, named, result)) return call();
  return static_cast<decltype(call())>(result);
}

}  // namespace sockdoc::preload
