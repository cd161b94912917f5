#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>

#include "base/raw.h"
#include "preload/calls.h"

/*
 * Calls that wait, and of which a part has been done elsewhere: by a ring, or before the kernel was made to let go of
 * them. What is left of one is done so that the whole ends as the kernel would have ended it.
 */
namespace sockdoc::preload {

template <typename T>
T option(int fd, int name) {
  T value = {};
  socklen_t size = sizeof value;
  raw(SYS_getsockopt, fd, SOL_SOCKET, name, &value, &size);
  return value;
}

inline std::int64_t now_ms() {
  timespec now = {};
  raw(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

/** Until when, by now_ms(). Nothing: for ever. */
using Limit = std::optional<std::int64_t>;

/** Of a call that began `waited_ms` ago, by the socket's option `name`. */
inline Limit limit_of(int fd, int name, std::uint32_t waited_ms) {
  const auto timeout = option<timeval>(fd, name);
  if (timeout.tv_sec == 0 && timeout.tv_usec == 0) return std::nullopt;
  return now_ms() + std::int64_t{timeout.tv_sec} * 1000 + timeout.tv_usec / 1000 - waited_ms;
}

inline bool passed(const Limit& until) { return until && now_ms() >= *until; }

/**
 * What poll() says of `events`: 0 when the time is up, -errno. A handler of any kind ends it. `poll(pollfd*,
 * timespec*)` asks the kernel, as system calls do.
 */
template <typename Poll>
inline long await(int fd, short events, const Limit& until, Poll poll) {
  const std::int64_t ms = until ? std::max<std::int64_t>(0, *until - now_ms()) : 0;
  timespec left = {ms / 1000, ms % 1000 * 1'000'000};
  pollfd socket = {fd, events, 0};
  const long ready = poll(&socket, until ? &left : nullptr);
  return ready > 0 ? socket.revents : ready;
}

/** poll() by libc where the program's own call is a cancellation point; -errno. */
inline long poll_one(bool cancellable, pollfd* one, const timespec* left) {
  if (!cancellable) return raw(SYS_ppoll, one, 1, left, nullptr, 8);
  const int ready = sockdoc_original_ppoll(one, 1, left, nullptr);
  return ready < 0 ? -errno : ready;
}

/**
 * Sends what is left behind `done` of `all` bytes: how many went in all. Once a byte of the rest has gone, the kernel
 * ends a call as it would have ended the whole: at a reset, at a handler, when the time is up, with what went. Before
 * that it would take the socket's error, raise SIGPIPE, and begin again behind a handler that lets calls be made again:
 * so the call is made when a byte can go, and none when nothing can go any more.
 *
 * `polls`: no call waits, but for a byte that can go. Where TCP's time is limited: a call would wait for the whole
 * limit, and some of it has passed. `await_room(until)` is await() of POLLOUT. `send(done, flags, tried)` makes one
 * call with these flags too, for `tried` of the bytes behind `done`, and gives what system calls give.
 */
template <typename AwaitRoom, typename Send>
long send_rest(int fd, std::size_t done, std::size_t all, Limit until, bool polls, AwaitRoom await_room, Send send) {
  while (done < all) {
    const long ready = await_room(until);
    if (ready <= 0 || (ready & POLLHUP) != 0) break;
    // Something lies in its queue of errors, where it may stay: nobody can wait for room by that.
    if ((ready & POLLOUT) == 0) polls = false;
    std::size_t tried = 0;
    const long moved = send(done, polls ? MSG_DONTWAIT : 0, tried);
    if (moved == -EAGAIN && polls) {
      polls = false;  // another thread was faster, or memory is short, of which poll() knows nothing
      continue;
    }
    if (moved <= 0) break;
    done += static_cast<std::size_t>(moved);
    if (polls) continue;
    if (static_cast<std::size_t>(moved) < tried) break;
    until = limit_of(fd, SO_SNDTIMEO, 0);
  }
  return static_cast<long>(done);
}

}  // namespace sockdoc::preload
