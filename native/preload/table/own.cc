#include "preload/table/own.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cerrno>

#include "base/raw.h"
#include "preload/table/table.h"

namespace sockdoc::preload {
namespace {

/**
 * A duplicate where loops of a program from 3 upwards seldom come, but not higher: the kernel's table of the process is
 * as long as its highest number, each fork copies it, and close_range() walks it.
 */
long duplicate_high(int fd) {
  rlimit limit = {1024, 1024};
  raw(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &limit);
  constexpr rlim_t kHighest = 1024;
  rlim_t top = limit.rlim_cur < kHighest ? limit.rlim_cur : kHighest;
  long result = -EMFILE;
  for (rlim_t room = 64; failed(result) && top > 0; room *= 2) {
    const rlim_t from = top > room ? top - room : 0;
    result = raw(SYS_fcntl, fd, F_DUPFD_CLOEXEC, from);
    if (from == 0) break;
  }
  return result;
}

void count_down(std::atomic<unsigned>& count) {
  for (unsigned now = count.load(); now != 0 && !count.compare_exchange_weak(now, now - 1);) {
  }
}

/**
 * Until none of those is at it, who need a few microseconds. Where the processor is not given to them for long, a
 * signal handler left the midst of it for good, or made this process: it counts no more.
 */
void await_none(std::atomic<unsigned>& count) {
  constexpr std::uint64_t kPatience = 200;  // ms
  std::uint64_t begun = 0;
  while (count.load() != 0) {
    raw(SYS_sched_yield);
    const std::uint64_t now = coarse_ms();
    if (begun == 0) begun = now;
    if (now - begun > kPatience) count = 0;
  }
}

std::int32_t process_id() { return static_cast<std::int32_t>(raw(SYS_getpid)); }

}  // namespace

constinit OwnDescriptors own_descriptors;

int OwnDescriptors::adopt(int fd, For how_long) {
  const std::size_t most = how_long == For::moment ? kMost : kMost - kMoments;
  for (std::size_t place = 0; place < most; place++) {
    int nothing = 0;
    if (!numbers_[place].compare_exchange_strong(nothing, fd + 1)) continue;
    count_++;
    for (std::size_t end = end_.load(); end <= place && !end_.compare_exchange_weak(end, place + 1);) {
    }
    return raise(place, fd, how_long) ? static_cast<int>(place) : -EMFILE;
  }
  return -EMFILE;
}

// Either sees the other: each says what it begins before it looks. Who replaces stands back.
OwnDescriptors::Making::Making() {
  own_descriptors.making_.fetch_add(1);
  await_none(own_descriptors.replacing_);
}

OwnDescriptors::Making::~Making() { count_down(own_descriptors.making_); }

OwnDescriptors::Using::Using() { own_descriptors.using_.fetch_add(1); }

OwnDescriptors::Using::~Using() { count_down(own_descriptors.using_); }

OwnDescriptors::Replacing::Replacing(int to) {
  own_descriptors.replacing_.fetch_add(1);
  while (own_descriptors.making_.load() != 0) {
    count_down(own_descriptors.replacing_);
    await_none(own_descriptors.making_);
    own_descriptors.replacing_.fetch_add(1);
  }
  // A child on our memory puts it on a number of its own.
  if (own_descriptors.owns(to) && !table.on_loan()) [[unlikely]] {
    own_descriptors.move_away(to);
    await_none(own_descriptors.using_);
  }
}

OwnDescriptors::Replacing::~Replacing() { count_down(own_descriptors.replacing_); }

bool OwnDescriptors::raise(std::size_t place, int fd, For how_long) {
  int here = fd + 1;
  const long high = duplicate_high(fd);
  if (failed(high)) {
    if (how_long == For::moment || !numbers_[place].compare_exchange_strong(here, 0)) return true;
    count_--;
    return false;
  }
  const bool stayed = numbers_[place].compare_exchange_strong(here, static_cast<int>(high) + 1);
  raw(SYS_close, stayed ? fd : static_cast<int>(high));
  return true;
}

void OwnDescriptors::release(std::size_t place) {
  const Making alone;
  const int number = numbers_[place].exchange(0) - 1;
  if (number < 0) return;
  count_--;
  await_none(using_);
  raw(SYS_close, number);
}

std::size_t OwnDescriptors::place_of(int fd) const {
  if (fd < 0) return kMost;
  const std::size_t end = end_.load(std::memory_order_acquire);
  for (std::size_t place = 0; place < end; place++) {
    if (numbers_[place].load(std::memory_order_relaxed) == fd + 1) return place;
  }
  return kMost;
}

/** Several threads may want the same number: the first one moves it, and what the others find there is not ours. */
void OwnDescriptors::move_away(int fd) {
  const std::size_t place = place_of(fd);
  if (place == kMost) return;
  int here = fd + 1;
  const long elsewhere = duplicate_high(fd);
  if (failed(elsewhere)) {
    // It goes by the program's call.
    if (numbers_[place].compare_exchange_strong(here, kLost)) count_--;
  } else if (!numbers_[place].compare_exchange_strong(here, static_cast<int>(elsewhere) + 1)) {
    raw(SYS_close, elsewhere);
  }
}

long OwnDescriptors::first_within(unsigned first, unsigned last) const {
  long result = -1;
  if (count_.load(std::memory_order_relaxed) == 0) return result;
  for (const std::atomic<int>& place : numbers_) {
    const long number = place.load(std::memory_order_relaxed) - 1;
    if (number < 0 || number < long{first} || number > long{last}) continue;
    if (result < 0 || number < result) result = number;
  }
  return result;
}

bool OwnDescriptor::take(int fd, OwnDescriptors::For how_long) {
  if (!table.on_loan()) {
    const int place = own_descriptors.adopt(fd, how_long);
    if (place < 0) raw(SYS_close, fd);
    place_ = place < 0 ? 0 : place + 1;
    return place >= 0;
  }
  const long high = duplicate_high(fd);
  if (!failed(high)) raw(SYS_close, fd);
  number_ = (failed(high) ? fd : static_cast<int>(high)) + 1;
  process_ = process_id();
  return true;
}

int OwnDescriptor::number() const {
  if (number_ > 0) return process_ == process_id() ? number_ - 1 : -1;
  return place_ > 0 && !forgotten_ ? own_descriptors.number(static_cast<std::size_t>(place_ - 1)) : -1;
}

void OwnDescriptor::close() {
  if (number_ > 0 && process_ == process_id()) raw(SYS_close, number_ - 1);
  number_ = 0;
  if (place_ == 0) return;
  forgotten_ = table.on_loan();
  if (forgotten_) return;
  own_descriptors.release(static_cast<std::size_t>(place_ - 1));
  place_ = 0;
}

}  // namespace sockdoc::preload
