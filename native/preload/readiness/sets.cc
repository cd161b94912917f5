#include "preload/readiness/sets.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "preload/connection/connections.h"
#include "preload/readiness/set_members.h"
#include "preload/table/own.h"
#include "preload/thread.h"

namespace sockdoc::preload {

using std::memory_order_acquire;
using std::memory_order_release;

namespace {

/** Longer than the members of a large set take to read. */
constexpr int kRecoveryLooks = 1000000;

}  // namespace

constinit EpollSets epoll_sets;

void EpollSets::start() {
  if (started()) return;
  int place = -1;
  {
    const OwnDescriptors::Making alone;
    const long bell = raw(SYS_eventfd2, 1, O_CLOEXEC | O_NONBLOCK);
    if (!failed(bell)) place = own_descriptors.adopt(static_cast<int>(bell));
    if (!failed(bell) && place < 0) raw(SYS_close, bell);
  }
  if (place < 0 || elsewhere() == nullptr) return sleepers.keep_all(abi::Reason::no_descriptors);
  bell_ = place;
  started_ = true;
}

EpollSets::Bytes* EpollSets::elsewhere() {
  Bytes* bytes = elsewhere_.load();
  if (bytes != nullptr) return bytes;
  const long page = raw(SYS_mmap, 0, sizeof(Bytes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (failed(page)) return nullptr;
  if (elsewhere_.compare_exchange_strong(bytes, reinterpret_cast<Bytes*>(page))) return elsewhere_.load();
  raw(SYS_munmap, page, sizeof(Bytes));
  return bytes;
}

void EpollSets::stop() {
  if (!started()) return;
  started_ = false;
  each([](EpollSet& set) { set.watches.release_all(); });
  // A child may have the bell too, so that closing it does not take it out.
  table.each([this](int fd, Handle handle) {
    EpollSet* set = find(handle);
    if (set == nullptr) return;
    epoll_event nothing = {};
    raw(SYS_epoll_ctl, fd, EPOLL_CTL_DEL, bell(), &nothing);
    set->end(fd);
  });
  own_descriptors.release(static_cast<std::size_t>(bell_.exchange(-1)));
}

int EpollSets::bell() const {
  const int place = bell_.load();
  return place < 0 ? -1 : own_descriptors.number(static_cast<std::size_t>(place));
}

std::uint64_t EpollSets::bell_data() { return reinterpret_cast<std::uintptr_t>(&epoll_sets) ^ 0x5d00c0000000005d; }

EpollSet* EpollSets::attach(int fd, EpollSet::Changes changes) {
  table.record(fd, SOCKDOC_EPOLL_SET, 0);
  const Handle handle = table.find(fd);
  if (!handle) return nullptr;
  SocketWaits* waits = sleepers.waits(handle.index());
  EpollSet* set = waits == nullptr ? nullptr : waits->set.load();
  std::uint32_t place = 0;
  if (waits != nullptr && set == nullptr) {
    place = count_.load();
    while (place < kMost && !count_.compare_exchange_weak(place, place + 1)) {
    }
    if (place < kMost) set = static_cast<EpollSet*>(fresh_memory(sizeof(EpollSet)));
    if (set != nullptr) sets_[place] = set;
  } else if (set != nullptr) {
    while (sets_[place].load() != set) place++;
  }
  if (set == nullptr) {
    sleepers.keep_all(abi::Reason::no_memory);
    return nullptr;
  }
  Bytes* bytes = elsewhere();
  set->begin(handle, bytes == nullptr ? nullptr : &(*bytes)[place], changes);
  waits->set.store(set, memory_order_release);
  return set;
}

void EpollSets::record(int fd, EpollSet::Changes changes) { attach(fd, changes); }

EpollSet* EpollSets::find_or_recover(int fd) {
  EpollSet* set = find(fd);
  if (set != nullptr || table.find(fd) || !is_epoll(fd)) return set;
  const std::uint64_t me = this_thread();
  std::uint64_t nobody = 0;
  if (!recovering_.compare_exchange_strong(nobody, me)) {
    for (int look = 0; look < kRecoveryLooks && recovering_.load() != 0; look++) raw(SYS_sched_yield);
    return find(fd);
  }
  set = find(fd);
  if (set == nullptr) set = attach(fd, EpollSet::Changes::at_once);
  if (set != nullptr && !recover(*set, fd)) sleepers.keep_all(abi::Reason::interest_unclear);
  recovering_ = 0;
  return set;
}

void EpollSets::recover(int fd) {
  EpollSet* set = find(fd);
  if (set != nullptr && set->has_sockets()) return;  // by another descriptor
  if (set == nullptr || !recover(*set, fd)) sleepers.keep_all(abi::Reason::interest_unclear);
}

bool EpollSets::recover(EpollSet& set, int fd) {
  return read_members(fd, [&](int member_fd, std::uint64_t inode, epoll_event event) {
    constexpr std::uint32_t kOfTheKernel = EPOLLERR | EPOLLHUP;  // which it has in each interest
    event.events &= ~kOfTheKernel;
    set.will_have(event.events);
    struct stat now = {};
    Handle socket = table.find(member_fd);
    if (socket && !failed(raw(SYS_fstat, member_fd, &now)) && now.st_ino == inode) {
      Member* member = set.place_of(socket.index());
      set.changed(socket, member_fd, event, member == nullptr ? 0 : member->begin(), true);
      EpollSet* inner = find(socket);
      return inner != nullptr ? inner->waited_for() : void();
    }
    // Added by a number that means something else now: if the socket is still here, it is so by another one.
    const auto end = static_cast<int>(table.end());
    for (int other = 0; other < end; other++) {
      socket = table.find(other);
      if (!socket || failed(raw(SYS_fstat, other, &now)) || now.st_ino != inode) continue;
      return connections.stay_receiving(socket, abi::Reason::interest_unclear);
    }
  });
}

template <typename Visit>
void EpollSets::each(Visit visit) const {
  const std::uint32_t count = count_.load();
  for (std::uint32_t at = 0; at < count; at++) {
    EpollSet* set = sets_[at].load(memory_order_acquire);
    if (set != nullptr) visit(*set);
  }
}

void EpollSets::settle_all() {
  if (!anything_deferred() || table.on_loan()) return;
  each([](EpollSet& set) {
    if (set.deferred()) set.settle(set.number());
  });
}

void EpollSets::defer_no_more() {
  each([](EpollSet& set) {
    if (set.may_ever_defer()) set.defer_no_more(set.number());
  });
}

void EpollSets::lend() {
  each([](EpollSet& set) {
    if (set.may_ever_defer()) set.lend(set.number());
  });
}

/** Sets to come have bytes of their own: our parent will give its places to sets that are not ours. */
void EpollSets::forked() {
  elsewhere_ = nullptr;
  if (recovering_.load() != this_thread()) recovering_ = 0;
  each([](EpollSet& set) { set.forked(); });
}

bool EpollSets::only_in(const EpollSet& set, Handle socket) const {
  constexpr std::uint32_t kMostSets = 32;  // each is looked at
  const std::uint32_t count = count_.load();
  if (count > kMostSets) return false;
  for (std::uint32_t at = 0; at < count; at++) {
    const EpollSet* other = sets_[at].load(memory_order_acquire);
    if (other == nullptr || other == &set) continue;
    const Member* member = other->member(socket.index());
    // One that was closed has its members still.
    if (member != nullptr && member->socket().word() == socket.word() && table.state(other->handle()) != nullptr) {
      return false;
    }
  }
  return true;
}

void EpollSets::disturb_watch(std::uint32_t socket) {
  each([&](EpollSet& set) {
    if (set.threads.any() && set.has(socket)) set.disturb_watch();
  });
}

void EpollSets::before_close(Handle socket) {
  if (EpollSet* set = socket ? find(socket) : nullptr; set != nullptr && !table.on_loan()) set->before_close();
  if (!socket || !anything_deferred() || table.on_loan()) return;
  each([&](EpollSet& set) {
    if (set.deferred(socket.index())) set.settle(set.number(), socket.index());
  });
}

bool EpollSets::unsettled() const {
  bool result = false;
  if (anything_deferred()) each([&](EpollSet& set) { result = result || (set.deferred() && set.number() >= 0); });
  return result;
}

void EpollSets::before_exec() {
  if (!started()) return;
  table.each([this](int fd, Handle handle) {
    EpollSet* set = find(handle);
    if (set == nullptr) return;
    // By another number too, which a child of vfork() has made of it.
    const SocketState* state = table.state(handle);
    const long flags = raw(SYS_fcntl, fd, F_GETFD, 0);
    const bool inherited = !failed(flags) && (flags & FD_CLOEXEC) == 0;
    if (!inherited && (state == nullptr || (state->flags.load() & kUncounted) == 0)) return;
    set->defer_no_more(fd);
    table.raise(handle, kUncounted);
  });
}

bool EpollSets::sleep_on(std::uint32_t socket) const {
  const std::uint32_t count = count_.load();
  for (std::uint32_t at = 0; at < count; at++) {
    const EpollSet* set = sets_[at].load(memory_order_acquire);
    if (set != nullptr && set->threads.any() && set->has(socket)) return true;
  }
  return false;
}

}  // namespace sockdoc::preload
