#include "preload/readiness/user_memory.h"

#include <sys/syscall.h>

#include <atomic>
#include <cstdint>

#include "base/raw.h"

namespace sockdoc::preload {
namespace {

constexpr std::uintptr_t kPage = 4096;
constexpr std::size_t kWord = 8;
constexpr std::size_t kKnown = 256;

/** Pages that were good once: page number << 1 | 1 where it may be written. What is unmapped later was used wrongly. */
constinit std::atomic<std::uintptr_t> known[kKnown] = {};

enum class Access { read, write };

bool good(std::uintptr_t at, Access access) {
  const std::uintptr_t page = at / kPage;
  if (page == 0) return false;  // a null pointer, which would be found among the pages that were not asked about yet
  std::atomic<std::uintptr_t>& place = known[page % kKnown];
  const std::uintptr_t seen = place.load(std::memory_order_relaxed);
  if (seen == (page << 1 | 1) || (seen == page << 1 && access == Access::read)) return true;
  // A call that looks at the memory and does nothing else: "how" is none of its three.
  constexpr int kNoWay = 99;
  const long result =
      access == Access::read ? raw(SYS_rt_sigprocmask, kNoWay, at, 0, kWord) : raw(SYS_rt_sigprocmask, 0, 0, at, kWord);
  if (result == -EFAULT) return false;
  place.store(page << 1 | (access == Access::write ? 1 : 0), std::memory_order_relaxed);
  return true;
}

bool all_good(std::uintptr_t from, std::size_t size, Access access) {
  if (size < kWord) return size == 0 || access == Access::read;
  const std::uintptr_t last = from + size - kWord;
  if (last < from) return false;
  for (std::uintptr_t at = from; at < last; at = (at / kPage + 1) * kPage) {
    if (!good(at, access)) return false;
  }
  return good(last, access);
}

}  // namespace

bool readable(const void* from, std::size_t size) {
  return all_good(reinterpret_cast<std::uintptr_t>(from), size, Access::read);
}

bool writable(void* to, std::size_t size) {
  return all_good(reinterpret_cast<std::uintptr_t>(to), size, Access::write);
}

}  // namespace sockdoc::preload
