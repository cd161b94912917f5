#include "preload/connection/io_uring.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include <atomic>
#include <cstring>

#include "base/raw.h"
#include "preload/connection/spinning.h"
#include "preload/patch/image.h"
#include "preload/readiness/set_members.h"
#include "preload/table/open_descriptors.h"
#include "preload/table/table.h"

namespace sockdoc::preload {
namespace {

constinit std::atomic<std::uint64_t> next_look{0};  // in ticks

bool is_io_uring(int fd) {
  constexpr char kTarget[] = "anon_inode:[io_uring]";
  constexpr long kLength = sizeof kTarget - 1;
  char target[kLength + 1];
  const long size = raw(SYS_readlinkat, AT_FDCWD, DescriptorPath("/proc/self/fd/", fd).text(), target, sizeof target);
  return size == kLength && std::memcmp(target, kTarget, kLength) == 0;
}

}  // namespace

bool has_liburing() { return Image::that_exports("io_uring_queue_init_params", nullptr).valid(); }

bool has_io_uring() {
  constexpr std::uint64_t kSecond = 1'000'000 * kTicksPerUs;
  constexpr std::uint64_t kShare = 100;
  const std::uint64_t start = __builtin_ia32_rdtsc();
  std::uint64_t due = next_look.load(std::memory_order_relaxed);
  if (start < due || !next_look.compare_exchange_strong(due, start + kSecond)) return false;
  bool found = false;
  each_open_descriptor([&](int fd) { found = found || (!table.find(fd) && is_io_uring(fd)); });
  const std::uint64_t took = __builtin_ia32_rdtsc() - start;
  if (took > kSecond / kShare) next_look = start + took * kShare;
  return found;
}

}  // namespace sockdoc::preload
