#include "monitor/slab.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "abi/slab.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U  // Linux 6.3
#endif

namespace sockdoc::monitor {
namespace {

Fd anonymous_file() {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  Fd fd(::memfd_create("sockdoc-slab", kFlags | MFD_NOEXEC_SEAL));
  if (!fd.valid() && errno == EINVAL) fd = Fd(::memfd_create("sockdoc-slab", kFlags));
  return fd;
}

}  // namespace

Result<std::unique_ptr<Slab>> Slab::make(std::uint64_t id, std::uint32_t slots, std::uint32_t ring_bytes) {
  if (!abi::valid_geometry(slots, ring_bytes)) return Error{EINVAL, "geometry of a slab"};
  Fd memory = anonymous_file();
  if (!memory.valid()) return errno_error("memfd_create");
  const abi::SlabHeader header{abi::kSlabMagic, abi::kSharedMemoryVersion, slots, ring_bytes, 0, id};
  if (::ftruncate(memory.get(), static_cast<off_t>(abi::slab_bytes(slots, ring_bytes))) != 0 ||
      ::pwrite(memory.get(), &header, sizeof header, 0) != sizeof header) {
    return errno_error("size of a slab");
  }
  // Without a fixed size either process could cut the other's pages off, which is SIGBUS.
  if (::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) return errno_error("seal");
  return std::unique_ptr<Slab>(new Slab(id, std::move(memory), slots, ring_bytes));
}

std::unique_ptr<Slab> Slab::restored(std::uint64_t id, std::uint32_t ring_bytes) {
  return std::unique_ptr<Slab>(new Slab(id, Fd(), 0, ring_bytes));
}

std::optional<std::uint32_t> Slab::take() {
  for (std::uint32_t i = 0; i < slots(); ++i) {
    const std::uint32_t slot = (next_ + i) % slots();
    if (taken_[slot]) continue;
    taken_[slot] = true;
    next_ = slot + 1;
    return slot;
  }
  return std::nullopt;
}

void Slab::give_back(std::uint32_t slot) {
  if (!memory_.valid()) return;
  const auto at = static_cast<off_t>(abi::slot_offset(slot, ring_bytes_));
  const auto length = static_cast<off_t>(abi::slot_bytes(ring_bytes_));
  // What cannot be made zero is not given out again.
  if (::fallocate(memory_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, length) == 0) taken_[slot] = false;
}

std::optional<Slab::Carried> Slab::carried(std::uint32_t slot) const {
  constexpr std::size_t kTail = offsetof(abi::Direction, sender) + offsetof(abi::SenderWords, ring_tail);
  constexpr std::size_t kHead = offsetof(abi::Direction, receiver) + offsetof(abi::ReceiverWords, ring_head);
  std::byte words[sizeof(abi::SlotHead::directions)];
  const auto at = static_cast<off_t>(abi::slot_offset(slot, ring_bytes_));
  if (!memory_.valid() || ::pread(memory_.get(), words, sizeof words, at) != sizeof words) return std::nullopt;
  Carried carried;
  for (std::size_t direction = 0; direction < 2; ++direction) {
    const std::byte* from = words + direction * sizeof(abi::Direction);
    std::uint64_t tail = 0;
    std::memcpy(&tail, from + kTail, sizeof tail);
    carried.sent[direction] = abi::tail_bytes(tail);
    std::memcpy(&carried.received[direction], from + kHead, sizeof carried.received[direction]);
  }
  return carried;
}

std::uint64_t Slab::bytes() const { return memory_.valid() ? abi::slab_bytes(slots(), ring_bytes_) : 0; }

std::uint64_t Slab::used_bytes() const {
  struct stat info {};
  return ::fstat(memory_.get(), &info) == 0 ? static_cast<std::uint64_t>(info.st_blocks) * 512 : 0;
}

}  // namespace sockdoc::monitor
