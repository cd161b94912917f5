#include "preload/readiness/poll.h"

#include <sys/syscall.h>

#include "preload/calls.h"
#include "preload/readiness/named.h"
#include "preload/readiness/user_memory.h"

namespace sockdoc::preload {
namespace {

constexpr short kReadable = POLLIN | POLLRDNORM;
constexpr short kTold = POLLERR | POLLHUP | POLLNVAL;  // whether they are asked for or not
constexpr nfds_t kMost = kSockets;

/** Shared by all calls of the process: they name the same sockets again and again. */
constinit std::atomic<std::uint64_t> kernel_asked{0};
constinit std::atomic<std::uint32_t> calls_since{0};

/** visit(entry, socket) for those whose bytes may come by a ring and are waited for. */
template <typename Visit>
void each_socket(const PollWait& wait, Visit visit) {
  for (nfds_t i = 0; i < wait.count; i++) {
    pollfd& entry = wait.fds[i];
    if (entry.fd < 0 || (entry.events & kReadable) == 0) continue;
    const Handle socket = table.find(entry.fd);
    if (socket) visit(entry, socket);
  }
}

int ask(const PollWait& wait, const Timeout& timeout, const sigset_t* mask) {
  timespec left = {};
  return wait.way(wait.fds, wait.count, timeout.in(left), mask);
}

bool anything_readable(const PollWait& wait) {
  bool result = false;
  each_socket(wait, [&](pollfd&, Handle socket) { result = result || ring_readable(socket); });
  return result;
}

/** True when no entry asks for anything that only the kernel knows. */
bool rings_alone(const PollWait& wait) {
  for (nfds_t i = 0; i < wait.count; i++) {
    const pollfd& entry = wait.fds[i];
    if (entry.fd < 0) continue;
    const Handle socket = table.find(entry.fd);
    if ((entry.events & ~(kReadable | kTold)) != 0 || !socket || !sleepers.is_awake(socket.index())) return false;
  }
  return true;
}

/** True when an entry waits for nothing but the end, for which no bell is set. */
bool any_without_bytes(const PollWait& wait) {
  for (nfds_t i = 0; i < wait.count; i++) {
    if (wait.fds[i].fd >= 0 && (wait.fds[i].events & kReadable) == 0) return true;
  }
  return false;
}

/** What the rings have, beside what the kernel has said of each entry. */
int merge(const PollWait& wait, int count) {
  each_socket(wait, [&](pollfd& entry, Handle socket) {
    if (!ring_readable(socket)) return;
    if (entry.revents == 0) count++;
    entry.revents = static_cast<short>(entry.revents | (entry.events & kReadable));
  });
  return count;
}

int answer(const PollWait& wait, KernelTurn& kernel, std::uint64_t now) {
  if (rings_alone(wait) && !kernel.due(now)) {
    kernel.count();
    for (nfds_t i = 0; i < wait.count; i++) wait.fds[i].revents = 0;
    return merge(wait, 0);
  }
  kernel.taken(now);
  const int count = ask(wait, Timeout::ns(0), nullptr);
  return count < 0 ? count : merge(wait, count);
}

int sleep(PollWait& wait, NamedSockets& named, const SignalsHeld& signals) {
  each_socket(wait, [&](pollfd&, Handle socket) {
    named.add(socket);
    if (sleepers.is_awake(socket.index())) sleepers.mark(socket);
  });
  if (anything_readable(wait)) {
    const int count = ask(wait, Timeout::ns(0), nullptr);
    return count < 0 ? count : merge(wait, count);
  }
  wait.timeout.pass();
  const int count = ask(wait, wait.timeout, wait.mask != nullptr ? wait.mask : signals.mask());
  wait.timeout.pass();
  return count;
}

}  // namespace

int poll_by_function(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask) {
  return sockdoc_original_ppoll(fds, count, timeout, mask);
}

int poll_by_syscall(pollfd* fds, nfds_t count, const timespec* timeout, const sigset_t* mask) {
  timespec copy = timeout == nullptr ? timespec{} : *timeout;  // the kernel writes there what was left
  return static_cast<int>(sockdoc_original_syscall(SYS_ppoll, reinterpret_cast<long>(fds), static_cast<long>(count),
                                                   timeout == nullptr ? 0 : reinterpret_cast<long>(&copy),
                                                   reinterpret_cast<long>(mask), sizeof(std::uint64_t), 0));
}

bool poll_with_rings(PollWait& wait, NamedSockets& named, int& result) {
  if (wait.count == 0 || wait.count > kMost || !readable(wait.fds, wait.count * sizeof(pollfd))) return false;
  bool sockets = false;
  bool awake = false;
  each_socket(wait, [&](pollfd&, Handle socket) {
    EpollSet* set = epoll_sets.find(socket);
    if (set != nullptr) set->waited_for();
    sockets = true;
    awake = awake || sleepers.is_awake(socket.index());
  });
  if (!sockets || (!awake && wait.timeout.zero())) return false;
  if (wait.timeout.zero()) {
    const int count = ask(wait, wait.timeout, wait.mask);
    result = count < 0 ? count : merge(wait, count);
    return true;
  }
  if (!awake) {
    each_socket(wait, [&](pollfd&, Handle socket) { named.add(socket); });
    each_socket(wait, [&](pollfd&, Handle socket) { awake = awake || sleepers.is_awake(socket.index()); });
    if (!awake) return false;
  }
  SignalsHeld signals;
  Spin spin(wait.timeout);
  {
    KernelTurn kernel(kernel_asked, calls_since, KernelTurn::kCalls);
    bool found = anything_readable(wait);
    if (found) {
      result = answer(wait, kernel, spin.begun());
      return true;
    }
    if (wait.mask == nullptr && spin.worth_it()) {
      const auto peers = [&](Peers& into) {
        if (!rings_alone(wait) || any_without_bytes(wait)) into.add_others();
        each_socket(wait, [&](pollfd&, Handle socket) { into.add(socket); });
      };
      while (!found && spin.go_on(signals, peers)) {
        found = anything_readable(wait);
        if (found || !kernel.due(spin.now())) continue;
        kernel.taken(spin.now());
        result = ask(wait, Timeout::ns(0), nullptr);
        if (result != 0) break;
      }
      spin.ended(found);
      if (found) result = answer(wait, kernel, spin.now());
      if (result != 0) return true;
    }
  }
  notice_messages();
  result = sleep(wait, named, signals);
  if (result > 0) spin.slept();
  return true;
}

}  // namespace sockdoc::preload
