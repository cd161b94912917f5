#include "preload/connection/doorbell.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/raw.h"
#include "preload/table/own.h"

namespace sockdoc::preload {
namespace {

std::atomic<std::uint32_t> doorbells{0};  // of this process

bool one_more() {
  rlimit limit = {1024, 1024};
  raw(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &limit);
  const rlim_t allowed = limit.rlim_cur / Doorbell::kDescriptorsForEach;
  const std::uint32_t most = allowed < Doorbell::kMost ? static_cast<std::uint32_t>(allowed) : Doorbell::kMost;
  if (doorbells.fetch_add(1) < most) return true;
  doorbells.fetch_sub(1);
  return false;
}

}  // namespace

std::uint64_t Doorbell::data() { return reinterpret_cast<std::uintptr_t>(&doorbells) ^ 0x5d00d0000000005d; }

bool Doorbell::take(int fd) {
  // A call that a filter forbids with an error wakes nobody.
  if (place_.load() != 0 || failed(raw(SYS_shutdown, fd, SHUT_WR)) || !one_more()) return false;
  const int place = own_descriptors.adopt(fd);
  if (place < 0) {
    doorbells.fetch_sub(1);
    return false;
  }
  barred_ = deaf_ = asked_ = 0;
  set_ = 0;
  place_.store(place + 1, std::memory_order_release);
  return true;
}

int Doorbell::number() const {
  const int place = place_.load(std::memory_order_acquire);
  return place == 0 ? -1 : own_descriptors.number(static_cast<std::size_t>(place - 1));
}

void Doorbell::close() {
  const int place = place_.exchange(0);
  set_ = 0;
  sleeps_ = asked_ = barred_ = deaf_ = 0;
  if (place == 0) return;
  own_descriptors.release(static_cast<std::size_t>(place - 1));
  doorbells.fetch_sub(1);
}

void Doorbell::ring() {
  const OwnDescriptors::Using still_there;
  const int fd = number();
  if (fd < 0 || failed(raw(SYS_shutdown, fd, SHUT_WR))) deaf_ = 1;
}

bool Doorbell::join(Handle set, int number_of_set) {
  std::uint64_t in = set_.load(std::memory_order_relaxed);
  if (!there()) return false;
  if (in == set.word()) return true;
  if (barred_.load(std::memory_order_relaxed) != 0 || (in != 0 && table.state(Handle(in)) != nullptr)) return false;
  if (!set_.compare_exchange_strong(in, set.word())) return false;
  const OwnDescriptors::Using still_there;
  epoll_event event = {};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = data();
  member_ = number();
  if (failed(raw(SYS_epoll_ctl, number_of_set, EPOLL_CTL_ADD, member_.load(), &event))) {
    barred_ = 1;
    set_ = 0;
    return false;
  }
  if (set_.load() == set.word()) return true;
  // Whoever takes it out was there first.
  raw(SYS_epoll_ctl, number_of_set, EPOLL_CTL_DEL, member_.load(), &event);
  return false;
}

void Doorbell::part(Handle set, int number_of_set) {
  std::uint64_t in = set.word();
  if (set_.load(std::memory_order_relaxed) != in || !set_.compare_exchange_strong(in, 0)) return;
  {
    const OwnDescriptors::Using still_there;
    epoll_event nothing = {};
    const int fd = number();
    if (fd >= 0 && fd == member_.load()) {
      if (number_of_set >= 0) raw(SYS_epoll_ctl, number_of_set, EPOLL_CTL_DEL, fd, &nothing);
      return;
    }
  }
  close();
}

}  // namespace sockdoc::preload
