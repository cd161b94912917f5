#include "preload/table/holders.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>

#include "base/raw.h"

namespace sockdoc::preload {

Holders::Shared* Holders::shared() {
  Shared* shared = shared_.load();
  if (shared != nullptr) return shared;
  const long mapped = raw(SYS_mmap, 0, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (failed(mapped)) return nullptr;
  if (shared_.compare_exchange_strong(shared, reinterpret_cast<Shared*>(mapped))) return shared_.load();
  raw(SYS_munmap, mapped, sizeof(Shared));
  return shared;
}

unsigned Holders::expect_child() {
  Shared* all = shared();
  if (all == nullptr) return kUnknown;
  std::uint32_t taken = all->numbers.load();
  while (taken != ~std::uint32_t{0}) {
    const auto number = static_cast<unsigned>(__builtin_ctz(~taken));
    if (all->numbers.compare_exchange_weak(taken, taken | std::uint32_t{1} << number)) return number;
  }
  return kUnknown;
}

void Holders::born(unsigned number, std::int32_t process) {
  if (number != kUnknown) children_[number].store(process);
}

void Holders::begin_as(unsigned number) {
  mine_ = number;
  for (std::atomic<std::int32_t>& child : children_) child.store(0, std::memory_order_relaxed);
}

/** Waited for or not: what has ended has closed its descriptors. Its id may be another child's by now, and then it
 * lives for us. */
bool Holders::is_no_more(std::int32_t process) {
  siginfo_t info = {};
  const long result = raw(SYS_waitid, P_PID, process, &info, WEXITED | WNOHANG | WNOWAIT, nullptr);
  return process < 0 || result == -ECHILD || (result == 0 && info.si_pid == process);
}

std::uint32_t Holders::share(std::uint32_t place, unsigned child) {
  constexpr std::uint64_t kTwo = 2;  // we and the child
  constexpr std::uint32_t kLooks = 256;
  if (place != kNone) {
    at(place).fetch_add(1);
    // Not added: a child that had the number before may have left it behind, where its parent had closed the socket.
    at(place).fetch_or(bit(child));
    return place;
  }
  if (shared() == nullptr) return kNone;
  for (std::uint32_t look = 0; look < kLooks; look++) {
    const std::uint32_t candidate = next_.fetch_add(1, std::memory_order_relaxed) % kPlaces + 1;
    std::uint64_t unused = 0;
    if (at(candidate).compare_exchange_strong(unused, kTwo + bit(child))) return candidate;
  }
  return kNone;
}

void Holders::count_out(std::uint32_t place, unsigned number) {
  std::atomic<std::uint64_t>& word = at(place);
  std::uint64_t seen = word.load();
  while (!word.compare_exchange_weak(seen, (seen & ~bit(number)) - 1)) {
  }
}

bool Holders::alone(std::uint32_t place) {
  std::uint64_t one = 1 + bit(mine_);
  return place != kNone && at(place).compare_exchange_strong(one, 0);
}

}  // namespace sockdoc::preload
