#pragma once

#include <sys/epoll.h>

#include <cerrno>
#include <csignal>
#include <ctime>

#include "preload/readiness/sets.h"
#include "preload/readiness/waiting.h"
#include "preload/table/own.h"
#include "preload/thread.h"

/*
 * The epoll calls for programs with connections on rings. Templates around the program's own call where it can leave
 * that way; the rest is in epoll.cc.
 */
namespace sockdoc::preload {

/** How the kernel is asked instead: by libc's functions, which threads can be cancelled in, or as syscall() does. */
struct EpollWays {
  int (*pwait)(int set, epoll_event* events, int count, int timeout, const sigset_t* mask);
  int (*pwait2)(int set, epoll_event* events, int count, const timespec* timeout, const sigset_t* mask);
};
extern const EpollWays kEpollByFunction;
extern const EpollWays kEpollBySyscall;

/** A waiting call as the program made it. */
struct EpollWait {
  int set;
  epoll_event* events;
  int count;
  Timeout timeout;
  const sigset_t* mask;
  bool fine;  // epoll_pwait2: the timeout is in nanoseconds
  const EpollWays& ways;
};

/** The kernel alone, with room for so many events. */
int ask(const EpollWait& wait, int room, const Timeout& timeout, const sigset_t* mask);
/** The whole wait, on a set some of whose members may get bytes by rings. As epoll_wait(2), errno too. */
int wait_on(EpollSet& set, const EpollWait& wait);
/** After the kernel agreed: what is to be done for threads that sleep on the set. */
void tell_sleepers(EpollSet& set, int fd, Handle socket, std::uint32_t events);

template <typename Call>
inline int waiting_once_on_set(const EpollWait& wait, Call call) {
  EpollSet* set = epoll_sets.find_or_recover(wait.set);
  if (set == nullptr || !set->has_sockets() || wait.count <= 0) return call();
  set->is_waited_for_here();
  // Where it is shared it keeps its sockets on the kernel.
  if (!set->shared() && set->lent()) [[unlikely]]
    set->come_back();
  if (set->anything_awake() || set->anything_writable()) return wait_on(*set, wait);
  int place = ThreadsInside::kNowhere;
  if (!wait.timeout.zero() && (!one_thread() || set->may_ever_defer())) {
    place = set->threads.enter();
    if (set->anything_awake()) [[unlikely]] {
      set->threads.leave(place);
      return wait_on(*set, wait);
    }
  }
  set->settle(wait.set);
  const int result = call();
  if (place != ThreadsInside::kNowhere) set->end_sleep(false);
  set->threads.leave(place);
  if (result <= 0) return result;
  set->unmark_busy();
  const int left = set->sift(wait.events, result);
  return left > 0 ? left : wait_on(*set, wait);
}

/** `call` is the program's own. */
template <typename Call>
inline int waiting_on_set(const EpollWait& wait, Call call) {
  if (!epoll_sets.started()) return call();
  if (!idle_rings.any() || wait.timeout.zero()) return waiting_once_on_set(wait, call);
  Timeout timeout = wait.timeout;
  return wait_in_slices(timeout, [&](const Timeout& slice) {
    const EpollWait part = {wait.set, wait.events, wait.count, slice, wait.mask, wait.fine, wait.ways};
    return waiting_once_on_set(part, [&] { return ask(part, part.count, slice, part.mask); });
  });
}

template <typename Call>
inline int creating_set(Call call) {
  const int fd = call();
  if (fd >= 0 && epoll_sets.started()) epoll_sets.record(fd, EpollSet::Changes::may_wait);
  return fd;
}

template <typename Call>
inline int controlling_set(int fd, int operation, int member_fd, const epoll_event* event, Call call) {
  const Handle socket = table.find(member_fd);
  if (!epoll_sets.started()) return call();
  if (!socket) {
    if (own_descriptors.owns(member_fd) && !table.on_loan()) [[unlikely]] {
      errno = EBADF;  // for the program it is not open
      return -1;
    }
    EpollSet* set = operation == EPOLL_CTL_DEL ? nullptr : epoll_sets.find(fd);
    if (set != nullptr) set->will_have(event);
    return call();
  }
  EpollSet* set = epoll_sets.find_or_recover(fd);
  if (set == nullptr) return call();
  // Without a look at who we are: the child of vfork(), which may not come here, changes the same set by the same
  // numbers. Where others use it, our copy has what we have changed ourselves.
  if (!set->shared() && set->lent()) [[unlikely]]
    set->come_back();
  if (set->defer(fd, operation, socket, member_fd, event)) return 0;
  set->settle(fd, socket.index());
  if (operation != EPOLL_CTL_ADD) set->before_change(socket);
  if (operation != EPOLL_CTL_DEL) set->will_have(event);
  Member* member = operation == EPOLL_CTL_DEL ? nullptr : set->place_of(socket.index());
  const std::uint32_t change = member == nullptr ? 0 : member->begin();
  const int result = call();
  if (result != 0) {
    if (change != 0) member->abandon(change);
  } else if (operation == EPOLL_CTL_DEL) {
    set->removed(socket, member_fd);
    set->before_change(socket);
  } else {
    set->changed(socket, member_fd, *event, change, operation == EPOLL_CTL_ADD);
    EpollSet* inner = epoll_sets.find(socket);
    if (inner != nullptr) inner->waited_for();
    operation == EPOLL_CTL_MOD ? set->before_change(socket) : epoll_sets.sleeps_beside_watch(socket);
    tell_sleepers(*set, fd, socket, event->events);
  }
  return result;
}

}  // namespace sockdoc::preload
