#include "preload/connection/unread.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <iterator>

#include "base/raw.h"
#include "preload/thread.h"

namespace sockdoc::preload {
namespace {

using abi::kPage;

constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW;

/** A file of this size, which nobody can make shorter under those who have it mapped. */
bool make_sealed(OwnDescriptor& file, std::size_t size, OwnDescriptors::For how_long) {
  rlimit most = {};
  // Beyond it the process would get a signal.
  if (failed(raw(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, &most)) || most.rlim_cur < size) return false;
  {
    const OwnDescriptors::Making alone;
    const long fd = raw(SYS_memfd_create, abi::kUnreadName, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (failed(fd) || !file.take(static_cast<int>(fd), how_long)) return false;
  }
  if (!failed(raw(SYS_ftruncate, file.number(), size)) && !failed(raw(SYS_fcntl, file.number(), F_ADD_SEALS, kSeals))) {
    return true;
  }
  file.close();
  return false;
}

/** The last mappings that were let go of, whose users may still be looking: page number | pages << 36. */
constinit std::atomic<std::uint64_t> dropped[16] = {};
constinit std::atomic<std::size_t> drops{0};
constexpr unsigned kPagesShift = 36;

}  // namespace

bool UnreadBytes::make(std::uint64_t cookie, std::size_t bytes, OwnDescriptors::For how_long) {
  const std::size_t size = (kPage + bytes + kPage - 1) & ~(kPage - 1);
  const int flags = make_sealed(file_, size, how_long) ? MAP_SHARED : MAP_SHARED | MAP_ANONYMOUS;
  const long mapped = raw(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, flags, file_.number(), 0);
  if (failed(mapped)) {
    file_.close();
    return false;
  }
  auto* head = reinterpret_cast<Head*>(mapped);
  head->magic = abi::kUnreadMagic;
  head->cookie = cookie;
  mapped_ = size;
  size_ = bytes;
  head_.store(head, std::memory_order_release);
  return true;
}

void UnreadBytes::made(std::size_t bytes) {
  size_ = bytes;
  head_.load()->size = bytes;
}

bool UnreadBytes::is_ours(int fd) {
  // One system call that fails for all that is no such file.
  if (raw(SYS_fcntl, fd, F_GET_SEALS, 0) != kSeals) return false;
  char path[32] = "/proc/self/fd/";
  char digits[12];
  int count = 0;
  do digits[count++] = static_cast<char>('0' + fd % 10);
  while ((fd /= 10) != 0);
  char* at = path + std::strlen(path);
  while (count > 0) *at++ = digits[--count];
  char name[64] = {};
  constexpr char kLink[] = "/memfd:sockdoc-unread (deleted)";
  return !failed(raw(SYS_readlinkat, AT_FDCWD, path, name, sizeof name - 1)) && std::strcmp(name, kLink) == 0;
}

bool UnreadBytes::open(int fd) {
  struct stat info = {};
  if (!is_ours(fd) || failed(raw(SYS_fstat, fd, &info)) || info.st_size <= static_cast<off_t>(kPage)) return false;
  const auto size = static_cast<std::size_t>(info.st_size);
  const long mapped = raw(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (failed(mapped)) return false;
  auto* head = reinterpret_cast<Head*>(mapped);
  const std::uint64_t bytes = head->size;
  if (head->magic != abi::kUnreadMagic || bytes > size - kPage) {
    raw(SYS_munmap, mapped, size);
    return false;
  }
  mapped_ = size;
  size_ = bytes;
  head_.store(head, std::memory_order_release);
  return true;
}

std::uint64_t UnreadBytes::cookie() const { return head_.load()->cookie; }

std::byte* UnreadBytes::data() const { return reinterpret_cast<std::byte*>(head_.load()) + kPage; }

std::size_t UnreadBytes::left() const {
  const Head* head = head_.load(std::memory_order_acquire);
  if (head == nullptr) return 0;
  const std::uint64_t taken = head->taken.load(std::memory_order_acquire) & ~abi::kFrozen;
  return taken < size_ ? size_ - taken : 0;
}

bool UnreadBytes::any() const {
  const Head* head = head_.load(std::memory_order_acquire);
  return head != nullptr && (left() > 0 || head->error.load(std::memory_order_relaxed) != 0);
}

std::size_t UnreadBytes::take(std::span<const iovec> parts, bool peek, bool written) const {
  Head* const head = head_.load(std::memory_order_acquire);
  if (head == nullptr) return 0;
  std::uint64_t at = head->taken.load(std::memory_order_acquire);
  for (;;) {
    if (at >= size_) return 0;
    const std::size_t there = size_ - at;
    std::size_t done = 0;
    for (const iovec& part : parts) {
      const std::size_t count = std::min(part.iov_len, there - done);
      if (written && count > 0) std::memcpy(part.iov_base, data() + at + done, count);
      done += count;
    }
    if (peek || head->taken.compare_exchange_strong(at, at + done)) return done;
  }
}

bool UnreadBytes::freeze() const {
  Head* const head = head_.load(std::memory_order_acquire);
  std::uint64_t at = head == nullptr ? size_ : head->taken.load(std::memory_order_acquire);
  do {
    if (at >= size_) return false;
  } while (!head->taken.compare_exchange_weak(at, at | abi::kFrozen));
  return true;
}

UnreadBytes::Frozen UnreadBytes::freeze_until(std::uint64_t deadline) const {
  while (!freeze()) {
    if (left() == 0) return Frozen::nothing;
    if (coarse_ms() >= deadline) return Frozen::by_another;
    const timespec a_while = {0, 100'000};
    raw(SYS_nanosleep, &a_while, nullptr);
  }
  return Frozen::by_us;
}

bool UnreadBytes::frozen() const {
  const Head* head = head_.load(std::memory_order_acquire);
  return left() > 0 && (head->taken.load(std::memory_order_acquire) & abi::kFrozen) != 0;
}

std::size_t UnreadBytes::copy(std::span<std::byte> into) const {
  const std::size_t bytes = std::min(left(), into.size());
  if (bytes > 0) std::memcpy(into.data(), data() + size_ - bytes, bytes);
  return bytes;
}

void UnreadBytes::thaw(bool all) const {
  Head* const head = head_.load(std::memory_order_acquire);
  all ? head->taken.store(size_) : void(head->taken.fetch_and(~abi::kFrozen));
}

void UnreadBytes::tell_reset() const {
  if (Head* const head = head_.load(std::memory_order_acquire); head != nullptr) head->reset = 1;
}

bool UnreadBytes::was_reset() const {
  Head* const head = head_.load(std::memory_order_acquire);
  return head != nullptr && head->reset.load(std::memory_order_relaxed) != 0 && head->reset.exchange(0) != 0;
}

int UnreadBytes::error() const {
  Head* const head = head_.load(std::memory_order_acquire);
  if (head == nullptr || head->error.load() == 0) return 0;
  return static_cast<int>(head->error.exchange(0) & 0xfff);
}

void UnreadBytes::tell(int error) const {
  if (Head* const head = head_.load(std::memory_order_acquire); head != nullptr) {
    head->error = static_cast<std::uint32_t>(error);
  }
}

void UnreadBytes::begin_return() const {
  Head* const head = head_.load();
  head->returned = 0;
  head->returning = abi::Returning::asked;
}

bool UnreadBytes::cancel_return() const {
  abi::Returning asked = abi::Returning::asked;
  return head_.load()->returning.compare_exchange_strong(asked, abi::Returning::cancelled) ||
         asked == abi::Returning::cancelled;
}

std::size_t UnreadBytes::returned() const {
  return static_cast<std::size_t>(std::min<std::uint64_t>(head_.load()->returned.load(), size_));
}

void UnreadBytes::discard() {
  file_.close();
  if (Head* const head = head_.exchange(nullptr); head != nullptr) raw(SYS_munmap, head, mapped_);
  size_ = 0;
}

void UnreadBytes::drop() {
  file_.close();
  Head* const head = head_.exchange(nullptr);
  if (head == nullptr) return;
  const std::uint64_t word = reinterpret_cast<std::uintptr_t>(head) / kPage | mapped_ / kPage << kPagesShift;
  const std::uint64_t former = dropped[drops.fetch_add(1) % std::size(dropped)].exchange(word);
  if (former != 0) {
    raw(SYS_munmap, (former & ((std::uint64_t{1} << kPagesShift) - 1)) * kPage, (former >> kPagesShift) * kPage);
  }
  size_ = 0;
}

}  // namespace sockdoc::preload
