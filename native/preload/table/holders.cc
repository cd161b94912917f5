#include "preload/table/holders.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/raw.h"

namespace sockdoc::preload {

std::uint32_t Holders::share(std::uint32_t place) {
  constexpr std::uint32_t kTwo = 2;  // we and the child
  constexpr std::uint32_t kLooks = 256;
  if (place != kNone) {
    at(place).fetch_add(1, std::memory_order_relaxed);
    return place;
  }
  if (counts_.load() == nullptr) {
    const long mapped = raw(SYS_mmap, 0, sizeof(Counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (failed(mapped)) return kNone;
    Counts* nothing = nullptr;
    if (!counts_.compare_exchange_strong(nothing, reinterpret_cast<Counts*>(mapped))) {
      raw(SYS_munmap, mapped, sizeof(Counts));
    }
  }
  for (std::uint32_t look = 0; look < kLooks; look++) {
    const std::uint32_t candidate = next_.fetch_add(1, std::memory_order_relaxed) % kPlaces + 1;
    std::uint32_t unused = 0;
    if (at(candidate).compare_exchange_strong(unused, kTwo)) return candidate;
  }
  return kNone;
}

bool Holders::alone(std::uint32_t place) {
  std::uint32_t one = 1;
  return place != kNone && at(place).compare_exchange_strong(one, 0);
}

}  // namespace sockdoc::preload
