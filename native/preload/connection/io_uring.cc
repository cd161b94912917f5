#include "preload/connection/io_uring.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <iterator>

#include "base/raw.h"
#include "preload/connection/spinning.h"
#include "preload/patch/image.h"
#include "preload/readiness/set_members.h"
#include "preload/table/open_descriptors.h"
#include "preload/table/own.h"
#include "preload/table/table.h"
#include "preload/thread.h"

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

/** The code that is searched, in the order of the loader; what has no room is not. */
struct Code {
  std::uintptr_t at;
  std::size_t size;
};
constinit Code code[256] = {};
constinit std::size_t codes = 0;

/** How far the search has come. Of one thread at a time. */
struct Search {
  std::atomic<std::uint32_t> busy{0};
  std::atomic<std::uint32_t> ended{0};
  std::atomic<std::uint32_t> found{0};
  std::size_t code = 0;
  std::size_t offset = 0;
};
constinit Search search;

int remember_code(dl_phdr_info* info, std::size_t, void* libc_base) {
  const auto self = reinterpret_cast<std::uintptr_t>(&search);
  std::uintptr_t end = 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr)& header = info->dlpi_phdr[i];
    if (header.p_type == PT_LOAD) end = std::max(end, info->dlpi_addr + header.p_vaddr + header.p_memsz);
  }
  if (info->dlpi_addr == *static_cast<std::uintptr_t*>(libc_base) || (self >= info->dlpi_addr && self < end)) return 0;
  for (int i = 0; i < info->dlpi_phnum && codes < std::size(code); i++) {
    const ElfW(Phdr)& header = info->dlpi_phdr[i];
    if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0) continue;
    code[codes++] = {info->dlpi_addr + header.p_vaddr, header.p_memsz};
  }
  return 0;
}

/** `mov $425, %eax` (or into %rax, or pushed to be popped there), and `syscall` soon behind it. */
bool makes_io_uring(const std::uint8_t* begin, const std::uint8_t* end) {
  constexpr std::uint8_t kNumber[] = {0xa9, 0x01, 0x00, 0x00};
  constexpr std::uint8_t kSyscall[] = {0x0f, 0x05};
  constexpr std::ptrdiff_t kSoon = 64;
  for (const std::uint8_t* at = begin + 1; end - at >= 4; at++) {
    at = static_cast<const std::uint8_t*>(std::memchr(at, kNumber[0], static_cast<std::size_t>(end - at) - 3));
    if (at == nullptr) return false;
    if (std::memcmp(at, kNumber, sizeof kNumber) != 0) continue;
    if (at[-1] != 0xb8 && at[-1] != 0xc0 && at[-1] != 0x68) continue;
    const std::uint8_t* const behind = at + sizeof kNumber;
    const std::uint8_t* const until = behind + std::min<std::ptrdiff_t>(end - behind, kSoon);
    if (std::search(behind, until, std::begin(kSyscall), std::end(kSyscall)) != until) return true;
  }
  return false;
}

}  // namespace

void prepare_search(const Image& libc) {
  std::uintptr_t base = libc.base();
  codes = 0;
  dl_iterate_phdr(remember_code, &base);
  search.code = 0;
  search.offset = 0;
  search.found = 0;
  search.ended = 0;
}

void search_anew_in_child() { search.busy = 0; }

bool found_setup() { return search.found.load(std::memory_order_relaxed) != 0; }

bool search_for_setup() {
  constexpr std::size_t kAtOnce = 4 << 10;  // memory that stays the process's
  constexpr unsigned kTurns = 256;
  constexpr std::size_t kOverlap = 128;
  alignas(4096) static constinit std::uint8_t bytes[kAtOnce] = {};
  if (search.ended.load(std::memory_order_acquire) != 0) return search.found.load() == 0;
  const OwnDescriptors::Making alone;
  if (search.busy.exchange(1, std::memory_order_acquire) != 0) return false;
  // Read by the kernel, since the program may have unloaded an object meanwhile. Without /proc nothing is found.
  const long memory = raw(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDONLY | O_CLOEXEC, 0);
  for (unsigned turn = 0; turn < kTurns && search.code < codes && search.found.load() == 0; turn++) {
    const Code& part = code[search.code];
    const std::size_t size = std::min(part.size - search.offset, kAtOnce);
    const long got = raw(SYS_pread64, memory, bytes, size, part.at + search.offset);
    if (got > 0 && makes_io_uring(bytes, bytes + got)) search.found = 1;
    search.offset += size - std::min(size, kOverlap);
    if (got < static_cast<long>(size) || part.size - search.offset <= kOverlap) {
      search.code++;
      search.offset = 0;
    }
  }
  if (!failed(memory)) raw(SYS_close, memory);
  const bool over = search.code == codes || search.found.load() != 0;
  search.ended.store(over ? 1 : 0, std::memory_order_release);
  search.busy.store(0, std::memory_order_release);
  return over && search.found.load() == 0;
}

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
